//! Field paths and what is wrong with a field: upstream's `field.Error`, wording included.

use std::fmt;

use serde_json::Value;

/// A path into an object, as upstream writes it: `spec.containers[0].ports[1].name`, `metadata.labels[a]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// The object itself.
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// A path that starts with `name`, which may already be dotted.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The field `name` below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            Self(name.to_owned())
        } else {
            Self(format!("{}.{name}", self.0))
        }
    }

    /// The element at `index`.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The entry `key` of a map.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }

    /// As text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Upstream prints the root as `<nil>`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "<nil>" } else { &self.0 })
    }
}

/// What is wrong, as upstream classifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// `FieldValueNotFound`: what the value refers to does not exist.
    NotFound,
    /// `FieldValueRequired`.
    Required,
    /// `FieldValueDuplicate`.
    Duplicate,
    /// `FieldValueInvalid`.
    Invalid,
    /// `FieldValueInvalid`, too, with a value that is not printed.
    InvalidWhole,
    /// `FieldValueNotSupported`: not among the allowed values.
    NotSupported,
    /// `FieldValueForbidden`.
    Forbidden,
    /// `FieldValueTooLong`.
    TooLong,
    /// `FieldValueTooMany`.
    TooMany,
    /// `InternalError`.
    Internal,
    /// `FieldValueTypeInvalid`.
    TypeInvalid,
}

impl ErrorType {
    /// The machine-readable reason of a `StatusCause`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid | Self::InvalidWhole => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::InvalidWhole | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }
}

/// One thing that is wrong with one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// The class.
    pub kind: ErrorType,
    /// Where.
    pub path: Path,
    /// What stood there; `null` where the class does not print one.
    pub value: Value,
    /// The explanation behind the colon; may be empty.
    pub detail: String,
    /// What is printed in place of `value`.
    shown: Option<Box<str>>,
}

impl Error {
    fn new(kind: ErrorType, path: &Path, value: Value, detail: impl Into<String>) -> Self {
        Self {
            kind,
            path: path.clone(),
            value,
            detail: detail.into(),
            shown: None,
        }
    }

    /// Prints `text` in place of the value: upstream shows some structs by the names and the order of Go's fields.
    #[must_use]
    pub fn shown_as(mut self, text: impl Into<String>) -> Self {
        self.shown = Some(text.into().into_boxed_str());
        self
    }

    /// `spec.x: Required value: detail`.
    pub fn required(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Required, path, Value::Null, detail)
    }

    /// `spec.x: Invalid value: "v": detail`.
    pub fn invalid(path: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Invalid, path, value.into(), detail)
    }

    /// `spec.x: Invalid value: detail`: the value is too large to be shown, or has no text.
    pub fn invalid_whole(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::InvalidWhole, path, Value::Null, detail)
    }

    /// `spec.x: Duplicate value: "v"`.
    pub fn duplicate(path: &Path, value: impl Into<Value>) -> Self {
        Self::new(ErrorType::Duplicate, path, value.into(), "")
    }

    /// `spec.x: Not found: "v"`.
    pub fn not_found(path: &Path, value: impl Into<Value>) -> Self {
        Self::new(ErrorType::NotFound, path, value.into(), "")
    }

    /// `spec.x: Unsupported value: "v": supported values: "a", "b"`, in the order given: upstream sorts most lists
    /// itself, and a few not.
    pub fn not_supported(path: &Path, value: impl Into<Value>, supported: &[&str]) -> Self {
        let quoted: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let detail = if quoted.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", quoted.join(", "))
        };
        Self::new(ErrorType::NotSupported, path, value.into(), detail)
    }

    /// `spec.x: Forbidden: detail`.
    pub fn forbidden(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Forbidden, path, Value::Null, detail)
    }

    /// `spec.x: Too long: may not be more than N bytes`.
    pub fn too_long(path: &Path, max_bytes: usize) -> Self {
        let unit = if max_bytes == 1 { "byte" } else { "bytes" };
        Self::new(
            ErrorType::TooLong,
            path,
            Value::Null,
            format!("may not be more than {max_bytes} {unit}"),
        )
    }

    /// `spec.x: Too many: actual: must have at most N items`.
    pub fn too_many(path: &Path, actual: usize, max: usize) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        Self::new(
            ErrorType::TooMany,
            path,
            actual.into(),
            format!("must have at most {max} {unit}"),
        )
    }

    /// `spec.x: Internal error: detail`.
    pub fn internal(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Internal, path, Value::Null, detail)
    }

    /// `spec.x: Invalid value: "v": detail`, with reason `FieldValueTypeInvalid`.
    pub fn type_invalid(path: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::TypeInvalid, path, value.into(), detail)
    }

    /// The message without the path, as a `StatusCause` carries it.
    pub fn body(&self) -> String {
        let words = self.kind.words();
        let head = match self.kind {
            ErrorType::Required
            | ErrorType::Forbidden
            | ErrorType::TooLong
            | ErrorType::Internal
            | ErrorType::InvalidWhole => words.to_owned(),
            _ => match &self.shown {
                Some(text) if text.is_empty() => words.to_owned(),
                Some(text) => format!("{words}: {text}"),
                None => format!("{words}: {}", printed(&self.value)),
            },
        };
        if self.detail.is_empty() {
            head
        } else {
            format!("{head}: {}", self.detail)
        }
    }
}

/// What is wrong with a domain and a path, such as `acme.io/foo`.
pub fn domain_prefixed_path(path: &Path, value: &str) -> Vec<Error> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c);
    let Some((domain, rest)) = value
        .split_once('/')
        .filter(|(domain, rest)| !domain.is_empty() && !rest.is_empty())
    else {
        let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return vec![Error::invalid(path, value, why)];
    };
    let faults = crate::name::dns1123_subdomain(domain).into_iter();
    let mut errors: Vec<Error> = faults.map(|why| Error::invalid(path, domain, why)).collect();
    if !rest.chars().all(is_path) {
        errors.push(Error::invalid(
            path,
            rest,
            "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')",
        ));
    }
    errors
}

/// Several errors as upstream writes them in one line: `[a, b]`, one alone without brackets, none twice.
pub fn aggregate(errors: &[Error]) -> String {
    let mut said: Vec<String> = Vec::new();
    for error in errors {
        let text = error.to_string();
        if !said.contains(&text) {
            said.push(text);
        }
    }
    match said.as_slice() {
        [only] => only.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

/// As Go prints the value in upstream's messages: strings quoted, numbers and booleans bare, `null` for
/// nothing, composites as JSON.
fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => go_quote(text),
        other => other.to_string(),
    }
}

/// Go's `%q`.
pub fn go_quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if go_printable(c) => out.push(c),
            c => out.push_str(&match c as u32 {
                code @ 0..0x80 => format!("\\x{code:02x}"),
                code @ 0x80..0x1_0000 => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    out.push('"');
    out
}

/// Go's `unicode.IsPrint`, but for what no version of Unicode has assigned: controls, format characters, private
/// use and all spaces but the one of ASCII are not printable.
pub fn go_printable(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}'..='\u{e007f}');
    let is_private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || is_format || is_private)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.body())
    }
}
