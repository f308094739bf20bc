//! Whose a `VirtualCluster` of a real host is: the first fleet that serves it writes its name on it, and no other one
//! touches it then, whose store would be empty and whose rules would take the tenant's host pods away.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, StatusReason, resource};
use warren_reconciler::{Context, Part, ReconcileError};

use super::{EVENTS, VirtualClusters};
use crate::fleet::Fleet;

/// The annotation that holds the name of the fleet's data.
const INSTALLATION: &str = "warren.dev/installation";

/// What stands on an object.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    Ours,
    Nobodys,
    Anothers,
}

fn read(object: &Value, ours: &str) -> Claim {
    match object.at("/metadata/annotations").field(INSTALLATION).as_str() {
        None | Some("") => Claim::Nobodys,
        Some(name) if name == ours => Claim::Ours,
        Some(_) => Claim::Anothers,
    }
}

impl VirtualClusters {
    /// Whether the object is ours to serve. Writes our name on one that is nobody's; of two fleets, one succeeds.
    pub(super) async fn is_ours(
        &self,
        cx: &Context,
        fleet: &Fleet,
        object: &Object,
    ) -> Result<bool, ReconcileError> {
        let Some(ours) = fleet.installation() else {
            return Ok(true);
        };
        match read(&object.to_value(), ours) {
            Claim::Ours => Ok(true),
            Claim::Nobodys if object.meta().deleting => Ok(true),
            Claim::Nobodys => {
                let patch = json!({"metadata": {"resourceVersion": object.meta().revision.to_string(),
                    "annotations": {INSTALLATION: ours}}});
                let key = object.key();
                let written = cx
                    .cluster
                    .merge_patch(&resource::VIRTUAL_CLUSTERS, &key, Part::Main, patch);
                match written.await {
                    // The answer of the watch brings it again.
                    Err(status) if status.is(StatusReason::NotFound) => Ok(false),
                    Err(status) => Err(status.into()),
                    Ok(_) => Ok(true),
                }
            }
            Claim::Anothers => {
                tracing::debug!(cluster = %object.key(), "it is served by another installation");
                let why = format!(
                    "The data of this virtual cluster is with another installation of Warren, which alone may serve it. If \
                     that is gone for good, remove the annotation {INSTALLATION}"
                );
                let about = EVENTS.about(cx, &resource::VIRTUAL_CLUSTERS, object);
                about.warning("ServedElsewhere", why).await;
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_ours_nobodys_or_anothers() {
        let object = |name: Value| json!({"metadata": {"annotations": {INSTALLATION: name}}});
        assert_eq!(read(&json!({"metadata": {}}), "a"), Claim::Nobodys);
        assert_eq!(read(&object(json!("")), "a"), Claim::Nobodys);
        assert_eq!(read(&object(json!("a")), "a"), Claim::Ours);
        assert_eq!(read(&object(json!("b")), "a"), Claim::Anothers);
    }
}
