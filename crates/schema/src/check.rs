//! Decoding of built-in kinds: what upstream's Go types would take of an object, and what they would say.
//!
//! Unknown fields are named and dropped, wrong types are refused in Go's words, quantities and times become
//! canonical, `null` counts as absent, and what Go would not write again (`paused: false`, empty lists) goes.

use std::sync::Arc;

use serde_json::{Map, Value};
use warren_apimachinery::base64;
use warren_apimachinery::field::go_quote;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::time;
use warren_apimachinery::value::go_kind;

use crate::model::{Ref, Schema, Type};

mod words;

/// What decoding found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// `unknown field "spec.foo"`, each once, at most 100.
    pub unknown: Vec<String>,
    /// The first wrong type, as `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas
    /// of type int32`.
    pub type_error: Option<String>,
}

/// Which of upstream's decoders reads an object: they accept almost the same, and word differently what they
/// refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decoder {
    /// The one of bodies, and of objects that a JSON patch or a merge patch made.
    #[default]
    Json,
    /// The converter from unstructured content, which reads what a strategic merge patch made.
    Converter,
}

/// Upstream stops counting strict errors here.
pub(crate) const MAX_UNKNOWN: usize = 100;

/// The text of a refusal by strict decoding: `strict decoding error: unknown field "spec.foo", …`. What was
/// found while reading YAML (`line 9: key "foo" already set in map`) stands together and first.
pub fn strict_error(faults: &[String]) -> String {
    let (lines, fields): (Vec<&str>, Vec<&str>) = faults
        .iter()
        .map(String::as_str)
        .partition(|fault| fault.starts_with("line "));
    let yaml = (!lines.is_empty()).then(|| yaml_error(&lines));
    let all: Vec<&str> = yaml.as_deref().into_iter().chain(fields).collect();
    format!("strict decoding error: {}", all.join(", "))
}

/// What Go's YAML reader says of keys that stand twice.
pub fn yaml_error<T: AsRef<str>>(lines: &[T]) -> String {
    let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    format!("yaml: unmarshal errors:\n  {}", lines.join("\n  "))
}

impl Schema {
    /// Decodes `value` as the kind that this schema describes, in place. Of a custom resource, unknown fields
    /// are pruned and metadata is decoded; its own types are left to [`Schema::validate`], as upstream does.
    pub fn check(&self, value: &mut Value) -> Checked {
        self.check_by(Decoder::Json, value)
    }

    /// The same, as another of upstream's decoders does it.
    pub fn check_by(&self, decoder: Decoder, value: &mut Value) -> Checked {
        if self.go.is_none() && self.kind == Type::Object {
            return crate::prune::prune(self, value, decoder);
        }
        let mut walk = Walk {
            decoder,
            ..Walk::default()
        };
        walk.value(self, value, None);
        if decoder == Decoder::Converter {
            walk.found.unknown.sort_unstable();
        }
        walk.found
    }
}

/// Decodes a built-in type that stands at `path`.
pub(crate) fn check_at(schema: &Schema, value: &mut Value, path: &str, found: &mut Checked) {
    let mut walk = Walk {
        found: std::mem::take(found),
        path: path.to_owned(),
        ..Walk::default()
    };
    walk.value(schema, value, None);
    *found = walk.found;
}

/// The schema of `metadata`.
pub(crate) fn object_meta() -> Arc<Schema> {
    Ref::Named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta".into()).get()
}

/// A number that has no fraction.
pub(crate) fn whole(number: &serde_json::Number) -> Option<i64> {
    words::converted_integer(&Value::Number(number.clone()), false)
}

/// Whether text is base64 as Go reads it.
pub(crate) fn is_base64(text: &str) -> bool {
    base64::checked(text).is_ok()
}

/// Names an unknown field.
fn note_unknown(found: &mut Checked, path: &str) {
    let message = format!("unknown field {}", go_quote(path));
    if found.unknown.len() < MAX_UNKNOWN && !found.unknown.contains(&message) {
        found.unknown.push(message);
    }
}

/// Where the decoder stands.
#[derive(Default)]
struct Walk {
    decoder: Decoder,
    found: Checked,
    /// As strict errors say it: `spec.containers[0]`.
    path: String,
    /// As Go's type errors say it: names of fields, without indexes and keys of maps.
    fields: Vec<String>,
    /// The Go type of the innermost struct.
    structure: String,
}

impl Walk {
    fn value(&mut self, schema: &Schema, value: &mut Value, told: Option<&str>) {
        if self.found.type_error.is_some() {
            return;
        }
        match schema.kind {
            Type::Any => {}
            Type::Object if schema.is_struct() => self.structure(schema, value, told),
            Type::Object => self.map(schema, value, told),
            Type::Array => self.list(schema, value, told),
            Type::String => self.text(schema, value, told),
            Type::Integer => self.integer(schema, value, told),
            Type::Number if value.is_number() => {}
            Type::Boolean if value.is_boolean() => {}
            Type::Number | Type::Boolean => self.refuse(schema, value, told),
            Type::IntOrString => self.int_or_string(value),
            Type::Quantity => match Quantity::from_json(value) {
                Ok(quantity) => *value = quantity.into(),
                Err(error) => self.fail(error.to_string()),
            },
        }
    }

    fn structure(&mut self, schema: &Schema, value: &mut Value, told: Option<&str>) {
        let Value::Object(map) = value else {
            return self.refuse(schema, value, told);
        };
        let go = schema.go.as_deref();
        let outer = go.map(|go| std::mem::replace(&mut self.structure, go.name.to_string()));
        let names: Vec<String> = map.keys().cloned().collect();
        for name in names {
            let Some(field) = schema.field(&name) else {
                if !schema.preserve_unknown {
                    self.unknown(&name);
                    map.remove(&name);
                }
                continue;
            };
            self.field(schema, field, map, name);
        }
        if let Some(outer) = outer {
            self.structure = outer;
        }
        if let Some(go) = go {
            for name in &go.droppable {
                if map.get(name.as_str()).is_some_and(is_empty) {
                    map.remove(name.as_str());
                }
            }
        }
    }

    fn field(&mut self, parent: &Schema, field: &Ref, map: &mut Map<String, Value>, name: String) {
        let Some(value) = map.get_mut(&name) else {
            return;
        };
        if value.is_null() {
            map.remove(&name);
            return;
        }
        let told = parent
            .go
            .as_ref()
            .and_then(|go| go.types.iter().find(|(field, _)| *field == name));
        let told = told.map(|(_, text)| text.as_str());
        let length = self.enter_key(&name);
        let depth = self.fields.len();
        self.fields
            .extend(words::embedded(&self.structure, &name).map(str::to_owned));
        self.fields.push(name);
        self.value(&field.get(), value, told);
        self.fields.truncate(depth);
        self.path.truncate(length);
        if told == Some("v1.ResourceList") {
            round_resources(value);
        }
    }

    fn map(&mut self, schema: &Schema, value: &mut Value, told: Option<&str>) {
        let Value::Object(map) = value else {
            return self.refuse(schema, value, told);
        };
        let Some(element) = schema.additional.as_ref() else {
            return;
        };
        let element = element.get();
        for (key, value) in map {
            let length = match self.decoder {
                Decoder::Json => self.enter_key(key),
                // The converter forgets the keys of maps.
                Decoder::Converter => self.path.len(),
            };
            self.element(&element, value, told.map(words::element));
            self.path.truncate(length);
        }
    }

    fn list(&mut self, schema: &Schema, value: &mut Value, told: Option<&str>) {
        let Value::Array(items) = value else {
            return self.refuse(schema, value, told);
        };
        let Some(element) = schema.items.as_ref() else {
            return;
        };
        let element = element.get();
        for (index, value) in items.iter_mut().enumerate() {
            let length = self.path.len();
            self.path.push_str(&format!("[{index}]"));
            self.element(&element, value, told.map(words::element));
            self.path.truncate(length);
        }
    }

    /// An element that is `null` is its type's zero.
    fn element(&mut self, schema: &Schema, value: &mut Value, told: Option<&str>) {
        if value.is_null() {
            *value = match schema.kind {
                Type::String if schema.format.is_none() => "".into(),
                Type::Integer | Type::Number | Type::IntOrString => 0.into(),
                Type::Boolean => false.into(),
                Type::Quantity => "0".into(),
                Type::Object if schema.is_struct() => Value::Object(Map::new()),
                _ => return,
            };
        }
        self.value(schema, value, told);
    }

    fn text(&mut self, schema: &Schema, value: &mut Value, told: Option<&str>) {
        let name = schema.go.as_ref().map_or("", |go| go.name.as_str());
        let Value::String(text) = value else {
            return match name {
                "Time" | "MicroTime" => self.refuse_within(go_kind(value), "string"),
                _ => self.refuse(schema, value, told),
            };
        };
        let canonical = match (schema.format.as_deref(), name) {
            (Some("date-time"), "MicroTime") => time::parse_micro(text).map(time::format_micro),
            (Some("date-time"), _) => time::parse(text).map(time::format),
            (Some("byte"), _) => {
                base64::checked(text)
                    .map(|()| text.clone())
                    .map_err(|why| match self.decoder {
                        Decoder::Json => why,
                        Decoder::Converter => format!("error decoding from json: {why}"),
                    })
            }
            _ => return,
        };
        match canonical {
            Ok(canonical) => *text = canonical,
            Err(why) => self.fail(why),
        }
    }

    fn integer(&mut self, schema: &Schema, value: &mut Value, told: Option<&str>) {
        let is_short = schema.format.as_deref() == Some("int32");
        if self.decoder == Decoder::Converter
            && let Some(number) = words::converted_integer(value, is_short)
        {
            *value = number.into();
            return;
        }
        let fits = value
            .as_i64()
            .is_some_and(|number| !is_short || i32::try_from(number).is_ok());
        if !fits {
            self.refuse(schema, value, told);
        }
    }

    fn int_or_string(&mut self, value: &Value) {
        let is_short = value.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
        if !is_short && !value.is_string() {
            self.refuse_within(&words::got_for_integer(value), "int32");
        }
    }

    fn refuse(&mut self, schema: &Schema, value: &Value, told: Option<&str>) {
        if self.decoder == Decoder::Converter {
            return self.fail(words::unconvertible(schema, value, told));
        }
        let got = match schema.kind {
            Type::Integer => words::got_for_integer(value),
            _ => go_kind(value).to_owned(),
        };
        let type_text = words::type_text(schema, told);
        let target = self.target();
        self.fail(format!(
            "json: cannot unmarshal {got} into {target} of type {type_text}"
        ));
    }

    /// What Go says where a type reads itself: the converter does not say of which field.
    fn refuse_within(&mut self, got: &str, type_text: &str) {
        let target = match self.decoder {
            Decoder::Json => self.target(),
            Decoder::Converter => "Go value".to_owned(),
        };
        self.fail(format!(
            "json: cannot unmarshal {got} into {target} of type {type_text}"
        ));
    }

    fn target(&self) -> String {
        if self.fields.is_empty() {
            "Go value".to_owned()
        } else {
            format!("Go struct field {}.{}", self.structure, self.fields.join("."))
        }
    }

    fn fail(&mut self, why: String) {
        self.found.type_error.get_or_insert(why);
    }

    fn unknown(&mut self, name: &str) {
        let length = self.enter_key(name);
        note_unknown(&mut self.found, &self.path);
        self.path.truncate(length);
    }

    /// Goes into a key; answers the length to cut the path back to.
    fn enter_key(&mut self, key: &str) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        length
    }
}

/// Upstream defaults every `ResourceList` by rounding it up to thousandths.
fn round_resources(value: &mut Value) {
    for quantity in value.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Ok(read) = Quantity::from_json(quantity) {
            *quantity = read.rounded_to_milli().into();
        }
    }
}

/// Whether Go's encoder takes a value for unset.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::builtin::{builtin, definitions};

    #[track_caller]
    fn check(definition: &str, mut value: Value, expect: Value) -> Checked {
        let schema = builtin(definition).unwrap();
        let checked = schema.check(&mut value);
        assert_eq!(value, expect);
        checked
    }

    #[track_caller]
    fn refuses(definition: &str, mut value: Value, expect: &str) {
        let checked = builtin(definition).unwrap().check(&mut value);
        assert_eq!(checked.type_error.as_deref(), Some(expect));
    }

    #[test]
    fn the_converter_wraps_numbers_sorts_what_is_unknown_and_has_words_of_its_own() {
        let read = |definition: &str, mut value: Value| {
            let checked = builtin(definition)
                .unwrap()
                .check_by(Decoder::Converter, &mut value);
            (value, checked)
        };
        let (value, checked) = read(
            "io.k8s.api.core.v1.ServicePort",
            json!({"port": 99_999_999_999_u64, "nodePort": 3.0, "zz": 1, "a": 2}),
        );
        assert_eq!(value, json!({"port": 1_215_752_191, "nodePort": 3}));
        assert_eq!(checked.unknown, ["unknown field \"a\"", "unknown field \"zz\""]);
        for (definition, value, expect) in [
            (
                "ConfigMap",
                json!({"data": {"a": 1}}),
                "cannot convert int64 to string",
            ),
            (
                "ConfigMap",
                json!({"data": {"a": 1.5}}),
                "unrecognized type: string",
            ),
            (
                "ConfigMap",
                json!({"data": {"a": true}}),
                "unrecognized type: string",
            ),
            ("ConfigMap", json!({"data": [1]}), "cannot restore map from slice"),
            ("ConfigMap", json!({"immutable": "x"}), "unrecognized type: bool"),
            (
                "ConfigMap",
                json!({"binaryData": {"a": "???"}}),
                "error decoding from json: illegal base64 data at input byte 0",
            ),
            (
                "PodSpec",
                json!({"restartPolicy": 1}),
                "cannot convert int64 to v1.RestartPolicy",
            ),
            (
                "PodSpec",
                json!({"securityContext": [1]}),
                "cannot restore struct from: slice",
            ),
            (
                "PodSpec",
                json!({"containers": {}}),
                "cannot restore slice from map",
            ),
            ("PodSpec", json!({"priority": "x"}), "unrecognized type: int32"),
            (
                "PodSpec",
                json!({"priority": 1.5}),
                "cannot convert float64 to int32",
            ),
        ] {
            let (_, checked) = read(&format!("io.k8s.api.core.v1.{definition}"), value);
            assert_eq!(checked.type_error.as_deref(), Some(expect));
        }
    }

    #[test]
    fn names_and_drops_unknown_fields() {
        let checked = check(
            "io.k8s.api.core.v1.Pod",
            json!({"spec": {"bogus": 1, "containers": [{"name": "c", "nope": {"x": 1}}], "nodeSelector": {"any": "x"}}}),
            json!({"spec": {"containers": [{"name": "c"}], "nodeSelector": {"any": "x"}}}),
        );
        assert_eq!(
            strict_error(&checked.unknown),
            "strict decoding error: unknown field \"spec.bogus\", unknown field \"spec.containers[0].nope\""
        );
    }

    #[test]
    fn reads_as_go_does_what_is_null_empty_or_not_canonical() {
        check(
            "io.k8s.api.apps.v1.Deployment",
            json!({"metadata": {"creationTimestamp": null, "labels": {}, "annotations": {"a": null}}, "spec": {
                "paused": false, "minReadySeconds": 0, "replicas": 0, "template": {"spec": {"containers": [
                    {"name": "c", "args": [], "env": [{"name": "A", "value": ""}], "resources": {"limits":
                        {"cpu": 0.5, "memory": "1024Mi", "x": "1u"}}}], "terminationGracePeriodSeconds": 0}}}}),
            json!({"metadata": {"annotations": {"a": ""}}, "spec": {"replicas": 0, "template": {"spec": {"containers": [
                {"name": "c", "env": [{"name": "A"}], "resources": {"limits":
                    {"cpu": "500m", "memory": "1Gi", "x": "1m"}}}], "terminationGracePeriodSeconds": 0}}}}),
        );
        check(
            "io.k8s.api.coordination.v1.LeaseSpec",
            json!({"renewTime": "2026-01-01T01:00:00.5+01:00"}),
            json!({"renewTime": "2026-01-01T00:00:00.500000Z"}),
        );
    }

    #[test]
    fn refuses_wrong_types_in_go_words() {
        refuses(
            "io.k8s.api.core.v1.ConfigMap",
            json!({"data": {"b": 1}}),
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        );
        refuses(
            "io.k8s.api.apps.v1.Deployment",
            json!({"spec": {"replicas": "x"}}),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        );
        refuses(
            "io.k8s.api.apps.v1.Deployment",
            json!({"spec": {"replicas": 1.5}}),
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        );
        refuses(
            "io.k8s.api.apps.v1.Deployment",
            json!({"spec": {"replicas": 3_000_000_000_u64}}),
            "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
        );
        refuses(
            "io.k8s.api.apps.v1.Deployment",
            json!({"spec": {"template": {"spec": {"containers": [{"env": [{"value": 1}]}]}}}}),
            "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
        );
        refuses(
            "io.k8s.api.core.v1.Pod",
            json!({"spec": {"containers": {}}}),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        );
        refuses(
            "io.k8s.api.core.v1.Pod",
            json!({"metadata": {"labels": ["a"]}}),
            "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        );
        refuses(
            "io.k8s.api.core.v1.Pod",
            json!({"spec": {"restartPolicy": true}}),
            "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        );
        refuses(
            "io.k8s.api.core.v1.Pod",
            json!([1]),
            "json: cannot unmarshal array into Go value of type v1.Pod",
        );
        refuses(
            "io.k8s.api.core.v1.ServicePort",
            json!({"targetPort": true}),
            "json: cannot unmarshal bool into Go struct field ServicePort.targetPort of type int32",
        );
        refuses(
            "io.k8s.api.core.v1.Pod",
            json!({"spec": {"volumes": [{"name": "v", "emptyDir": {"medium": 1}}]}}),
            "json: cannot unmarshal number into Go struct field EmptyDirVolumeSource.spec.volumes.VolumeSource.emptyDir.medium of type v1.StorageMedium",
        );
        refuses(
            "io.k8s.api.core.v1.Secret",
            json!({"data": {"a": "???"}}),
            "illegal base64 data at input byte 0",
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z0-9:.-]{0,12}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("spec".to_owned()),
            Just("metadata".to_owned()),
            Just("containers".to_owned()),
            Just("template".to_owned()),
            Just("name".to_owned()),
            Just("labels".to_owned()),
            "[a-z]{1,6}"
        ];
        leaf.prop_recursive(6, 64, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(key.clone(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_read_or_refused_and_reading_settles(value in any_json(), at in 0..771_usize) {
            let name = definitions().nth(at).unwrap();
            let schema = builtin(name).unwrap();
            let mut once = value;
            if schema.check(&mut once).type_error.is_none() {
                let mut twice = once.clone();
                prop_assert_eq!(schema.check(&mut twice), Checked::default());
                prop_assert_eq!(&twice, &once);
            }
            schema.default(&mut once);
            schema.complete(&mut once);
        }
    }
}
