//! What a pod calls itself: what a kubelet of the virtual cluster would call it. Pure.
//!
//! A kubelet writes `<pod IP> <hostname>.<subdomain>.<host namespace>.svc.<host domain> <hostname>` into `/etc/hosts` of a
//! pod with a subdomain: a name of the host. Without one it writes `<pod IP> <hostname>`, which is right here too; the long
//! name is DNS's to tell. So the subdomain stays behind. Where the pod wants its long name for a hostname, the host is told
//! that name in full (`hostnameOverride`, from Kubernetes 1.35; older hosts drop the field and use `hostname`).

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// The longest hostname that a kubelet sets; it cuts longer ones.
const MAX: usize = 63;

/// Puts the hostname of the virtual `pod` into a host pod's spec. `domain` is that of the virtual cluster's services.
pub(super) fn translate(pod: &Value, domain: &str, spec: &mut Value) {
    let subdomain = spec.take_at("/subdomain").unwrap_or_default();
    let long = spec
        .take_at("/setHostnameAsFQDN")
        .and_then(|long| long.as_bool())
        .unwrap_or_default();
    if spec.at("/hostNetwork").as_bool().unwrap_or_default() {
        // Such a pod is called as its node.
        return;
    }
    let name = pod.text("/metadata/name");
    let own = match pod.text("/spec/hostname") {
        "" => cut(name),
        hostname => hostname,
    };
    spec.set("/hostname", cut(&own.replace('.', "-")));
    if !spec.text("/hostnameOverride").is_empty() {
        return;
    }
    let subdomain = subdomain.as_str().unwrap_or_default();
    let namespace = pod.text("/metadata/namespace");
    let full = match (long, subdomain) {
        (true, subdomain) if !subdomain.is_empty() => {
            format!("{own}.{subdomain}.{namespace}.svc.{domain}")
        }
        // The field `hostname` takes no dots, but a pod's name may have some.
        _ if own.contains('.') => own.to_owned(),
        _ => return,
    };
    if full.len() <= MAX {
        spec.set("/hostnameOverride", full);
    }
}

/// As a kubelet cuts a hostname.
fn cut(name: &str) -> &str {
    name.get(..MAX)
        .map_or(name, |cut| cut.trim_end_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(name: &str, spec: Value, expect: Value) {
        let pod = json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec});
        let mut spec = pod.at("/spec").clone();
        translate(&pod, "cluster.local", &mut spec);
        assert_eq!(spec, expect);
    }

    #[test]
    fn a_pod_is_called_by_its_virtual_name() {
        check("web", json!({}), json!({"hostname": "web"}));
        check("web", json!({"hostname": "own"}), json!({"hostname": "own"}));
        check(
            "web.0",
            json!({}),
            json!({"hostname": "web-0", "hostnameOverride": "web.0"}),
        );
        let long = "a".repeat(62) + "-b";
        check(&long, json!({}), json!({"hostname": "a".repeat(62)}));
    }

    #[test]
    fn a_pod_of_a_stateful_set_keeps_its_short_name_and_leaves_the_rest_to_dns() {
        check(
            "web-0",
            json!({"hostname": "web-0", "subdomain": "web"}),
            json!({"hostname": "web-0"}),
        );
    }

    #[test]
    fn the_long_name_is_the_virtual_one() {
        let long = "web-0.web.shop.svc.cluster.local";
        check(
            "web-0",
            json!({"hostname": "web-0", "subdomain": "web", "setHostnameAsFQDN": true}),
            json!({"hostname": "web-0", "hostnameOverride": long}),
        );
        check("a", json!({"setHostnameAsFQDN": true}), json!({"hostname": "a"}));
        check(
            "a",
            json!({"hostnameOverride": "x.y"}),
            json!({"hostname": "a", "hostnameOverride": "x.y"}),
        );
    }

    #[test]
    fn a_pod_on_the_hosts_network_is_called_as_its_node() {
        check("a", json!({"hostNetwork": true}), json!({"hostNetwork": true}));
    }
}
