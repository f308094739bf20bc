//! What of a tenant's pod is not carried to the host: what its owner does not allow, and what is not supported.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_translate::policy;

use crate::binding::Binding;
use crate::limits::limits;

/// The fields of a pod's spec that the host does not allow a tenant.
pub(super) fn forbidden(binding: &Binding, spec: &Value) -> Vec<String> {
    policy::pod_spec(&limits(&binding.spec), spec)
}

/// What a spec holds that is not carried to the host yet; refused by name.
pub(super) fn unsupported(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !spec.items("/resourceClaims").is_empty() {
        found.push("spec.resourceClaims".to_owned());
    }
    for volume in spec.items("/volumes") {
        let in_volume = unsupported_in(volume).into_iter();
        found.extend(in_volume.map(|field| format!("spec.volumes[{}].{field}", volume.text("/name"))));
    }
    found
}

fn unsupported_in(volume: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for source in volume.items("/projected/sources") {
        for field in ["clusterTrustBundle", "podCertificate"] {
            if !source.field(field).is_null() {
                found.push(format!("projected.{field}"));
            }
        }
    }
    // Names Endpoints of the host's namespace, for a driver that Kubernetes no longer has.
    if !volume.field("glusterfs").is_null() {
        found.push("glusterfs".to_owned());
    }
    // Only claims have a name of their own on the host; that of a snapshot would be anybody's.
    for field in ["dataSource", "dataSourceRef"] {
        let source = volume.at("/ephemeral/volumeClaimTemplate/spec").field(field);
        let is_claim =
            source.text("/kind") == "PersistentVolumeClaim" && source.text("/namespace").is_empty();
        if !source.is_null() && !is_claim {
            found.push(format!("ephemeral.volumeClaimTemplate.spec.{field}"));
        }
    }
    found
}


#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_name_others_objects_on_the_host_is_refused() {
        let claim = |source: Value| json!({"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {"dataSource": source}}}});
        let spec = json!({"volumes": [
            {"name": "g", "glusterfs": {"endpoints": "e", "path": "p"}},
            claim(json!({"kind": "VolumeSnapshot", "apiGroup": "snapshot.storage.k8s.io", "name": "s"})),
            claim(json!({"kind": "PersistentVolumeClaim", "name": "c"}))]});
        let expect = [
            "spec.volumes[g].glusterfs",
            "spec.volumes[v].ephemeral.volumeClaimTemplate.spec.dataSource",
        ];
        assert_eq!(unsupported(&spec), expect);
    }
}
