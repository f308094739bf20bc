//! The bindings of a cluster, arranged so that a question touches only those of its user.

use std::collections::HashMap;
use std::sync::Arc;

use smol_str::SmolStr;
use warren_apimachinery::UserInfo;

use crate::attributes::Attributes;
use crate::binding::{Binding, RoleKind, Subject, SubjectKind};
use crate::rule::Rule;

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes; the reason as upstream words it.
    Allow(String),
    /// No rule allows it; the reason tells of bindings whose role is missing, and is mostly empty.
    NoOpinion(String),
}

impl Decision {
    /// Whether it is a yes.
    pub fn allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

/// Finds the rules of roles; asked once per binding when an index is built.
pub trait Roles {
    /// The rules of a role (`namespace` is empty for cluster roles), or `None` when there is no such role.
    fn rules(&self, kind: RoleKind, namespace: &str, name: &str) -> Option<Arc<[Rule]>>;
}

/// What a user may do somewhere.
#[derive(Clone, Debug, Default)]
pub struct ResolvedRules {
    /// All rules, cluster-wide ones first.
    pub rules: Vec<Rule>,
    /// Bindings that could not be resolved, as upstream words it.
    pub errors: Vec<String>,
}

struct Grant {
    binding: Arc<Binding>,
    /// `None` when the role is missing.
    rules: Option<Arc<[Rule]>>,
}

/// All grants of one cluster at one revision. Immutable: a changed role or binding makes a new one.
pub struct Index {
    cluster: Scoped,
    namespaces: HashMap<SmolStr, Scoped>,
}

#[derive(Default)]
struct Scoped {
    grants: Vec<Grant>,
    users: HashMap<SmolStr, Vec<u32>>,
    groups: HashMap<SmolStr, Vec<u32>>,
}

impl Index {
    /// Arranges bindings; each role is looked up once per binding.
    pub fn new(bindings: impl IntoIterator<Item = Arc<Binding>>, roles: &dyn Roles) -> Self {
        let mut index = Self {
            cluster: Scoped::default(),
            namespaces: HashMap::new(),
        };
        for binding in bindings {
            let role_namespace = match binding.role.kind {
                RoleKind::Role => binding.namespace.as_str(),
                RoleKind::ClusterRole => "",
            };
            let rules = roles.rules(binding.role.kind, role_namespace, &binding.role.name);
            let scoped = if binding.namespace.is_empty() {
                &mut index.cluster
            } else {
                index.namespaces.entry(binding.namespace.clone()).or_default()
            };
            scoped.add(Grant { binding, rules });
        }
        index
    }

    /// May `user` do this?
    pub fn decide(&self, user: &UserInfo, asked: &Attributes<'_>) -> Decision {
        let mut errors = Vec::new();
        for grant in self.grants(user, asked.namespace) {
            match &grant.rules {
                Some(rules) if rules.iter().any(|rule| rule.allows(asked)) => {
                    let by = grant
                        .subject_of(user)
                        .map(|subject| grant.binding.describe(subject));
                    return Decision::Allow(format!("RBAC: allowed by {}", by.unwrap_or_default()));
                }
                Some(_) => {}
                None => push_once(&mut errors, grant.missing()),
            }
        }
        Decision::NoOpinion(match errors.as_slice() {
            [] => String::new(),
            [one] => format!("RBAC: {one}"),
            many => format!("RBAC: [{}]", many.join(", ")),
        })
    }

    /// Everything `user` may do in `namespace` (empty: at the cluster scope).
    pub fn rules_for(&self, user: &UserInfo, namespace: &str) -> ResolvedRules {
        let mut resolved = ResolvedRules::default();
        for grant in self.grants(user, namespace) {
            match &grant.rules {
                Some(rules) => resolved.rules.extend(rules.iter().cloned()),
                None => push_once(&mut resolved.errors, grant.missing()),
            }
        }
        resolved
    }

    fn grants<'a>(&'a self, user: &'a UserInfo, namespace: &str) -> impl Iterator<Item = &'a Grant> {
        let scoped = (!namespace.is_empty())
            .then(|| self.namespaces.get(namespace))
            .flatten();
        self.cluster
            .of(user)
            .chain(scoped.into_iter().flat_map(|scoped| scoped.of(user)))
    }
}

fn push_once(all: &mut Vec<String>, text: String) {
    if !all.contains(&text) {
        all.push(text);
    }
}

impl Grant {
    fn subject_of(&self, user: &UserInfo) -> Option<&Subject> {
        self.binding.subject_of(user)
    }

    /// `clusterrole.rbac.authorization.k8s.io "x" not found`
    fn missing(&self) -> String {
        let kind = match self.binding.role.kind {
            RoleKind::Role => "role",
            RoleKind::ClusterRole => "clusterrole",
        };
        format!(
            "{kind}.{} {:?} not found",
            crate::GROUP,
            self.binding.role.name.as_str()
        )
    }
}

impl Scoped {
    fn add(&mut self, grant: Grant) {
        let at = u32::try_from(self.grants.len()).unwrap_or(u32::MAX);
        for subject in &grant.binding.subjects {
            let list = match subject.kind {
                SubjectKind::User => self.users.entry(subject.name.clone()),
                SubjectKind::Group => self.groups.entry(subject.name.clone()),
                SubjectKind::ServiceAccount => {
                    let namespace = if subject.namespace.is_empty() {
                        &grant.binding.namespace
                    } else {
                        &subject.namespace
                    };
                    self.users
                        .entry(format!("system:serviceaccount:{namespace}:{}", subject.name).into())
                }
            }
            .or_default();
            if list.last() != Some(&at) {
                list.push(at);
            }
        }
        self.grants.push(grant);
    }

    /// The grants of a user, each once, in the order of the bindings: so reasons name the binding that upstream's
    /// would.
    fn of<'a>(&'a self, user: &UserInfo) -> impl Iterator<Item = &'a Grant> + use<'a> {
        let by_name = self.users.get(user.name.as_str());
        let by_group = user
            .groups
            .iter()
            .filter_map(|group| self.groups.get(group.as_str()));
        let mut places: Vec<u32> = by_name.into_iter().chain(by_group).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        places
            .into_iter()
            .filter_map(|at| self.grants.get(usize::try_from(at).unwrap_or(usize::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    struct Fixed(Value);

    impl Roles for Fixed {
        fn rules(&self, kind: RoleKind, namespace: &str, name: &str) -> Option<Arc<[Rule]>> {
            let key = format!("{}/{namespace}/{name}", kind.as_str());
            Some(Rule::of_role(self.0.get(key)?).into())
        }
    }

    fn index() -> Index {
        let pods = json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]});
        let roles = Fixed(json!({"ClusterRole//pods": pods, "Role/ns/pods": pods}));
        let binding = |ns: Option<&str>, name: &str, kind: &str, role: &str, subjects: Value| {
            Arc::new(
                Binding::parse(&json!({"metadata": {"name": name, "namespace": ns},
                    "roleRef": {"kind": kind, "name": role}, "subjects": subjects}))
                .unwrap(),
            )
        };
        Index::new(
            [
                binding(
                    None,
                    "g",
                    "ClusterRole",
                    "pods",
                    json!([{"kind": "Group", "name": "devs"}]),
                ),
                binding(
                    Some("ns"),
                    "u",
                    "Role",
                    "pods",
                    json!([{"kind": "User", "name": "jane"}]),
                ),
                binding(
                    Some("ns"),
                    "sa",
                    "ClusterRole",
                    "pods",
                    json!([{"kind": "ServiceAccount", "name": "s"}]),
                ),
                binding(
                    None,
                    "lost",
                    "ClusterRole",
                    "gone",
                    json!([{"kind": "User", "name": "joe"}]),
                ),
            ],
            &roles,
        )
    }

    fn check(user: &str, group: &str, namespace: &str, expect: Decision) {
        let user = UserInfo {
            name: user.into(),
            groups: vec![group.into()],
            ..UserInfo::default()
        };
        let asked = Attributes {
            verb: "get",
            resource: "pods",
            namespace,
            name: "p",
            ..Attributes::default()
        };
        assert_eq!(index().decide(&user, &asked), expect);
    }

    fn allow(by: &str) -> Decision {
        Decision::Allow(format!("RBAC: allowed by {by}"))
    }

    #[test]
    fn cluster_role_bindings_hold_everywhere() {
        let by = "ClusterRoleBinding \"g\" of ClusterRole \"pods\" to Group \"devs\"";
        check("any", "devs", "", allow(by));
        check("any", "devs", "other", allow(by));
    }

    #[test]
    fn role_bindings_hold_in_their_namespace_only() {
        check(
            "jane",
            "",
            "ns",
            allow("RoleBinding \"u/ns\" of Role \"pods\" to User \"jane\""),
        );
        check("jane", "", "other", Decision::NoOpinion(String::new()));
        check("jane", "", "", Decision::NoOpinion(String::new()));
    }

    #[test]
    fn a_service_account_without_namespace_is_of_the_bindings_own() {
        check(
            "system:serviceaccount:ns:s",
            "",
            "ns",
            allow("RoleBinding \"sa/ns\" of ClusterRole \"pods\" to ServiceAccount \"s/ns\""),
        );
        check(
            "system:serviceaccount:other:s",
            "",
            "ns",
            Decision::NoOpinion(String::new()),
        );
    }

    #[test]
    fn a_missing_role_is_told_of() {
        let reason = "RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found";
        check("joe", "", "ns", Decision::NoOpinion(reason.into()));
    }

    #[test]
    fn rules_of_a_namespace_hold_the_clusters_too() {
        let user = UserInfo {
            name: "jane".into(),
            groups: vec!["devs".into()],
            ..UserInfo::default()
        };
        assert_eq!(index().rules_for(&user, "ns").rules.len(), 2);
        assert_eq!(index().rules_for(&user, "").rules.len(), 1);
    }
}
