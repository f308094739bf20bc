//! Network policies.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::address::{self, Cidr};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name, selector_text};

/// The directions: the type, the list of its rules, and the list of peers in each.
const DIRECTIONS: [(&str, &str, &str); 2] = [("Ingress", "ingress", "from"), ("Egress", "egress", "to")];

/// The strategy of network policies.
pub(crate) struct NetworkPolicy;

impl Strategy for NetworkPolicy {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        if object.at("/spec").is_object() && object.items("/spec/policyTypes").is_empty() {
            let has_egress = !object.items("/spec/egress").is_empty();
            let types = if has_egress {
                json!(["Ingress", "Egress"])
            } else {
                json!(["Ingress"])
            };
            object.set("/spec/policyTypes", types);
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        check::label_selector(&mut errors, &path.child("podSelector"), spec.field("podSelector"));
        for (_, rules, peers) in DIRECTIONS {
            for (at, rule) in spec.items(&format!("/{rules}")).iter().enumerate() {
                let path = path.child(rules).index(at);
                for (at, value) in rule.items("/ports").iter().enumerate() {
                    port(&mut errors, &path.child("ports").index(at), value);
                }
                for (at, value) in rule.items(&format!("/{peers}")).iter().enumerate() {
                    peer(&mut errors, &path.child(peers).index(at), value);
                }
            }
        }
        types(
            &mut errors,
            &path.child("policyTypes"),
            spec.items("/policyTypes"),
        );
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        for (_, rules, peers) in DIRECTIONS {
            for (at, rule) in new.items(&format!("/spec/{rules}")).iter().enumerate() {
                for (of, peer) in rule.items(&format!("/{peers}")).iter().enumerate() {
                    let path = format!("spec.{rules}[{at}].{peers}[{of}].ipBlock");
                    warnings.extend(block_warnings(&path, peer.field("ipBlock")));
                }
            }
        }
        warnings
    }

    fn columns(&self) -> &'static [Column] {
        columns("networkpolicies.networking.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name(object),
            selector_text(object.at("/spec/podSelector")).into(),
            age(object, now),
        ]
    }
}

fn types(errors: &mut Errors, path: &Path, types: &[Value]) {
    if types.len() > DIRECTIONS.len() {
        errors.push(Error::invalid(
            path,
            types.to_vec(),
            "may not specify more than two policyTypes",
        ));
        return;
    }
    for (at, kind) in types.iter().enumerate() {
        let kind = kind.as_str().unwrap_or_default();
        check::one_of(errors, &path.index(at), kind, &["Ingress", "Egress"]);
    }
}

fn port(errors: &mut Errors, path: &Path, port: &Value) {
    if let Some(protocol) = port.field("protocol").as_str() {
        check::one_of(errors, &path.child("protocol"), protocol, &["TCP", "UDP", "SCTP"]);
    }
    let end_path = path.child("endPort");
    let (number, end) = (port.field("port"), port.int("/endPort"));
    if !number.is_null() {
        check::port_number_or_name(errors, &path.child("port"), number);
    }
    let Some(end) = end else { return };
    match number.as_i64() {
        Some(first) => {
            if end < first {
                errors.push(Error::invalid(
                    &end_path,
                    first,
                    "must be greater than or equal to `port`",
                ));
            }
            check::port_number(errors, &end_path, end);
        }
        None => {
            let why = if number.is_null() {
                "may not be specified when `port` is not specified"
            } else {
                "may not be specified when `port` is non-numeric"
            };
            errors.push(Error::invalid(&end_path, end, why));
        }
    }
}

fn peer(errors: &mut Errors, path: &Path, peer: &Value) {
    let selectors = ["podSelector", "namespaceSelector"];
    for field in selectors {
        check::label_selector(errors, &path.child(field), peer.field(field));
    }
    let block = peer.field("ipBlock");
    let selects = selectors.iter().any(|field| !peer.field(field).is_null());
    match (selects, block.is_null()) {
        (false, true) => errors.push(Error::required(path, "must specify a peer")),
        (_, true) => {}
        (selects, false) => {
            ip_block(errors, &path.child("ipBlock"), block);
            if selects {
                errors.push(Error::forbidden(
                    path,
                    "may not specify both ipBlock and another peer",
                ));
            }
        }
    }
}

fn ip_block(errors: &mut Errors, path: &Path, block: &Value) {
    let cidr = block.text("/cidr");
    if !check::required(errors, &path.child("cidr"), cidr) {
        return;
    }
    check::text(errors, &path.child("cidr"), cidr, address::cidr(cidr));
    let Some(outer) = Cidr::parse(cidr) else {
        return;
    };
    for (at, except) in block.items("/except").iter().enumerate() {
        let (path, except) = (
            path.child("except").index(at),
            except.as_str().unwrap_or_default(),
        );
        check::text(errors, &path, except, address::cidr(except));
        if Cidr::parse(except).is_some_and(|inner| !is_strictly_within(inner, outer)) {
            errors.push(Error::invalid(&path, except, "must be a strict subset of `cidr`"));
        }
    }
}

fn block_warnings(path: &str, block: &Value) -> Vec<String> {
    let mut warnings = address::cidr_warnings(&format!("{path}.cidr"), block.text("/cidr"));
    for (at, except) in block.items("/except").iter().enumerate() {
        let except = except.as_str().unwrap_or_default();
        warnings.extend(address::cidr_warnings(&format!("{path}.except[{at}]"), except));
    }
    warnings
}

fn is_strictly_within(inner: Cidr, outer: Cidr) -> bool {
    outer.contains(inner.address) && inner.bits > outer.bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: Value, expected: &[&str]) {
        let errors = NetworkPolicy.validate(&json!({"spec": spec}));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{spec}");
    }

    #[test]
    fn ports_may_be_ranges_of_numbers() {
        let ports = |port: Value| json!({"ingress": [{"ports": [port]}]});
        check(ports(json!({"port": 80, "endPort": 90, "protocol": "TCP"})), &[]);
        check(
            ports(json!({"port": 80, "endPort": 70})),
            &["spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`"],
        );
        check(
            ports(json!({"port": "http", "endPort": 70})),
            &[
                "spec.ingress[0].ports[0].endPort: Invalid value: 70: may not be specified when `port` is non-numeric",
            ],
        );
        check(
            ports(json!({"endPort": 70})),
            &[
                "spec.ingress[0].ports[0].endPort: Invalid value: 70: may not be specified when `port` is not specified",
            ],
        );
        check(
            ports(json!({"protocol": "ICMP"})),
            &[
                "spec.ingress[0].ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"TCP\", \"UDP\", \"SCTP\"",
            ],
        );
    }

    #[test]
    fn peers_are_selectors_or_networks() {
        let to = |peer: Value| json!({"egress": [{"to": [peer]}]});
        check(
            to(json!({})),
            &["spec.egress[0].to[0]: Required value: must specify a peer"],
        );
        check(
            to(json!({"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}})),
            &["spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer"],
        );
        check(
            to(
                json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "11.0.0.0/16", "10.0.0.0/8"]}}),
            ),
            &[
                "spec.egress[0].to[0].ipBlock.except[1]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`",
                "spec.egress[0].to[0].ipBlock.except[2]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`",
            ],
        );
        check(
            to(json!({"ipBlock": {"cidr": "10.0.0.0"}})),
            &[
                "spec.egress[0].to[0].ipBlock.cidr: Invalid value: \"10.0.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            ],
        );
        check(
            to(json!({"ipBlock": {}})),
            &["spec.egress[0].to[0].ipBlock.cidr: Required value"],
        );
        check(
            to(json!({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}})),
            &[],
        );
    }
}
