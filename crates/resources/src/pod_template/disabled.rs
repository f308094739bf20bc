//! Fields of features that Kubernetes 1.36 has but leaves off: they are dropped from what is written, as upstream does.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::defaults::elements;

/// Sources of projected volumes that wait for their features.
const PROJECTIONS: [&str; 2] = ["clusterTrustBundle", "podCertificate"];

/// Drops them from a pod spec.
pub(crate) fn drop_disabled(spec: &mut Value) {
    if !spec.is_object() {
        return;
    }
    spec.take_at("/schedulingGroup");
    for list in ["/containers", "/initContainers", "/ephemeralContainers"] {
        for container in elements(spec, list) {
            stop_signal(container);
        }
    }
    for volume in elements(spec, "/volumes") {
        for source in elements(volume, "/projected/sources") {
            if let Some(source) = source.as_object_mut() {
                for projection in PROJECTIONS {
                    source.remove(projection);
                }
            }
        }
    }
}

/// A hook that only chose the signal goes with it.
fn stop_signal(container: &mut Value) {
    let had_one = container.take_at("/lifecycle/stopSignal").is_some();
    let lifecycle = container.field("lifecycle").as_object();
    if had_one && lifecycle.is_some_and(serde_json::Map::is_empty) {
        container.take_at("/lifecycle");
    }
}
