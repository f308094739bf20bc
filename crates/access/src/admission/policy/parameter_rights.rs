//! Who names parameters for a policy must be allowed to read them: otherwise expressions would tell of objects that
//! their author can't see. Upstream's strategies ask this, so it can't be switched off.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::resource::{
    MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS, VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Resource, Status, UserInfo};
use warren_rbac::Attributes;
use warren_registry::admission::Operation;

use super::super::asked::Asked;
use crate::authorization::{decide, is_master};

/// The kinds of policies, each with that of its bindings.
const KINDS: [(Resource, Resource); 2] = [
    (MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS),
    (
        VALIDATING_ADMISSION_POLICIES,
        VALIDATING_ADMISSION_POLICY_BINDINGS,
    ),
];

/// Looks at a policy or binding that is written.
///
/// # Errors
/// 422, with upstream's words.
pub(in crate::admission) fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update);
    if !writes || cx.resource.group != "admissionregistration.k8s.io" || is_master(cx.user) {
        return Ok(());
    }
    let Some(object) = object else { return Ok(()) };
    for (policies, bindings) in &KINDS {
        let found = if cx.writes(policies) {
            of_policy(cx, object).map(|why| ("paramKind", why))
        } else if cx.writes(bindings) {
            of_binding(cx, object, policies).map(|why| ("paramRef", why))
        } else {
            continue;
        };
        if let Some((field, why)) = found {
            let error = Error::forbidden(&Path::new("spec").child(field), why);
            let (group, kind) = (&cx.resource.group, object.text("/kind"));
            return Err(Status::invalid(
                group,
                kind,
                object.text("/metadata/name"),
                &[error],
            ));
        }
    }
    Ok(())
}

/// Why a policy may not have its kind of parameters.
fn of_policy(cx: &Asked<'_>, policy: &Value) -> Option<String> {
    let kind = policy.at("/spec/paramKind");
    if kind.is_null() || cx.old.is_some_and(|old| old.at("/spec/paramKind") == kind) {
        return None;
    }
    let asked = Asking {
        verb: "get",
        name: "*",
        namespace: "*",
    };
    let (allowed, _) = may(cx, &asked, Some(kind));
    (!allowed).then(|| {
        format!(
            "user {} must have \"get\" permission on all objects of the referenced paramKind (kind={}, apiVersion={})",
            go_user(cx.user),
            kind.text("/kind"),
            kind.text("/apiVersion")
        )
    })
}

/// Why a binding may not name its parameters.
fn of_binding(cx: &Asked<'_>, binding: &Value, policies: &Resource) -> Option<String> {
    let reference = binding.at("/spec/paramRef");
    if reference.is_null() {
        return None;
    }
    let name = reference.text("/name");
    let verb = if name.is_empty() { "list" } else { "get" };
    let asked = Asking {
        verb,
        name,
        namespace: reference.text("/namespace"),
    };
    let policy_name = binding.text("/spec/policyName");
    let policy = cx.find(policies, "", policy_name).map(|policy| policy.to_value());
    let kind = policy.as_ref().map(|policy| policy.at("/spec/paramKind"));
    let kind = kind.filter(|kind| !kind.is_null());
    let (allowed, is_known) = may(cx, &asked, kind);
    if allowed {
        return None;
    }
    let user = go_user(cx.user);
    let everything = format!(
        "to determine minimum required permissions and user {user} does not have \"{verb}\" permission for all groups, versions and resources"
    );
    Some(match (&policy, kind) {
        (None, _) => format!("unable to get policy {policy_name} {everything}"),
        (_, Some(kind)) if !is_known => format!(
            "unable to resolve paramKind &ParamKind{{APIVersion:{},Kind:{},}} {everything}",
            kind.text("/apiVersion"),
            kind.text("/kind")
        ),
        _ => format!("user {user} does not have \"{verb}\" permission on the object referenced by paramRef"),
    })
}

/// What is asked of parameters.
struct Asking<'a> {
    verb: &'a str,
    name: &'a str,
    namespace: &'a str,
}

/// Whether the user may read parameters of a kind, and whether the kind is served; of all kinds where it is not known.
fn may(cx: &Asked<'_>, asking: &Asking<'_>, kind: Option<&Value>) -> (bool, bool) {
    let (mut group, mut version, mut resource) = ("*", "*", "*".to_owned());
    let mut is_known = true;
    if let Some(kind) = kind {
        let api_version = kind.text("/apiVersion");
        (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let found = cx.catalogue.kind(group, kind.text("/kind"));
        match found.filter(|found| found.version(version).is_some()) {
            Some(found) => resource = found.plural.to_string(),
            None => is_known = false,
        }
    }
    let asked = Attributes {
        verb: asking.verb,
        group,
        version,
        resource: &resource,
        namespace: asking.namespace,
        name: asking.name,
        ..Attributes::default()
    };
    let allowed = decide(cx.guard, cx.cluster, cx.user, &asked).allowed();
    (allowed, is_known)
}

/// A user as Go prints it.
fn go_user(user: &UserInfo) -> String {
    let extra: Vec<String> = user
        .extra
        .iter()
        .map(|(key, values)| format!("{key}:[{}]", values.join(" ")))
        .collect();
    format!(
        "&{{{} {} [{}] map[{}]}}",
        user.name,
        user.uid,
        user.groups.join(" "),
        extra.join(" ")
    )
}
