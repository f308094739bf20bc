//! Which nodes a pod may ask for, and next to whose pods.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::{Limits, allows};
use crate::label::MANAGED_BY;
use crate::tenant::Tenant;

const REQUIRED: &str = "/requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "/preferredDuringSchedulingIgnoredDuringExecution";

/// The tolerations of a tenant's pod that may reach the host. One of every taint may not: it would open the nodes that
/// are kept for others.
pub fn tolerable(limits: &Limits, tolerations: &[Value]) -> Vec<Value> {
    let kept = tolerations
        .iter()
        .filter(|toleration| may_tolerate(limits, toleration));
    kept.cloned().collect()
}

fn may_tolerate(limits: &Limits, toleration: &Value) -> bool {
    let key = toleration.text("/key");
    let every = || {
        limits
            .taints
            .as_ref()
            .is_some_and(|taints| taints.iter().any(|taint| taint == "*"))
    };
    if key.is_empty() {
        every()
    } else {
        allows(limits.taints.as_deref(), key)
    }
}

/// What a host pod's spec asks for beyond that, and terms about pods that are not the tenant's.
pub(super) fn unbound(tenant: &Tenant, limits: &Limits, spec: &Value) -> Vec<String> {
    let tolerations = spec.items("/tolerations").iter().enumerate();
    let foreign = tolerations.filter(|(_, toleration)| {
        !limits.owners_tolerations.contains(toleration) && !may_tolerate(limits, toleration)
    });
    let mut found: Vec<_> = foreign
        .map(|(index, _)| format!("spec.tolerations[{index}]"))
        .collect();
    let terms = foreign_terms(tenant, spec).into_iter();
    found.extend(terms.map(|place| format!("spec.{place}.labelSelector")));
    found
}

/// The labels of nodes that a pod may not select by.
pub(super) fn nodes(limits: &Limits, spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let may_select = |key: &str| {
        limits.owners_node_labels.iter().any(|own| own == key) || allows(limits.node_labels.as_deref(), key)
    };
    let selector = spec.field("nodeSelector").as_object().into_iter().flatten();
    let keys = selector.map(|(key, _)| key).filter(|key| !may_select(key));
    found.extend(keys.map(|key| format!("spec.nodeSelector[{key}]")));
    let affinity = spec.at("/affinity/nodeAffinity");
    let required = affinity.at(REQUIRED).items("/nodeSelectorTerms").iter();
    let preferred = affinity
        .items(PREFERRED)
        .iter()
        .map(|weighted| weighted.field("preference"));
    for term in required.chain(preferred) {
        let keys = term
            .items("/matchExpressions")
            .iter()
            .map(|expression| expression.text("/key"));
        let keys = keys.filter(|key| !may_select(key));
        found.extend(keys.map(|key| format!("spec.affinity.nodeAffinity[{key}]")));
    }
    found
}

/// Terms about other pods that are not bound to the tenant's own.
fn foreign_terms(tenant: &Tenant, spec: &Value) -> Vec<&'static str> {
    let is_own = |term: &Value| {
        let selector = term.field("labelSelector");
        selector.is_null() || selector.at("/matchLabels").field(MANAGED_BY) == tenant.cluster()
    };
    let mut found = Vec::new();
    for place in ["affinity.podAffinity", "affinity.podAntiAffinity"] {
        let affinity = spec.at(&format!("/{}", place.replace('.', "/")));
        let preferred = affinity
            .items(PREFERRED)
            .iter()
            .map(|weighted| weighted.field("podAffinityTerm"));
        if !affinity.items(REQUIRED).iter().chain(preferred).all(is_own) {
            found.push(place);
        }
    }
    if !spec.items("/topologySpreadConstraints").iter().all(is_own) {
        found.push("topologySpreadConstraints");
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(limits: &Limits, spec: Value) -> Vec<String> {
        let mut all = unbound(&Tenant::new("demo", "team-a"), limits, &spec);
        all.extend(nodes(limits, &spec));
        all
    }

    #[test]
    fn nodes_of_a_role_are_nobodys_unless_it_is_configured() {
        let spec = || {
            json!({"nodeSelector": {"kubernetes.io/os": "linux", "node-role.kubernetes.io/control-plane": ""},
            "tolerations": [{"key": "gpu", "operator": "Exists"}, {"key": "node-role.kubernetes.io/control-plane"},
                {"operator": "Exists"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "pool", "operator": "Exists"}], "matchFields": [{"key": "metadata.name"}]}]}}}})
        };
        let expect = [
            "spec.tolerations[1]",
            "spec.tolerations[2]",
            "spec.nodeSelector[node-role.kubernetes.io/control-plane]",
        ];
        assert_eq!(found(&Limits::default(), spec()), expect);
        let strict = Limits {
            node_labels: Some(vec!["kubernetes.io/*".to_owned()]),
            taints: Some(vec!["*".to_owned()]),
            owners_node_labels: vec!["node-role.kubernetes.io/control-plane".to_owned()],
            ..Limits::default()
        };
        assert_eq!(found(&strict, spec()), ["spec.affinity.nodeAffinity[pool]"]);
    }

    #[test]
    fn what_the_owner_gives_every_pod_is_no_wish_of_the_tenant() {
        let every = json!({"operator": "Exists"});
        let limits = Limits {
            owners_tolerations: vec![every.clone()],
            ..Limits::default()
        };
        assert!(found(&limits, json!({"tolerations": [every]})).is_empty());
        assert!(tolerable(&limits, &[every, json!({"key": "a"})]) == [json!({"key": "a"})]);
    }

    #[test]
    fn a_term_about_pods_must_be_bound_to_the_tenants() {
        let term = |labels: Value| json!({"topologyKey": "zone", "labelSelector": {"matchLabels": labels}});
        let spec = |labels: Value| {
            json!({"affinity": {"podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term(labels.clone())}]}},
            "topologySpreadConstraints": [term(labels)]})
        };
        let expect = [
            "spec.affinity.podAntiAffinity.labelSelector",
            "spec.topologySpreadConstraints.labelSelector",
        ];
        assert_eq!(found(&Limits::default(), spec(json!({"app": "web"}))), expect);
        assert_eq!(
            found(
                &Limits::default(),
                spec(json!({"warren.dev/managed-by": "other"}))
            ),
            expect
        );
        assert!(found(&Limits::default(), spec(json!({"warren.dev/managed-by": "demo"}))).is_empty());
    }
}
