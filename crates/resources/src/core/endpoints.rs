//! Endpoints, which upstream keeps for those who do not read endpoint slices yet.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::address;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::service::non_special_ip;
use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
/// How many addresses a row shows.
const SHOWN: usize = 3;

/// The strategy of endpoints.
pub(crate) struct Endpoints;

impl Strategy for Endpoints {
    fn traits(&self) -> Traits {
        Traits {
            create_on_update: true,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        for (at, value) in object.items("/subsets").iter().enumerate() {
            subset(&mut errors, &Path::new("subsets").index(at), value);
        }
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        for (at, subset) in new.items("/subsets").iter().enumerate() {
            for list in ["addresses", "notReadyAddresses"] {
                for (of, address) in subset.items(&format!("/{list}")).iter().enumerate() {
                    let path = format!("subsets[{at}].{list}[{of}].ip");
                    warnings.extend(address::ip_warning(&path, address.text("/ip")));
                }
            }
        }
        warnings
    }

    fn columns(&self) -> &'static [Column] {
        columns("endpoints")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), addresses(object).into(), age(object, now)]
    }
}

fn subset(errors: &mut Errors, path: &Path, subset: &Value) {
    let lists = ["addresses", "notReadyAddresses"];
    if lists
        .iter()
        .all(|list| subset.items(&format!("/{list}")).is_empty())
    {
        errors.push(Error::required(
            path,
            "must specify `addresses` or `notReadyAddresses`",
        ));
    }
    for list in lists {
        for (at, value) in subset.items(&format!("/{list}")).iter().enumerate() {
            address(errors, &path.child(list).index(at), value);
        }
    }
    let ports = subset.items("/ports");
    for (at, port) in ports.iter().enumerate() {
        let at = path.child("ports").index(at);
        let port_name = port.text("/name");
        if !port_name.is_empty() {
            check::dns_label(errors, &at.child("name"), port_name);
        } else if ports.len() > 1 {
            errors.push(Error::required(&at.child("name"), ""));
        }
        let number = port.int("/port").unwrap_or_default();
        check::port_number(errors, &at.child("port"), number);
        check::required_one_of(errors, &at.child("protocol"), port.text("/protocol"), PROTOCOLS);
        if let Some(protocol) = port.field("appProtocol").as_str() {
            check::qualified_name(errors, &at.child("appProtocol"), protocol);
        }
    }
}

fn address(errors: &mut Errors, path: &Path, address: &Value) {
    let ip = address.text("/ip");
    check::ip(errors, &path.child("ip"), ip);
    let host = address.text("/hostname");
    if !host.is_empty() {
        check::dns_label(errors, &path.child("hostname"), host);
    }
    if let Some(node) = address.field("nodeName").as_str() {
        check::dns_subdomain(errors, &path.child("nodeName"), node);
    }
    non_special_ip(errors, &path.child("ip"), ip);
}

/// The first addresses with their ports, and how many there are beyond.
fn addresses(endpoints: &Value) -> String {
    let mut shown = Vec::new();
    let mut count = 0;
    for subset in endpoints.items("/subsets") {
        let ports = subset.items("/ports");
        let ips = subset
            .items("/addresses")
            .iter()
            .map(|address| address.text("/ip"));
        let ips: Vec<&str> = ips.collect();
        let mut add = |text: String| {
            count += 1;
            if shown.len() < SHOWN {
                shown.push(text);
            }
        };
        if ports.is_empty() {
            ips.iter().for_each(|ip| add((*ip).to_owned()));
        }
        for port in ports {
            let number = port.int("/port").unwrap_or_default();
            for ip in &ips {
                add(if ip.contains(':') {
                    format!("[{ip}]:{number}")
                } else {
                    format!("{ip}:{number}")
                });
            }
        }
    }
    match (shown.is_empty(), count > SHOWN) {
        (true, _) => "<none>".to_owned(),
        (false, true) => format!("{} + {} more...", shown.join(","), count - SHOWN),
        (false, false) => shown.join(","),
    }
}
