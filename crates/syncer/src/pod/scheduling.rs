//! Affinity and spreading: selectors of the tenant's pods and namespaces become selectors of host pods.

use serde_json::{Value, json};
use warren_apimachinery::LabelSelector;
use warren_apimachinery::value::ValueExt;
use warren_translate::{NAMESPACE, Tenant, Virtual};

use super::references::elements;

/// A virtual namespace and its labels.
pub(crate) type NamespaceLabels = (String, Vec<(String, String)>);

/// Translates what places `pod` in relation to others. `namespaces` are the virtual cluster's.
pub(super) fn translate(tenant: &Tenant, pod: &Value, spec: &mut Value, namespaces: &[NamespaceLabels]) {
    let namespace = pod.text("/metadata/namespace");
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(affinity) = spec.pointer_mut(&format!("/affinity/{kind}")) else {
            continue;
        };
        for term in elements(affinity, "requiredDuringSchedulingIgnoredDuringExecution") {
            translate_term(tenant, pod, term, namespaces);
        }
        for weighted in elements(affinity, "preferredDuringSchedulingIgnoredDuringExecution") {
            if let Some(term) = weighted.get_mut("podAffinityTerm") {
                translate_term(tenant, pod, term, namespaces);
            }
        }
    }
    for constraint in elements(spec, "topologySpreadConstraints") {
        merge_label_keys(pod, constraint);
        let selector = tenant.host_selector(constraint.at("/labelSelector"), Some(Virtual(namespace)));
        if !selector.is_null() {
            constraint.set("/labelSelector", selector);
        }
    }
}

/// Another scheduler has decided: what it decided by would only make a kubelet doubt it.
pub(super) fn forget(spec: &mut Value) {
    for field in ["/affinity", "/topologySpreadConstraints", "/nodeSelector"] {
        spec.take_at(field);
    }
}

fn translate_term(tenant: &Tenant, pod: &Value, term: &mut Value, namespaces: &[NamespaceLabels]) {
    merge_label_keys(pod, term);
    let named: Vec<String> = term
        .items("/namespaces")
        .iter()
        .filter_map(|n| n.as_str().map(str::to_owned))
        .collect();
    let by_label = term.take_at("/namespaceSelector").unwrap_or_default();
    term.take_at("/namespaces");
    let mut selector = tenant.host_selector(term.at("/labelSelector"), None);
    if selector.is_null() {
        // A term without a selector means no pod, on both sides.
        return;
    }
    match (named.is_empty(), by_label.is_null()) {
        (true, true) => tenant.bind(&mut selector, Some(Virtual(pod.text("/metadata/namespace")))),
        (false, true) => within(&mut selector, &named),
        (true, false) => {
            let labels = tenant.host_namespace_selector(&by_label);
            join(&mut selector, &labels);
        }
        // One selector cannot say "these or those": the namespaces that have the labels now are named.
        (false, false) => {
            let mut all = named;
            all.extend(matching(&by_label, namespaces));
            all.sort_unstable();
            all.dedup();
            within(&mut selector, &all);
        }
    }
    term.set("/labelSelector", selector);
    if tenant.has_namespaces() {
        // The labels say which pods; these are in more than the pod's namespace.
        term.set("/namespaceSelector", json!({}));
    }
}

fn within(selector: &mut Value, namespaces: &[String]) {
    require(
        selector,
        json!({"key": NAMESPACE, "operator": "In", "values": namespaces}),
    );
}

fn matching<'a>(selector: &Value, namespaces: &'a [NamespaceLabels]) -> impl Iterator<Item = String> + 'a {
    let selector = LabelSelector::from_json(selector).ok();
    namespaces.iter().filter_map(move |(name, labels)| {
        let selector = selector.as_ref()?;
        let of = |key: &str| {
            labels
                .iter()
                .find(|(k, _)| k == key)
                .map(|(_, value)| value.as_str())
        };
        selector.matches_labels(of).then(|| name.clone())
    })
}

/// Adds the demands of one selector to another.
fn join(selector: &mut Value, other: &Value) {
    for (key, value) in other.field("matchLabels").as_object().into_iter().flatten() {
        if let Some(labels) = selector.object_at("/matchLabels") {
            labels.insert(key.clone(), value.clone());
        }
    }
    for expression in other.items("/matchExpressions") {
        require(selector, expression.clone());
    }
}

fn require(selector: &mut Value, expression: Value) {
    let mut all = selector.items("/matchExpressions").to_vec();
    if !all.contains(&expression) {
        all.push(expression);
    }
    selector.set("/matchExpressions", all);
}

/// `matchLabelKeys` and `mismatchLabelKeys` are short for expressions with the pod's own values. Upstream's API server
/// adds these on creation; here they are added where they are missing, and the keys go, as the host's API server
/// would take both for a contradiction.
fn merge_label_keys(pod: &Value, term: &mut Value) {
    for (field, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        let keys = term.take_at(&format!("/{field}")).unwrap_or_default();
        if term.at("/labelSelector").is_null() {
            continue;
        }
        for key in keys.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let Some(value) = pod.at("/metadata/labels").field(key).as_str() else {
                continue;
            };
            let expression = json!({"key": key, "operator": operator, "values": [value]});
            if let Some(selector) = term.get_mut("labelSelector") {
                require(selector, expression);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use warren_translate::MANAGED_BY;

    use super::*;

    #[track_caller]
    fn check(term: Value, expect: Value) {
        let tenant = Tenant::new("demo", "team-a");
        let pod = json!({"metadata": {"namespace": "shop", "labels": {"hash": "7"}}});
        let namespaces = [
            ("one".to_owned(), vec![("team".to_owned(), "blue".to_owned())]),
            ("two".to_owned(), vec![]),
        ];
        let mut spec = json!({"affinity": {"podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
        translate(&tenant, &pod, &mut spec, &namespaces);
        let place = "/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0";
        assert_eq!(spec.at(place), &expect);
        let selector = spec.at(place).field("labelSelector");
        assert!(selector.is_null() || selector.at("/matchLabels").field(MANAGED_BY).is_string());
    }

    #[test]
    fn a_term_means_the_same_pods_on_the_host_and_no_others() {
        let app = json!({"matchLabels": {"app": "web"}});
        check(
            json!({"topologyKey": "zone", "labelSelector": app}),
            json!({"topologyKey": "zone", "labelSelector": {
                "matchLabels": {"app": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"}}}),
        );
        let bound = json!({"app": "web", "warren.dev/managed-by": "demo"});
        check(
            json!({"labelSelector": app, "namespaces": ["a", "b"]}),
            json!({"labelSelector": {"matchLabels": bound,
                "matchExpressions": [{"key": "warren.dev/namespace", "operator": "In", "values": ["a", "b"]}]}}),
        );
        check(
            json!({"labelSelector": app, "namespaceSelector": {}}),
            json!({"labelSelector": {"matchLabels": bound}}),
        );
        check(
            json!({"labelSelector": app, "namespaces": ["a"], "namespaceSelector": {"matchLabels": {"team": "blue"}}}),
            json!({"labelSelector": {"matchLabels": bound,
                "matchExpressions": [{"key": "warren.dev/namespace", "operator": "In", "values": ["a", "one"]}]}}),
        );
        check(json!({"topologyKey": "zone"}), json!({"topologyKey": "zone"}));
    }

    #[test]
    fn label_keys_become_expressions_once() {
        let expression = json!({"key": "hash", "operator": "In", "values": ["7"]});
        let expect = json!({"labelSelector": {"matchExpressions": [expression],
            "matchLabels": {"warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"}}});
        check(
            json!({"labelSelector": {}, "matchLabelKeys": ["hash", "absent"]}),
            expect.clone(),
        );
        check(
            json!({"labelSelector": {"matchExpressions": [expression]}, "matchLabelKeys": ["hash"]}),
            expect,
        );
    }
}
