//! RoleBindings and ClusterRoleBindings: who gets which role, where.

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::UserInfo;
use warren_apimachinery::value::ValueExt;

/// Which kind of role a binding names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleKind {
    /// Of the binding's namespace.
    Role,
    /// Of the cluster.
    ClusterRole,
}

impl RoleKind {
    /// As `roleRef.kind` says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::ClusterRole => "ClusterRole",
        }
    }
}

/// `roleRef` of a binding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoleRef {
    /// Role or ClusterRole.
    pub kind: RoleKind,
    /// Its name.
    pub name: SmolStr,
}

/// What kind of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// A user by name.
    User,
    /// A group by name.
    Group,
    /// A service account.
    ServiceAccount,
}

/// One entry of `subjects`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What kind.
    pub kind: SubjectKind,
    /// Its name.
    pub name: SmolStr,
    /// The namespace of a service account; empty means the binding's own.
    pub namespace: SmolStr,
}

/// A RoleBinding (with a namespace) or ClusterRoleBinding (without).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The name.
    pub name: SmolStr,
    /// The namespace, or empty.
    pub namespace: SmolStr,
    /// What is given.
    pub role: RoleRef,
    /// To whom.
    pub subjects: Box<[Subject]>,
}

impl Binding {
    /// Reads a binding; subjects of unknown kinds are left out, as they match nobody. `None` when the role is of
    /// an unknown kind.
    pub fn parse(value: &Value) -> Option<Self> {
        let kind = match value.text("/roleRef/kind") {
            "Role" => RoleKind::Role,
            "ClusterRole" => RoleKind::ClusterRole,
            _ => return None,
        };
        Some(Self {
            name: value.text("/metadata/name").into(),
            namespace: value.text("/metadata/namespace").into(),
            role: RoleRef {
                kind,
                name: value.text("/roleRef/name").into(),
            },
            subjects: value
                .items("/subjects")
                .iter()
                .filter_map(Subject::parse)
                .collect(),
        })
    }

    /// The first subject that is this user.
    pub fn subject_of(&self, user: &UserInfo) -> Option<&Subject> {
        self.subjects
            .iter()
            .find(|subject| subject.is(user, &self.namespace))
    }

    /// `ClusterRoleBinding "a" of ClusterRole "b" to Group "c"`, as upstream's reasons say it.
    pub fn describe(&self, subject: &Subject) -> String {
        let (kind, name) = if self.namespace.is_empty() {
            ("ClusterRoleBinding", self.name.to_string())
        } else {
            ("RoleBinding", format!("{}/{}", self.name, self.namespace))
        };
        let role = &self.role;
        let to = subject.describe(&self.namespace);
        format!(
            "{kind} {name:?} of {} {:?} to {to}",
            role.kind.as_str(),
            role.name.as_str()
        )
    }
}

impl Subject {
    fn parse(value: &Value) -> Option<Self> {
        let kind = match value.text("/kind") {
            "User" => SubjectKind::User,
            "Group" => SubjectKind::Group,
            "ServiceAccount" => SubjectKind::ServiceAccount,
            _ => return None,
        };
        Some(Self {
            kind,
            name: value.text("/name").into(),
            namespace: value.text("/namespace").into(),
        })
    }

    fn is(&self, user: &UserInfo, binding_namespace: &str) -> bool {
        match self.kind {
            SubjectKind::User => user.name == self.name,
            SubjectKind::Group => user.groups.iter().any(|group| *group == self.name),
            SubjectKind::ServiceAccount => {
                let namespace = self.namespace_in(binding_namespace);
                !namespace.is_empty()
                    && user
                        .name
                        .strip_prefix("system:serviceaccount:")
                        .and_then(|rest| rest.split_once(':'))
                        .is_some_and(|(ns, name)| ns == namespace && name == self.name)
            }
        }
    }

    fn namespace_in<'a>(&'a self, binding_namespace: &'a str) -> &'a str {
        if self.namespace.is_empty() {
            binding_namespace
        } else {
            &self.namespace
        }
    }

    fn describe(&self, binding_namespace: &str) -> String {
        match self.kind {
            SubjectKind::User => format!("User {:?}", self.name.as_str()),
            SubjectKind::Group => format!("Group {:?}", self.name.as_str()),
            SubjectKind::ServiceAccount => {
                format!(
                    "ServiceAccount {:?}",
                    format!("{}/{}", self.name, self.namespace_in(binding_namespace))
                )
            }
        }
    }
}
