//! Expressions with the answers that kube-apiserver 1.36.2's own environment gives: types, faults with their
//! carets, estimated costs, values, costs.
//!
//! `tests/recorded/*.jsonl`: a line with `expr` is a case, any other says what the cases below it may refer to.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use warren_apimachinery::value::ValueExt;

use crate::value::Opaque;
use crate::{
    Attributes, Authorizer, Bindings, CompileError, Decision, Declared, Environment, Expression, Library,
    Type, Value,
};

/// Says in its reason what it was asked.
struct Echo;

impl Authorizer for Echo {
    fn authorize(&self, asked: &Attributes) -> Decision {
        let who = match &asked.service_account {
            Some((namespace, name)) => format!("system:serviceaccount:{namespace}:{name}"),
            None => "me".to_owned(),
        };
        Decision {
            allowed: matches!(asked.verb.as_str(), "get" | "create"),
            reason: format!(
                "{who} {} {}/{}/{} {}/{} path={}",
                asked.verb,
                asked.group,
                asked.resource,
                asked.subresource,
                asked.namespace,
                asked.name,
                asked.path
            ),
            error: (asked.verb == "fail").then(|| "it failed".to_owned()),
        }
    }
}

/// What the cases of one group may refer to.
struct Group {
    environment: Environment,
    declared: Option<Arc<Declared>>,
    said: Json,
}

impl Group {
    fn of(said: &Json) -> Self {
        let mut environment = Environment::new();
        let declared = said
            .get("schema")
            .and_then(|schema| Declared::of_schema(schema, said.get("root").is_some()));
        if let Some(declared) = &declared {
            environment = environment.declared("self", "selfType1", declared).declared(
                "oldSelf",
                "selfType1",
                declared,
            );
        } else if said.get("self").is_some() {
            environment = environment.variable("self", Type::Dyn);
        }
        if said.get("authorizer").is_some() {
            environment =
                environment.variable("authorizer", Type::Opaque("kubernetes.authorization.Authorizer"));
        }
        if said.get("jsonpatch").is_some() {
            environment = environment.library(Library::JsonPatch);
        }
        Self {
            environment,
            declared,
            said: said.clone(),
        }
    }

    fn answer(&self, source: &str) -> Json {
        let expression = match Expression::check(&self.environment, source) {
            Ok(expression) => expression,
            Err(error) => return json!({"error": error.to_string()}),
        };
        let kind = expression.result_type().output_name();
        let program = match expression.program() {
            Ok(program) => program,
            Err(CompileError::Invalid(error) | CompileError::Instantiation(error)) => {
                return json!({"type": kind, "instantiation": error});
            }
        };
        let estimate = expression.estimate();
        let mut bindings = Bindings::new().authorizer("authorizer", &Echo);
        for name in ["self", "oldSelf"] {
            let Some(value) = self.said.get(name) else {
                continue;
            };
            bindings = match &self.declared {
                Some(declared) => bindings.declared(name, value, declared),
                None => bindings.json(name, value),
            };
        }
        let outcome = program.evaluate(&bindings);
        let mut answer =
            json!({"type": kind, "least": estimate.min, "most": estimate.max, "cost": outcome.cost});
        match outcome.value.and_then(|value| written(&value)) {
            Ok(value) => answer.set("/value", value),
            Err(error) => answer.set("/fault", error.to_string()),
        }
        answer
    }
}

/// A value with its type, so that `1` and `1u` differ.
fn written(value: &Value<'_>) -> Result<String, crate::EvaluationError> {
    Ok(match value {
        Value::Uint(number) => format!("{number}u"),
        Value::Double(number) if number.is_nan() => "double NaN".to_owned(),
        Value::Double(number) if number.is_infinite() => {
            format!("double {}Inf", if *number > 0.0 { '+' } else { '-' })
        }
        Value::Double(number) => format!("double {number:e}"),
        Value::String(text) => json!(&**text).to_string(),
        Value::Bytes(bytes) => format!("bytes {}", STANDARD.encode(bytes)),
        Value::Duration(nanos) => format!("duration {nanos}"),
        Value::Timestamp(at) => format!("timestamp {at}"),
        Value::Type(kind) => format!("type {}", kind.runtime_name()),
        Value::Optional(Some(inner)) => format!("optional {}", written(inner)?),
        Value::Optional(None) => "optional none".to_owned(),
        Value::List(list) => {
            let parts: Result<Vec<_>, _> = list.iter().map(|part| written(&part?)).collect();
            format!("[{}]", parts?.join(", "))
        }
        Value::Map(map) => {
            let mut parts = Vec::new();
            for key in map.keys() {
                let value = map.get(&key).unwrap()?;
                parts.push(format!("{}: {}", written(&key)?, written(&value)?));
            }
            parts.sort();
            format!("{{{}}}", parts.join(", "))
        }
        Value::Opaque(Opaque::Url(url)) => format!("url {}", url.text()),
        Value::Opaque(Opaque::Ip(ip)) => format!("ip {ip}"),
        Value::Opaque(Opaque::Cidr(cidr)) => format!("cidr {cidr}"),
        Value::Opaque(Opaque::Quantity(quantity)) => format!("quantity {quantity}"),
        Value::Opaque(Opaque::Semver(version)) => format!("semver {version}"),
        Value::Opaque(opaque) => format!("of {}", opaque.type_name()),
        other => other.to_string(),
    })
}

fn replay(lines: &str) {
    let mut group = Group::of(&json!({}));
    let (mut wrong, mut cases) = (String::new(), 0);
    for line in lines.lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        let Some(source) = line.get("expr").and_then(Json::as_str) else {
            group = Group::of(&line);
            continue;
        };
        cases += 1;
        let found = group.answer(source);
        for key in [
            "error",
            "type",
            "instantiation",
            "least",
            "most",
            "cost",
            "value",
            "fault",
        ] {
            let (found, wanted) = (found.get(key), line.get(key));
            if found != wanted {
                let _ = writeln!(wrong, "{source}\n  {key}: {found:?}\n  should be {wanted:?}");
            }
        }
    }
    assert!(cases > 0 && wrong.is_empty(), "{wrong}");
}

macro_rules! recorded {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            replay(include_str!(concat!("../tests/recorded/", stringify!($name), ".jsonl")));
        })*
    };
}

recorded!(
    operators,
    conversions,
    syntax,
    macros,
    strings,
    lists,
    kubernetes,
    variables,
    schemas
);
