//! The options of deletes.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::{DeleteOptions, Propagation};
use warren_schema::builtin;

use super::{dry_run, not_supported, number, refuse};
use crate::query::Query;

/// What a delete asks for.
#[derive(Debug)]
pub(crate) struct Delete {
    pub(crate) options: DeleteOptions,
    pub(crate) dry_run: bool,
    pub(crate) dependents: Dependents,
    /// As admission sees them.
    pub(crate) object: Value,
}

/// Whether the client asks in the old way, `orphanDependents: false`, for dependents to be collected: the answer is
/// 202 then, if the object does not go at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependents {
    Unsaid,
    Collected,
}

/// The options of a delete: the body's if there is one, else the query's.
///
/// # Errors
/// 400 or 422 in upstream's words.
pub(crate) fn delete(body: Option<Value>, query: &Query) -> Result<Delete, Status> {
    let object = object(body.as_ref(), query);
    let (mut options, dry_runs, policy, orphan) = match body {
        Some(body) => body_delete(body)?,
        None => query_delete(query)?,
    };
    let mut errors = Vec::new();
    let dry_run = dry_run(dry_runs.iter().map(String::as_str), &mut errors);
    if orphan.is_some() && policy.is_some() {
        errors.push(Error::invalid(
            &Path::new("propagationPolicy"),
            policy.clone().unwrap_or_default(),
            "orphanDependents and deletionPropagation cannot be both set",
        ));
    }
    options.propagation = match (policy.as_deref(), orphan) {
        (None, None) => None,
        (None, Some(true)) | (Some("Orphan"), _) => Some(Propagation::Orphan),
        (None, Some(false)) | (Some("Background"), _) => Some(Propagation::Background),
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some(other), _) => {
            errors.push(not_supported(
                "propagationPolicy",
                other.into(),
                r#""Foreground", "Background", "Orphan", "nil""#,
            ));
            None
        }
    };
    refuse("DeleteOptions", &errors)?;
    Ok(Delete {
        options,
        dry_run,
        dependents: match orphan {
            Some(false) => Dependents::Collected,
            _ => Dependents::Unsaid,
        },
        object,
    })
}

/// The options as an object: the body's if there is one, else the query's.
fn object(body: Option<&Value>, query: &Query) -> Value {
    let mut options = json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"});
    let known = [
        "gracePeriodSeconds",
        "preconditions",
        "orphanDependents",
        "propagationPolicy",
        "dryRun",
        "ignoreStoreReadErrorWithClusterBreakingPotential",
    ];
    if let Some(body) = body {
        for name in known {
            let value = body.field(name);
            if !value.is_null() {
                options.set(&format!("/{name}"), value.clone());
            }
        }
        return options;
    }
    if let Ok(Some(seconds)) = number(query, "gracePeriodSeconds") {
        options.set("/gracePeriodSeconds", seconds);
    }
    if let Some(policy) = query.value("propagationPolicy") {
        options.set("/propagationPolicy", policy);
    }
    if query.value("orphanDependents").is_some() {
        options.set("/orphanDependents", query.flag("orphanDependents"));
    }
    let dry_runs: Vec<Value> = query.all("dryRun").map(Value::from).collect();
    if !dry_runs.is_empty() {
        options.set("/dryRun", dry_runs);
    }
    options
}

const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

type DeleteParts = (DeleteOptions, Vec<String>, Option<String>, Option<bool>);

fn body_delete(mut body: Value) -> Result<DeleteParts, Status> {
    let kind = body.text("/kind");
    if !kind.is_empty() && kind != "DeleteOptions" {
        return Err(Status::bad_request(format!(
            "no kind {kind:?} is registered for version {:?} in scheme \"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\"",
            body.text("/apiVersion"),
        )));
    }
    if let Some(schema) = builtin(DELETE_OPTIONS)
        && let Some(why) = schema.check(&mut body).type_error
    {
        return Err(Status::bad_request(why));
    }
    let text = |pointer: &str| body.at(pointer).as_str().map(str::to_owned);
    let options = DeleteOptions {
        grace_period_seconds: body.int("/gracePeriodSeconds"),
        propagation: None,
        uid: text("/preconditions/uid"),
        resource_version: text("/preconditions/resourceVersion"),
    };
    let dry_runs = body
        .items("/dryRun")
        .iter()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    Ok((
        options,
        dry_runs,
        text("/propagationPolicy"),
        body.at("/orphanDependents").as_bool(),
    ))
}

fn query_delete(query: &Query) -> Result<DeleteParts, Status> {
    let options = DeleteOptions {
        grace_period_seconds: number(query, "gracePeriodSeconds")?,
        ..DeleteOptions::default()
    };
    Ok((
        options,
        query.all("dryRun").map(str::to_owned).collect(),
        query.value("propagationPolicy").map(str::to_owned),
        query
            .value("orphanDependents")
            .map(|_| query.flag("orphanDependents")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(Some(text))
    }

    #[test]
    fn delete_options_come_from_the_body_or_the_query() {
        let read = delete(None, &query("dryRun=All&gracePeriodSeconds=3")).unwrap();
        assert!(read.dry_run);
        assert_eq!(read.options.grace_period_seconds, Some(3));
        let body = json!({"kind": "DeleteOptions", "propagationPolicy": "Foreground", "preconditions": {"uid": "x"}});
        let read = delete(Some(body), &query("dryRun=All")).unwrap();
        assert!(!read.dry_run);
        assert_eq!(
            (read.options.propagation, read.options.uid.as_deref()),
            (Some(Propagation::Foreground), Some("x"))
        );
        let refused = delete(Some(json!({"propagationPolicy": "Nope"})), &Query::default()).unwrap_err();
        let check = |body: Value, expect: &str| {
            let refused = delete(Some(body), &Query::default()).unwrap_err();
            assert_eq!((refused.code(), refused.message()), (400, expect));
        };
        check(
            json!({"dryRun": "All"}),
            "json: cannot unmarshal string into Go struct field DeleteOptions.dryRun of type []string",
        );
        check(
            json!({"gracePeriodSeconds": "5"}),
            "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
        );
        let read = delete(Some(json!({"orphanDependents": false})), &Query::default()).unwrap();
        assert_eq!(read.dependents, Dependents::Collected);
        assert_eq!(
            refused.message(),
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Nope\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
        );
    }
}
