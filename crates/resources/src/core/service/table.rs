//! A service's row in `kubectl get services`.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use crate::table::{age, map_text, name, or_none};

/// The cells, one per column.
pub(super) fn cells(service: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(service),
        service.text("/spec/type").into(),
        or_none(service.text("/spec/clusterIPs/0")),
        external_ip(service).into(),
        or_none(&ports(service)),
        age(service, now),
        map_text(service.at("/spec/selector")).into(),
    ]
}

fn texts(values: &[Value]) -> Vec<&str> {
    values.iter().filter_map(Value::as_str).collect()
}

fn external_ip(service: &Value) -> String {
    let own = texts(service.items("/spec/externalIPs"));
    match service.text("/spec/type") {
        "ClusterIP" | "NodePort" if own.is_empty() => "<none>".into(),
        "ClusterIP" | "NodePort" => own.join(","),
        "ExternalName" => service.text("/spec/externalName").into(),
        "LoadBalancer" => {
            let mut all: Vec<&str> = service
                .items("/status/loadBalancer/ingress")
                .iter()
                .map(|ingress| match ingress.text("/ip") {
                    "" => ingress.text("/hostname"),
                    ip => ip,
                })
                .filter(|address| !address.is_empty())
                .collect();
            all.sort_unstable();
            all.dedup();
            all.extend(own);
            if all.is_empty() {
                "<pending>".into()
            } else {
                all.join(",")
            }
        }
        _ => "<unknown>".into(),
    }
}

fn ports(service: &Value) -> String {
    let one = |port: &Value| {
        let (number, protocol) = (port.int("/port").unwrap_or_default(), port.text("/protocol"));
        match port.int("/nodePort").unwrap_or_default() {
            0 => format!("{number}/{protocol}"),
            node => format!("{number}:{node}/{protocol}"),
        }
    };
    let all: Vec<String> = service.items("/spec/ports").iter().map(one).collect();
    all.join(",")
}
