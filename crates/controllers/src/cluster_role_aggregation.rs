//! ClusterRoles with an `aggregationRule`: their rules are those of all roles that it selects.

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource::CLUSTER_ROLES;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::label_selector::Selector;

/// The controller.
pub(crate) struct ClusterRoleAggregation;

/// Looks at the bytes, so that the many roles without a rule are not parsed.
fn aggregates(role: &Object) -> bool {
    let needle = b"\"aggregationRule\":{";
    role.bytes().windows(needle.len()).any(|window| window == needle)
}

/// The union of the rules of the selected roles, in order of selectors and names.
fn rules(role: &Value, all: &[std::sync::Arc<Object>]) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    for selector in role.items("/aggregationRule/clusterRoleSelectors") {
        let selector = Selector::from_json(selector).unwrap_or_else(|_| Selector::nothing());
        let selected = all
            .iter()
            .filter(|other| other.meta().name != role.text("/metadata/name"));
        for other in selected.filter(|other| selector.matches(other.meta())) {
            for rule in other.to_value().items("/rules") {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    rules
}

#[async_trait]
impl Reconciler for ClusterRoleAggregation {
    fn name(&self) -> &'static str {
        "clusterrole-aggregation"
    }

    fn actor(&self) -> &'static str {
        "clusterrole-aggregation-controller"
    }

    fn watches(&self) -> &'static [Resource] {
        &[CLUSTER_ROLES]
    }

    fn triggers(&self, _: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        let roles = cluster.list(&CLUSTER_ROLES, None);
        roles
            .iter()
            .filter(|role| aggregates(role))
            .for_each(|role| out.add(role.key()));
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(role) = cx
            .cluster
            .get(&CLUSTER_ROLES, key)
            .filter(|role| aggregates(role))
        else {
            return Ok(Next::Wait);
        };
        let value = role.to_value();
        let rules = rules(&value, &cx.cluster.list(&CLUSTER_ROLES, None));
        if value.items("/rules") != rules {
            let patch =
                json!({"metadata": {"resourceVersion": role.meta().revision.to_string()}, "rules": rules});
            cx.cluster
                .merge_patch(&CLUSTER_ROLES, key, Part::Main, patch)
                .await?;
        }
        Ok(Next::Wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCluster, NOW};

    #[tokio::test]
    async fn an_aggregated_role_has_the_rules_of_those_it_selects() {
        let cluster = FakeCluster::new();
        let rule = |verb: &str| json!({"verbs": [verb]});
        cluster.put(
            &CLUSTER_ROLES,
            json!({"metadata": {"name": "admin", "labels": {"to": "admin"}},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "admin"}}]}}),
        );
        for (name, label) in [("a", "admin"), ("b", "admin"), ("c", "other")] {
            cluster.put(
                &CLUSTER_ROLES,
                json!({"metadata": {"name": name, "labels": {"to": label}},
                "rules": [rule(name), rule("get")]}),
            );
        }
        cluster.settle(&[&ClusterRoleAggregation], NOW).await;
        assert_eq!(
            cluster.value(&CLUSTER_ROLES, "admin").items("/rules"),
            [rule("a"), rule("get"), rule("b")]
        );
    }
}
