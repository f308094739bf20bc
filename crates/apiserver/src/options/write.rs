//! The options of creates, updates and patches, all of the query.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::field::{Error, Path, go_printable};
use warren_apimachinery::value::ValueExt;
use warren_registry::FieldValidation;

use super::{dry_run, not_supported, refuse};
use crate::query::Query;

/// The options of creates, updates and patches.
#[derive(Debug)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    pub(crate) field_manager: String,
    pub(crate) field_validation: FieldValidation,
    pub(crate) force: bool,
    /// As admission sees them.
    pub(crate) object: Value,
}

/// Which options kind a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    Create,
    Update,
    Patch,
    Apply,
}

impl WriteOptions {
    /// Reads them from the query; the field manager falls back to the user agent's first word.
    ///
    /// # Errors
    /// 422 in upstream's words.
    pub(crate) fn read(kind: WriteKind, query: &Query, user_agent: Option<&str>) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let asked = query.text("fieldManager");
        match kind {
            WriteKind::Apply if asked.is_empty() => {
                errors.push(Error::required(
                    &Path::new("fieldManager"),
                    "is required for apply patch",
                ));
            }
            WriteKind::Patch if query.value("force").is_some() => {
                errors.push(Error::forbidden(
                    &Path::new("force"),
                    "may not be specified for non-apply patch",
                ));
            }
            _ => {}
        }
        errors.extend(manager_errors(asked));
        let dry_run = dry_run(query.all("dryRun"), &mut errors);
        let field_validation = match query.text("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                errors.push(not_supported(
                    "fieldValidation",
                    other.into(),
                    r#""", "Ignore", "Strict", "Warn""#,
                ));
                FieldValidation::Warn
            }
        };
        refuse(kind.options_kind(), &errors)?;
        Ok(Self {
            dry_run,
            field_manager: manager(asked, user_agent),
            field_validation,
            force: query.flag("force"),
            object: object(kind, query, dry_run),
        })
    }
}

/// The options as an object. Those of a patch are an update's, as upstream tells admission of them.
fn object(kind: WriteKind, query: &Query, dry_run: bool) -> Value {
    let kind = match kind {
        WriteKind::Create => "CreateOptions",
        WriteKind::Update | WriteKind::Patch | WriteKind::Apply => "UpdateOptions",
    };
    let mut options = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
    if dry_run {
        options.set("/dryRun", json!(["All"]));
    }
    for name in ["fieldManager", "fieldValidation"] {
        let text = query.text(name);
        if !text.is_empty() {
            options.set(&format!("/{name}"), text);
        }
    }
    options
}

impl WriteKind {
    const fn options_kind(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Patch | Self::Apply => "PatchOptions",
        }
    }
}

fn manager_errors(manager: &str) -> Vec<Error> {
    let path = Path::new("fieldManager");
    let mut errors = Vec::new();
    if manager.len() > 128 {
        errors.push(Error::too_long(&path, 128));
    }
    // Upstream names each of them, with its place in bytes.
    let strange = manager.char_indices().filter(|(_, c)| !go_printable(*c));
    errors.extend(strange.map(|(at, c)| {
        let why = format!("invalid character U+{:04X} (at position {at})", c as u32);
        Error::invalid(&path, manager, why)
    }));
    errors
}

/// The field manager that was asked for, or the user agent up to its first slash.
fn manager(asked: &str, user_agent: Option<&str>) -> String {
    if !asked.is_empty() {
        return asked.to_owned();
    }
    let agent = user_agent.unwrap_or_default();
    let word = agent.split('/').next().unwrap_or_default();
    let mut manager = String::new();
    for c in word.chars().filter(|c| go_printable(*c)) {
        if manager.len() + c.len_utf8() > 128 {
            break;
        }
        manager.push(c);
    }
    if manager.is_empty() {
        manager.push_str("unknown");
    }
    manager
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(Some(text))
    }

    #[test]
    fn write_options_are_refused_in_upstreams_words() {
        let check = |kind, text: &str, expect: &str| {
            let status = WriteOptions::read(kind, &query(text), None).unwrap_err();
            assert_eq!((status.code(), status.message()), (422, expect));
        };
        check(
            WriteKind::Create,
            "dryRun=Some",
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"",
        );
        check(
            WriteKind::Apply,
            "",
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        );
        check(
            WriteKind::Patch,
            "force=true",
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
        );
        check(
            WriteKind::Update,
            "fieldManager=a%01",
            "UpdateOptions.meta.k8s.io \"\" is invalid: fieldManager: Invalid value: \"a\\x01\": invalid character U+0001 (at position 1)",
        );
    }

    #[test]
    fn the_field_manager_falls_back_to_the_user_agent() {
        let check = |text: &str, agent: Option<&str>, expect: &str| {
            let options = WriteOptions::read(WriteKind::Create, &query(text), agent).unwrap();
            assert_eq!(options.field_manager, expect);
        };
        check("fieldManager=me", Some("kubectl/v1"), "me");
        check("", Some("kubectl/v1.32.0 (linux/amd64)"), "kubectl");
        check("", None, "unknown");
    }
}
