//! LimitRanger: containers get a namespace's defaults, and nothing goes beyond its bounds.

use std::collections::BTreeMap;

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::resource::{LIMIT_RANGES, PERSISTENT_VOLUME_CLAIMS, PODS};
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::Asked;
use super::asked::aggregate;
use super::pod_resources::{Amounts, Basis, amounts, without_overhead};

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    if !is_of_pod(cx) {
        return Ok(());
    }
    for range in cx.all(&LIMIT_RANGES, Some(&cx.key.namespace)) {
        let mut set = Vec::new();
        for (list, kind) in [
            ("/spec/containers", "container"),
            ("/spec/initContainers", "init container"),
        ] {
            let containers = pod.pointer_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                set.extend(default_container(container, kind, &range));
            }
        }
        if !set.is_empty()
            && let Some(annotations) = pod.object_at("/metadata/annotations")
        {
            annotations.insert(
                ANNOTATION.to_owned(),
                format!("LimitRanger plugin set: {}", set.join("; ")).into(),
            );
        }
    }
    Ok(())
}

/// A new pod, or one that is resized.
fn is_of_pod(cx: &Asked<'_>) -> bool {
    let resizes = cx.operation == Operation::Update && cx.subresource == "resize" && PODS.is(&cx.resource);
    (cx.creates(&PODS) || resizes) && !is_going(cx)
}

/// What goes away is not measured any more.
fn is_going(cx: &Asked<'_>) -> bool {
    cx.old
        .is_some_and(|old| !old.at("/metadata/deletionTimestamp").is_null())
}

/// Sets what is missing, and says what was set: `cpu, memory request for container c`.
fn default_container(container: &mut Value, kind: &str, range: &Value) -> Vec<String> {
    let mut said = Vec::new();
    for (field, source, word) in [
        ("requests", "/defaultRequest", "request"),
        ("limits", "/default", "limit"),
    ] {
        let mut set: Vec<String> = Vec::new();
        for limit in range
            .items("/spec/limits")
            .iter()
            .filter(|limit| limit.text("/type") == "Container")
        {
            for (name, quantity) in limit.at(source).as_object().into_iter().flatten() {
                if container.at("/resources").field(field).field(name).is_null()
                    && let Some(list) = container.object_at(&format!("/resources/{field}"))
                {
                    list.insert(name.clone(), quantity.clone());
                    set.push(name.clone());
                }
            }
        }
        if !set.is_empty() {
            set.sort_unstable();
            said.push(format!(
                "{} {word} for {kind} {}",
                set.join(", "),
                container.text("/name")
            ));
        }
    }
    said
}

pub(super) fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    let Some(object) = object else { return Ok(()) };
    let is_claim = cx.creates(&PERSISTENT_VOLUME_CLAIMS) || cx.updates(&PERSISTENT_VOLUME_CLAIMS);
    if (!is_claim && !is_of_pod(cx)) || is_going(cx) {
        return Ok(());
    }
    for range in cx.all(&LIMIT_RANGES, Some(&cx.key.namespace)) {
        let errors: Vec<String> = range
            .items("/spec/limits")
            .iter()
            .flat_map(|limit| {
                if is_claim {
                    check_claim(limit, object)
                } else {
                    check_pod(limit, object)
                }
            })
            .collect();
        if !errors.is_empty() {
            return Err(cx.forbidden(object, aggregate(&errors)));
        }
    }
    Ok(())
}

fn check_claim(limit: &Value, claim: &Value) -> Vec<String> {
    if limit.text("/type") != "PersistentVolumeClaim" {
        return Vec::new();
    }
    let requests = amounts(claim.at("/spec/resources/requests"));
    let bounds = Bounds {
        kind: "PersistentVolumeClaim",
        requests: &requests,
        limits: &Amounts::new(),
    };
    let min = sorted(limit, "/min")
        .into_iter()
        .filter_map(|(name, bound)| bounds.min(&name, bound));
    let max = sorted(limit, "/max").into_iter().filter_map(|(name, bound)| {
        let most = bound;
        match requests.get(&name) {
            None => Some(format!(
                "maximum {name} usage per {} is {most}.  No request is specified",
                bounds.kind
            )),
            Some(asked) if *asked > most => Some(format!(
                "maximum {name} usage per {} is {most}, but request is {asked}",
                bounds.kind
            )),
            Some(_) => None,
        }
    });
    min.chain(max).collect()
}

fn check_pod(limit: &Value, pod: &Value) -> Vec<String> {
    match limit.text("/type") {
        "Container" => ["/spec/containers", "/spec/initContainers"]
            .into_iter()
            .flat_map(|list| pod.items(list))
            .flat_map(|container| {
                let requests = amounts(container.at("/resources/requests"));
                let limits = amounts(container.at("/resources/limits"));
                Bounds {
                    kind: "Container",
                    requests: &requests,
                    limits: &limits,
                }
                .check(limit)
            })
            .collect(),
        "Pod" => {
            let (requests, limits) = (
                without_overhead(pod, "requests", Basis::Spec),
                without_overhead(pod, "limits", Basis::Spec),
            );
            Bounds {
                kind: "Pod",
                requests: &requests,
                limits: &limits,
            }
            .check(limit)
        }
        _ => Vec::new(),
    }
}

fn sorted(limit: &Value, field: &str) -> BTreeMap<String, Quantity> {
    amounts(limit.at(field))
}

/// What is asked for, to be held against the bounds of one limit.
struct Bounds<'a> {
    kind: &'static str,
    requests: &'a Amounts,
    limits: &'a Amounts,
}

impl Bounds<'_> {
    fn check(&self, limit: &Value) -> Vec<String> {
        let mins = sorted(limit, "/min");
        let maxs = sorted(limit, "/max");
        let ratios = sorted(limit, "/maxLimitRequestRatio");
        mins.iter()
            .filter_map(|(name, bound)| self.min(name, *bound))
            .chain(maxs.iter().filter_map(|(name, bound)| self.max(name, *bound)))
            .chain(ratios.iter().filter_map(|(name, bound)| self.ratio(name, *bound)))
            .collect()
    }

    fn min(&self, name: &str, bound: Quantity) -> Option<String> {
        let head = format!("minimum {name} usage per {} is {bound}", self.kind);
        match (self.requests.get(name), self.limits.get(name)) {
            (None, _) => Some(format!("{head}.  No request is specified")),
            (Some(request), _) if *request < bound => Some(format!("{head}, but request is {request}")),
            (_, Some(limit)) if *limit < bound => Some(format!("{head}, but limit is {limit}")),
            _ => None,
        }
    }

    fn max(&self, name: &str, bound: Quantity) -> Option<String> {
        let head = format!("maximum {name} usage per {} is {bound}", self.kind);
        match (self.limits.get(name), self.requests.get(name)) {
            (None, _) => Some(format!("{head}.  No limit is specified")),
            (Some(limit), _) if *limit > bound => Some(format!("{head}, but limit is {limit}")),
            (_, Some(request)) if *request > bound => Some(format!("{head}, but request is {request}")),
            _ => None,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "upstream compares and prints the ratio as a float"
    )]
    fn ratio(&self, name: &str, bound: Quantity) -> Option<String> {
        let head = format!("{name} max limit to request ratio per {} is {bound}", self.kind);
        let some = |amounts: &Amounts| amounts.get(name).copied().filter(|quantity| !quantity.is_zero());
        let Some(request) = some(self.requests) else {
            return Some(format!("{head}, but no request is specified or request is 0"));
        };
        let Some(limit) = some(self.limits) else {
            return Some(format!("{head}, but no limit is specified or limit is 0"));
        };
        let ratio = limit.nanos() as f64 / request.nanos() as f64;
        let most = bound.nanos() as f64 / Quantity::from(1).nanos() as f64;
        (ratio > most).then(|| format!("{head}, but provided ratio is {ratio:.6}"))
    }
}
