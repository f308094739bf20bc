//! How a host pod resolves names: as a pod of the virtual cluster does, never as one of the host's namespace.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

/// Where the virtual cluster's names are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dns {
    /// The virtual cluster's DNS server; `None` while it has none.
    pub(crate) nameserver: Option<String>,
    /// The domain of services, such as `cluster.local`.
    pub(crate) domain: String,
}

/// With a DNS server, `ClusterFirst` becomes what a kubelet would make of it for the virtual cluster. Without one it
/// becomes `Default`: the host's own server would answer with services of the host's namespace.
pub(super) fn translate(dns: &Dns, namespace: &str, spec: &mut Value) {
    let host_network = spec.at("/hostNetwork").as_bool().unwrap_or_default();
    let cluster_first = match spec.text("/dnsPolicy") {
        "ClusterFirst" | "" => !host_network,
        "ClusterFirstWithHostNet" => true,
        _ => return,
    };
    let Some(nameserver) = dns.nameserver.as_ref().filter(|_| cluster_first) else {
        spec.set("/dnsPolicy", "Default");
        return;
    };
    let domain = &dns.domain;
    let mut servers = vec![json!(nameserver)];
    let mut searches = vec![
        json!(format!("{namespace}.svc.{domain}")),
        json!(format!("svc.{domain}")),
        json!(domain),
    ];
    merge(&mut servers, spec.items("/dnsConfig/nameservers"));
    merge(&mut searches, spec.items("/dnsConfig/searches"));
    // As many as the API allows.
    servers.truncate(3);
    searches.truncate(32);
    let own = spec.items("/dnsConfig/options").to_vec();
    let mut options = vec![json!({"name": "ndots", "value": "5"})];
    options.retain(|option| {
        !own.iter()
            .any(|other| other.text("/name") == option.text("/name"))
    });
    options.extend(own);
    spec.set("/dnsPolicy", "None");
    spec.set(
        "/dnsConfig",
        json!({"nameservers": servers, "searches": searches, "options": options}),
    );
}

fn merge(into: &mut Vec<Value>, more: &[Value]) {
    for value in more {
        if !into.contains(value) {
            into.push(value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(nameserver: Option<&str>, mut spec: Value, expect: Value) {
        let dns = Dns {
            nameserver: nameserver.map(str::to_owned),
            domain: "cluster.local".to_owned(),
        };
        translate(&dns, "shop", &mut spec);
        assert_eq!(spec, expect);
    }

    #[test]
    fn names_of_the_virtual_cluster_come_first() {
        let config = json!({"searches": ["example.com"], "options": [{"name": "ndots", "value": "2"}, {"name": "rotate"}]});
        check(
            Some("10.0.0.10"),
            json!({"dnsPolicy": "ClusterFirst", "dnsConfig": config}),
            json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.10"],
                "searches": ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com"],
                "options": [{"name": "ndots", "value": "2"}, {"name": "rotate"}]}}),
        );
    }

    #[test]
    fn names_of_the_host_are_never_asked_for() {
        check(
            None,
            json!({"dnsPolicy": "ClusterFirst"}),
            json!({"dnsPolicy": "Default"}),
        );
        check(
            Some("10.0.0.10"),
            json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true}),
            json!({"dnsPolicy": "Default", "hostNetwork": true}),
        );
        let own = json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"]}});
        check(Some("10.0.0.10"), own.clone(), own);
    }
}
