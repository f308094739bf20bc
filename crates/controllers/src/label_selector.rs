//! `LabelSelector` as controllers use it: compiled once, matched against the index of objects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use warren_apimachinery::{Meta, Object};

/// A compiled selector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    nothing: bool,
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug)]
enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Compiles; a selector with an unknown operator matches nothing, as an invalid object cannot be acted on.
    pub(crate) fn new(selector: &LabelSelector) -> Self {
        let mut all = Self::of_map(selector.match_labels.iter().flatten());
        for expression in selector.match_expressions.iter().flatten() {
            let values = expression.values.clone().unwrap_or_default();
            let operator = match expression.operator.as_str() {
                "In" => Operator::In(values),
                "NotIn" => Operator::NotIn(values),
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => return Self::nothing(),
            };
            all.requirements.push(Requirement {
                key: expression.key.clone(),
                operator,
            });
        }
        all
    }

    /// The selector of equal labels, as Services carry it. An empty map matches everything.
    pub(crate) fn of_map<'a>(labels: impl Iterator<Item = (&'a String, &'a String)>) -> Self {
        Self {
            nothing: false,
            requirements: labels
                .map(|(key, value)| Requirement {
                    key: key.clone(),
                    operator: Operator::In(vec![value.clone()]),
                })
                .collect(),
        }
    }

    /// Matches nothing: what an absent selector means.
    pub(crate) fn nothing() -> Self {
        Self {
            nothing: true,
            requirements: Vec::new(),
        }
    }

    /// The `spec.selector` of a workload; nothing where it has none that can be read.
    pub(crate) fn of_object(object: &Object) -> Self {
        #[derive(serde::Deserialize)]
        struct View {
            spec: Spec,
        }
        #[derive(serde::Deserialize)]
        struct Spec {
            selector: Option<LabelSelector>,
        }
        match object.view::<View>() {
            Ok(View {
                spec: Spec {
                    selector: Some(selector),
                },
            }) => Self::new(&selector),
            _ => Self::nothing(),
        }
    }

    /// Whether it has no requirements and so matches everything.
    pub(crate) fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// Whether the labels of an object match.
    pub(crate) fn matches(&self, meta: &Meta) -> bool {
        self.matches_by(|key| meta.label(key))
    }

    /// Whether labels in a map match.
    pub(crate) fn matches_map(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_by(|key| labels.get(key).map(String::as_str))
    }

    fn matches_by<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing
            && self.requirements.iter().all(|requirement| {
                let value = label(&requirement.key);
                match &requirement.operator {
                    Operator::In(values) => value.is_some_and(|v| values.iter().any(|x| x == v)),
                    Operator::NotIn(values) => value.is_none_or(|v| values.iter().all(|x| x != v)),
                    Operator::Exists => value.is_some(),
                    Operator::DoesNotExist => value.is_none(),
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(selector: serde_json::Value, labels: serde_json::Value, expect: bool) {
        let compiled = Selector::new(&serde_json::from_value(selector.clone()).unwrap());
        let meta = Meta::of(&json!({"metadata": {"labels": labels}}));
        assert_eq!(compiled.matches(&meta), expect, "{selector} on {labels}");
    }

    #[test]
    fn labels_match_as_upstream_says() {
        let app = json!({"matchLabels": {"app": "a"}});
        check(app.clone(), json!({"app": "a", "x": "y"}), true);
        check(app, json!({"app": "b"}), false);
        check(json!({}), json!({}), true);
        let not_in = json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]});
        check(not_in.clone(), json!({}), true);
        check(not_in, json!({"app": "a"}), false);
        let exists = json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]});
        check(exists, json!({"app": ""}), true);
        let absent = json!({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]});
        check(absent, json!({"app": ""}), false);
    }
}
