//! Sees to it that a real host knows the kind `VirtualCluster`.

use std::time::Duration;

use serde_json::Value;
use warren_apimachinery::resource::CUSTOM_RESOURCE_DEFINITIONS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, StatusReason};
use warren_reconciler::{Cluster, Part};
use warren_remote::RemoteCluster;

/// How often a new definition is looked at until it is served, and for how long.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS: u32 = 200;

/// Installs the definition where it is missing, or brings it up to date, and waits until it is served.
pub(crate) async fn ensure(host: &RemoteCluster) -> Result<(), Status> {
    let wanted = warren_config::crd::custom_resource_definition();
    let key = ObjectKey::cluster(wanted.text("/metadata/name"));
    match host.read(&CUSTOM_RESOURCE_DEFINITIONS, &key).await {
        Ok(there) => {
            let there = there.to_value();
            if !includes(there.at("/spec"), wanted.at("/spec")) {
                update(host, &key, &wanted).await;
            }
        }
        Err(status) if status.is(StatusReason::NotFound) => {
            match host.create(&CUSTOM_RESOURCE_DEFINITIONS, wanted).await {
                Err(status) if !status.is(StatusReason::AlreadyExists) => return Err(status),
                _ => {}
            }
        }
        // Who may not look may still be served: the list of virtual clusters will tell.
        Err(status) if status.is(StatusReason::Forbidden) => return Ok(()),
        Err(status) => return Err(status),
    }
    served(host, &key).await
}

/// An older definition still serves: that it cannot be changed is worth a word and no more.
async fn update(host: &RemoteCluster, key: &ObjectKey, wanted: &Value) {
    let patch = serde_json::json!({"spec": wanted.at("/spec")});
    let patched = host.merge_patch(&CUSTOM_RESOURCE_DEFINITIONS, key, Part::Main, patch);
    if let Err(status) = patched.await {
        tracing::warn!(why = %status, "the host's definition of VirtualCluster is another version's and could not be updated");
    }
}

async fn served(host: &RemoteCluster, key: &ObjectKey) -> Result<(), Status> {
    for _ in 0..LOOKS {
        let there = host.read(&CUSTOM_RESOURCE_DEFINITIONS, key).await?.to_value();
        let conditions = there.items("/status/conditions");
        let established = conditions
            .iter()
            .any(|condition| condition.text("/type") == "Established" && condition.text("/status") == "True");
        if established {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let why = "the host does not serve the definition of VirtualCluster yet";
    Err(Status::new(StatusReason::ServiceUnavailable, why))
}

/// Whether all of `wanted` stands in `there`, which may hold more: a host adds defaults.
fn includes(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| there.get(key).is_some_and(|there| includes(there, wanted))),
        (Value::Array(there), Value::Array(wanted)) => {
            there.len() == wanted.len()
                && there
                    .iter()
                    .zip(wanted)
                    .all(|(there, wanted)| includes(there, wanted))
        }
        (there, wanted) => there == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_that_a_host_added_are_no_difference() {
        let wanted = json!({"names": {"plural": "a"}, "versions": [{"name": "v1"}]});
        let there =
            json!({"names": {"plural": "a", "singular": "x"}, "versions": [{"name": "v1", "served": true}]});
        assert!(includes(&there, &wanted));
        assert!(!includes(
            &there,
            &json!({"versions": [{"name": "v1"}, {"name": "v2"}]})
        ));
        assert!(!includes(&there, &json!({"names": {"plural": "b"}})));
    }
}
