//! RBAC escalation: nobody grants what they do not hold, by a role or by a binding.

use serde_json::Value;
use warren_apimachinery::resource::{CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Resource, Status};
use warren_rbac::{Attributes, GROUP, RoleKind, Rule, covers, escalation_text};
use warren_registry::admission::Operation;

use super::Asked;
use crate::authorization::{decide, is_master};

pub(super) fn mutate(cx: &Asked<'_>, object: &mut Value) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update);
    if !writes || cx.resource.group != GROUP || is_master(cx.user) {
        return Ok(());
    }
    if cx.writes(&CLUSTER_ROLES) || cx.writes(&ROLES) {
        check_role(cx, object)
    } else if cx.writes(&CLUSTER_ROLE_BINDINGS) || cx.writes(&ROLE_BINDINGS) {
        check_binding(cx, object)
    } else {
        Ok(())
    }
}

fn is_unchanged(cx: &Asked<'_>, object: &Value, fields: &[&str]) -> bool {
    cx.old
        .is_some_and(|old| fields.iter().all(|field| old.at(field) == object.at(field)))
}

fn check_role(cx: &Asked<'_>, role: &Value) -> Result<(), Status> {
    if is_unchanged(cx, role, &["/rules", "/aggregationRule"]) {
        return Ok(());
    }
    let name = if cx.operation == Operation::Create {
        ""
    } else {
        cx.key.name.as_str()
    };
    if may(cx, "escalate", &cx.resource.resource, name) {
        return Ok(());
    }
    confirm(cx, role, &Rule::of_role(role))?;
    if role.at("/aggregationRule").is_object() && !missing(cx, &everything()).is_empty() {
        return Err(cx.forbidden(
            role,
            "must have cluster-admin privileges to use the aggregationRule",
        ));
    }
    Ok(())
}

/// An aggregating role may come to hold anything.
fn everything() -> Vec<Rule> {
    let star = || -> Box<[smol_str::SmolStr]> { Box::new(["*".into()]) };
    vec![
        Rule {
            verbs: star(),
            api_groups: star(),
            resources: star(),
            ..Rule::default()
        },
        Rule {
            verbs: star(),
            non_resource_urls: star(),
            ..Rule::default()
        },
    ]
}

fn check_binding(cx: &Asked<'_>, binding: &Value) -> Result<(), Status> {
    if is_unchanged(cx, binding, &["/roleRef", "/subjects"]) {
        return Ok(());
    }
    let name = binding.text("/roleRef/name");
    let (resource, kind, namespace): (Resource, RoleKind, &str) = match binding.text("/roleRef/kind") {
        "ClusterRole" => (CLUSTER_ROLES, RoleKind::ClusterRole, ""),
        "Role" => (ROLES, RoleKind::Role, cx.key.namespace.as_str()),
        // Validation refuses the kind.
        _ => return Ok(()),
    };
    if may(cx, "bind", resource.plural, name) {
        return Ok(());
    }
    match cx.guard.shared.rules(cx.cluster, kind, namespace, name) {
        // Upstream names the binding's resource, whichever kind of role is missing.
        None => {
            let binding = GroupResource::new(GROUP, cx.resource.resource.as_str());
            Err(Status::not_found(&binding, name))
        }
        Some(rules) => confirm(cx, binding, &rules),
    }
}

fn may(cx: &Asked<'_>, verb: &str, resource: &str, name: &str) -> bool {
    let asked = Attributes {
        verb,
        group: GROUP,
        version: "*",
        resource,
        namespace: &cx.key.namespace,
        name,
        ..Attributes::default()
    };
    decide(cx.guard, cx.cluster, cx.user, &asked).allowed()
}

fn missing(cx: &Asked<'_>, wanted: &[Rule]) -> Vec<Rule> {
    let held = cx
        .guard
        .indexed(cx.cluster)
        .index
        .rules_for(cx.user, &cx.key.namespace);
    covers(&held.rules, wanted)
}

fn confirm(cx: &Asked<'_>, object: &Value, wanted: &[Rule]) -> Result<(), Status> {
    let held = cx
        .guard
        .indexed(cx.cluster)
        .index
        .rules_for(cx.user, &cx.key.namespace);
    let missing = covers(&held.rules, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    Err(cx.forbidden(object, escalation_text(cx.user, &missing, &held.errors)))
}
