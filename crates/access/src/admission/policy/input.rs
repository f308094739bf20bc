//! What expressions see of a write.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use warren_apimachinery::resource::NAMESPACES;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, UserInfo};
use warren_cel::{
    Attributes, Authorizer, Bindings, CALL_LIMIT, Decision, EvaluationError, Fields, Outcome, Program,
    admission_namespace, admission_request,
};
use warren_registry::admission::{AdmissionRequest, Operation};
use warren_storage::Snapshot;

use super::super::webhook::matching::{Seen, namespace, operation};
use super::BUDGET;
use super::compiled::Compilation;
use crate::authorization;
use crate::guard::Guard;

static NULL: Value = Value::Null;

/// A write as expressions see it.
pub(in crate::admission) struct Input<'a> {
    user: &'a UserInfo,
    now: &'a Snapshot,
    object: Value,
    old: Value,
    /// In the version that the policy's rules matched.
    request: Value,
    /// The same for match conditions, which are told of the resource as it was asked for; `None` where that is the
    /// same.
    asked: Option<Value>,
    namespace: Value,
    resource: Attributes,
}

impl<'a> Input<'a> {
    /// Of a request, in the version of `seen`.
    ///
    /// # Errors
    /// 404 for a namespace that is not there.
    pub(in crate::admission) async fn of(
        request: &AdmissionRequest<'a>,
        now: &'a Snapshot,
        seen: &Seen,
        object: Option<&Value>,
    ) -> Result<Self, Status> {
        let object = shown(request, seen, object).await?;
        let old = shown(request, seen, request.old).await?;
        let definition = request.definition;
        Ok(Self {
            user: request.user,
            now,
            request: described(request, seen, &object),
            asked: seen_as_asked(request, seen).map(|seen| described(request, &seen, &object)),
            old,
            namespace: namespace_object(request, now)?,
            resource: Attributes {
                group: definition.group.to_string(),
                resource: definition.plural.to_string(),
                subresource: request.subresource.unwrap_or_default().to_owned(),
                namespace: request.key.namespace.to_string(),
                name: request.key.name.to_string(),
                ..Attributes::default()
            },
            object,
        })
    }
}

impl Input<'_> {
    /// The object in the version of the policy; null for what has none.
    pub(super) fn object(&self) -> &Value {
        &self.object
    }
}

/// An object in the version of `seen`; null for none.
async fn shown(request: &AdmissionRequest<'_>, seen: &Seen, object: Option<&Value>) -> Result<Value, Status> {
    match object {
        None => Ok(Value::Null),
        Some(object) if seen.converts => request.registry.show_converted(&seen.resource, object).await,
        Some(object) => Ok(object.clone()),
    }
}

/// `seen` with the resource that was asked for, if it is another.
fn seen_as_asked(request: &AdmissionRequest<'_>, seen: &Seen) -> Option<Seen> {
    let resource = Seen::as_asked(request).resource;
    (resource != seen.resource).then(|| Seen {
        resource,
        ..seen.clone()
    })
}

fn described(request: &AdmissionRequest<'_>, seen: &Seen, object: &Value) -> Value {
    let asked = Seen::as_asked(request);
    let kind =
        |seen: &Seen| json!({"group": seen.kind.group, "version": seen.kind.version, "kind": seen.kind.kind});
    let resource = |seen: &Seen| json!({"group": seen.resource.group, "version": seen.resource.version, "resource": seen.resource.resource});
    let mut described = json!({
        "kind": kind(seen),
        "resource": resource(seen),
        "requestKind": kind(&asked),
        "requestResource": resource(&asked),
        "operation": operation(request.operation),
        "userInfo": request.user,
        "dryRun": request.dry_run,
    });
    let name = match request.key.name.as_str() {
        "" => object.text("/metadata/name"),
        name => name,
    };
    let subresource = request.subresource.unwrap_or_default();
    let texts = [
        ("/name", name),
        ("/namespace", namespace(request)),
        ("/subResource", subresource),
        ("/requestSubResource", subresource),
    ];
    for (pointer, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        described.set(pointer, text);
    }
    if request.operation != Operation::Connect {
        let options = match request.operation {
            Operation::Create => "CreateOptions",
            Operation::Update => "UpdateOptions",
            _ => "DeleteOptions",
        };
        described.set(
            "/options",
            json!({"kind": options, "apiVersion": "meta.k8s.io/v1"}),
        );
    }
    described
}

/// The namespace of a request as expressions see it; null for what has none.
fn namespace_object(request: &AdmissionRequest<'_>, now: &Snapshot) -> Result<Value, Status> {
    if !request.definition.is_namespaced() {
        return Ok(Value::Null);
    }
    let name = request.key.namespace.as_str();
    let found = now.get(&NAMESPACES.group_resource(), &ObjectKey::cluster(name));
    let found = found.ok_or_else(|| Status::not_found(&NAMESPACES.group_resource(), name))?;
    let mut namespace = found.to_value();
    let uid = namespace.take_at("/metadata/uid").unwrap_or_default();
    namespace.set("/metadata/UID", uid);
    Ok(namespace)
}

/// Why an expression has no value.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It does not compile, or its evaluation fails.
    #[error("{0}")]
    Expression(String),
    /// It, or what was evaluated before it, cost too much: nothing more is evaluated.
    #[error("validation failed due to running out of cost budget, no further validation rules will be run")]
    Budget,
}

/// Evaluates the expressions of one list of a policy or webhook on a write. Variables are evaluated once for all
/// of them, when they are first used.
pub(in crate::admission) struct Evaluation<'a> {
    input: &'a Input<'a>,
    parameter: Option<&'a Value>,
    guard: &'a Guard,
    variables: &'a [(String, Compilation)],
    /// Whether `authorizer` can be asked.
    authorizer: bool,
    /// Whether `namespaceObject` is there.
    namespace: bool,
    /// Values of variables: one entry each at most.
    known: Mutex<HashMap<String, Result<warren_cel::Value<'static>, EvaluationError>>>,
    /// What variables have cost since it was last asked.
    spent: AtomicU64,
}

impl<'a> Evaluation<'a> {
    /// For match conditions, which see no namespace, as upstream.
    pub(in crate::admission) fn new(
        input: &'a Input<'a>,
        parameter: Option<&'a Value>,
        guard: &'a Guard,
        variables: &'a [(String, Compilation)],
    ) -> Self {
        Self {
            input,
            parameter,
            guard,
            variables,
            authorizer: true,
            namespace: false,
            known: Mutex::default(),
            spent: AtomicU64::new(0),
        }
    }

    /// For all other expressions of a policy.
    #[must_use]
    pub(super) fn with_namespace(self) -> Self {
        Self {
            namespace: true,
            ..self
        }
    }

    /// For those that the authorizer does not answer.
    #[must_use]
    pub(super) fn without_authorizer(self) -> Self {
        Self {
            authorizer: false,
            ..self
        }
    }

    /// Evaluates an expression, at a cost of at most `left`, which is reduced by what it took.
    pub(super) fn evaluate<'s>(
        &'s self,
        source: &str,
        program: &Compilation,
        left: &mut u64,
    ) -> Result<warren_cel::Value<'s>, Fault> {
        let program = program
            .as_ref()
            .map_err(|why| Fault::Expression(format!("compilation error: {why}")))?;
        let outcome = self.run(program);
        let cost = outcome.cost.saturating_add(self.spent.swap(0, Ordering::Relaxed));
        *left = left.checked_sub(cost).ok_or(Fault::Budget)?;
        outcome
            .value
            .map_err(|error| Fault::Expression(format!("expression '{source}' resulted in error: {error}")))
    }

    fn run<'s>(&'s self, program: &Program) -> Outcome<'s> {
        let input = self.input;
        let request = if self.namespace {
            &input.request
        } else {
            input.asked.as_ref().unwrap_or(&input.request)
        };
        let mut bindings = Bindings::new()
            .json("object", &input.object)
            .json("oldObject", &input.old)
            .json("params", self.parameter.unwrap_or(&NULL))
            .declared("request", request, admission_request())
            .fields("variables", self);
        bindings = if input.namespace.is_null() || !self.namespace {
            bindings.json("namespaceObject", &NULL)
        } else {
            bindings.declared("namespaceObject", &input.namespace, admission_namespace())
        };
        if self.authorizer {
            bindings = bindings.authorizer("authorizer", self).resource_check(
                "authorizer.requestResource",
                self,
                input.resource.clone(),
            );
        }
        program.evaluate_within(&bindings, CALL_LIMIT)
    }

    /// What a variable was found to be.
    fn known(&self, name: &str) -> Option<Result<warren_cel::Value<'static>, EvaluationError>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned()
    }

    fn variable(&self, name: &str, program: &Compilation) -> Result<warren_cel::Value<'_>, EvaluationError> {
        // What is beyond the budget is refused in any case; expressions shall not take their time until then.
        if self.spent.load(Ordering::Relaxed) > BUDGET {
            return Err(EvaluationError::CostLimit);
        }
        let program = program.as_ref().map_err(|why| {
            EvaluationError::failed(format!("composited variable {name:?} fails to compile: {why}"))
        })?;
        let outcome = self.run(program);
        let before = self.spent.load(Ordering::Relaxed);
        self.spent
            .store(before.saturating_add(outcome.cost), Ordering::Relaxed);
        outcome.value.map_err(|error| {
            EvaluationError::failed(format!("composited variable {name:?} fails to evaluate: {error}"))
        })
    }
}

impl Fields for Evaluation<'_> {
    fn field(&self, name: &str) -> Option<Result<warren_cel::Value<'_>, EvaluationError>> {
        let (_, program) = self.variables.iter().find(|(known, _)| known == name)?;
        if let Some(known) = self.known(name) {
            return Some(known);
        }
        let found = self.variable(name, program);
        let kept = match &found {
            Ok(value) => value.to_owned_value().map(Ok),
            Err(error) => Some(Err(error.clone())),
        };
        if let Some(kept) = kept {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(name.to_owned(), kept);
        }
        Some(found)
    }
}

impl Authorizer for Evaluation<'_> {
    fn authorize(&self, asked: &Attributes) -> Decision {
        let account;
        let user = match &asked.service_account {
            Some((namespace, name)) => {
                account = UserInfo {
                    name: format!("system:serviceaccount:{namespace}:{name}"),
                    groups: vec![
                        "system:serviceaccounts".into(),
                        format!("system:serviceaccounts:{namespace}"),
                        "system:authenticated".into(),
                    ],
                    ..UserInfo::default()
                };
                &account
            }
            None => self.input.user,
        };
        let attributes = warren_rbac::Attributes {
            verb: &asked.verb,
            group: &asked.group,
            version: "*",
            resource: &asked.resource,
            subresource: &asked.subresource,
            namespace: &asked.namespace,
            name: &asked.name,
            path: &asked.path,
            fields: "",
        };
        match authorization::decide(self.guard, self.input.now, user, &attributes) {
            warren_rbac::Decision::Allow(reason) => Decision {
                allowed: true,
                reason,
                error: None,
            },
            warren_rbac::Decision::NoOpinion(reason) => Decision {
                allowed: false,
                reason,
                error: None,
            },
        }
    }
}
