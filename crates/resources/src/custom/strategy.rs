//! The strategy of custom resources: what their CustomResourceDefinition says.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::Error;
use warren_apimachinery::time;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{ColumnOf, DEFAULT_COLUMNS, Strategy, Traits};
use warren_schema::Source;

use super::checks::Checks;
use super::json_path::{self, JsonPath};
use super::{finalizers, scaled};

/// See the module. One for each version.
pub(super) struct Custom {
    checks: Checks,
    status: bool,
    columns: Vec<Printed>,
    selectable: Vec<(SmolStr, JsonPath)>,
    /// Its definition goes.
    terminating: bool,
}

struct Printed {
    name: String,
    kind: String,
    format: String,
    description: String,
    priority: u8,
    path: JsonPath,
}

impl Custom {
    pub(super) fn new(version: &Value, source: Arc<Source>, terminating: bool) -> Result<Self, String> {
        // As upstream, which prints the columns before one that makes no sense.
        let columns = version.items("/additionalPrinterColumns").iter();
        let columns = columns.map_while(|column| printed(column).ok()).collect();
        let selectable = version.items("/selectableFields").iter().map(|field| {
            let path = field.text("/jsonPath");
            Ok((
                SmolStr::new(path.strip_prefix('.').unwrap_or(path)),
                JsonPath::parse(path)?,
            ))
        });
        Ok(Self {
            checks: Checks::new(version, source),
            status: !version.at("/subresources/status").is_null(),
            columns,
            selectable: selectable.collect::<Result<_, String>>()?,
            terminating,
        })
    }
}

fn printed(column: &Value) -> Result<Printed, String> {
    let priority = column.int("/priority").unwrap_or_default();
    Ok(Printed {
        name: column.text("/name").to_owned(),
        kind: column.text("/type").to_owned(),
        format: column.text("/format").to_owned(),
        description: match column.text("/description") {
            "" => format!(
                "Custom resource definition column (in JSONPath format): {}",
                column.text("/jsonPath")
            ),
            own => own.to_owned(),
        },
        priority: u8::try_from(priority).unwrap_or(u8::MAX),
        path: JsonPath::parse(column.text("/jsonPath"))?,
    })
}

impl Strategy for Custom {
    fn refuses_new(&self) -> Option<&'static str> {
        self.terminating
            .then_some("create not allowed while custom resource definition is terminating")
    }

    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: self.status,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        self.checks.create(object)
    }

    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        self.checks.replace(new, old)
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        self.checks.status(new, old)
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = finalizers::warnings(new, old);
        warnings.extend(old.into_iter().flat_map(|old| self.checks.tolerated(new, old)));
        warnings
    }

    fn status_warnings(&self, new: &Value, old: &Value) -> Vec<String> {
        self.checks.tolerated(new, old)
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        let text = |path: &JsonPath| match path.first(object) {
            Some(found) if !found.value().is_null() => SmolStr::from(scaled::in_go(found.value())),
            _ => SmolStr::default(),
        };
        self.selectable
            .iter()
            .map(|(name, path)| (name.clone(), text(path)))
            .collect()
    }

    fn own_columns(&self) -> Option<Vec<ColumnOf<'_>>> {
        let mut columns: Vec<ColumnOf<'_>> = DEFAULT_COLUMNS.iter().take(1).copied().collect();
        if self.columns.is_empty() {
            columns.push(ColumnOf {
                name: "Age",
                kind: "date",
                format: "",
                priority: 0,
                description: DEFAULT_COLUMNS
                    .last()
                    .map(|column| column.description)
                    .unwrap_or_default(),
            });
        }
        columns.extend(self.columns.iter().map(|column| ColumnOf {
            name: &column.name,
            kind: &column.kind,
            format: &column.format,
            priority: column.priority,
            description: &column.description,
        }));
        Some(columns)
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let mut cells = vec![object.at("/metadata/name").clone()];
        if self.columns.is_empty() {
            cells.push(age(object.at("/metadata/creationTimestamp"), now));
        }
        cells.extend(self.columns.iter().map(|column| match column.path.first(object) {
            Some(found) => cell(&column.kind, found.value(), now),
            None => Value::Null,
        }));
        cells
    }
}

/// A value as a column of a type shows it; nothing where it is of another type.
fn cell(kind: &str, found: &Value, now: Timestamp) -> Value {
    match (kind, found) {
        ("string", found) => json_path::printed(found).into(),
        #[expect(clippy::cast_possible_truncation, reason = "as Go converts a float")]
        ("integer", Value::Number(number)) => {
            let whole = number
                .as_i64()
                .or_else(|| number.as_f64().map(|number| number as i64));
            whole.into()
        }
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => found.clone(),
        ("date", Value::String(text)) if matches!(text.as_str(), "" | "null") => "<unknown>".into(),
        ("date", Value::String(text)) => match time::parse(text) {
            Ok(then) => time::age(then, now).into(),
            Err(_) => "<invalid>".into(),
        },
        _ => Value::Null,
    }
}

/// Dates are printed as the time since.
fn age(then: &Value, now: Timestamp) -> Value {
    match then.as_str().map(time::parse) {
        Some(Ok(then)) => time::age(then, now).into(),
        _ => "<unknown>".into(),
    }
}
