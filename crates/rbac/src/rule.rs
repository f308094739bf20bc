//! One policy rule, and whether it allows a request.

use serde_json::{Map, Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;

use crate::attributes::Attributes;
use crate::quoted_list;

/// A `PolicyRule`: what may be done to what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rule {
    /// `get`, `list`, …, or `*`.
    pub verbs: Box<[SmolStr]>,
    /// Groups, or `*`; the core group is empty.
    pub api_groups: Box<[SmolStr]>,
    /// `pods`, `pods/log`, `*/scale`, `*`.
    pub resources: Box<[SmolStr]>,
    /// Names the rule is limited to; empty for all.
    pub resource_names: Box<[SmolStr]>,
    /// Paths outside the API; a trailing `*` is a prefix.
    pub non_resource_urls: Box<[SmolStr]>,
}

impl Rule {
    /// Reads a `PolicyRule`; a field of another shape reads as empty, so it allows nothing.
    pub fn parse(value: &Value) -> Self {
        let list = |field: &str| -> Box<[SmolStr]> {
            value
                .field(field)
                .as_array()
                .map(|all| all.iter().filter_map(Value::as_str).map(SmolStr::new).collect())
                .unwrap_or_default()
        };
        Self {
            verbs: list("verbs"),
            api_groups: list("apiGroups"),
            resources: list("resources"),
            resource_names: list("resourceNames"),
            non_resource_urls: list("nonResourceURLs"),
        }
    }

    /// The rules of a Role or ClusterRole.
    pub fn of_role(role: &Value) -> Vec<Self> {
        role.items("/rules").iter().map(Self::parse).collect()
    }

    /// As JSON, empty fields left out.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        let fields = [
            ("verbs", &self.verbs),
            ("apiGroups", &self.api_groups),
            ("resources", &self.resources),
            ("resourceNames", &self.resource_names),
            ("nonResourceURLs", &self.non_resource_urls),
        ];
        for (name, list) in fields {
            if !list.is_empty() || name == "verbs" {
                map.insert(name.to_owned(), json!(list));
            }
        }
        Value::Object(map)
    }

    /// Whether the rule, applied where the request happens, allows it.
    pub fn allows(&self, asked: &Attributes<'_>) -> bool {
        if !has(&self.verbs, asked.verb) {
            return false;
        }
        if asked.is_resource() {
            has(&self.api_groups, asked.group)
                && self.has_resource(asked.resource, asked.subresource)
                && self.has_name(asked.name)
        } else {
            self.non_resource_urls
                .iter()
                .any(|spec| url_matches(spec, asked.path))
        }
    }

    fn has_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|spec| match spec.as_str() {
            "*" => true,
            spec if subresource.is_empty() => spec == resource,
            spec => spec
                .split_once('/')
                .is_some_and(|(parent, sub)| sub == subresource && (parent == "*" || parent == resource)),
        })
    }

    fn has_name(&self, name: &str) -> bool {
        self.resource_names.is_empty() || self.resource_names.iter().any(|n| n == name)
    }
}

/// Upstream's `CompactString`: `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get"]}`.
impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ]
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| format!("{name}:{}", quoted_list(list)))
        .collect();
        write!(f, "{{{}}}", parts.join(", "))
    }
}

pub(crate) fn has(list: &[SmolStr], wanted: &str) -> bool {
    list.iter().any(|item| item == "*" || item == wanted)
}

pub(crate) fn url_matches(spec: &str, path: &str) -> bool {
    spec == "*"
        || spec == path
        || spec
            .strip_suffix('*')
            .is_some_and(|_| path.starts_with(spec.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: Value, asked: &[(Attributes<'_>, bool)]) {
        let rule = Rule::parse(&rule);
        for (attributes, expect) in asked {
            assert_eq!(rule.allows(attributes), *expect, "{rule} {attributes:?}");
        }
    }

    fn ask<'a>(verb: &'a str, group: &'a str, resource: &'a str, subresource: &'a str) -> Attributes<'a> {
        Attributes {
            verb,
            group,
            resource,
            subresource,
            ..Attributes::default()
        }
    }

    #[test]
    fn matches_verbs_groups_and_resources() {
        check(
            json!({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"]}),
            &[
                (ask("get", "apps", "deployments", ""), true),
                (ask("list", "apps", "deployments", ""), false),
                (ask("get", "", "deployments", ""), false),
                (ask("get", "apps", "deployments", "scale"), false),
                (ask("get", "apps", "replicasets", ""), false),
                (Attributes::path("get", "/metrics"), false),
            ],
        );
    }

    #[test]
    fn wildcards_cover_everything_subresources_included() {
        check(
            json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}),
            &[
                (ask("get", "apps", "deployments", "scale"), true),
                (ask("impersonate", "", "users", ""), true),
                (Attributes::path("get", "/metrics"), false),
            ],
        );
    }

    #[test]
    fn subresources_are_named_with_or_without_their_parent() {
        check(
            json!({"verbs": ["update"], "apiGroups": ["*"], "resources": ["*/scale", "pods/status"]}),
            &[
                (ask("update", "apps", "deployments", "scale"), true),
                (ask("update", "", "pods", "status"), true),
                (ask("update", "", "pods", ""), false),
                (ask("update", "", "nodes", "status"), false),
            ],
        );
    }

    #[test]
    fn resource_names_limit_a_rule() {
        let rule =
            json!({"verbs": ["*"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]});
        let secrets = ask("get", "", "secrets", "");
        check(
            rule,
            &[
                (Attributes { name: "a", ..secrets }, true),
                (Attributes { name: "b", ..secrets }, false),
                (secrets, false),
            ],
        );
    }

    #[test]
    fn paths_match_exactly_or_by_prefix() {
        check(
            json!({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/api/*"]}),
            &[
                (Attributes::path("get", "/healthz"), true),
                (Attributes::path("get", "/healthz/ping"), false),
                (Attributes::path("get", "/api/v1"), true),
                (Attributes::path("get", "/apis"), false),
                (Attributes::path("post", "/healthz"), false),
            ],
        );
    }
}
