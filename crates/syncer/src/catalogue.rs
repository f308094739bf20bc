//! The list of rules.

use std::sync::Arc;

use warren_reconciler::Reconciler;

use crate::binding::Bindings;
use crate::config_map::ConfigMaps;
use crate::pod::Pods;
use crate::secret::Secrets;
use crate::service::Services;

/// Every rule, for the fleet's runtime. They run in all clusters: a change of the host concerns its tenants.
pub fn all(bindings: Arc<dyn Bindings>) -> Vec<Arc<dyn Reconciler>> {
    let bindings = || Arc::clone(&bindings);
    vec![
        Arc::new(Pods { bindings: bindings() }),
        Arc::new(ConfigMaps { bindings: bindings() }),
        Arc::new(Secrets { bindings: bindings() }),
        Arc::new(Services { bindings: bindings() }),
    ]
}
