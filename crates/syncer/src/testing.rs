//! What unit tests share: a binding.

use std::sync::Arc;

use serde_json::json;
use warren_apimachinery::ClusterId;
use warren_config::VirtualClusterSpec;
use warren_translate::Tenant;

use crate::binding::Binding;

/// The virtual cluster `demo` in the host namespace `team-a`.
pub(crate) fn binding() -> Binding {
    Binding {
        virtual_cluster: ClusterId::new("team-a/demo"),
        host_cluster: ClusterId::new("host"),
        tenant: Tenant::new("demo", "team-a"),
        spec: Arc::new(VirtualClusterSpec::default()),
        owner: Some(
            json!({"apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster", "name": "demo", "uid": "owner"}),
        ),
        api: Some(("10.9.9.9".to_owned(), 443)),
        dns: None,
    }
}
