//! Kubernetes' structural form of the schema, as `crd.json` has it: only made to be compared with that.

use serde_json::Map;
use warren_apimachinery::Value;
use warren_apimachinery::value::ValueExt;

use super::{choices, is_free, kind, of_types, resolve};

/// `spec` of the CustomResourceDefinition: shapes and descriptions; unknown fields are kept, to be refused by name.
pub(super) fn spec() -> Value {
    let root = of_types();
    let mut spec = shape(&root, &root);
    if let Some(spec) = spec.as_object_mut() {
        spec.insert(
            "description".to_owned(),
            "What the virtual cluster should be, in the vocabulary of vcluster.yaml. A field that is not supported is \
             refused by name in the condition ConfigValid."
                .into(),
        );
    }
    spec
}

fn shape(root: &Value, schema: &Value) -> Value {
    let described = schema.text("/description").to_owned();
    let schema = resolve(root, schema);
    let description = if described.is_empty() {
        schema.text("/description").to_owned()
    } else {
        described
    };
    let mut out = Map::new();
    let description = description
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .replace('\n', " ");
    if !description.is_empty() {
        out.insert("description".to_owned(), description.into());
    }
    let kind = if is_free(schema) || (choices(schema).is_some() && !is_text_choice(schema)) {
        ""
    } else if choices(schema).is_some() {
        "string"
    } else {
        kind(schema)
    };
    if kind.is_empty() {
        out.insert("nullable".to_owned(), true.into());
        out.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
        return Value::Object(out);
    }
    out.insert("type".to_owned(), kind.into());
    match kind {
        "object" if !schema.at("/properties").is_null() => {
            let properties = schema.field("properties").as_object().into_iter().flatten();
            // What stands in every kind is described once, in the file for editors.
            let is_patch = !schema.at("/properties/reverseExpression").is_null();
            if !is_patch {
                let properties = properties.map(|(name, schema)| (name.clone(), shape(root, schema)));
                out.insert("properties".to_owned(), Value::Object(properties.collect()));
            }
            out.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
        }
        "object" => {
            let values = schema.field("additionalProperties");
            out.insert("additionalProperties".to_owned(), shape(root, values));
        }
        "array" => {
            out.insert("items".to_owned(), shape(root, schema.field("items")));
        }
        _ => {
            for bound in ["minimum", "maximum"] {
                if let Value::Number(number) = schema.field(bound) {
                    out.insert(bound.to_owned(), number.clone().into());
                }
            }
        }
    }
    Value::Object(out)
}

fn is_text_choice(schema: &Value) -> bool {
    choices(schema).is_some_and(|choices| choices.iter().all(|choice| choice.is_string()))
}
