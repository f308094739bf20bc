//! Questions to the authorizer: `authorizer.group('').resource('pods').check('create').allowed()`. Who answers
//! is the caller's.

use std::fmt;
use std::sync::Arc;

use warren_apimachinery::name;

use super::{Answer, Row, fail, no_such_overload};
use crate::value::{Opaque, Value};

pub(super) const TABLE: &[Row] = &[
    (
        "path",
        "authorizer_path",
        "kubernetes.authorization.Authorizer.(string) -> kubernetes.authorization.PathCheck",
        path,
    ),
    (
        "group",
        "authorizer_group",
        "kubernetes.authorization.Authorizer.(string) -> kubernetes.authorization.GroupCheck",
        group,
    ),
    (
        "serviceAccount",
        "authorizer_serviceaccount",
        "kubernetes.authorization.Authorizer.(string, string) -> kubernetes.authorization.Authorizer",
        service_account,
    ),
    (
        "resource",
        "groupcheck_resource",
        "kubernetes.authorization.GroupCheck.(string) -> kubernetes.authorization.ResourceCheck",
        resource,
    ),
    (
        "subresource",
        "resourcecheck_subresource",
        "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        subresource,
    ),
    (
        "namespace",
        "resourcecheck_namespace",
        "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        namespace,
    ),
    (
        "name",
        "resourcecheck_name",
        "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        name,
    ),
    (
        "fieldSelector",
        "authorizer_fieldselector",
        "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        field_selector,
    ),
    (
        "labelSelector",
        "authorizer_labelselector",
        "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        label_selector,
    ),
    (
        "check",
        "pathcheck_check",
        "kubernetes.authorization.PathCheck.(string) -> kubernetes.authorization.Decision",
        check,
    ),
    (
        "check",
        "resourcecheck_check",
        "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.Decision",
        check,
    ),
    (
        "errored",
        "decision_errored",
        "kubernetes.authorization.Decision.() -> bool",
        errored,
    ),
    (
        "error",
        "decision_error",
        "kubernetes.authorization.Decision.() -> string",
        error,
    ),
    (
        "allowed",
        "decision_allowed",
        "kubernetes.authorization.Decision.() -> bool",
        allowed,
    ),
    (
        "reason",
        "decision_reason",
        "kubernetes.authorization.Decision.() -> string",
        reason,
    ),
];

/// Answers whether somebody may do something. Called by `check`, during an evaluation; it must not wait.
pub trait Authorizer: Send + Sync {
    /// Whether what `attributes` describe is allowed.
    fn authorize(&self, attributes: &Attributes) -> Decision;
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Namespace and name of the service account that is asked about; `None`: who made the request.
    pub service_account: Option<(String, String)>,
    /// The verb.
    pub verb: String,
    /// A path that is no resource; empty for resources.
    pub path: String,
    /// The group of the resource.
    pub group: String,
    /// The resource.
    pub resource: String,
    /// Its subresource.
    pub subresource: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// What the request would select by fields.
    pub field_selector: String,
    /// What the request would select by labels.
    pub label_selector: String,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why.
    pub reason: String,
    /// What kept the question from being answered.
    pub error: Option<String>,
}

/// A question that is being put together, or its answer.
#[derive(Clone)]
pub struct Check<'a> {
    authorizer: &'a (dyn Authorizer + 'a),
    stage: Stage,
    attributes: Arc<Attributes>,
    decision: Option<Arc<Decision>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Start,
    Path,
    Group,
    Resource,
    Decided,
}

impl<'a> Check<'a> {
    /// The authorizer that no question was put to yet.
    pub(crate) fn new(authorizer: &'a (dyn Authorizer + 'a)) -> Self {
        Self {
            authorizer,
            stage: Stage::Start,
            attributes: Arc::default(),
            decision: None,
        }
    }

    /// The question about the resource of a request, which waits for its verb.
    pub(crate) fn of_resource(authorizer: &'a (dyn Authorizer + 'a), attributes: Attributes) -> Self {
        Self {
            stage: Stage::Resource,
            attributes: Arc::new(attributes),
            ..Self::new(authorizer)
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self.stage {
            Stage::Start => "kubernetes.authorization.Authorizer",
            Stage::Path => "kubernetes.authorization.PathCheck",
            Stage::Group => "kubernetes.authorization.GroupCheck",
            Stage::Resource => "kubernetes.authorization.ResourceCheck",
            Stage::Decided => "kubernetes.authorization.Decision",
        }
    }
}

impl fmt::Debug for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name())
    }
}

fn step<'a>(arguments: &[Value<'a>], to: Stage, set: fn(&mut Attributes, &str)) -> Answer<'a> {
    let [Value::Opaque(Opaque::Authorizer(check)), Value::String(text)] = arguments else {
        return Err(no_such_overload());
    };
    let mut attributes = (*check.attributes).clone();
    set(&mut attributes, text);
    Ok(Value::Opaque(Opaque::Authorizer(Check {
        stage: to,
        attributes: Arc::new(attributes),
        ..check.clone()
    })))
}

fn path<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    if matches!(arguments, [_, Value::String(path)] if path.is_empty()) {
        return fail("path must not be empty");
    }
    step(arguments, Stage::Path, |attributes, text| {
        text.clone_into(&mut attributes.path)
    })
}

fn group<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    step(arguments, Stage::Group, |attributes, text| {
        text.clone_into(&mut attributes.group)
    })
}

fn service_account<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [
        Value::Opaque(Opaque::Authorizer(check)),
        Value::String(namespace),
        Value::String(account),
    ] = arguments
    else {
        return Err(no_such_overload());
    };
    if !name::dns1123_subdomain(account).is_empty() {
        return fail("Invalid service account name");
    }
    if !name::dns1123_label(namespace).is_empty() {
        return fail("Invalid service account namespace");
    }
    let attributes = Attributes {
        service_account: Some((namespace.to_string(), account.to_string())),
        ..(*check.attributes).clone()
    };
    Ok(Value::Opaque(Opaque::Authorizer(Check {
        attributes: Arc::new(attributes),
        ..check.clone()
    })))
}

fn resource<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    if matches!(arguments, [_, Value::String(resource)] if resource.is_empty()) {
        return fail("resource must not be empty");
    }
    step(arguments, Stage::Resource, |attributes, text| {
        text.clone_into(&mut attributes.resource)
    })
}

fn subresource<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    step(arguments, Stage::Resource, |attributes, text| {
        text.clone_into(&mut attributes.subresource)
    })
}

fn namespace<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    step(arguments, Stage::Resource, |attributes, text| {
        text.clone_into(&mut attributes.namespace)
    })
}

fn name<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    step(arguments, Stage::Resource, |attributes, text| {
        text.clone_into(&mut attributes.name)
    })
}

fn field_selector<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    step(arguments, Stage::Resource, |attributes, text| {
        text.clone_into(&mut attributes.field_selector)
    })
}

fn label_selector<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    step(arguments, Stage::Resource, |attributes, text| {
        text.clone_into(&mut attributes.label_selector)
    })
}

fn check<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let Value::Opaque(Opaque::Authorizer(check)) = step(arguments, Stage::Decided, |attributes, text| {
        text.clone_into(&mut attributes.verb)
    })?
    else {
        return Err(no_such_overload());
    };
    let decision = check.authorizer.authorize(&check.attributes);
    Ok(Value::Opaque(Opaque::Authorizer(Check {
        decision: Some(Arc::new(decision)),
        ..check
    })))
}

fn decided<'a>(arguments: &[Value<'a>], of: fn(&Decision) -> Value<'a>) -> Answer<'a> {
    match arguments {
        [Value::Opaque(Opaque::Authorizer(check))] => check
            .decision
            .as_ref()
            .map(|decision| of(decision))
            .ok_or_else(no_such_overload),
        _ => Err(no_such_overload()),
    }
}

fn errored<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    decided(arguments, |decision| Value::Bool(decision.error.is_some()))
}

fn error<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    decided(arguments, |decision| {
        Value::from(decision.error.clone().unwrap_or_default())
    })
}

fn allowed<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    decided(arguments, |decision| Value::Bool(decision.allowed))
}

fn reason<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    decided(arguments, |decision| Value::from(decision.reason.clone()))
}
