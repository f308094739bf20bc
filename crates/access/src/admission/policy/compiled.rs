//! The expressions of a policy, compiled once for all tenants whose policy says the same.

use std::sync::{Arc, LazyLock};

use serde_json::Value;
use sha2::{Digest, Sha256};
use warren_apimachinery::value::ValueExt;
use warren_cel::{
    AdmissionVariables, Program, Shared, Type, admission_environment, admission_program,
    apply_configuration_type, json_patch_type, mutation_environment,
};

use super::conditions::Conditions;

/// The expressions of all policies that anybody has bound, by the hash of the policy's `spec`.
static SHARED: LazyLock<Shared<[u8; 32], Compiled>> = LazyLock::new(Shared::default);

/// A program, or why there is none.
pub(super) type Compilation = Result<Program, String>;

/// What a policy's expressions are compiled to.
pub(super) struct Compiled {
    pub(super) conditions: Conditions,
    pub(super) variables: Vec<(String, Compilation)>,
    pub(super) validations: Vec<Validation>,
    pub(super) annotations: Vec<Annotation>,
    pub(super) mutations: Vec<Mutation>,
}

pub(super) struct Validation {
    pub(super) program: Compilation,
    pub(super) message_program: Option<Compilation>,
    pub(super) expression: String,
    pub(super) message: String,
    pub(super) reason: String,
}

pub(super) struct Annotation {
    pub(super) key: String,
    pub(super) expression: String,
    pub(super) program: Compilation,
}

pub(super) struct Mutation {
    pub(super) patch: Patch,
    pub(super) expression: String,
    pub(super) program: Compilation,
}

/// What the expression of a mutation gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patch {
    /// A part of the object, to be merged into it.
    ApplyConfiguration,
    /// A list of operations.
    Json,
}

/// The expressions of a policy's `spec`.
pub(super) fn shared(spec: &Value) -> Arc<Compiled> {
    let hash: [u8; 32] = Sha256::digest(spec.to_string().as_bytes()).into();
    SHARED.find_or_insert(&hash, || compile(spec))
}

fn compile(spec: &Value) -> Compiled {
    let has = AdmissionVariables {
        params: !spec.field("paramKind").is_null(),
        authorizer: true,
    };
    let mut types: Vec<(String, Type)> = Vec::new();
    let mut variables = Vec::new();
    for variable in spec.items("/variables") {
        let environment = admission_environment(has, Some(&types));
        let program = admission_program(&environment, variable.text("/expression"), &[]);
        let kind = program
            .as_ref()
            .map_or(Type::Dyn, |program| program.result_type().clone());
        let name = variable.text("/name").to_owned();
        types.push((name.clone(), kind));
        variables.push((name, program));
    }
    let environment = admission_environment(has, Some(&types));
    let of_messages = AdmissionVariables {
        authorizer: false,
        ..has
    };
    let of_messages = admission_environment(of_messages, Some(&types));
    let validation = |value: &Value| {
        let message = value.text("/messageExpression");
        Validation {
            program: admission_program(&environment, value.text("/expression"), &[Type::Bool]),
            message_program: (!message.is_empty())
                .then(|| admission_program(&of_messages, message, &[Type::String])),
            expression: value.text("/expression").to_owned(),
            message: value.text("/message").trim().to_owned(),
            reason: value.text("/reason").to_owned(),
        }
    };
    let annotation = |value: &Value| {
        let expression = value.text("/valueExpression");
        Annotation {
            key: value.text("/key").to_owned(),
            expression: expression.to_owned(),
            program: admission_program(&environment, expression, &[Type::String, Type::Null]),
        }
    };
    let patches = mutation_environment(has, &types);
    let mutation = |value: &Value| {
        let (patch, source, wanted) = match value.text("/patchType") {
            "JSONPatch" => (
                Patch::Json,
                value.text("/jsonPatch/expression"),
                json_patch_type(),
            ),
            _ => (
                Patch::ApplyConfiguration,
                value.text("/applyConfiguration/expression"),
                apply_configuration_type(),
            ),
        };
        Mutation {
            patch,
            expression: source.to_owned(),
            program: admission_program(&patches, source, &[wanted]),
        }
    };
    Compiled {
        conditions: Conditions::compile(spec.items("/matchConditions"), has),
        variables,
        validations: spec.items("/validations").iter().map(validation).collect(),
        annotations: spec.items("/auditAnnotations").iter().map(annotation).collect(),
        mutations: spec.items("/mutations").iter().map(mutation).collect(),
    }
}
