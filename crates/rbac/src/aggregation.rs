//! Aggregated cluster roles: rules gathered from cluster roles by their labels.

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;

use crate::rule::Rule;

/// `aggregationRule` of a cluster role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregation {
    selectors: Vec<Value>,
}

impl Aggregation {
    /// Reads it from a cluster role; `None` when the role does not aggregate.
    pub fn of_role(role: &Value) -> Option<Self> {
        role.at("/aggregationRule").is_object().then(|| Self {
            selectors: role.items("/aggregationRule/clusterRoleSelectors").to_vec(),
        })
    }

    /// Whether any selector picks a role with these labels (sorted by key). An empty selector picks all.
    pub fn selects(&self, labels: &[(SmolStr, SmolStr)]) -> bool {
        self.selectors.iter().any(|selector| matches(selector, labels))
    }
}

fn matches(selector: &Value, labels: &[(SmolStr, SmolStr)]) -> bool {
    let value_of = |key: &str| labels.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    let all_equal = selector
        .at("/matchLabels")
        .as_object()
        .is_none_or(|map| map.iter().all(|(key, want)| value_of(key) == want.as_str()));
    all_equal
        && selector.items("/matchExpressions").iter().all(|expression| {
            let found = value_of(expression.text("/key"));
            let listed =
                found.is_some_and(|v| expression.items("/values").iter().any(|w| w.as_str() == Some(v)));
            match expression.text("/operator") {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        })
}

/// The rules an aggregating role must have: those of all selected roles but itself, in the order of their names,
/// each once. `roles` are name, labels and rules of every cluster role, sorted by name.
pub fn aggregated_rules<'a>(
    aggregation: &Aggregation,
    own_name: &str,
    roles: impl IntoIterator<Item = (&'a str, &'a [(SmolStr, SmolStr)], &'a [Rule])>,
) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for (name, labels, own) in roles {
        if name != own_name && aggregation.selects(labels) {
            for rule in own {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gathers_the_rules_of_selected_roles_once() {
        let aggregation = Aggregation::of_role(&json!({"aggregationRule": {"clusterRoleSelectors": [
            {"matchLabels": {"to-view": "true"}}]}}))
        .unwrap();
        let rule = |verb: &str| Rule::parse(&json!({"verbs": [verb], "resources": ["x"], "apiGroups": [""]}));
        let label = [(SmolStr::new("to-view"), SmolStr::new("true"))];
        let (a, b, c) = ([rule("get")], [rule("get"), rule("list")], [rule("watch")]);
        let roles: Vec<(&str, &[_], &[_])> = vec![
            ("a", &label, &a),
            ("b", &label, &b),
            ("c", &[], &c),
            ("view", &label, &c),
        ];
        assert_eq!(
            aggregated_rules(&aggregation, "view", roles),
            [rule("get"), rule("list")]
        );
    }
}
