//! Expressions of the configuration: over the `claims` of a token, and over the `user` that came of them.

use std::sync::{Arc, LazyLock};

use serde_json::{Value as Json, json};
use warren_apimachinery::UserInfo;
use warren_cel::{Bindings, Declared, Environment, Expression, Identity, Kind, Program, Type, Value};

const NO_TEXTS: &str = "expression must return a string or a list of strings";

static CLAIMS: LazyLock<Arc<Declared>> = LazyLock::new(|| plain(Kind::EscapedMap(plain(Kind::Any))));

static USER: LazyLock<Arc<Declared>> = LazyLock::new(|| {
    let text = || plain(Kind::String);
    let texts = || {
        plain(Kind::List {
            element: text(),
            identity: Identity::Place,
        })
    };
    Declared::object(
        "kubernetes.UserInfo",
        [
            ("username", text()),
            ("uid", text()),
            ("groups", texts()),
            ("extra", plain(Kind::EscapedMap(texts()))),
        ],
    )
});

static OF_CLAIMS: LazyLock<Environment> =
    LazyLock::new(|| Environment::new().declared("claims", "kubernetes.claims", &CLAIMS));

static OF_USER: LazyLock<Environment> =
    LazyLock::new(|| Environment::new().declared("user", "kubernetes.UserInfo", &USER));

fn plain(kind: Kind) -> Arc<Declared> {
    Arc::new(Declared::new(kind))
}

/// What an expression is written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Claims,
    User,
}

/// What an expression must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Anything,
    Truth,
}

/// An expression, compiled. Two are equal when they are written alike.
#[derive(Clone, Debug)]
pub struct Mapped {
    source: String,
    program: Arc<Program>,
    uses_email: bool,
    uses_email_verified: bool,
}

impl PartialEq for Mapped {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// A condition that a token or its user must meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What must be true.
    pub expression: Mapped,
    /// What is said where it is not.
    pub message: String,
}

impl Mapped {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Upstream's words.
    pub(super) fn compile(source: &str, over: Over, wanted: Wanted) -> Result<Self, String> {
        let environment = match over {
            Over::Claims => &*OF_CLAIMS,
            Over::User => &*OF_USER,
        };
        let expression =
            Expression::check(environment, source).map_err(|error| format!("compilation failed: {error}"))?;
        if wanted == Wanted::Truth && *expression.result_type() != Type::Bool {
            return Err("must evaluate to bool".to_owned());
        }
        let program = expression
            .program()
            .map_err(|error| format!("program instantiation failed: {error}"))?;
        Ok(Self {
            source: source.to_owned(),
            program: Arc::new(program),
            uses_email: expression.selects("claims", "email"),
            uses_email_verified: expression.selects("claims", "email_verified"),
        })
    }

    /// Whether it selects `claims.email`.
    pub(super) fn uses_email(&self) -> bool {
        self.uses_email
    }

    /// Whether it selects `claims.email_verified`.
    pub(super) fn uses_email_verified(&self) -> bool {
        self.uses_email_verified
    }

    /// As it was written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    fn evaluate<'a>(&self, bindings: &Bindings<'a>) -> Result<Value<'a>, String> {
        self.program
            .evaluate(bindings)
            .value
            .map_err(|error| format!("expression '{}' resulted in error: {error}", self.source))
    }

    /// The text that it makes of claims, called `what` in faults.
    pub(super) fn text(&self, claims: &Json, what: &str) -> Result<String, String> {
        let failed = |why: String| format!("oidc: error evaluating {what} claim expression: {why}");
        let value = self.evaluate(&bindings(claims)).map_err(failed)?;
        match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(failed(format!("{what} claim expression must return a string"))),
        }
    }

    /// The texts that it makes of claims; empty ones are left out.
    pub(super) fn texts(&self, claims: &Json) -> Result<Result<Vec<String>, String>, String> {
        let value = self.evaluate(&bindings(claims))?;
        Ok(texts_of(&value))
    }
}

impl Condition {
    /// Whether claims meet it.
    ///
    /// # Errors
    /// Why not, in upstream's words.
    pub(super) fn check_claims(&self, claims: &Json) -> Result<(), String> {
        self.check(&bindings(claims))
    }

    /// Whether a user meets it.
    ///
    /// # Errors
    /// Why not, in upstream's words.
    pub(super) fn check_user(&self, user: &UserInfo) -> Result<(), String> {
        let shown =
            json!({"username": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra});
        self.check(&Bindings::new().declared("user", &shown, &USER))
    }

    fn check(&self, bindings: &Bindings<'_>) -> Result<(), String> {
        match self.expression.evaluate(bindings)?.as_bool() {
            Some(true) => Ok(()),
            Some(false) => Err(format!(
                "validation expression '{}' failed: {}",
                self.expression.source, self.message
            )),
            None => Err("validation expression must return a boolean".to_owned()),
        }
    }
}

fn bindings(claims: &Json) -> Bindings<'_> {
    Bindings::new().declared("claims", claims, &CLAIMS)
}

fn texts_of(value: &Value<'_>) -> Result<Vec<String>, String> {
    let texts = match value {
        Value::Null => Some(Vec::new()),
        Value::String(text) => Some(vec![text.to_string()]),
        Value::List(_) => match value.to_json() {
            Some(Json::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        },
        _ => None,
    };
    let texts = texts.ok_or_else(|| NO_TEXTS.to_owned())?;
    Ok(texts.into_iter().filter(|text| !text.is_empty()).collect())
}
