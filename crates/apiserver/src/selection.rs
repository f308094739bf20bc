//! Label and field selectors of a request, checked against what the kind selects by.

use serde_json::Value;
use warren_apimachinery::selector::{FieldSelector, LabelSelector};
use warren_apimachinery::{Meta, Status};
use warren_registry::definition::Definition;

use crate::query::Query;

/// Which objects of a collection are meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selectors {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selectors {
    /// Reads both selectors.
    ///
    /// # Errors
    /// 400 in upstream's words, also for fields that the kind does not select by.
    pub(crate) fn read(query: &Query, definition: &Definition, name: &str) -> Result<Self, Status> {
        let bad = |error: warren_apimachinery::selector::SelectorError| Status::bad_request(error.0);
        let labels = match query.text("labelSelector") {
            "" => LabelSelector::everything(),
            text => LabelSelector::parse(text).map_err(bad)?,
        };
        let fields = match (query.text("fieldSelector"), name) {
            ("", "") => FieldSelector::everything(),
            // The old form of a watch on one object has its name in the path.
            ("", name) => FieldSelector::equals("metadata.name", name),
            (text, _) => FieldSelector::parse(text).map_err(bad)?,
        };
        let fields = if definition.group == "events.k8s.io" {
            let unknown = |path| Status::bad_request(format!("field label not supported: {path}"));
            fields.renamed(of_core_event).map_err(unknown)?
        } else {
            fields
        };
        check_fields(&fields, definition)?;
        if !name.is_empty() && fields.exact("metadata.name") != Some(name) {
            return Err(Status::bad_request(
                "fieldSelector metadata.name doesn't match requested name",
            ));
        }
        Ok(Self { labels, fields })
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    pub(crate) fn matches(&self, meta: &Meta) -> bool {
        self.labels.matches(meta) && self.fields.matches(meta)
    }

    /// The one name that is meant, if the fields say so.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields.exact("metadata.name")
    }
}

/// What `core/v1`, in which events are kept, calls a field of `events.k8s.io/v1` that is selected by.
fn of_core_event(field: &str) -> Option<&'static str> {
    Some(match field {
        "reason" => "reason",
        "regarding.kind" => "involvedObject.kind",
        "regarding.namespace" => "involvedObject.namespace",
        "regarding.name" => "involvedObject.name",
        "regarding.uid" => "involvedObject.uid",
        "regarding.apiVersion" => "involvedObject.apiVersion",
        "regarding.resourceVersion" => "involvedObject.resourceVersion",
        "regarding.fieldPath" => "involvedObject.fieldPath",
        "reportingController" => "reportingComponent",
        "type" => "type",
        "metadata.name" => "metadata.name",
        "metadata.namespace" => "metadata.namespace",
        _ => return None,
    })
}

fn check_fields(fields: &FieldSelector, definition: &Definition) -> Result<(), Status> {
    if fields.is_everything() {
        return Ok(());
    }
    let own = if definition.plural == "replicasets" {
        // Upstream indexes the number of replicas, but lets nobody select by it.
        Box::default()
    } else {
        definition.strategy.fields(&Value::Null)
    };
    for path in fields.paths() {
        let known = matches!(path, "metadata.name" | "metadata.namespace")
            || own.iter().any(|(known, _)| known == path);
        if known {
            continue;
        }
        let why = match (definition.group.as_str(), definition.plural.as_str()) {
            ("batch", "jobs") => format!("field label {path:?} not supported for Job"),
            ("resource.k8s.io", "resourceslices") => {
                format!("field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {path}")
            }
            _ if own.is_empty() && is_builtin(definition) => format!(
                "{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            ),
            _ => format!("field label not supported: {path}"),
        };
        return Err(Status::bad_request(why));
    }
    Ok(())
}

fn is_builtin(definition: &Definition) -> bool {
    let mut versions = definition.versions.iter();
    versions.any(|version| version.schema.is_builtin())
}

/// The one name that a list, watch or deletion of a collection means, for authorisation; without any checks.
pub(crate) fn exact_name(query: &Query) -> Option<String> {
    let text = query.text("fieldSelector");
    if !text.contains("metadata.name") {
        return None;
    }
    let fields = FieldSelector::parse(text).ok()?;
    fields.exact("metadata.name").map(str::to_owned)
}
