//! Nodes: a virtual cluster shows the host's nodes that it uses, by the host's names.
//!
//! A node is used while a pod of the tenant is on it. A DaemonSet uses all: its controller needs nodes to make pods for.
//! The configuration may show all of them, or those with some labels, and real ones rather than what is needed to place
//! pods (`view`). Both sides may change labels and taints (`merge`).

mod imagined;
mod merge;
mod view;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason, resource, time};
use warren_config::VirtualClusterSpec;
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::applied::{APPLIED, Applied};
use crate::binding::Bindings;
use crate::from_host::{FROM_HOST, Shown, is_ours, show, write_status};
use crate::sides::{ACTOR, EVERYTHING, Sides, is_full_pass};

use imagined::imagined;
use merge::{Back, merge};
use view::view;

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
        if NODES.is(&change.resource) {
            for binding in self.bindings.on_host(&change.cluster) {
                if shows_anew(change, &binding.spec) {
                    out.add_to(binding.virtual_cluster.clone(), key.clone());
                }
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
fn shows_anew(change: &Change, config: &VirtualClusterSpec) -> bool {
    let Some(previous) = change.previous.as_ref().filter(|_| !change.deleted) else {
        return true;
    };
    view(&previous.to_value(), config) != view(&change.object.to_value(), config)
}

async fn one(sides: &Sides<'_>, name: &str) -> Result<(), ReconcileError> {
    let key = ObjectKey::cluster(name);
    let config = &sides.binding.spec;
    let host = sides.host.get(&NODES, &key).filter(|node| is_shown(sides, node));
    let there = sides.virtual_cluster.get(&NODES, &key);
    let object = match host {
        Some(node) => Some(view(&node.to_value(), config)),
        // Only a host that hides its nodes has none.
        None if config.sync.from_host.nodes.selector.labels.is_empty()
            && is_used(sides, name)
            && sides.host.list(&NODES, None).is_empty() =>
        {
            Some(view(&imagined(name), config))
        }
        None => None,
    };
    match (object, there.filter(|node| is_ours(node))) {
        (Some(shown), Some(there)) => {
            follow(sides, &shown, &there).await?;
            lease(sides, &there, &shown).await
        }
        (Some(mut shown), None) => {
            let base = Applied::of(&merge::parts(&shown)).to_text();
            shown.set(
                &format!("/metadata/annotations/{}", APPLIED.replace('/', "~1")),
                base,
            );
            let shown = Shown {
                object: shown,
                fixed: &[],
                follows: &["/spec/taints"],
            };
            show(sides, &NODES, &key, Some(shown)).await
        }
        (None, _) => show(sides, &NODES, &key, None).await,
    }
}

/// Both nodes are there: each gets what the other changed.
async fn follow(sides: &Sides<'_>, shown: &Value, there: &Object) -> Result<(), ReconcileError> {
    let node = there.to_value();
    let nodes = &sides.binding.spec.sync.from_host.nodes;
    let back = match nodes.enabled && nodes.sync_back_changes {
        true => Back::Yes,
        false => Back::No,
    };
    let merged = merge(shown, &node, back);
    if !merged.of_host.is_null() {
        let key = there.key();
        let mut patch = merged.of_host;
        if let Some(host) = sides.host.get(&NODES, &key) {
            patch.set(
                "/metadata/resourceVersion",
                host.to_value().text("/metadata/resourceVersion"),
            );
        }
        if let Err(status) = sides.host.merge_patch(&NODES, &key, Part::Main, patch).await {
            return Err(sides.refused(&NODES, there, status).await);
        }
    }
    if !merged.of_virtual.is_null() {
        let mut patch = merged.of_virtual;
        patch.set(
            "/metadata/resourceVersion",
            node.text("/metadata/resourceVersion"),
        );
        sides
            .virtual_cluster
            .merge_patch(&NODES, &there.key(), Part::Main, patch)
            .await?;
    }
    write_status(sides, &NODES, there, shown.at("/status")).await
}

/// Whether a node of the host is one that the tenant sees.
fn is_shown(sides: &Sides<'_>, node: &Object) -> bool {
    let nodes = &sides.binding.spec.sync.from_host.nodes;
    let labels = &nodes.selector.labels;
    let chosen = labels
        .iter()
        .all(|(key, value)| node.meta().label(key) == Some(value.as_str()));
    let all = nodes.enabled && (nodes.selector.all || !labels.is_empty());
    chosen && (all || is_used(sides, &node.meta().name))
}

fn is_used(sides: &Sides<'_>, node: &str) -> bool {
    let cluster = sides.virtual_cluster;
    !cluster.list(&resource::DAEMON_SETS, None).is_empty()
        || cluster
            .list(&resource::PODS, None)
            .iter()
            .any(|pod| pod.meta().field("spec.nodeName") == Some(node))
}

/// A kubelet holds a lease, which `kubectl describe node` shows. Here it is written once, as of when the node became
/// ready: to renew it would be work of every idle cluster, and nobody in one waits for it.
async fn lease(sides: &Sides<'_>, node: &Object, shown: &Value) -> Result<(), ReconcileError> {
    let name = node.meta().name.clone();
    let key = ObjectKey::namespaced("kube-node-lease", name.clone());
    let cluster = sides.virtual_cluster;
    let has_place = cluster
        .get(&resource::NAMESPACES, &ObjectKey::cluster("kube-node-lease"))
        .is_some();
    if !has_place || cluster.get(&resource::LEASES, &key).is_some() {
        return Ok(());
    }
    let ready = shown
        .items("/status/conditions")
        .iter()
        .find(|one| one.text("/type") == "Ready");
    let since = ready
        .map(|one| one.text("/lastTransitionTime"))
        .and_then(|at| time::parse(at).ok());
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease", "labels": {FROM_HOST: "true"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node.meta().uid}]},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40,
            "renewTime": time::format_micro(since.unwrap_or(sides.cx.now))}});
    match cluster.create(&resource::LEASES, lease).await {
        Err(status) if status.is(StatusReason::AlreadyExists) => Ok(()),
        made => made.map(|_| ()).map_err(ReconcileError::Api),
    }
}
