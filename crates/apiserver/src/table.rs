//! Tables: what `kubectl get` prints, made of a kind's columns and cells.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_registry::strategy::ColumnOf;

use crate::answer;
use crate::cx::{Cx, Served};

/// What rows carry beside their cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    None,
    Metadata,
    Object,
}

impl Include {
    /// Reads `includeObject`.
    ///
    /// # Errors
    /// 400 in upstream's words.
    pub(crate) fn read(cx: &Cx<'_>) -> Result<Self, Status> {
        match cx.query.text("includeObject") {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::None),
            "Object" => Ok(Self::Object),
            other => Err(Status::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: must be 'Metadata', 'Object', 'None', or empty"
            ))),
        }
    }
}

#[derive(Serialize)]
struct Definition<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    format: &'a str,
    description: &'a str,
    priority: u8,
}

impl<'a> From<&ColumnOf<'a>> for Definition<'a> {
    fn from(column: &ColumnOf<'a>) -> Self {
        Self {
            name: column.name,
            kind: column.kind,
            format: column.format,
            description: column.description,
            priority: column.priority,
        }
    }
}

#[derive(Serialize)]
struct Row {
    cells: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Value>,
    /// `null` where the client wants none.
    object: Option<Box<RawValue>>,
}

/// Writes tables of one kind for one request.
pub(crate) struct Printer {
    version: &'static str,
    include: Include,
}

impl Printer {
    /// # Errors
    /// 400 for an unknown `includeObject`.
    pub(crate) fn new(cx: &Cx<'_>, version: &'static str) -> Result<Self, Status> {
        Ok(Self {
            version,
            include: Include::read(cx)?,
        })
    }

    /// A table with these objects (bytes in the version that the client speaks) as rows.
    pub(crate) fn print<'a>(
        &self,
        printed: &warren_registry::definition::Definition,
        list_metadata: &Value,
        objects: impl Iterator<Item = &'a Bytes>,
        now: jiff::Timestamp,
        headers: bool,
    ) -> Bytes {
        let own = printed.strategy.own_columns();
        let all = own.as_deref().unwrap_or_else(|| printed.strategy.columns());
        let columns: Option<Vec<Definition<'_>>> =
            headers.then(|| all.iter().map(Definition::from).collect());
        let rows: Vec<Row> = objects.map(|bytes| self.row(printed, bytes, now)).collect();
        let table = json!({
            "kind": "Table",
            "apiVersion": format!("meta.k8s.io/{}", self.version),
            "metadata": list_metadata,
        });
        // Put together by hand so that rows go from structs to bytes without another tree in between.
        let mut out = answer::json(&table).to_vec();
        out.pop();
        out.extend_from_slice(b",\"columnDefinitions\":");
        out.extend_from_slice(&answer::json(&columns));
        out.extend_from_slice(b",\"rows\":");
        out.extend_from_slice(&answer::json(&rows));
        out.push(b'}');
        out.into()
    }

    fn row(
        &self,
        printed: &warren_registry::definition::Definition,
        bytes: &Bytes,
        now: jiff::Timestamp,
    ) -> Row {
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let object = match self.include {
            Include::None => None,
            Include::Metadata => Some(answer::partial(bytes, self.version)),
            Include::Object => Some(bytes.clone()),
        };
        Row {
            cells: printed.strategy.cells(&value, now),
            conditions: printed.strategy.row_conditions(&value),
            object: object
                .and_then(|bytes| String::from_utf8(bytes.into()).ok())
                .and_then(|text| RawValue::from_string(text).ok()),
        }
    }
}

/// A table of one object.
///
/// # Errors
/// 400 for an unknown `includeObject`.
pub(crate) fn of_one(
    cx: &Cx<'_>,
    served: &Served<'_>,
    version: &'static str,
    bytes: &Bytes,
) -> Result<Bytes, Status> {
    let printer = Printer::new(cx, version)?;
    let revision: Value = serde_json::from_str(answer::metadata(bytes)).unwrap_or_default();
    // What was only tried has no revision.
    let metadata = match revision.get("resourceVersion") {
        Some(revision) => json!({"resourceVersion": revision}),
        None => json!({}),
    };
    Ok(printer.print(served.definition, &metadata, std::iter::once(bytes), cx.now, true))
}
