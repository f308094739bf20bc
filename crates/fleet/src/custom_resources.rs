//! Custom resources: what a cluster's CustomResourceDefinitions say is served by its registry.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource, time};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};
use warren_registry::definition::Definition;

use crate::fleet::Fleet;
use crate::tenant::Tenant;

/// Keeps each cluster's catalogue in step with its definitions, and says in their status that they are served.
pub(crate) struct CustomResources {
    pub(crate) fleet: Weak<Fleet>,
}

/// Serves what the definitions of a cluster say. Definitions that make no sense are left out; their conditions say
/// why.
pub(crate) fn serve(tenant: &Tenant) {
    let definitions: Vec<Arc<Definition>> = tenant
        .objects(&resource::CUSTOM_RESOURCE_DEFINITIONS)
        .iter()
        .filter_map(|object| warren_resources::custom::definition(&object.to_value()).ok())
        .map(Arc::new)
        .collect();
    tenant.registry().set_custom(definitions);
}

#[async_trait]
impl Reconciler for CustomResources {
    fn name(&self) -> &'static str {
        "custom-resources"
    }

    fn actor(&self) -> &'static str {
        "kube-apiserver"
    }

    fn watches(&self) -> &'static [Resource] {
        const WATCHES: &[Resource] = &[resource::CUSTOM_RESOURCE_DEFINITIONS];
        WATCHES
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        out.add(change.object.key());
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(tenant) = self
            .fleet
            .upgrade()
            .and_then(|fleet| fleet.tenant(cx.cluster.id()))
        else {
            return Ok(Next::Wait);
        };
        serve(&tenant);
        let Some(object) = cx.cluster.get(&resource::CUSTOM_RESOURCE_DEFINITIONS, key) else {
            return Ok(Next::Wait);
        };
        let crd = object.to_value();
        let status = status(&crd, &time::format(cx.now));
        if status != *crd.at("/status") {
            let patch = json!({"status": status});
            cx.cluster
                .merge_patch(&resource::CUSTOM_RESOURCE_DEFINITIONS, key, Part::Status, patch)
                .await?;
        }
        Ok(Next::Wait)
    }
}

fn status(crd: &Value, now: &str) -> Value {
    let mut status = crd.at("/status").clone();
    status.set("/acceptedNames", crd.at("/spec/names").clone());
    let stored = crd
        .items("/spec/versions")
        .iter()
        .find(|version| version.at("/storage") == &json!(true));
    if let Some(name) = stored.map(|version| version.text("/name")) {
        let mut versions = status.items("/storedVersions").to_vec();
        if !versions.contains(&json!(name)) {
            versions.push(json!(name));
        }
        status.set("/storedVersions", versions);
    }
    let wrong = warren_resources::custom::definition(crd).err();
    let established = match &wrong {
        None => (
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted".to_owned(),
        ),
        Some(why) => ("False", "Installing", why.clone()),
    };
    let conditions = [
        (
            "NamesAccepted",
            "True",
            "NoConflicts",
            "no conflicts found".to_owned(),
        ),
        ("Established", established.0, established.1, established.2),
    ];
    let old = crd.items("/status/conditions");
    let conditions: Vec<Value> = conditions
        .into_iter()
        .map(|(name, holds, reason, message)| {
            let before = old.iter().find(|c| c.text("/type") == name && c.text("/status") == holds);
            let since = before.map_or_else(|| json!(now), |before| before.at("/lastTransitionTime").clone());
            json!({"type": name, "status": holds, "reason": reason, "message": message, "lastTransitionTime": since})
        })
        .collect();
    status.set("/conditions", conditions);
    status
}
