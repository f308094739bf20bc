//! Where the servers behind a virtual cluster's Services are reached by the process itself: for webhooks and aggregated
//! APIs.

use std::sync::Weak;

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, resource};
use warren_outbound::Services;
use warren_pki::Issued;

use crate::api_services::FRONT_PROXY;
use crate::fleet::Fleet;
use crate::host::host_id;

/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// See the module.
pub(crate) struct WebhookServices(pub(crate) Weak<Fleet>);

impl Services for WebhookServices {
    fn resolve(
        &self,
        cluster: &ClusterId,
        namespace: &str,
        name: &str,
        port: u16,
    ) -> Result<(String, u16), String> {
        let not_found = || format!("service {name:?} not found");
        let fleet = self.0.upgrade().ok_or_else(not_found)?;
        let tenant = fleet.tenant(cluster).ok_or_else(not_found)?;
        // Pods of an embedded host are simulated: nothing answers at their addresses.
        let simulated = fleet.tenant(&host_id()).is_some();
        let now = tenant.store().snapshot();
        let key = ObjectKey::namespaced(namespace, name);
        let service = now.get(&resource::SERVICES.group_resource(), &key);
        let service = service.ok_or_else(not_found)?.to_value();
        let slices = now.list(&resource::ENDPOINT_SLICES.group_resource(), Some(namespace));
        let slices = slices
            .filter(|slice| slice.meta().label(SERVICE_NAME) == Some(name))
            .map(|slice| slice.to_value());
        pick(&service, slices, port, !simulated)
    }

    fn front_proxy(&self, cluster: &ClusterId) -> Option<Issued> {
        let tenant = self.0.upgrade()?.tenant(cluster)?;
        let authority = tenant.guard().authority();
        authority.issue_client(FRONT_PROXY, &[], Timestamp::now()).ok()
    }
}

/// Where a Service's port is reached, by its slices.
fn pick(
    service: &Value,
    slices: impl Iterator<Item = Value>,
    port: u16,
    pods_answer: bool,
) -> Result<(String, u16), String> {
    let name = service.text("/metadata/name");
    if service.text("/spec/type") == "ExternalName" {
        return Ok((service.text("/spec/externalName").to_owned(), port));
    }
    let mut ports = service.items("/spec/ports").iter();
    let named = ports
        .find(|entry| entry.int("/port") == Some(i64::from(port)))
        .map(|entry| entry.text("/name"))
        .ok_or_else(|| format!("no service port {port} found for service {name:?}"))?;
    slices
        .filter_map(|slice| address(&slice, named, pods_answer))
        .next()
        .ok_or_else(|| format!("no endpoints available for service {name:?}"))
}

/// The first ready address of a slice, and its port of that name.
fn address(slice: &Value, port: &str, pods_answer: bool) -> Option<(String, u16)> {
    let ports = slice.items("/ports").iter();
    let number = ports
        .filter(|entry| entry.text("/name") == port)
        .find_map(|entry| u16::try_from(entry.int("/port")?).ok())?;
    let mut ready = slice.items("/endpoints").iter().filter(|endpoint| {
        endpoint.at("/conditions/ready").as_bool().unwrap_or(true)
            && (pods_answer || endpoint.text("/targetRef/kind") != "Pod")
    });
    let address = ready.find_map(|endpoint| endpoint.items("/addresses").first()?.as_str())?;
    Some((address.to_owned(), number))
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
        let pod = || slice(json!({"addresses": ["10.1.0.1"], "targetRef": {"kind": "Pod"}}));
        let fixed = || slice(json!({"addresses": ["192.0.2.7"]}));
        let unready = || slice(json!({"addresses": ["192.0.2.7"], "conditions": {"ready": false}}));
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
            let found = pick(service, slices.into_iter(), port, pods_answer);
            let expected = expected
                .map(|(host, port)| (host.to_owned(), port))
                .map_err(str::to_owned);
            assert_eq!(found, expected, "{what}");
        }
    }
}
