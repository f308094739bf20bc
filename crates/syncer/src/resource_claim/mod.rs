//! Claims of devices and their templates: the host allocates, the tenant sees what its pods were given.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, resource};

use crate::mirrored::{Report, Row, Setting};
use crate::sides::{Sides, ours};

/// Claims. Their spec never changes; device classes are the host's, by their own names.
pub(crate) const CLAIMS: Row = Row {
    follows: &[],
    fixed: &["/spec"],
    report: Some(report),
    ..Row::new("sync-resource-claims", resource::RESOURCE_CLAIMS, |spec| {
        Setting::of(&spec.sync.to_host.resource_claims)
    })
};

/// Templates: the host's controller makes the claims of a host pod from the host's template.
pub(crate) const TEMPLATES: Row = Row {
    follows: &[],
    fixed: &["/spec"],
    ..Row::new(
        "sync-resource-claim-templates",
        resource::RESOURCE_CLAIM_TEMPLATES,
        |spec| Setting::of(&spec.sync.to_host.resource_claim_templates),
    )
};

/// Consumers are named as the tenant knows them; one that is not the tenant's is left out.
fn report(sides: &Sides<'_>, _: &Value, host: &Value) -> Report {
    let mut status = host.at("/status").clone();
    if let Some(Value::Array(consumers)) = status.get_mut("reservedFor") {
        let known = consumers
            .iter()
            .filter_map(|consumer| consumer_of(sides, host, consumer));
        *consumers = known.collect();
    }
    Report {
        main: Value::Null,
        status,
    }
}

fn consumer_of(sides: &Sides<'_>, claim: &Value, consumer: &Value) -> Option<Value> {
    let key = ObjectKey::namespaced(claim.text("/metadata/namespace"), consumer.text("/name"));
    let pod = sides.host.get(&resource::PODS, &key)?;
    let identity = ours(&sides.binding, &pod).filter(|_| consumer.text("/uid") == pod.meta().uid)?;
    let mut shown = consumer.clone();
    shown.set("/name", identity.key.0.name.as_str());
    shown.set("/uid", identity.uid.0.as_str());
    Some(shown)
}
