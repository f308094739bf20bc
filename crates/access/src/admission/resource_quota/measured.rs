//! What one object counts for, and what scopes ask of it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use warren_apimachinery::GroupResource;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_CLAIMS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_storage::Snapshot;

use super::super::asked::annotation;
use super::super::pod_resources::{Amounts, Basis, amounts, of_pod};
use super::devices;
use super::scope::Facts;

const HUGE_PAGES: &str = "hugepages-";
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// Resources whose plural alone is a name in a quota, besides those that are measured.
pub(super) const ALIASED: [&str; 4] = [
    "configmaps",
    "resourcequotas",
    "replicationcontrollers",
    "secrets",
];

/// What one object counts for.
#[derive(Debug)]
pub(super) struct Measured {
    amounts: Amounts,
    /// Until when: a pod that does not end in time counts for its place alone.
    until: Option<Timestamp>,
    /// What counts after that.
    least: Amounts,
    pub(super) facts: Facts,
}

impl Measured {
    /// Reads an object; device claims look at the cluster, too.
    pub(super) fn of(cluster: &Snapshot, resource: &GroupResource, object: &Value) -> Self {
        let mut least = Amounts::new();
        least.insert(format!("count/{resource}"), Quantity::from(1));
        let mut measured = Self {
            amounts: least.clone(),
            until: None,
            least,
            facts: Facts::None,
        };
        if PODS.is(resource) {
            measured.pod(object);
        } else if PERSISTENT_VOLUME_CLAIMS.is(resource) {
            measured.claim(object);
        } else if SERVICES.is(resource) {
            measured.service(object);
        } else if RESOURCE_CLAIMS.is(resource) {
            measured.amounts.extend(devices::of_claim(cluster, object));
        } else if resource.group.is_empty() && ALIASED.contains(&resource.resource.as_str()) {
            measured
                .amounts
                .insert(resource.resource.to_string(), Quantity::from(1));
        }
        measured
    }

    /// What it counts for now.
    pub(super) fn amounts(&self, now: Timestamp) -> &Amounts {
        match self.until {
            Some(until) if now > until => &self.least,
            _ => &self.amounts,
        }
    }

    fn pod(&mut self, pod: &Value) {
        self.facts = Facts::of_pod(pod);
        if !matches!(pod.text("/status/phase"), "Succeeded" | "Failed") {
            let [requests, limits] =
                ["requests", "limits"].map(|which| of_pod(pod, which, Basis::SpecAndStatus));
            self.amounts.insert("pods".to_owned(), Quantity::from(1));
            self.amounts.extend(of_compute(&requests, &limits));
        }
        let grace = pod.int("/metadata/deletionGracePeriodSeconds");
        let deleted = pod.text("/metadata/deletionTimestamp").parse::<Timestamp>().ok();
        self.until = deleted
            .zip(grace)
            .and_then(|(deleted, grace)| deleted.checked_add(SignedDuration::from_secs(grace)).ok());
    }

    fn claim(&mut self, claim: &Value) {
        self.facts = Facts::of_claim(claim);
        let one = Quantity::from(1);
        let class = match annotation(claim, BETA_CLASS) {
            "" => claim.text("/spec/storageClassName"),
            class => class,
        };
        self.amounts.insert("persistentvolumeclaims".to_owned(), one);
        let by_class = format!("{class}.storageclass.storage.k8s.io");
        if !class.is_empty() {
            self.amounts
                .insert(format!("{by_class}/persistentvolumeclaims"), one);
        }
        let Ok(asked) = Quantity::from_json(claim.at("/spec/resources/requests/storage")) else {
            return;
        };
        let given = Quantity::from_json(claim.at("/status/allocatedResources/storage")).unwrap_or_default();
        // In whole bytes.
        let size = asked.max(given);
        let whole = Quantity::from(size.value());
        let size = if whole == size { size } else { whole };
        self.amounts.insert("requests.storage".to_owned(), size);
        if !class.is_empty() {
            self.amounts.insert(format!("{by_class}/requests.storage"), size);
        }
    }

    fn service(&mut self, service: &Value) {
        let ports = service.items("/spec/ports");
        let named = ports
            .iter()
            .filter(|port| port.int("/nodePort").is_some_and(|port| port != 0));
        let kind = service.text("/spec/type");
        let node_ports = match kind {
            "NodePort" => ports.len(),
            "LoadBalancer" if service.at("/spec/allocateLoadBalancerNodePorts") == false => named.count(),
            "LoadBalancer" => ports.len(),
            _ => 0,
        };
        let node_ports = i64::try_from(node_ports).unwrap_or_default();
        let balancers = i64::from(kind == "LoadBalancer");
        for (name, amount) in [
            ("services", 1),
            ("services.nodeports", node_ports),
            ("services.loadbalancers", balancers),
        ] {
            self.amounts.insert(name.to_owned(), Quantity::from(amount));
        }
    }
}

/// What requests and limits count for: under which names a quota limits them.
pub(super) fn of_compute(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut sum = Amounts::new();
    for (name, amount) in requests {
        let is_plain =
            matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with(HUGE_PAGES);
        let is_device = name.contains('/')
            && (!name.contains("kubernetes.io/") || name.starts_with("deviceclass.resource.kubernetes.io/"));
        if is_plain {
            sum.insert(name.clone(), *amount);
        }
        if is_plain || is_device {
            sum.insert(format!("requests.{name}"), *amount);
        }
    }
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(amount) = limits.get(name) {
            sum.insert(format!("limits.{name}"), *amount);
        }
    }
    sum
}

/// The names that the containers of a pod say something about: those that a quota may insist on.
pub(super) fn said_by(container: &Value) -> BTreeSet<String> {
    let of = |which: &str| amounts(container.at("/resources").field(which));
    of_compute(&of("requests"), &of("limits")).into_keys().collect()
}
