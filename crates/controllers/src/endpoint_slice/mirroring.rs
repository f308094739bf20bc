//! Endpoints that somebody wrote by hand, for a Service without a selector, are mirrored into EndpointSlices.

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource::{ENDPOINT_SLICES, ENDPOINTS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Meta, Object, ObjectKey, Resource};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use super::slices::{self, Desired, Group};
use super::{MANAGED_BY, SERVICE_NAME, Target, carry_out};

const THIS_CONTROLLER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

/// The controller.
pub(crate) struct EndpointSliceMirroring;

fn endpoints_of(slice: &Meta) -> Option<ObjectKey> {
    let ours = slice.label(MANAGED_BY) == Some(THIS_CONTROLLER);
    let name = slice.label(SERVICE_NAME).filter(|_| ours)?;
    Some(ObjectKey::namespaced(slice.namespace.clone(), name))
}

/// Whether the Endpoints are to be mirrored: not those that are told not to be, that elect leaders, or whose Service
/// has slices of its own.
fn is_mirrored(endpoints: &Object, service: Option<&Object>) -> bool {
    let value = endpoints.to_value();
    let selects = |service: &Object| {
        let value = service.to_value();
        value
            .at("/spec/selector")
            .as_object()
            .is_some_and(|selector| !selector.is_empty())
    };
    endpoints.meta().label(SKIP) != Some("true")
        && value.at("/metadata/annotations").field(LEADER).is_null()
        && !endpoints.meta().deleting
        && service.is_some_and(|service| !selects(service))
}

fn desired(endpoints: &Value) -> Desired {
    let mut desired = Desired::new();
    for subset in endpoints.items("/subsets") {
        let ports = slices::ports_text(subset.items("/ports"));
        for (list, ready) in [("/addresses", true), ("/notReadyAddresses", false)] {
            for address in subset.items(list) {
                let six = address.text("/ip").contains(':');
                let address_type = if six { "IPv6" } else { "IPv4" };
                let mut endpoint =
                    json!({"addresses": [address.text("/ip")], "conditions": {"ready": ready}});
                for name in ["hostname", "nodeName", "targetRef"] {
                    let field = address.field(name);
                    if let Some(map) = endpoint.as_object_mut().filter(|_| !field.is_null()) {
                        map.insert(name.to_owned(), field.clone());
                    }
                }
                let group = Group {
                    address_type,
                    ports: ports.clone(),
                };
                desired.entry(group).or_default().push(endpoint);
            }
        }
    }
    desired
}

#[async_trait]
impl Reconciler for EndpointSliceMirroring {
    fn name(&self) -> &'static str {
        "endpointslicemirroring"
    }

    fn watches(&self) -> &'static [Resource] {
        &[ENDPOINTS, SERVICES, ENDPOINT_SLICES]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if ENDPOINT_SLICES.is(&change.resource) {
            if let Some(key) = endpoints_of(change.object.meta()) {
                out.add(key);
            }
        } else if ENDPOINTS.is(&change.resource) || cluster.get(&ENDPOINTS, &change.object.key()).is_some() {
            out.add(change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        let Some(endpoints) = cluster.get(&ENDPOINTS, key) else {
            return Ok(Next::Wait);
        };
        let service = cluster.get(&SERVICES, key);
        let desired = match is_mirrored(&endpoints, service.as_deref()) {
            true => desired(&endpoints.to_value()),
            false => Desired::new(),
        };
        let slices = cluster.list(&ENDPOINT_SLICES, Some(&key.namespace));
        let ours = slices
            .iter()
            .filter(|slice| endpoints_of(slice.meta()).as_ref() == Some(key));
        let existing: Vec<Value> = ours.map(|slice| slice.to_value()).collect();
        if desired.is_empty() && existing.is_empty() {
            return Ok(Next::Wait);
        }
        let mut families: Vec<&'static str> = desired.keys().map(|group| group.address_type).collect();
        families.dedup();
        let labels = labels(&endpoints);
        let stale = existing
            .iter()
            .filter(|slice| slice.at("/metadata/labels") != &labels)
            .cloned()
            .collect();
        let plan = slices::plan(desired, existing, &families);
        let target = Target {
            owner: (&ENDPOINTS, &endpoints),
            labels: &labels,
            stale,
        };
        carry_out(cluster, target, plan).await?;
        Ok(Next::Wait)
    }
}

fn labels(endpoints: &Object) -> Value {
    let mut labels = endpoints
        .to_value()
        .at("/metadata/labels")
        .as_object()
        .cloned()
        .unwrap_or_default();
    labels.insert(SERVICE_NAME.into(), endpoints.meta().name.as_str().into());
    labels.insert(MANAGED_BY.into(), THIS_CONTROLLER.into());
    labels.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCluster, NOW};

    #[tokio::test]
    async fn endpoints_by_hand_are_mirrored_and_their_end_too() {
        let cluster = FakeCluster::new();
        cluster.put(
            &SERVICES,
            json!({"metadata": {"name": "ext"}, "spec": {"ports": [{"port": 80}]}}),
        );
        cluster.put(
            &ENDPOINTS,
            json!({"metadata": {"name": "ext", "uid": "ep"}, "subsets": [
            {"addresses": [{"ip": "1.2.3.4"}], "notReadyAddresses": [{"ip": "1.2.3.5"}],
                "ports": [{"port": 80, "protocol": "TCP"}]}]}),
        );
        cluster.put(
            &ENDPOINTS,
            json!({"metadata": {"name": "lock", "annotations": {LEADER: "{}"}}}),
        );
        cluster.settle(&[&EndpointSliceMirroring], NOW).await;
        let slices = cluster.values(&ENDPOINT_SLICES);
        assert_eq!(slices.len(), 1);
        assert_eq!(slices[0].text("/metadata/ownerReferences/0/uid"), "ep");
        assert_eq!(
            slices[0].at("/endpoints"),
            &json!([{"addresses": ["1.2.3.4"], "conditions": {"ready": true}},
                {"addresses": ["1.2.3.5"], "conditions": {"ready": false}}])
        );
        cluster.change(&SERVICES, "default/ext", |service| {
            service.set("/spec/selector", json!({"a": "b"}))
        });
        cluster.settle(&[&EndpointSliceMirroring], NOW).await;
        assert!(cluster.values(&ENDPOINT_SLICES).is_empty());
    }
}
