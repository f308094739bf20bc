//! Nodes: a virtual cluster shows the host's nodes that it uses, by the host's names.
//!
//! A node is used while a pod of the tenant is on it. A DaemonSet uses all: its controller needs nodes to make pods for.

mod view;

use std::sync::Arc;

use async_trait::async_trait;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use crate::binding::Bindings;
use crate::from_host::{Shown, is_ours, show};
use crate::sides::{ACTOR, EVERYTHING, Sides, is_full_pass};

use view::{Detail, view};

const NODES: Resource = resource::NODES;

/// The rule.
pub(crate) struct Nodes {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for Nodes {
    fn name(&self) -> &'static str {
        "sync-nodes"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[NODES, resource::PODS, resource::DAEMON_SETS, resource::NAMESPACES]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        let key = change.object.key();
        if self.bindings.of_virtual(&change.cluster).is_some() {
            if is_full_pass(change) {
                out.add(EVERYTHING);
            } else if NODES.is(&change.resource) {
                out.add(key.clone());
            } else if resource::PODS.is(&change.resource) {
                trigger_node_of_pod(change, cluster, out);
            } else if resource::DAEMON_SETS.is(&change.resource)
                && (change.deleted || change.previous.is_none())
            {
                out.add(EVERYTHING);
            }
        }
        if NODES.is(&change.resource) && shows_anew(change) {
            for binding in self.bindings.on_host(&change.cluster) {
                out.add_to(binding.virtual_cluster.clone(), key.clone());
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if *key != EVERYTHING {
            one(&sides, &key.name).await?;
            return Ok(Next::Wait);
        }
        let shown = cx
            .cluster
            .list(&NODES, None)
            .into_iter()
            .filter(|node| is_ours(node));
        let mut all: Vec<_> = shown
            .chain(sides.host.list(&NODES, None))
            .map(|node| node.meta().name.clone())
            .collect();
        all.sort_unstable();
        all.dedup();
        for name in all {
            one(&sides, &name).await?;
        }
        Ok(Next::Wait)
    }
}

/// A pod came to a node that is not shown yet, or left one.
fn trigger_node_of_pod(change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
    let Some(node) = change
        .object
        .meta()
        .field("spec.nodeName")
        .filter(|node| !node.is_empty())
    else {
        return;
    };
    let key = ObjectKey::cluster(node);
    if change.deleted || cluster.get(&NODES, &key).is_none() {
        out.add(key);
    }
}

/// Heartbeats change nothing that is shown.
fn shows_anew(change: &Change) -> bool {
    let Some(previous) = change.previous.as_ref().filter(|_| !change.deleted) else {
        return true;
    };
    view(&previous.to_value(), Detail::Real) != view(&change.object.to_value(), Detail::Real)
}

async fn one(sides: &Sides<'_>, name: &str) -> Result<(), ReconcileError> {
    let detail = match sides.binding.spec.sync.from_host.nodes.enabled {
        true => Detail::Real,
        false => Detail::Pseudo,
    };
    let host = sides.host.get(&NODES, &ObjectKey::cluster(name));
    let shown = host
        .filter(|_| detail == Detail::Real || is_used(sides, name))
        .map(|node| Shown {
            object: view(&node.to_value(), detail),
            fixed: &[],
            follows: &[
                "/metadata/labels",
                "/metadata/annotations",
                "/spec/taints",
                "/spec/unschedulable",
            ],
        });
    show(sides, &NODES, name, shown).await
}

fn is_used(sides: &Sides<'_>, node: &str) -> bool {
    let cluster = sides.virtual_cluster;
    !cluster.list(&resource::DAEMON_SETS, None).is_empty()
        || cluster
            .list(&resource::PODS, None)
            .iter()
            .any(|pod| pod.meta().field("spec.nodeName") == Some(node))
}
