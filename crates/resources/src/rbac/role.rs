//! Roles and cluster roles. Whether the caller may grant what a role allows is admission's.

use serde_json::Value;
use warren_apimachinery::LabelSelector;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{NameRule, Strategy, Traits};

use crate::check::{self, Errors};

/// The strategy of roles.
pub(crate) struct Role {
    pub(super) is_namespaced: bool,
}

impl Strategy for Role {
    fn traits(&self) -> Traits {
        Traits {
            create_on_update: true,
            name: NameRule::PathSegment,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        for (at, value) in object.items("/rules").iter().enumerate() {
            rule(
                &mut errors,
                &Path::new("rules").index(at),
                value,
                self.is_namespaced,
            );
        }
        let aggregation = object.field("aggregationRule");
        if !self.is_namespaced && !aggregation.is_null() {
            let path = Path::new("aggregationRule.clusterRoleSelectors");
            let selectors = aggregation.items("/clusterRoleSelectors");
            if selectors.is_empty() {
                errors.push(Error::required(
                    &path,
                    "at least one clusterRoleSelector required if aggregationRule is non-nil",
                ));
            }
            for (at, selector) in selectors.iter().enumerate() {
                check::label_selector(&mut errors, &path.index(at), selector);
                if LabelSelector::from_json(selector).is_err() {
                    errors.push(Error::invalid(
                        &path.index(at),
                        Value::Null,
                        "invalid label selector.",
                    ));
                }
            }
        }
        errors
    }
}

fn rule(errors: &mut Errors, path: &Path, rule: &Value, is_namespaced: bool) {
    let count = |field: &str| rule.field(field).as_array().map_or(0, Vec::len);
    let mut require = |field: &str, why: &str| errors.push(Error::required(&path.child(field), why));
    if count("verbs") == 0 {
        require("verbs", "verbs must contain at least one value");
    }
    if count("nonResourceURLs") == 0 {
        if count("apiGroups") == 0 {
            require("apiGroups", "resource rules must supply at least one api group");
        }
        if count("resources") == 0 {
            require("resources", "resource rules must supply at least one resource");
        }
        return;
    }
    let (path, urls) = (path.child("nonResourceURLs"), rule.field("nonResourceURLs"));
    if is_namespaced {
        errors.push(Error::invalid(
            &path,
            urls.clone(),
            "namespaced rules cannot apply to non-resource URLs",
        ));
    }
    if ["apiGroups", "resources", "resourceNames"]
        .iter()
        .any(|field| count(field) > 0)
    {
        errors.push(Error::invalid(
            &path,
            urls.clone(),
            "rules cannot apply to both regular resources and non-resource URLs",
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(is_namespaced: bool, role: Value, expected: &[&str]) {
        let errors = Role { is_namespaced }.validate(&role);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{role}");
    }

    #[test]
    fn rules_are_about_resources_or_paths() {
        check(
            true,
            json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
            &[],
        );
        check(
            true,
            json!({"rules": [{}]}),
            &[
                "rules[0].verbs: Required value: verbs must contain at least one value",
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
            ],
        );
        check(
            true,
            json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}),
            &[
                "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs",
            ],
        );
        check(
            false,
            json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["pods"]}]}),
            &[
                "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: rules cannot apply to both regular resources and non-resource URLs",
            ],
        );
        check(
            false,
            json!({"aggregationRule": {}}),
            &[
                "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil",
            ],
        );
    }
}
