//! LimitPodHardAntiAffinityTopology: a pod may keep others off its node, not off a whole zone.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::Asked;

const TERMS: &str = "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";
const HOST: &str = "kubernetes.io/hostname";

pub(super) fn validate(cx: &Asked<'_>, pod: Option<&Value>) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update) && cx.writes(&PODS);
    let Some(pod) = pod.filter(|_| writes) else {
        return Ok(());
    };
    let mut keys = pod.items(TERMS).iter().map(|term| term.text("/topologyKey"));
    match keys.find(|key| *key != HOST) {
        None => Ok(()),
        Some(key) => {
            let why = format!(
                "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey {key} but only key {HOST} is allowed"
            );
            Err(Status::forbidden(&cx.resource, pod.text("/metadata/name"), &why))
        }
    }
}
