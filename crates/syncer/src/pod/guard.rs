//! What of a tenant's pod is not carried to the host: what its owner does not allow, and what is not supported.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_config::VirtualClusterSpec;
use warren_translate::policy;

use crate::binding::Binding;
use crate::limits::limits;

/// The fields of a pod's spec that the host does not allow a tenant.
pub(super) fn forbidden(binding: &Binding, spec: &Value) -> Vec<String> {
    policy::pod_spec(&limits(&binding.spec), spec)
}

/// What a spec holds that is not carried to the host; refused by name.
pub(super) fn unsupported(config: &VirtualClusterSpec, spec: &Value) -> Vec<String> {
    let to_host = &config.sync.to_host;
    let mut found = Vec::new();
    for claim in spec.items("/resourceClaims") {
        for (field, synced) in [
            ("resourceClaimName", &to_host.resource_claims),
            ("resourceClaimTemplateName", &to_host.resource_claim_templates),
        ] {
            if !claim.field(field).is_null() && !synced.enabled {
                found.push(format!("spec.resourceClaims[{}].{field}", claim.text("/name")));
            }
        }
    }
    // They name objects that no rule carries.
    for field in ["workloadRef", "schedulingGroup"] {
        if !spec.field(field).is_null() {
            found.push(format!("spec.{field}"));
        }
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
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_name_others_objects_on_the_host_is_refused() {
        let spec = json!({"schedulingGroup": {"podGroupName": "g"},
            "resourceClaims": [{"name": "gpu", "resourceClaimName": "own"}, {"name": "t", "resourceClaimTemplateName": "x"}],
            "volumes": [{"name": "g", "glusterfs": {"endpoints": "e", "path": "p"}},
                {"name": "p", "projected": {"sources": [{"clusterTrustBundle": {"name": "b"}}]}}]});
        let mut config = VirtualClusterSpec::default();
        config.sync.to_host.resource_claims.enabled = true;
        let expect = [
            "spec.resourceClaims[t].resourceClaimTemplateName",
            "spec.schedulingGroup",
            "spec.volumes[g].glusterfs",
            "spec.volumes[p].projected.clusterTrustBundle",
        ];
        assert_eq!(unsupported(&config, &spec), expect);
    }
}
