//! What may be used only where a quota covers it, as the cluster's owner says.

use serde_json::Value;
use warren_apimachinery::GroupResource;
use warren_apimachinery::value::ValueExt;

use super::super::pod_resources::Amounts;

/// One entry of `limitedResources`.
#[derive(Clone, Debug)]
pub(in super::super) struct LimitedResource {
    resource: GroupResource,
    /// Parts of names of what is limited.
    contains: Vec<String>,
    /// Scopes that are limited, each with `scopeName`, `operator`, `values`.
    pub(super) scopes: Vec<Value>,
}

impl LimitedResource {
    pub(in super::super) fn read(limited: &Value) -> Self {
        let contains = limited.items("/matchContains").iter().filter_map(Value::as_str);
        Self {
            resource: GroupResource::new(limited.text("/apiGroup"), limited.text("/resource")),
            contains: contains.map(str::to_owned).collect(),
            scopes: limited.items("/matchScopes").to_vec(),
        }
    }

    /// Of what is used, the names that a quota must cover.
    pub(super) fn limits<'u>(
        &'u self,
        resource: &GroupResource,
        usage: &'u Amounts,
    ) -> impl Iterator<Item = &'u str> + use<'u> {
        let is_asked = self.resource == *resource;
        let used = usage
            .iter()
            .filter(move |(_, amount)| is_asked && amount.sign() > 0);
        let names = used.map(|(name, _)| name.as_str());
        names.filter(|name| self.contains.iter().any(|part| name.contains(part.as_str())))
    }
}
