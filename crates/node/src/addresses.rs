//! Pod addresses: a /24 per node out of 10.244.0.0/16, given out in turn.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use smol_str::SmolStr;
use warren_apimachinery::{Object, resource};
use warren_reconciler::Cluster;

/// Which addresses are taken. Bound: the pods of the host; the table is made anew when a node's range is full.
#[derive(Default)]
pub(crate) struct Addresses {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_pod: HashMap<SmolStr, String>,
    next: HashMap<SmolStr, u32>,
}

/// 2 to 254 of the fourth part, over as many third parts as a node's pods need.
const PER_NODE: u32 = 4 * 253;

impl Addresses {
    /// The address of a pod: the one it has, or a free one of its node. `None` when the node's range is full.
    pub(crate) fn of(
        &self,
        cluster: &dyn Cluster,
        pod: &Object,
        last: Option<&str>,
        node: u32,
    ) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = &pod.meta().uid;
        if let Some(last) = last.filter(|last| !last.is_empty()) {
            state.by_pod.insert(uid.clone(), last.to_owned());
            return Some(last.to_owned());
        }
        if let Some(known) = state.by_pod.get(uid) {
            return Some(known.clone());
        }
        state.forget_gone(cluster);
        let taken: HashSet<&String> = state.by_pod.values().collect();
        let name = SmolStr::new(pod.meta().field("spec.nodeName").unwrap_or_default());
        let start = state.next.get(&name).copied().unwrap_or_default();
        let (turn, address) = (0..PER_NODE)
            .map(|step| (start + step) % PER_NODE)
            .map(|turn| {
                (
                    turn,
                    format!("10.244.{}.{}", (node * 4 + turn / 253) % 256, turn % 253 + 2),
                )
            })
            .find(|(_, address)| !taken.contains(address))?;
        state.next.insert(name, turn + 1);
        state.by_pod.insert(uid.clone(), address.clone());
        Some(address)
    }
}

impl State {
    /// Drops the addresses of pods that are gone, once there are as many of them as pods.
    fn forget_gone(&mut self, cluster: &dyn Cluster) {
        if self.by_pod.len() < 256 {
            return;
        }
        let pods = cluster.list(&resource::PODS, None);
        if self.by_pod.len() < pods.len() * 2 {
            return;
        }
        let alive: HashSet<&SmolStr> = pods.iter().map(|pod| &pod.meta().uid).collect();
        self.by_pod.retain(|uid, _| alive.contains(uid));
    }
}
