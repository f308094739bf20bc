//! The strategy of custom resources: what their CustomResourceDefinition says.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::time;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{ColumnOf, DEFAULT_COLUMNS, Strategy, Traits};
use warren_schema::Schema;

use super::json_path::JsonPath;

/// See the module. Knows one version: the stored one.
pub(super) struct Custom {
    schema: Arc<Schema>,
    status: bool,
    columns: Vec<Printed>,
    selectable: Vec<(SmolStr, JsonPath)>,
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
    pub(super) fn new(version: &Value) -> Result<Self, String> {
        let columns = version.items("/additionalPrinterColumns").iter().map(printed);
        let selectable = version.items("/selectableFields").iter().map(|field| {
            let path = field.text("/jsonPath");
            Ok((SmolStr::new(path.trim_start_matches('.')), JsonPath::parse(path)?))
        });
        Ok(Self {
            schema: super::schema(version)?,
            status: !version.at("/subresources/status").is_null(),
            columns: columns.collect::<Result<_, String>>()?,
            selectable: selectable.collect::<Result<_, String>>()?,
        })
    }
}

fn printed(column: &Value) -> Result<Printed, String> {
    let priority = column.int("/priority").unwrap_or_default();
    Ok(Printed {
        name: column.text("/name").to_owned(),
        kind: column.text("/type").to_owned(),
        format: column.text("/format").to_owned(),
        description: column.text("/description").to_owned(),
        priority: u8::try_from(priority).unwrap_or(u8::MAX),
        path: JsonPath::parse(column.text("/jsonPath"))?,
    })
}

impl Strategy for Custom {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: self.status,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        self.schema.validate(object, &Path::root())
    }

    fn validate_status_update(&self, new: &Value, _: &Value) -> Vec<Error> {
        self.schema.validate(new, &Path::root())
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        let text = |path: &JsonPath| match path.first(object) {
            Some(Value::String(text)) => SmolStr::new(text),
            Some(value) => SmolStr::from(value.to_string()),
            None => SmolStr::default(),
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
            None => Value::Null,
            Some(found) if column.kind == "date" => age(found, now),
            Some(found) if column.kind == "string" && !found.is_string() => Value::String(found.to_string()),
            Some(found) => found.clone(),
        }));
        cells
    }
}

/// Dates are printed as the time since.
fn age(then: &Value, now: Timestamp) -> Value {
    match then.as_str().map(time::parse) {
        Some(Ok(then)) => time::age(then, now).into(),
        _ => "<unknown>".into(),
    }
}
