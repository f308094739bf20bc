//! The environment that a kubelet would give to a pod of the virtual cluster: where its API is, and its services.
//!
//! The host's kubelet would tell of the host's. So `enableServiceLinks` is off and the variables stand in the spec.

use serde::Deserialize;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

/// As much of a Service as its variables tell.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    metadata: Name,
    spec: Spec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Name {
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    ports: Vec<Port>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    name: String,
    port: i64,
    protocol: String,
}

/// The variables of the virtual cluster's API, then those of the namespace's services.
pub(super) fn generated(api: &(String, u16), services: &[Service]) -> Vec<(String, String)> {
    let (address, port) = api;
    let https = Port {
        name: "https".to_owned(),
        port: i64::from(*port),
        protocol: "TCP".to_owned(),
    };
    let kubernetes = Service {
        metadata: Name {
            name: "kubernetes".to_owned(),
        },
        spec: Spec {
            cluster_ip: address.clone(),
            ports: vec![https],
        },
    };
    let mut out = Vec::new();
    of_service(&kubernetes, &mut out);
    for service in services {
        of_service(service, &mut out);
    }
    out
}

/// Upstream's `envvars.FromServices`.
fn of_service(service: &Service, out: &mut Vec<(String, String)>) {
    let ip = &service.spec.cluster_ip;
    let ports = &service.spec.ports;
    let Some(first) = ports.first().filter(|_| !ip.is_empty() && ip != "None") else {
        return;
    };
    let prefix = variable(&service.metadata.name);
    out.push((format!("{prefix}_SERVICE_HOST"), ip.to_owned()));
    out.push((format!("{prefix}_SERVICE_PORT"), first.port.to_string()));
    for port in ports.iter().filter(|port| !port.name.is_empty()) {
        let name = variable(&port.name);
        out.push((format!("{prefix}_SERVICE_PORT_{name}"), port.port.to_string()));
    }
    let host = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.to_owned()
    };
    for (at, port) in ports.iter().enumerate() {
        let number = port.port;
        let protocol = match port.protocol.as_str() {
            "" => "TCP",
            protocol => protocol,
        };
        let url = format!("{}://{host}:{number}", protocol.to_lowercase());
        if at == 0 {
            out.push((format!("{prefix}_PORT"), url.clone()));
        }
        let link = format!("{prefix}_PORT_{number}_{protocol}");
        out.push((format!("{link}_PROTO"), protocol.to_lowercase()));
        out.push((format!("{link}_PORT"), number.to_string()));
        out.push((format!("{link}_ADDR"), ip.to_owned()));
        out.push((link, url));
    }
}

fn variable(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// Puts the generated variables before a container's own, which win, as do those that `envFrom` brings.
pub(super) fn prepend(container: &mut Value, generated: &[(String, String)], brought: &[String]) {
    let own = container.items("/env").to_vec();
    let wanted = generated.iter().filter(|(name, _)| {
        !own.iter().any(|env| env.text("/name") == name) && !brought.iter().any(|known| known == name)
    });
    let mut env: Vec<Value> = wanted
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    env.extend(own);
    container.set("/env", env);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_as_a_kubelet_tells_it() {
        let service = json!({"metadata": {"name": "my-db"}, "spec": {"clusterIP": "10.0.0.9", "ports": [
            {"name": "sql", "port": 5432, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}});
        let headless =
            json!({"metadata": {"name": "h"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}});
        let read = |value| serde_json::from_value(value).unwrap();
        let all = generated(&("10.0.0.1".to_owned(), 443), &[read(service), read(headless)]);
        let text: Vec<String> = all
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let expect = [
            "KUBERNETES_SERVICE_HOST=10.0.0.1",
            "KUBERNETES_SERVICE_PORT=443",
            "KUBERNETES_SERVICE_PORT_HTTPS=443",
            "KUBERNETES_PORT=tcp://10.0.0.1:443",
            "KUBERNETES_PORT_443_TCP_PROTO=tcp",
            "KUBERNETES_PORT_443_TCP_PORT=443",
            "KUBERNETES_PORT_443_TCP_ADDR=10.0.0.1",
            "KUBERNETES_PORT_443_TCP=tcp://10.0.0.1:443",
            "MY_DB_SERVICE_HOST=10.0.0.9",
            "MY_DB_SERVICE_PORT=5432",
            "MY_DB_SERVICE_PORT_SQL=5432",
            "MY_DB_PORT=tcp://10.0.0.9:5432",
            "MY_DB_PORT_5432_TCP_PROTO=tcp",
            "MY_DB_PORT_5432_TCP_PORT=5432",
            "MY_DB_PORT_5432_TCP_ADDR=10.0.0.9",
            "MY_DB_PORT_5432_TCP=tcp://10.0.0.9:5432",
            "MY_DB_PORT_53_UDP_PROTO=udp",
            "MY_DB_PORT_53_UDP_PORT=53",
            "MY_DB_PORT_53_UDP_ADDR=10.0.0.9",
            "MY_DB_PORT_53_UDP=udp://10.0.0.9:53",
        ];
        assert_eq!(text, expect);
    }

    #[test]
    fn what_the_tenant_sets_wins() {
        let generated = [
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "1".to_owned()),
            ("C".to_owned(), "1".to_owned()),
        ];
        let mut container = json!({"env": [{"name": "B", "value": "own"}]});
        prepend(&mut container, &generated, &["C".to_owned()]);
        assert_eq!(
            container.at("/env"),
            &json!([{"name": "A", "value": "1"}, {"name": "B", "value": "own"}])
        );
    }
}
