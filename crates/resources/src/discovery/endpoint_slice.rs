//! Endpoint slices.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{address, label, name as names};
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::core::non_special_ip;
use crate::table::{age, columns, name};

const ENDPOINTS_MAX: usize = 1000;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20000;
const TOPOLOGY_MAX: usize = 16;
const HINTS_MAX: usize = 8;
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const ADDRESS_TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Controllers that mend what they take over.
const OWN_CONTROLLERS: &[&str] = &[
    "endpointslice-controller.k8s.io",
    "endpointslicemirroring-controller.k8s.io",
];
/// What a name must be.
type Rule = fn(&str) -> Vec<String>;
/// For whom an endpoint can be meant.
const HINTS: [(&str, Rule); 2] = [
    ("forZones", names::label_value),
    ("forNodes", names::dns1123_subdomain),
];
/// How many ports and addresses a row shows.
const SHOWN: usize = 3;

/// The strategy of endpoint slices.
pub(crate) struct EndpointSlice;

impl Strategy for EndpointSlice {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let kind = object.text("/addressType");
        check::required_one_of(&mut errors, &Path::new("addressType"), kind, ADDRESS_TYPES);
        ports(&mut errors, &Path::new("ports"), object.items("/ports"));
        errors.extend(endpoints(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        check::immutable_field("addressType", new, old)
    }

    /// What older versions took may stay.
    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = self.validate(new);
        if check::same(new.field("endpoints"), old.field("endpoints")) {
            errors.retain(|error| !error.path.as_str().starts_with("endpoints"));
        }
        errors.extend(self.validate_update(new, old));
        errors
    }

    fn prepare_for_create(&self, object: &mut Value) {
        drop_topology(object);
    }

    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        if !check::same(new.field("endpoints"), old.field("endpoints")) {
            drop_topology(new);
        }
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        if old.is_none() && new.text("/addressType") == "FQDN" {
            warnings.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
        }
        let manager = new.at("/metadata/labels").field(MANAGED_BY).as_str();
        if manager.is_some_and(|manager| OWN_CONTROLLERS.contains(&manager)) {
            return warnings;
        }
        for (at, endpoint) in new.items("/endpoints").iter().enumerate() {
            for (of, address) in endpoint.items("/addresses").iter().enumerate() {
                let path = format!("endpoints[{at}].addresses[{of}]");
                warnings.extend(address::ip_warning(&path, address.as_str().unwrap_or_default()));
            }
        }
        warnings
    }

    fn columns(&self) -> &'static [Column] {
        columns("endpointslices.discovery.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let ports = object.items("/ports").iter().map(|port| {
            let number = port.int("/port").map(|number| number.to_string());
            number.unwrap_or_else(|| port.field("name").as_str().unwrap_or("*").to_owned())
        });
        let endpoints = object.items("/endpoints").iter();
        let addresses = endpoints
            .flat_map(|endpoint| endpoint.items("/addresses"))
            .map(|address| address.as_str().unwrap_or_default().to_owned());
        vec![
            name(object),
            object.text("/addressType").into(),
            some_of(ports.collect()).into(),
            some_of(addresses.collect()).into(),
            age(object, now),
        ]
    }
}

/// The first few, and how many there are beyond.
fn some_of(all: Vec<String>) -> String {
    let shown: Vec<&str> = all.iter().take(SHOWN).map(String::as_str).collect();
    match all.len() {
        count if count > SHOWN => format!("{} + {} more...", shown.join(","), count - SHOWN),
        _ if shown.iter().all(|text| text.is_empty()) && shown.len() < 2 => "<unset>".to_owned(),
        _ => shown.join(","),
    }
}

fn endpoints(slice: &Value) -> Errors {
    let mut errors = Errors::new();
    let (path, endpoints) = (Path::new("endpoints"), slice.items("/endpoints"));
    if endpoints.len() > ENDPOINTS_MAX {
        errors.push(Error::too_many(&path, endpoints.len(), ENDPOINTS_MAX));
        return errors;
    }
    for (at, value) in endpoints.iter().enumerate() {
        endpoint(&mut errors, &path.index(at), value, slice.text("/addressType"));
    }
    errors
}

/// The field is of a version that is gone; writes to it are dropped.
fn drop_topology(slice: &mut Value) {
    let endpoints = slice.pointer_mut("/endpoints").and_then(Value::as_array_mut);
    for endpoint in endpoints.into_iter().flatten() {
        endpoint.take_at("/deprecatedTopology");
    }
}

fn endpoint(errors: &mut Errors, path: &Path, endpoint: &Value, kind: &str) {
    let (addresses_path, addresses) = (path.child("addresses"), endpoint.items("/addresses"));
    if addresses.is_empty() {
        errors.push(Error::required(
            &addresses_path,
            "must contain at least 1 address",
        ));
    } else if addresses.len() > ADDRESSES_MAX {
        errors.push(Error::too_many(&addresses_path, addresses.len(), ADDRESSES_MAX));
    }
    for value in addresses.iter().enumerate() {
        address(errors, &addresses_path, value, kind);
    }
    if let Some(node) = endpoint.field("nodeName").as_str() {
        check::dns_subdomain(errors, &path.child("nodeName"), node);
    }
    let topology = endpoint.field("deprecatedTopology");
    let topology_path = path.child("deprecatedTopology");
    let count = topology.as_object().map_or(0, serde_json::Map::len);
    if count > TOPOLOGY_MAX {
        errors.push(Error::too_many(&topology_path, count, TOPOLOGY_MAX));
    }
    errors.extend(label::validate(topology, &topology_path));
    if let Some(host) = endpoint.field("hostname").as_str() {
        check::dns_label(errors, &path.child("hostname"), host);
    }
    for (field, rule) in HINTS {
        let list = endpoint.field("hints").field(field).as_array();
        let list = list.map(Vec::as_slice).unwrap_or_default();
        hints(errors, &path.child("hints").child(field), list, rule);
    }
}

/// The names of those that an endpoint is meant for.
fn hints(errors: &mut Errors, path: &Path, hints: &[Value], rule: Rule) {
    if hints.len() > HINTS_MAX {
        errors.push(Error::too_many(path, hints.len(), HINTS_MAX));
        return;
    }
    let mut seen = Vec::new();
    for (at, hint) in hints.iter().enumerate() {
        let (path, hint) = (path.index(at).child("name"), hint.text("/name"));
        if seen.contains(&hint) {
            errors.push(Error::duplicate(&path, hint));
        } else {
            check::text(errors, &path, hint, rule(hint));
        }
        seen.push(hint);
    }
}

fn address(errors: &mut Errors, path: &Path, (at, value): (usize, &Value), kind: &str) {
    let value = value.as_str().unwrap_or_default();
    let at = path.index(at);
    let wrong = match kind {
        "IPv4" => address::ip(value),
        "IPv6" => address::canonical_ip(value),
        "FQDN" => return domain(errors, &at, value),
        _ => return,
    };
    if let Some(wrong) = wrong {
        errors.push(Error::invalid(&at, value, wrong));
        return;
    }
    if value.contains(':') != (kind == "IPv6") {
        errors.push(Error::invalid(path, value, format!("must be an {kind} address")));
    }
    non_special_ip(errors, &at, value);
}

/// A domain of at least two labels.
fn domain(errors: &mut Errors, path: &Path, text: &str) {
    if !check::required(errors, path, text) {
        return;
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    let wrong = names::dns1123_subdomain(text);
    if !wrong.is_empty() {
        errors.push(Error::invalid(path, text, wrong.join(",")));
    } else if !text.contains('.') {
        errors.push(Error::invalid(
            path,
            text,
            "should be a domain with at least two segments separated by dots",
        ));
    }
}

fn ports(errors: &mut Errors, path: &Path, ports: &[Value]) {
    if ports.len() > PORTS_MAX {
        errors.push(Error::too_many(path, ports.len(), PORTS_MAX));
        return;
    }
    let mut seen = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let path = path.index(at);
        let own_name = port.text("/name");
        if !own_name.is_empty() {
            check::dns_label(errors, &path.child("name"), own_name);
        }
        if seen.contains(&own_name) {
            errors.push(Error::duplicate(&path.child("name"), own_name));
        }
        seen.push(own_name);
        check::given_one_of(errors, &path.child("protocol"), port.field("protocol"), PROTOCOLS);
        if let Some(protocol) = port.field("appProtocol").as_str() {
            check::qualified_name(errors, &path.child("appProtocol"), protocol);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(slice: Value, expected: &[&str]) {
        let errors = EndpointSlice.validate(&slice);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{slice}");
    }

    #[test]
    fn addresses_are_of_the_slices_type() {
        let slice =
            |kind: &str, address: &str| json!({"addressType": kind, "endpoints": [{"addresses": [address]}]});
        check(slice("IPv4", "10.0.0.1"), &[]);
        check(slice("FQDN", "a.example.com"), &[]);
        check(
            slice("IPv6", "10.0.0.1"),
            &["endpoints[0].addresses: Invalid value: \"10.0.0.1\": must be an IPv6 address"],
        );
        check(
            slice("IPv4", "127.0.0.1"),
            &[
                "endpoints[0].addresses[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
            ],
        );
        check(
            json!({"addressType": "IP", "endpoints": [{}]}),
            &[
                "addressType: Unsupported value: \"IP\": supported values: \"FQDN\", \"IPv4\", \"IPv6\"",
                "endpoints[0].addresses: Required value: must contain at least 1 address",
            ],
        );
        check(json!({}), &["addressType: Required value"]);
        check(
            json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"],
                "hints": {"forZones": [{"name": "a"}, {"name": "a"}]}}]}),
            &["endpoints[0].hints.forZones[1].name: Duplicate value: \"a\""],
        );
    }

    #[test]
    fn ports_have_names_of_their_own() {
        check(
            json!({"addressType": "IPv4", "ports": [{"name": "a", "protocol": "TCP"}, {"name": "a"}]}),
            &[
                "ports[1].name: Duplicate value: \"a\"",
                "ports[1].protocol: Required value",
            ],
        );
        assert_eq!(some_of(vec![]), "<unset>");
        let many = ["1", "2", "3", "4"].map(str::to_owned).to_vec();
        assert_eq!(some_of(many), "1,2,3 + 1 more...");
    }
}
