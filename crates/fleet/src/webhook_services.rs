//! Where the servers behind a virtual cluster's Services are reached by the process itself: for webhooks and aggregated
//! APIs.

use std::sync::Weak;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, resource};
use warren_outbound::{Endpoint, Services, Stream};
use warren_pki::Issued;
use warren_reconciler::Clusters as _;
use warren_syncer::Counterpart;

use crate::api_services::FRONT_PROXY;
use crate::fleet::Fleet;
use crate::host::host_id;

/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// See the module.
pub(crate) struct WebhookServices(pub(crate) Weak<Fleet>);

#[async_trait]
impl Services for WebhookServices {
    fn resolve(
        &self,
        cluster: &ClusterId,
        namespace: &str,
        name: &str,
        port: u16,
    ) -> Result<Endpoint, String> {
        let not_found = || format!("service {name:?} not found");
        let fleet = self.0.upgrade().ok_or_else(not_found)?;
        let tenant = fleet.tenant(cluster).ok_or_else(not_found)?;
        let now = tenant.store().snapshot();
        let key = ObjectKey::namespaced(namespace, name);
        let service = now.get(&resource::SERVICES.group_resource(), &key);
        let service = service.ok_or_else(not_found)?.to_value();
        let slices = now.list(&resource::ENDPOINT_SLICES.group_resource(), Some(namespace));
        let slices = slices
            .filter(|slice| slice.meta().label(SERVICE_NAME) == Some(name))
            .map(|slice| slice.to_value())
            .collect();
        let pick = Pick {
            port,
            // Pods of an embedded host are simulated: nothing answers at their addresses.
            pods: match fleet.tenant(&host_id()) {
                Some(_) => Pods::Simulated,
                None => Pods::Real,
            },
            start: uuid::Uuid::new_v4().as_u128(),
        };
        pick.of(&service, slices)
    }

    fn front_proxy(&self, cluster: &ClusterId) -> Option<Issued> {
        let tenant = self.0.upgrade()?.tenant(cluster)?;
        let authority = tenant.guard().authority();
        authority.issue_client(FRONT_PROXY, &[], Timestamp::now()).ok()
    }

    async fn through_host(
        &self,
        cluster: &ClusterId,
        pod: &ObjectKey,
        port: u16,
    ) -> Result<Box<dyn Stream>, String> {
        let unreached = || {
            format!(
                "pod {:?} is not reached through the host's API",
                pod.name.as_str()
            )
        };
        let fleet = self.0.upgrade().ok_or_else(unreached)?;
        let remote = fleet.remote_host().ok_or_else(unreached)?;
        let host_pod = host_pod(&fleet, cluster, pod).ok_or_else(unreached)?;
        let forwarded = remote.port_forward(&host_pod, port).await;
        let stream = forwarded.map_err(|status| {
            tracing::debug!(%status, "the host forwards no port of a pod");
            unreached()
        })?;
        Ok(Box::new(stream))
    }
}

/// The host pod that stands for a tenant's.
fn host_pod(fleet: &Fleet, cluster: &ClusterId, pod: &ObjectKey) -> Option<ObjectKey> {
    let tenant = fleet.tenant(cluster)?;
    let now = tenant.store().snapshot();
    let object = now.get(&resource::PODS.group_resource(), pod)?;
    let binding = fleet.binding(cluster)?;
    let host = fleet.cluster(&binding.host_cluster, "warren-streams")?;
    let counterpart = Counterpart::find(&binding, host.as_ref(), &resource::PODS, object)?;
    Some(counterpart.host_key())
}

/// What pods are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pods {
    Real,
    /// Nothing answers at their addresses.
    Simulated,
}

/// How one endpoint of a Service is chosen, as upstream's `ResolveEndpoint` does it.
struct Pick {
    port: u16,
    pods: Pods,
    /// A random number: where to begin to look.
    start: u128,
}

impl Pick {
    /// Where the Service's port is reached, by its slices.
    fn of(&self, service: &Value, mut slices: Vec<Value>) -> Result<Endpoint, String> {
        let name = service.text("/metadata/name");
        match service.text("/spec/type") {
            "ExternalName" => {
                let host = service.text("/spec/externalName");
                return Ok(Endpoint::address(host, self.port));
            }
            "" | "ClusterIP" | "LoadBalancer" | "NodePort" => {}
            other => return Err(format!("unsupported service type {other:?}")),
        }
        let mut ports = service.items("/spec/ports").iter();
        let named = ports
            .find(|entry| entry.int("/port") == Some(i64::from(self.port)))
            .map(|entry| entry.text("/name"))
            .ok_or_else(|| format!("no service port {} found for service {name:?}", self.port))?;
        // Those of the Service's own family first, in whatever order.
        let family = service
            .items("/spec/ipFamilies")
            .first()
            .cloned()
            .unwrap_or_default();
        let count = slices.len();
        slices.rotate_left(self.at(count));
        slices.sort_by_key(|slice| slice.at("/addressType") != &family);
        slices
            .iter()
            .find_map(|slice| self.address(slice, named))
            .ok_or_else(|| format!("no endpoints available for service {name:?}"))
    }

    fn at(&self, count: usize) -> usize {
        let count = u128::try_from(count).unwrap_or(u128::MAX).max(1);
        usize::try_from(self.start % count).unwrap_or_default()
    }

    /// A ready address of a slice, and its port of that name.
    fn address(&self, slice: &Value, port: &str) -> Option<Endpoint> {
        let ports = slice.items("/ports").iter();
        let number = ports
            .filter(|entry| entry.text("/name") == port)
            .find_map(|entry| u16::try_from(entry.int("/port")?).ok())?;
        let endpoints = slice.items("/endpoints");
        let start = self.at(endpoints.len());
        let mut ready = endpoints
            .iter()
            .cycle()
            .skip(start)
            .take(endpoints.len())
            .filter(|endpoint| {
                endpoint.at("/conditions/ready").as_bool().unwrap_or(true)
                    && (self.pods == Pods::Real || endpoint.text("/targetRef/kind") != "Pod")
            });
        ready.find_map(|endpoint| {
            let host = endpoint.items("/addresses").first()?.as_str()?.to_owned();
            let target = endpoint.at("/targetRef");
            let is_pod = target.text("/kind") == "Pod";
            let pod = is_pod.then(|| ObjectKey::namespaced(target.text("/namespace"), target.text("/name")));
            Some(Endpoint {
                host,
                port: number,
                pod,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_leads_to_its_endpoints_or_says_why_not() {
        let ports = json!([{"name": "https", "port": 443, "targetPort": 8443}]);
        let service = json!({"metadata": {"name": "hook"}, "spec": {"ports": ports}});
        let outside = json!({"metadata": {"name": "hook"}, "spec": {"type": "ExternalName", "externalName": "hook.example"}});
        let slice = |endpoint: Value| {
            vec![json!({"ports": [{"name": "https", "port": 8443}], "endpoints": [endpoint]})]
        };
        let pod = || {
            slice(
                json!({"addresses": ["10.1.0.1"], "targetRef": {"kind": "Pod", "namespace": "default", "name": "p"}}),
            )
        };
        let fixed = || slice(json!({"addresses": ["192.0.2.7"]}));
        let unready = || slice(json!({"addresses": ["192.0.2.7"], "conditions": {"ready": false}}));
        let odd = json!({"metadata": {"name": "hook"}, "spec": {"type": "Odd"}});
        let none = "no endpoints available for service \"hook\"";
        let table = [
            (
                "an external name",
                &outside,
                vec![],
                443,
                false,
                Ok(("hook.example", 443)),
            ),
            (
                "pods that run",
                &service,
                pod(),
                443,
                true,
                Ok(("10.1.0.1", 8443)),
            ),
            ("pods that are simulated", &service, pod(), 443, false, Err(none)),
            (
                "addresses that somebody wrote",
                &service,
                fixed(),
                443,
                false,
                Ok(("192.0.2.7", 8443)),
            ),
            (
                "another type",
                &odd,
                vec![],
                443,
                true,
                Err("unsupported service type \"Odd\""),
            ),
            ("nobody ready", &service, unready(), 443, true, Err(none)),
            ("nobody", &service, vec![], 443, true, Err(none)),
            (
                "another port",
                &service,
                fixed(),
                80,
                true,
                Err("no service port 80 found for service \"hook\""),
            ),
        ];
        for (what, service, slices, port, pods_answer, expected) in table {
            let pick = Pick {
                port,
                pods: if pods_answer { Pods::Real } else { Pods::Simulated },
                start: 7,
            };
            let found = pick.of(service, slices).map(|found| (found.host, found.port));
            let expected = expected
                .map(|(host, port)| (host.to_owned(), port))
                .map_err(str::to_owned);
            assert_eq!(found, expected, "{what}");
        }
    }
}
