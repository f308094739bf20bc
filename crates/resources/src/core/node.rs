//! Nodes.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{address, decode_json, name as names};
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::go_literal::go_literal;
use crate::pod_template::{quantity_value, taints};
use crate::table::{age, columns, name, or_none};

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
const TAINTS: &str = "scheduler.alpha.kubernetes.io/taints";
const AVOID_PODS: &str = "scheduler.alpha.kubernetes.io/preferAvoidPods";

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
            // Who writes the older field only means that one.
            (only, first) if !only.is_empty() && first.as_str() != Some(&only) => {
                object.set("/spec/podCIDRs", vec![only]);
            }
            (only, first) if only.is_empty() && !first.is_null() => object.set("/spec/podCIDR", first),
            _ => {}
        }
        if object.at("/status/allocatable").is_null() && !object.at("/status/capacity").is_null() {
            object.set("/status/allocatable", object.at("/status/capacity").clone());
        }
    }

    /// The feature that read these is gone.
    fn prepare_for_create(&self, object: &mut Value) {
        object.take_at("/spec/configSource");
        object.take_at("/status/config");
    }

    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        if old.at("/spec/configSource").is_null() {
            new.take_at("/spec/configSource");
        }
    }

    fn prepare_for_status_update(&self, new: &mut Value, old: &Value) {
        if old.at("/status/config").is_null() {
            new.take_at("/status/config");
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        annotations(&mut errors, object.at("/metadata/annotations"));
        taints(
            &mut errors,
            &Path::new("metadata.taints"),
            object.items("/spec/taints"),
        );
        resources(&mut errors, object);
        declared_features(&mut errors, object);
        pod_cidrs(&mut errors, object);
        errors
    }

    /// Upstream looks at most of it twice on update.
    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = self.validate(new);
        annotations(&mut errors, new.at("/metadata/annotations"));
        resources(&mut errors, new);
        declared_features(&mut errors, new);
        errors.extend(self.validate_update(new, old));
        taints(
            &mut errors,
            &Path::new("metadata.taints"),
            new.items("/spec/taints"),
        );
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
        annotations(&mut errors, new.at("/metadata/annotations"));
        resources(&mut errors, new);
        declared_features(&mut errors, new);
        let mut seen = HashSet::new();
        for (at, address) in new.items("/status/addresses").iter().enumerate() {
            if !seen.insert((address.text("/type"), address.text("/address"))) {
                let path = Path::new("status.addresses").index(at);
                errors
                    .push(Error::duplicate(&path, Value::Null).shown_as(go_literal("NodeAddress", address)));
            }
        }
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        if !new.at("/spec/configSource").is_null() {
            warnings.push("spec.configSource: the feature is removed".to_owned());
        }
        if !new.text("/spec/externalID").is_empty() {
            warnings
                .push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
        }
        for (at, cidr) in new.items("/spec/podCIDRs").iter().enumerate() {
            let path = format!("spec.podCIDRs[{at}]");
            warnings.extend(address::cidr_warnings(&path, cidr.as_str().unwrap_or_default()));
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
        let kernel = match object.text("/status/nodeInfo/architecture") {
            "" => info("kernelVersion").to_owned(),
            architecture => format!("{} ({architecture})", info("kernelVersion")),
        };
        vec![
            name(object),
            status(object).into(),
            or_none(&roles(object)),
            age(object, now),
            object.text("/status/nodeInfo/kubeletVersion").into(),
            or_none(address_of(object, "InternalIP")),
            or_none(address_of(object, "ExternalIP")),
            info("osImage").into(),
            kernel.into(),
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

fn address_of<'a>(node: &'a Value, kind: &str) -> &'a str {
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
    let mut families = [0, 0];
    for (at, cidr) in cidrs.iter().enumerate() {
        let cidr = cidr.as_str().unwrap_or_default();
        check::text(errors, &path.index(at), cidr, address::cidr(cidr));
        let [v4, v6] = &mut families;
        *(if cidr.contains(':') { v6 } else { v4 }) += 1;
    }
    if cidrs.len() > 1 && families != [1, 1] {
        errors.push(Error::invalid(
            &path,
            cidrs.to_vec(),
            "may specify no more than one CIDR for each IP family",
        ));
    }
}

/// Annotations from before there were fields, which upstream still reads.
fn annotations(errors: &mut Errors, annotations: &Value) {
    let path = Path::new("metadata.annotations");
    let decode = |key: &str| {
        let text = annotations.field(key).as_str().filter(|text| !text.is_empty())?;
        Some(decode_json(text.as_bytes()).map(|decoded| decoded.value))
    };
    match decode(TAINTS) {
        None => {}
        Some(Err(error)) => errors.push(Error::invalid(&path, TAINTS, error.to_string())),
        Some(Ok(list)) => taints(errors, &path.child(TAINTS), list.items("")),
    }
    match decode(AVOID_PODS) {
        None => {}
        Some(Err(error)) => errors.push(Error::invalid(
            &path.child("AvoidPods"),
            AVOID_PODS,
            error.to_string(),
        )),
        Some(Ok(avoid)) => {
            for (at, entry) in avoid.items("/preferAvoidPods").iter().enumerate() {
                avoided_controller(errors, &path.child(AVOID_PODS).index(at), entry);
            }
        }
    }
}

fn avoided_controller(errors: &mut Errors, path: &Path, entry: &Value) {
    let controller = entry.at("/podSignature/podController");
    let path = path.child("PodSignature");
    if controller.is_null() {
        errors.push(Error::required(&path, ""));
    } else if controller.field("controller").as_bool() != Some(true) {
        let path = path.child("PodController.Controller");
        errors.push(Error::invalid(&path, false, "must point to a controller"));
    }
}

fn declared_features(errors: &mut Errors, node: &Value) {
    let path = Path::new("status.declaredFeatures");
    let features: Vec<&str> = node
        .items("/status/declaredFeatures")
        .iter()
        .map(|feature| feature.as_str().unwrap_or_default())
        .collect();
    for (at, feature) in features.iter().enumerate() {
        if feature.len() > names::SUBDOMAIN_MAX {
            let why = format!(
                "invalid feature name {feature:?}: {}",
                names::too_long(names::SUBDOMAIN_MAX)
            );
            errors.push(Error::invalid(&path.index(at), *feature, why));
        } else if !is_feature(feature) {
            errors.push(Error::invalid(
                &path.index(at),
                *feature,
                format!("invalid feature name {feature:?}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"),
            ));
        }
        let Some(next) = features.get(at + 1) else {
            continue;
        };
        let next_path = path.index(at + 1);
        match feature.cmp(next) {
            Ordering::Equal => errors.push(Error::duplicate(&next_path, *next)),
            Ordering::Greater => errors.push(Error::invalid(
                &next_path,
                *next,
                "list must be sorted alphabetically",
            )),
            Ordering::Less => {}
        }
    }
}

fn is_feature(feature: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    feature.starts_with(|c: char| c.is_ascii_uppercase()) && feature.split('/').all(is_word)
}
