//! Labels, annotations and taints of a node that is there on both sides: three-way, by what was last shown. Pure.
//!
//! What the host changes is shown. What the tenant changes stays in the virtual cluster, and goes to the host's node only
//! where the configuration lets it (`syncBackChanges`).

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use crate::applied::{APPLIED, Applied, Parts, metadata_parts};

const TAINT: &str = "t/";
/// Taints that follow conditions and cordons: the host's alone.
const OF_THE_HOST: &str = "node.kubernetes.io/";
/// Labels and annotations that are ours.
const OURS: &str = "warren.dev/";

/// The merge patches of both nodes; `null` for none.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Merged {
    pub(super) of_virtual: Value,
    pub(super) of_host: Value,
}

/// Whether what a tenant changes reaches the host's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    Yes,
    No,
}

/// What is shown of a node, as the base of the next merge holds it.
pub(super) fn parts(shown: &Value) -> Parts {
    let mut parts = Parts::new();
    metadata_parts(shown.at("/metadata"), &mut parts);
    for taint in shown.items("/spec/taints") {
        parts.insert(format!("{TAINT}{}", name(taint)), taint.clone());
    }
    parts.insert("unschedulable".to_owned(), is_cordoned(shown).into());
    parts
}

/// `shown` is the view of the host's node, `node` the virtual one.
pub(super) fn merge(shown: &Value, node: &Value, back: Back) -> Merged {
    let base = Applied::read(node);
    let parts = parts(shown);
    let mut merged = Merged::default();
    for (prefix, field) in [("l/", "labels"), ("a/", "annotations")] {
        metadata(shown, node, &base, (prefix, field), &mut merged);
    }
    taints(shown, node, &base, &mut merged);
    cordon(shown, node, &base, &mut merged);
    if base != Applied::of(&parts) {
        let pointer = format!("/metadata/annotations/{}", APPLIED.replace('/', "~1"));
        merged.of_virtual.set(&pointer, Applied::of(&parts).to_text());
    }
    if back == Back::No {
        merged.of_host = Value::Null;
    }
    merged
}

fn metadata(shown: &Value, node: &Value, base: &Applied, (prefix, field): (&str, &str), merged: &mut Merged) {
    let (host, own) = (
        shown.at("/metadata").field(field),
        node.at("/metadata").field(field),
    );
    let put = |patch: &mut Value, key: &str, value: Value| {
        if let Some(map) = patch.object_at(&format!("/metadata/{field}")) {
            map.insert(key.to_owned(), value);
        }
    };
    for (key, value) in host.as_object().into_iter().flatten() {
        let old = base.has(&format!("{prefix}{key}"), value);
        match own.field(key) {
            same if same == value => {}
            other if old => put(&mut merged.of_host, key, other.clone()),
            _ => put(&mut merged.of_virtual, key, value.clone()),
        }
    }
    let own = own.as_object().into_iter().flatten();
    for (key, value) in own.filter(|(key, _)| host.field(key).is_null() && !key.starts_with(OURS)) {
        // What was shown and is not any more goes, unless the tenant has made it its own.
        match base.has(&format!("{prefix}{key}"), value) {
            true => put(&mut merged.of_virtual, key, Value::Null),
            false => put(&mut merged.of_host, key, value.clone()),
        }
    }
}

/// Taints are one list: it is written whole, on each side where it differs.
fn taints(shown: &Value, node: &Value, base: &Applied, merged: &mut Merged) {
    let (host, own) = (shown.items("/spec/taints"), node.items("/spec/taints"));
    let find = |all: &[Value], taint: &Value| all.iter().any(|one| name(one) == name(taint));
    let is_old = |taint: &Value| base.has(&format!("{TAINT}{}", name(taint)), taint);
    let more = own
        .iter()
        .filter(|taint| !find(host, taint) && !is_old(taint) && !taint.text("/key").starts_with(OF_THE_HOST));
    let tenants: Vec<Value> = more.cloned().collect();
    let removed =
        |taint: &Value| is_old(taint) && !find(own, taint) && !taint.text("/key").starts_with(OF_THE_HOST);
    let mut on_host: Vec<Value> = host.iter().filter(|taint| !removed(taint)).cloned().collect();
    on_host.extend(tenants.iter().cloned());
    if on_host != host {
        merged.of_host.set("/spec/taints", on_host);
    }
    let wanted: Vec<Value> = host.iter().cloned().chain(tenants).collect();
    if wanted != own {
        merged.of_virtual.set("/spec/taints", wanted);
    }
}

fn cordon(shown: &Value, node: &Value, base: &Applied, merged: &mut Merged) {
    let (host, own) = (is_cordoned(shown), is_cordoned(node));
    if host == own {
        return;
    }
    if base.has("unschedulable", &json!(host)) {
        merged.of_host.set("/spec/unschedulable", own);
    }
    merged.of_virtual.set("/spec/unschedulable", host);
}

fn is_cordoned(node: &Value) -> bool {
    node.at("/spec/unschedulable").as_bool().unwrap_or_default()
}

/// A taint is told from others by key and effect.
fn name(taint: &Value) -> String {
    format!("{}:{}", taint.text("/key"), taint.text("/effect"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Value {
        json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"taints": [{"key": "t", "effect": "NoSchedule"}]}})
    }

    /// The virtual node as it is shown first.
    fn node() -> Value {
        let mut node = host();
        let base = Applied::of(&parts(&host())).to_text();
        node.set("/metadata/annotations", json!({APPLIED: base}));
        node
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Value, &mut Value), of_virtual: Value, of_host: Value) {
        let (mut host, mut node) = (host(), node());
        change(&mut host, &mut node);
        let mut merged = merge(&host, &node, Back::Yes);
        if let Some(annotations) = merged.of_virtual.take_at("/metadata/annotations") {
            assert!(!annotations.field(APPLIED).is_null());
        }
        if merged.of_virtual == json!({"metadata": {}}) {
            merged.of_virtual = Value::Null;
        }
        assert_eq!((merged.of_virtual, merged.of_host), (of_virtual, of_host));
        assert_eq!(merge(&host, &node, Back::No).of_host, Value::Null);
    }

    #[test]
    fn nothing_changed_writes_nothing() {
        assert_eq!(merge(&host(), &node(), Back::Yes), Merged::default());
    }

    #[test]
    fn what_the_host_changes_is_shown() {
        check(
            |host, _| {
                host.set("/metadata/labels", json!({"a": "9", "c": "3"}));
                host.set("/spec", json!({"unschedulable": true}));
            },
            json!({"metadata": {"labels": {"a": "9", "b": null, "c": "3"}}, "spec": {"taints": [], "unschedulable": true}}),
            Value::Null,
        );
    }

    #[test]
    fn what_the_tenant_changes_goes_back() {
        let taints = json!([{"key": "t", "effect": "NoSchedule"}, {"key": "own", "effect": "NoExecute"}]);
        check(
            |_, node| {
                node.set("/metadata/labels/a", "tenant");
                node.set("/metadata/labels/mine", "m");
                node.take_at("/metadata/labels/b");
                node.set("/spec/taints", taints.clone());
            },
            Value::Null,
            json!({"metadata": {"labels": {"a": "tenant", "b": null, "mine": "m"}}, "spec": {"taints": taints}}),
        );
    }

    #[test]
    fn what_both_change_is_the_hosts() {
        check(
            |host, node| {
                host.set("/metadata/labels/a", "host");
                node.set("/metadata/labels/a", "tenant");
            },
            json!({"metadata": {"labels": {"a": "host"}}}),
            Value::Null,
        );
    }

    #[test]
    fn a_taint_that_only_tells_of_a_condition_is_never_the_tenants() {
        check(
            |_, node| {
                let taints = json!([{"key": "t", "effect": "NoSchedule"}, {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
                node.set("/spec/taints", taints);
            },
            json!({"spec": {"taints": [{"key": "t", "effect": "NoSchedule"}]}}),
            Value::Null,
        );
    }
}
