//! Nodes.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::address;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::pod_template::{quantity_value, taints};
use crate::table::{age, columns, name, or_none};

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
/// The strategy of nodes. A node brings its status when it registers: the registry knows that.
pub(crate) struct Node;

impl Strategy for Node {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        let first = object.at("/spec/podCIDRs/0").clone();
        match (object.text("/spec/podCIDR").to_owned(), first) {
            (only, Value::Null) if !only.is_empty() => object.set("/spec/podCIDRs", vec![only]),
            (only, first) if only.is_empty() && !first.is_null() => object.set("/spec/podCIDR", first),
            _ => {}
        }
        if object.at("/status/allocatable").is_null() && !object.at("/status/capacity").is_null() {
            object.set("/status/allocatable", object.at("/status/capacity").clone());
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        taints(
            &mut errors,
            &Path::new("metadata.taints"),
            object.items("/spec/taints"),
        );
        resources(&mut errors, object);
        pod_cidrs(&mut errors, object);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let mut refuse = |field: &str, why: &str| {
            errors.push(Error::forbidden(&Path::new("spec").child(field), why));
        };
        let was = old.items("/spec/podCIDRs");
        if !was.is_empty() && was != new.items("/spec/podCIDRs") {
            refuse(
                "podCIDRs",
                "node updates may not change podCIDR except from \"\" to valid",
            );
        }
        let provider = old.text("/spec/providerID");
        if !provider.is_empty() && provider != new.text("/spec/providerID") {
            refuse(
                "providerID",
                "node updates may not change providerID except from \"\" to valid",
            );
        }
        if old.text("/spec/externalID") != new.text("/spec/externalID") {
            refuse("externalID", "may not be updated");
        }
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        resources(&mut errors, new);
        let mut seen = HashSet::new();
        for (at, address) in new.items("/status/addresses").iter().enumerate() {
            if !seen.insert((address.text("/type"), address.text("/address"))) {
                let path = Path::new("status.addresses").index(at);
                errors.push(Error::duplicate(&path, address.clone()));
            }
        }
        errors
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        let newly =
            |pointer: &str| !new.at(pointer).is_null() && old.is_none_or(|old| old.at(pointer).is_null());
        if newly("/spec/configSource") {
            warnings.push(
                "spec.configSource: the feature is no longer supported, configSource is ignored".to_owned(),
            );
        }
        if newly("/spec/externalID") {
            warnings
                .push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
        }
        warnings
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        let unschedulable = object.at("/spec/unschedulable").as_bool() == Some(true);
        Box::new([(
            "spec.unschedulable".into(),
            SmolStr::new(if unschedulable { "true" } else { "false" }),
        )])
    }

    fn columns(&self) -> &'static [Column] {
        columns("nodes")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let info = |field: &str| match object.at("/status/nodeInfo").field(field).as_str() {
            None | Some("") => "<unknown>",
            Some(text) => text,
        };
        vec![
            name(object),
            status(object).into(),
            or_none(&roles(object)),
            age(object, now),
            object.text("/status/nodeInfo/kubeletVersion").into(),
            or_none(address(object, "InternalIP")),
            or_none(address(object, "ExternalIP")),
            info("osImage").into(),
            info("kernelVersion").into(),
            info("containerRuntimeVersion").into(),
        ]
    }
}

fn status(node: &Value) -> String {
    let ready = node
        .items("/status/conditions")
        .iter()
        .rfind(|condition| condition.text("/type") == "Ready")
        .map(|condition| condition.text("/status") == "True");
    let mut status = match ready {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.at("/spec/unschedulable").as_bool() == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn roles(node: &Value) -> String {
    let mut roles = BTreeSet::new();
    for (key, value) in node.at("/metadata/labels").as_object().into_iter().flatten() {
        if let Some(role) = key.strip_prefix(ROLE_PREFIX).filter(|role| !role.is_empty()) {
            roles.insert(role);
        } else if key == "kubernetes.io/role" {
            roles.extend(value.as_str().filter(|role| !role.is_empty()));
        }
    }
    roles.into_iter().collect::<Vec<_>>().join(",")
}

fn address<'a>(node: &'a Value, kind: &str) -> &'a str {
    node.items("/status/addresses")
        .iter()
        .find(|address| address.text("/type") == kind)
        .map(|address| address.text("/address"))
        .unwrap_or_default()
}

fn resources(errors: &mut Errors, node: &Value) {
    for list in ["capacity", "allocatable"] {
        let path = Path::new("status").child(list);
        let amounts = node.field("status").field(list).as_object();
        for (resource, amount) in amounts.into_iter().flatten() {
            quantity_value(errors, &path.child(resource), resource, amount);
        }
    }
}

fn pod_cidrs(errors: &mut Errors, node: &Value) {
    let path = Path::new("spec.podCIDRs");
    let cidrs = node.items("/spec/podCIDRs");
    let mut seen = HashSet::new();
    for (at, cidr) in cidrs.iter().enumerate() {
        let cidr = cidr.as_str().unwrap_or_default();
        check::text(errors, &path.index(at), cidr, address::cidr(cidr));
        if !seen.insert(cidr) {
            errors.push(Error::duplicate(&path.index(at), cidr));
        }
    }
    let v6 = seen.iter().filter(|cidr| cidr.contains(':')).count();
    if cidrs.len() > 2 || (cidrs.len() == 2 && v6 != 1) {
        errors.push(Error::invalid(
            &path,
            cidrs.to_vec(),
            "may specify no more than one CIDR for each IP family",
        ));
    }
}
