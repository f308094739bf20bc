//! A node as the scheduler sees it.

use k8s_openapi::api::core::v1::{Node, Taint};
use smol_str::SmolStr;
use warren_apimachinery::Object;

use crate::requests::Amounts;

/// See the module. Made once per node and revision.
#[derive(Debug)]
pub(crate) struct NodeView {
    pub(crate) name: SmolStr,
    pub(crate) labels: Vec<(SmolStr, SmolStr)>,
    pub(crate) allocatable: Amounts,
    pub(crate) taints: Vec<Taint>,
    pub(crate) unschedulable: bool,
}

impl NodeView {
    pub(crate) fn of(object: &Object) -> Option<Self> {
        let node: Node = object.view().ok()?;
        let spec = node.spec.unwrap_or_default();
        Some(Self {
            name: object.meta().name.clone(),
            labels: object.meta().labels.to_vec(),
            allocatable: Amounts::read(
                node.status
                    .as_ref()
                    .and_then(|status| status.allocatable.as_ref()),
            ),
            taints: spec.taints.unwrap_or_default(),
            unschedulable: spec.unschedulable.unwrap_or_default(),
        })
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }
}
