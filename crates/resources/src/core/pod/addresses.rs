//! The addresses in a pod's status: of the pod and of its node, one of each family.

use serde_json::{Value, json};
use warren_apimachinery::address;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::go_literal::go_literal;

/// The pod's address stands twice, alone and first in the list; the one alone decides.
pub(super) fn default(pod: &mut Value) {
    let alone = pod.text("/status/podIP");
    let first = pod.text("/status/podIPs/0/ip");
    if alone == first {
        return;
    }
    if alone.is_empty() {
        let first = first.to_owned();
        pod.set("/status/podIP", first);
    } else {
        let all = json!([{"ip": alone}]);
        pod.set("/status/podIPs", all);
    }
}

/// Checks `podIPs` and `hostIPs`.
pub(super) fn validate(errors: &mut Errors, path: &Path, new: &Value, old: &Value) {
    ips(errors, &path.child("podIPs"), "PodIP", (new, old));
    if let Some(first) = new.items("/status/hostIPs").first()
        && first.text("/ip") != new.text("/status/hostIP")
    {
        errors.push(Error::invalid(
            &path.child("hostIPs").index(0).child("ip"),
            first.text("/ip"),
            "must be equal to `hostIP`",
        ));
    }
    ips(errors, &path.child("hostIPs"), "HostIP", (new, old));
}

/// Warns of addresses in forms that not every reader takes.
pub(super) fn warnings(new: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for list in ["podIPs", "hostIPs"] {
        let path = Path::new("status").child(list);
        for (at, ip) in new.items(&format!("/status/{list}")).iter().enumerate() {
            let path = path.index(at).child("ip");
            warnings.extend(address::ip_warning(path.as_str(), ip.text("/ip")));
        }
    }
    warnings
}

fn ips(errors: &mut Errors, path: &Path, kind: &str, (new, old): (&Value, &Value)) {
    let pointer = format!("/{}", path.as_str().replace('.', "/"));
    let (all, before) = (new.items(&pointer), old.items(&pointer));
    for (at, ip) in all.iter().enumerate() {
        let text = ip.text("/ip");
        // What was there before may stay as it is.
        if !before.iter().any(|known| known.text("/ip") == text) {
            check::ip(errors, &path.index(at), text);
        }
    }
    if all.len() < 2 {
        return;
    }
    let families: Vec<_> = all.iter().map(|ip| address::parse_ip(ip.text("/ip"))).collect();
    if let Some(at) = families.iter().position(Option::is_none) {
        let wrong = all.get(at).map(|ip| ip.text("/ip")).unwrap_or_default();
        errors.push(Error::internal(
            path,
            format!("failed to check for dual stack with error:invalid IP[{at}]: {wrong}"),
        ));
    }
    let v6 = families.iter().flatten().filter(|ip| ip.is_ipv6()).count();
    let known = families.iter().flatten().count();
    let is_dual = known == all.len() && v6 > 0 && v6 < known;
    if !is_dual || all.len() > 2 {
        let shown = go_literal(&format!("[]{kind}"), new.at(&pointer));
        let problem = "may specify no more than one IP for each IP family";
        errors.push(Error::invalid(path, all.to_vec(), problem).shown_as(shown));
    }
}
