//! What expressions see of a write.

use std::sync::atomic::{AtomicU64, Ordering};

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
use crate::authorization;
use crate::guard::Guard;

static NULL: Value = Value::Null;

/// A write as expressions see it.
pub(in crate::admission) struct Input<'a> {
    user: &'a UserInfo,
    now: &'a Snapshot,
    object: Value,
    old: Value,
    request: Value,
    namespace: Value,
    resource: Attributes,
}

impl<'a> Input<'a> {
    /// Of a request, in the version of `seen`.
    ///
    /// # Errors
    /// 404 for a namespace that is not there.
    pub(in crate::admission) fn of(
        request: &AdmissionRequest<'a>,
        now: &'a Snapshot,
        seen: &Seen,
        object: Option<&Value>,
    ) -> Result<Self, Status> {
        let shown = |object: &Value| {
            if seen.converts {
                request.registry.show(&seen.resource, object)
            } else {
                object.clone()
            }
        };
        let object = object.map_or(Value::Null, shown);
        let definition = request.definition;
        Ok(Self {
            user: request.user,
            now,
            request: described(request, seen, &object),
            old: request.old.map_or(Value::Null, shown),
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

/// The text for an expression that has no value.
pub(super) fn failure(source: &str, error: &EvaluationError) -> String {
    format!("expression '{source}' resulted in error: {error}")
}

/// Evaluates the expressions of one policy or webhook on a write.
pub(in crate::admission) struct Evaluation<'a> {
    input: &'a Input<'a>,
    parameter: Option<&'a Value>,
    guard: &'a Guard,
    variables: &'a [(String, Result<Program, String>)],
    /// What variables have cost. They are evaluated wherever they are used, each at the cost of whoever uses it.
    spent: AtomicU64,
    allowed: u64,
}

impl<'a> Evaluation<'a> {
    pub(in crate::admission) fn new(
        input: &'a Input<'a>,
        parameter: Option<&'a Value>,
        guard: &'a Guard,
        variables: &'a [(String, Result<Program, String>)],
    ) -> Self {
        Self {
            input,
            parameter,
            guard,
            variables,
            spent: AtomicU64::new(0),
            allowed: super::verdict::BUDGET,
        }
    }

    /// Evaluates an expression.
    pub(in crate::admission) fn run<'s>(&'s self, program: &Program, authorizer: bool) -> Outcome<'s> {
        let before = self.spent.load(Ordering::Relaxed);
        let input = self.input;
        let mut bindings = Bindings::new()
            .json("object", &input.object)
            .json("oldObject", &input.old)
            .json("params", self.parameter.unwrap_or(&NULL))
            .declared("request", &input.request, admission_request())
            .fields("variables", self);
        bindings = if input.namespace.is_null() {
            bindings.json("namespaceObject", &NULL)
        } else {
            bindings.declared("namespaceObject", &input.namespace, admission_namespace())
        };
        if authorizer {
            bindings = bindings.authorizer("authorizer", self).resource_check(
                "authorizer.requestResource",
                self,
                input.resource.clone(),
            );
        }
        let mut outcome = program.evaluate_within(&bindings, CALL_LIMIT);
        outcome.cost += self.spent.load(Ordering::Relaxed) - before;
        outcome
    }
}

impl Fields for Evaluation<'_> {
    fn field(&self, name: &str) -> Option<Result<warren_cel::Value<'_>, EvaluationError>> {
        let (_, program) = self.variables.iter().find(|(known, _)| known == name)?;
        if self.spent.load(Ordering::Relaxed) > self.allowed {
            return Some(Err(EvaluationError::CostLimit));
        }
        Some(match program {
            Ok(program) => {
                let outcome = self.run(program, true);
                let own = self.spent.load(Ordering::Relaxed);
                self.spent
                    .store(own.saturating_add(outcome.cost.max(1)), Ordering::Relaxed);
                outcome.value.map_err(|error| match error {
                    EvaluationError::CostLimit => error,
                    EvaluationError::Failed(why) => EvaluationError::failed(format!(
                        "composited variable {name:?} fails to evaluate: {why}"
                    )),
                })
            }
            Err(why) => Err(EvaluationError::failed(format!(
                "composited variable {name:?} fails to compile: {why}"
            ))),
        })
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
