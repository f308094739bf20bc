//! `cargo xtask derive`: makes the committed tables of `crates/{schema,apiserver}/data` from published facts about
//! Kubernetes' types. Run by hand, never in CI, because what it reads is not in the repository.
//!
//! It reads, below one directory:
//! - the PyPI wheel `kubernetes-validate` 1.37.0, unpacked (`kubernetes_validate/…`): every definition;
//! - the Debian packages `golang-k8s-{api,apimachinery,apiextensions-apiserver,kube-aggregator}-dev` 0.36.4, unpacked
//!   (`usr/share/gocode/src/k8s.io/…`): what the definitions leave out about the Go types, which decides what
//!   an object looks like after upstream decoded and encoded it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

mod go;
mod protobuf;

const DEFINITIONS: &str = "kubernetes_validate/kubernetes-json-schema/v1.36.0-local/_definitions.json";
const GO_SOURCE: &str = "usr/share/gocode/src/k8s.io";
const OUTPUT: &str = "crates/schema/data";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

/// Reads the unpacked data and writes the tables.
pub(crate) fn run(data: &Path) -> Result<()> {
    let text = std::fs::read_to_string(data.join(DEFINITIONS)).context("the wheel's definitions")?;
    let all: Value = serde_json::from_str(&text)?;
    let Some(all) = all.get("$defs").and_then(Value::as_object) else {
        bail!("the wheel's definitions have no $defs");
    };
    let mut source = go::Source::new(data.join(GO_SOURCE));
    let mut tables = Tables::default();
    for (name, definition) in all {
        tables.add(name, definition, &mut source)?;
    }
    let kinds = tables.kinds.values().cloned();
    protobuf::write(&data.join(GO_SOURCE), kinds)?;
    tables.write(Path::new(OUTPUT))
}

/// Writes the table of protobuf alone, for the kinds that are in the repository.
pub(crate) fn protobuf(data: &Path) -> Result<()> {
    let kinds = std::fs::read_to_string(Path::new(OUTPUT).join("kinds.tsv"))?;
    let names = kinds.lines().filter_map(|line| line.split_once('\t'));
    protobuf::write(&data.join(GO_SOURCE), names.map(|(_, name)| name.to_owned()))
}

/// What is written.
#[derive(Default)]
struct Tables {
    definitions: BTreeMap<String, Value>,
    descriptions: BTreeMap<String, Value>,
    kinds: BTreeMap<String, String>,
}

impl Tables {
    fn add(&mut self, name: &str, definition: &Value, source: &mut go::Source) -> Result<()> {
        let mut definition = restored(name, definition);
        let mut descriptions = Map::new();
        take_descriptions(&mut definition, &mut descriptions);
        self.descriptions
            .insert(name.to_owned(), Value::Object(descriptions));
        let gvks = definition
            .get("x-kubernetes-group-version-kind")
            .and_then(Value::as_array);
        for gvk in gvks.into_iter().flatten() {
            let part = |key: &str| gvk.get(key).and_then(Value::as_str).unwrap_or_default();
            let key = format!("{}/{}/{}", part("group"), part("version"), part("kind"));
            self.kinds.insert(key, name.to_owned());
        }
        add_go_facts(name, &mut definition, source).with_context(|| format!("the Go type of {name}"))?;
        self.definitions.insert(name.to_owned(), definition);
        Ok(())
    }

    fn write(&self, directory: &Path) -> Result<()> {
        let lines = |table: &BTreeMap<String, Value>| -> String {
            table
                .iter()
                .map(|(name, value)| format!("{name}\t{value}\n"))
                .collect()
        };
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("definitions.tsv"), lines(&self.definitions))?;
        std::fs::write(directory.join("descriptions.tsv"), lines(&self.descriptions))?;
        let kinds: String = self
            .kinds
            .iter()
            .map(|(key, name)| format!("{key}\t{name}\n"))
            .collect();
        std::fs::write(directory.join("kinds.tsv"), kinds)?;
        Ok(())
    }
}

/// Undoes the three rewrites of the wheel, and restores the two types that it replaced.
fn restored(name: &str, definition: &Value) -> Value {
    match name {
        QUANTITY => {
            return json!({"description": "Quantity is an exact number with a suffix, such as 500m, 1.5Gi or 1e3. It is written in its canonical form: without a fraction, with the largest suffix that keeps it whole.", "type": "string"});
        }
        INT_OR_STRING => {
            return json!({"description": "IntOrString is a whole number or text, such as a port's number or its name, or a number or a percentage.", "type": "string", "format": "int-or-string"});
        }
        _ => {}
    }
    let mut definition = definition.clone();
    restore(&mut definition);
    if definition.get("x-kubernetes-group-version-kind").is_some() {
        for field in ["apiVersion", "kind"] {
            let property = definition.pointer_mut(&format!("/properties/{field}"));
            if let Some(Value::Object(property)) = property {
                property.remove("enum");
            }
        }
    }
    definition
}

fn restore(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, child) in map.iter_mut() {
                match (key.as_str(), &mut *child) {
                    ("$ref", Value::String(target)) => {
                        *target = target.replacen("#/$defs/", "#/definitions/", 1);
                    }
                    ("type", Value::Array(types)) => {
                        let first = types.first().cloned().unwrap_or_default();
                        *child = first;
                    }
                    _ => restore(child),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(restore),
        _ => {}
    }
}

/// Moves the descriptions of a definition (under the empty key) and of its fields out of it.
fn take_descriptions(definition: &mut Value, descriptions: &mut Map<String, Value>) {
    let Some(definition) = definition.as_object_mut() else {
        return;
    };
    if let Some(text) = definition.remove("description") {
        descriptions.insert(String::new(), text);
    }
    let properties = definition.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        if let Some(text) = property.as_object_mut().and_then(|p| p.remove("description")) {
            descriptions.insert(name.clone(), text);
        }
    }
}

/// Adds `x-go` (fields that are always written, with their zero; fields that are dropped when empty; types that
/// the schema does not tell) and the defaults that upstream keeps as markers beside the fields.
fn add_go_facts(name: &str, definition: &mut Value, source: &mut go::Source) -> Result<()> {
    let Some((package, type_name)) = go::package_of(name) else {
        return Ok(());
    };
    let fields = source.fields(&package, &type_name)?;
    if fields.is_empty() {
        return Ok(());
    }
    let (mut always, mut droppable, mut types) = (Map::new(), Vec::new(), Map::new());
    for field in fields {
        let pointer = format!("/properties/{}", field.json_name);
        let Some(Value::Object(property)) = definition.pointer_mut(&pointer) else {
            continue;
        };
        if let Some(default) = field.default.clone() {
            property.insert("default".to_owned(), default);
        }
        if let Some(zero) = field.always() {
            always.insert(field.json_name.clone(), zero);
        }
        if field.is_droppable() {
            droppable.push(Value::from(field.json_name.clone()));
        }
        if let Some(text) = field.untold_type() {
            types.insert(field.json_name.clone(), text.into());
        }
    }
    let mut facts = Map::new();
    for (key, value) in [
        ("always", Value::Object(always)),
        ("droppable", Value::Array(droppable)),
        ("types", Value::Object(types)),
    ] {
        let is_empty =
            value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty {
            facts.insert(key.to_owned(), value);
        }
    }
    if let (false, Some(definition)) = (facts.is_empty(), definition.as_object_mut()) {
        definition.insert("x-go".to_owned(), Value::Object(facts));
    }
    Ok(())
}
