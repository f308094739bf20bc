//! The Pod Security Standard that every pod of a virtual cluster keeps, whatever its namespace's labels say.

use warren_access::PodSecurityFloor;
use warren_config::{PodSecurityStandard, VirtualClusterSpec};

use crate::tenant::Tenant;

/// Lets the cluster's admission enforce what is configured, from the next request on.
pub(super) fn enforce(tenant: &Tenant, spec: &VirtualClusterSpec) {
    tenant
        .guard()
        .enforce_pod_security(match spec.policies.pod_security_standard {
            PodSecurityStandard::Privileged => None,
            PodSecurityStandard::Baseline => Some(PodSecurityFloor::Baseline),
            PodSecurityStandard::Restricted => Some(PodSecurityFloor::Restricted),
        });
}
