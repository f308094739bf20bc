//! Whether a write fits into the quotas of its namespace, and what it makes of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::resource::{
    PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_CLAIMS, RESOURCE_QUOTAS, SERVICES,
};
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::super::Asked;
use super::super::pod_resources::{Amounts, add, amounts, has_own};
use super::measured::{Measured, said_by};
use super::readings::Readings;
use super::scope::{ends, selectors};
use super::status_of;
use super::usage::{View, matching};

/// What a quota that limits them wants every container to say.
const COMPUTE: [&str; 6] = [
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];

/// Whether the write can change what is used.
pub(super) fn concerns(cx: &Asked<'_>, object: &Value) -> bool {
    let (creates, updates) = (
        cx.operation == Operation::Create,
        cx.operation == Operation::Update,
    );
    let is = |resource: &warren_apimachinery::Resource| resource.is(&cx.resource);
    match cx.subresource {
        "" if is(&PODS) => creates || (updates && cx.old.is_some_and(|old| ends(old) != ends(object))),
        "resize" if is(&PODS) => updates,
        "status" if is(&PERSISTENT_VOLUME_CLAIMS) => updates,
        "" if is(&PERSISTENT_VOLUME_CLAIMS) || is(&SERVICES) || is(&RESOURCE_CLAIMS) => creates || updates,
        "" => creates,
        _ => false,
    }
}

/// A quota that the write counts in.
struct Touched {
    quota: Value,
    /// What the write takes, of anything.
    delta: Amounts,
}

/// The quotas that the write spends something of, with their status as it will be; or why it may not.
pub(in super::super) fn check(cx: &Asked<'_>, object: &Value) -> Result<Vec<Value>, Status> {
    let readings = &cx.guard.quota_readings;
    if !concerns(cx, object) {
        return Ok(Vec::new());
    }
    let measured = Measured::of(cx.cluster, &cx.resource, object);
    let usage = measured.amounts(cx.now);
    let quotas: Vec<Value> = cx.all(&RESOURCE_QUOTAS, Some(&cx.key.namespace)).collect();
    let mut covered = Covered::default();
    let mut touched = Vec::new();
    for quota in quotas {
        let scopes = selectors(&quota);
        let mine = scopes.iter().filter(|scope| measured.facts.are_in(scope));
        covered
            .scopes
            .extend(mine.map(|scope| scope.text("/scopeName").to_owned()));
        let hard = amounts(quota.at("/spec/hard"));
        let names: Vec<String> = matching(&cx.resource, &hard).map(str::to_owned).collect();
        if names.is_empty() || !scopes.iter().all(|scope| measured.facts.are_in(scope)) {
            continue;
        }
        specified(cx, &quota, &names, object)?;
        covered.names.extend(names);
        touched.push(Touched {
            delta: usage.clone(),
            quota,
        });
    }
    no_debt(cx, object, usage)?;
    let rest = reduce(cx, &mut touched, usage);
    touched.retain(|touched| !touched.delta.is_empty());
    if touched.is_empty() && rest.is_empty() {
        return Ok(Vec::new());
    }
    covered.check(cx, object, &measured)?;
    spend(cx, object, touched, readings)
}

/// Takes off what the object counted for before; answers what is left where no quota is touched.
fn reduce(cx: &Asked<'_>, touched: &mut [Touched], usage: &Amounts) -> Amounts {
    let mut rest = if touched.is_empty() {
        usage.clone()
    } else {
        Amounts::new()
    };
    if let (Operation::Update, Some(old)) = (cx.operation, cx.old) {
        let before = Measured::of(cx.cluster, &cx.resource, old);
        let counted = before.amounts(cx.now);
        less(&mut rest, counted);
        for touched in touched.iter_mut() {
            let scopes = selectors(&touched.quota);
            if scopes.iter().all(|scope| before.facts.are_in(scope)) {
                less(&mut touched.delta, counted);
            }
        }
    }
    let used = |_: &String, amount: &mut Quantity| amount.sign() > 0;
    rest.retain(used);
    for touched in touched {
        touched.delta.retain(used);
    }
    rest
}

fn less(amounts: &mut Amounts, by: &Amounts) {
    for (name, amount) in amounts {
        if let Some(by) = by.get(name) {
            *amount -= *by;
        }
    }
}

/// Refuses a pod that leaves open what the quota limits.
fn specified(cx: &Asked<'_>, quota: &Value, names: &[String], object: &Value) -> Result<(), Status> {
    if !PODS.is(&cx.resource) || has_own(object) {
        return Ok(());
    }
    let required: BTreeSet<&str> = COMPUTE
        .into_iter()
        .filter(|name| names.iter().any(|has| has == name))
        .collect();
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in ["/spec/containers", "/spec/initContainers"]
        .into_iter()
        .flat_map(|list| object.items(list))
    {
        let said = said_by(container);
        for name in required.iter().filter(|name| !said.contains(**name)) {
            missing.entry(name).or_default().insert(container.text("/name"));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let parts: Vec<String> = missing
        .into_iter()
        .map(|(name, containers)| {
            let containers: Vec<&str> = containers.into_iter().collect();
            format!("{name} for: {}", containers.join(","))
        })
        .collect();
    let name = quota.text("/metadata/name");
    Err(cx.forbidden(
        object,
        format!("failed quota: {name}: must specify {}", parts.join("; ")),
    ))
}

fn no_debt(cx: &Asked<'_>, object: &Value, usage: &Amounts) -> Result<(), Status> {
    let negative = usage.iter().filter(|(_, amount)| amount.sign() < 0);
    let names: Vec<&str> = negative.map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let why = format!("quota usage is negative for resource(s): {}", names.join(","));
    Err(cx.forbidden(object, why))
}

/// What quotas speak of.
#[derive(Default)]
struct Covered {
    names: BTreeSet<String>,
    scopes: BTreeSet<String>,
}

impl Covered {
    /// Refuses what the cluster's owner lets nobody use without a quota.
    fn check(&self, cx: &Asked<'_>, object: &Value, measured: &Measured) -> Result<(), Status> {
        let limited = &cx.settings.limited_resources;
        let usage = measured.amounts(cx.now);
        let names = limited
            .iter()
            .flat_map(|limited| limited.limits(&cx.resource, usage));
        let open: BTreeSet<&str> = names.filter(|name| !self.names.contains(*name)).collect();
        if !open.is_empty() {
            let open: Vec<&str> = open.into_iter().collect();
            return Err(cx.forbidden(
                object,
                format!("insufficient quota to consume: {}", open.join(",")),
            ));
        }
        let scopes = limited.iter().flat_map(|limited| &limited.scopes);
        let open = scopes
            .filter(|scope| measured.facts.are_in(scope) && !self.scopes.contains(scope.text("/scopeName")));
        let open: Vec<String> = open.map(printed).collect();
        if open.is_empty() {
            return Ok(());
        }
        Err(Status::unclassified(format!(
            "insufficient quota to match these scopes: [{}]",
            open.join(" ")
        )))
    }
}

/// As Go prints a scope's selector.
fn printed(scope: &Value) -> String {
    let values: Vec<&str> = scope.items("/values").iter().filter_map(Value::as_str).collect();
    let (name, operator) = (scope.text("/scopeName"), scope.text("/operator"));
    format!("{{{name} {operator} [{}]}}", values.join(" "))
}

fn spend(
    cx: &Asked<'_>,
    object: &Value,
    touched: Vec<Touched>,
    readings: &Readings,
) -> Result<Vec<Value>, Status> {
    let view = View {
        cluster: cx.cluster,
        readings,
        now: cx.now,
    };
    let mut spent = Vec::new();
    for Touched { mut quota, mut delta } in touched {
        let hard = amounts(quota.at("/spec/hard"));
        delta.retain(|name, _| hard.contains_key(name));
        if delta.is_empty() {
            continue;
        }
        let used = view.usage_of(&quota);
        if cx.subresource != "status" {
            within(cx, &quota, object, [&used, &delta])?;
        }
        let mut now = used;
        add(&mut now, &delta);
        let status = status_of(&quota, &now);
        quota.set("/status", status);
        spent.push(quota);
    }
    Ok(spent)
}

/// Refuses what goes beyond the quota.
fn within(cx: &Asked<'_>, quota: &Value, object: &Value, [used, delta]: [&Amounts; 2]) -> Result<(), Status> {
    let hard = amounts(quota.at("/spec/hard"));
    let held = |name: &str| used.get(name).copied().unwrap_or_default();
    let asked = |name: &str| delta.get(name).copied().unwrap_or_default();
    let most = |name: &str| hard.get(name).copied().unwrap_or_default();
    let over: Vec<&String> = delta
        .keys()
        .filter(|name| held(name) + asked(name) > most(name))
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    let print = |amount: &dyn Fn(&str) -> Quantity| {
        let pairs: Vec<String> = over
            .iter()
            .map(|name| format!("{name}={}", amount(name)))
            .collect();
        pairs.join(",")
    };
    let why = format!(
        "exceeded quota: {}, requested: {}, used: {}, limited: {}",
        quota.text("/metadata/name"),
        print(&asked),
        print(&held),
        print(&most),
    );
    Err(cx.forbidden(object, why))
}
