//! The strategy of custom resources: what their CustomResourceDefinition says.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, ErrorType, Path};
use warren_apimachinery::time;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{ColumnOf, DEFAULT_COLUMNS, Strategy, Traits};
use warren_schema::Schema;

use super::json_path::JsonPath;
use super::rules;

/// See the module. Knows one version: the stored one.
pub(super) struct Custom {
    schema: Arc<Schema>,
    rules: Option<Arc<rules::Node>>,
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
    pub(super) fn new(version: &Value, terminating: bool) -> Result<Self, String> {
        let columns = version.items("/additionalPrinterColumns").iter().map(printed);
        let selectable = version.items("/selectableFields").iter().map(|field| {
            let path = field.text("/jsonPath");
            Ok((SmolStr::new(path.trim_start_matches('.')), JsonPath::parse(path)?))
        });
        Ok(Self {
            schema: super::schema(version)?,
            rules: rules::shared(version.at("/schema/openAPIV3Schema")),
            status: !version.at("/subresources/status").is_null(),
            columns: columns.collect::<Result<_, String>>()?,
            selectable: selectable.collect::<Result<_, String>>()?,
            terminating,
        })
    }
}

impl Custom {
    /// The schema, then the rules, unless the schema found what keeps rules from being evaluated.
    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<Error> {
        let mut errors = self.schema.validate(new, &Path::root());
        let Some(rules) = &self.rules else {
            return errors;
        };
        if errors.iter().any(|error| blocks_rules(error.kind)) {
            errors.push(Error::invalid(
                &Path::root(),
                Value::Null,
                "some validation rules were not checked because the object was invalid; correct the existing errors \
                 to complete validation",
            ));
        } else {
            errors.extend(rules::evaluate(rules, new, old).errors);
        }
        errors
    }

    /// What the rules find wrong that was so before.
    fn tolerated(&self, new: &Value, old: &Value) -> Vec<String> {
        let Some(rules) = &self.rules else {
            return Vec::new();
        };
        let findings = rules::evaluate(rules, new, Some(old));
        findings.tolerated.iter().map(ToString::to_string).collect()
    }
}

/// Whether an error of the schema may mean that values are not what expressions take them for.
fn blocks_rules(kind: ErrorType) -> bool {
    matches!(
        kind,
        ErrorType::NotSupported
            | ErrorType::Required
            | ErrorType::TooLong
            | ErrorType::TooMany
            | ErrorType::TypeInvalid
    )
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
        self.check(object, None)
    }

    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        self.check(new, Some(old))
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        self.check(new, Some(old))
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        old.map(|old| self.tolerated(new, old)).unwrap_or_default()
    }

    fn status_warnings(&self, new: &Value, old: &Value) -> Vec<String> {
        self.tolerated(new, old)
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
