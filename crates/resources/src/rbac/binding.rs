//! Role bindings and cluster role bindings. Whether the caller may grant the role is admission's.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, NameRule, Strategy, Traits};

use crate::check::{self, Errors};
use crate::pod_template::elements;
use crate::table::{age, columns, name};

const GROUP: &str = "rbac.authorization.k8s.io";

/// The strategy of bindings.
pub(crate) struct Binding {
    pub(super) is_namespaced: bool,
}

impl Strategy for Binding {
    fn traits(&self) -> Traits {
        Traits {
            create_on_update: true,
            name: NameRule::PathSegment,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        // Typed clients write what they leave unset.
        if object.at("/roleRef").is_object() && object.text("/roleRef/apiGroup").is_empty() {
            object.set("/roleRef/apiGroup", GROUP);
        }
        for subject in elements(object, "/subjects") {
            let is_person = matches!(subject.text("/kind"), "User" | "Group");
            if is_person && subject.text("/apiGroup").is_empty() {
                subject.set("/apiGroup", GROUP);
            }
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, role) = (Path::new("roleRef"), object.field("roleRef"));
        check::one_of(
            &mut errors,
            &path.child("apiGroup"),
            role.text("/apiGroup"),
            &[GROUP],
        );
        let kinds: &[&str] = if self.is_namespaced {
            &["Role", "ClusterRole"]
        } else {
            &["ClusterRole"]
        };
        check::one_of(&mut errors, &path.child("kind"), role.text("/kind"), kinds);
        let (path, role_name) = (path.child("name"), role.text("/name"));
        if check::required(&mut errors, &path, role_name) {
            check::text(&mut errors, &path, role_name, names::path_segment(role_name));
        }
        for (at, value) in object.items("/subjects").iter().enumerate() {
            subject(
                &mut errors,
                &Path::new("subjects").index(at),
                value,
                self.is_namespaced,
            );
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let (now, before) = (new.field("roleRef"), old.field("roleRef"));
        if check::same(now, before) {
            return Vec::new();
        }
        vec![Error::invalid(
            &Path::new("roleRef"),
            // As upstream prints its internal form, with Go's names.
            json!({"APIGroup": now.text("/apiGroup"), "Kind": now.text("/kind"), "Name": now.text("/name")}),
            "cannot change roleRef",
        )]
    }

    fn columns(&self) -> &'static [Column] {
        columns(if self.is_namespaced {
            "rolebindings.rbac.authorization.k8s.io"
        } else {
            "clusterrolebindings.rbac.authorization.k8s.io"
        })
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let role = object.field("roleRef");
        let named = |kind: &str| -> Value {
            let subjects = object.items("/subjects").iter();
            let names = subjects
                .filter(|subject| subject.text("/kind") == kind)
                .map(|subject| match kind {
                    "ServiceAccount" => format!("{}/{}", subject.text("/namespace"), subject.text("/name")),
                    _ => subject.text("/name").to_owned(),
                });
            names.collect::<Vec<_>>().join(", ").into()
        };
        vec![
            name(object),
            format!("{}/{}", role.text("/kind"), role.text("/name")).into(),
            age(object, now),
            named("User"),
            named("Group"),
            named("ServiceAccount"),
        ]
    }
}

fn subject(errors: &mut Errors, path: &Path, subject: &Value, is_namespaced: bool) {
    let (name_path, own_name) = (path.child("name"), subject.text("/name"));
    let (group_path, group) = (path.child("apiGroup"), subject.text("/apiGroup"));
    check::required(errors, &name_path, own_name);
    match subject.text("/kind") {
        "User" | "Group" => check::one_of(errors, &group_path, group, &[GROUP]),
        "ServiceAccount" => {
            if !own_name.is_empty() {
                check::dns_subdomain(errors, &name_path, own_name);
            }
            check::one_of(errors, &group_path, group, &[""]);
            if !is_namespaced {
                check::required(errors, &path.child("namespace"), subject.text("/namespace"));
            }
        }
        other => check::one_of(
            errors,
            &path.child("kind"),
            other,
            &["ServiceAccount", "User", "Group"],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(is_namespaced: bool, mut binding: Value, expected: &[&str]) {
        let strategy = Binding { is_namespaced };
        strategy.default(&mut binding);
        let found: Vec<String> = strategy
            .validate(&binding)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected, "{binding}");
    }

    #[test]
    fn roles_and_subjects_are_of_known_kinds() {
        let role = json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": "r"});
        check(
            true,
            json!({"roleRef": role, "subjects": [{"kind": "User", "name": "u"}]}),
            &[],
        );
        let unset = json!({"apiGroup": "", "kind": "ClusterRole", "name": "r"});
        check(true, json!({"roleRef": unset}), &[]);
        check(
            false,
            json!({"roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "r"}}),
            &["roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\""],
        );
        check(
            false,
            json!({"roleRef": role, "subjects": [{"kind": "ServiceAccount", "name": "s"}, {"kind": "Robot", "name": "x"}]}),
            &[
                "subjects[0].namespace: Required value",
                "subjects[1].kind: Unsupported value: \"Robot\": supported values: \"ServiceAccount\", \"User\", \"Group\"",
            ],
        );
    }

    #[test]
    fn the_role_of_a_binding_stays() {
        let old = json!({"roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "a"}});
        let mut new = old.clone();
        new.set("/roleRef/name", "b");
        let errors = Binding { is_namespaced: true }.validate_update(&new, &old);
        assert!(errors[0].to_string().ends_with(": cannot change roleRef"));
    }
}
