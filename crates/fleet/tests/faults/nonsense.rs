//! Nonsense in every place of every kind: whatever is put there, a request is answered by its sense or refused, and
//! nothing panics.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use warren_fleet::{Embedded, Options};
use warren_schema::{Ref, Schema, Type};

use crate::client::{Client, Connection, tenant};

/// Valid objects of the built-in kinds.
const OBJECTS: &str = include_str!("../../../resources/tests/golden/defaulted-objects-and-tables.json");
/// Every so many of the mutations are sent, so that the test stays short; another part of them for each kind.
const STRIDE: usize = 23;

fn nonsense() -> Vec<Value> {
    vec![
        Value::Null,
        json!(""),
        json!(-1),
        json!(1e30),
        json!(i64::MAX),
        json!(true),
        json!("\u{0}é💥-%/../\n"),
        json!("1e400"),
        json!("-9999999999999Ei"),
        json!("9999-99-99T99:99:99Z"),
        json!("x".repeat(300)),
        json!([]),
        json!({}),
        json!([null]),
        json!([{}, {}]),
        json!({"": ""}),
        json!({"a/b/c": {"": [null]}}),
    ]
}

/// The places of a value, as JSON pointers; what is below `metadata.managedFields` is another test's.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, value)| (at.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (key, value) in below.into_iter().filter(|(key, _)| key != "managedFields") {
        let place = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        places(value, &place, out);
        out.push(place);
    }
}

/// Every so many of all mutations of an object, from the one at `from` on.
fn mutations(object: &Value, from: usize) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    places(object, "", &mut all);
    let odd = nonsense();
    let places = all
        .iter()
        .flat_map(|place| odd.iter().map(move |odd| (place, odd)));
    let chosen = places.skip(from % STRIDE).step_by(STRIDE);
    chosen
        .map(|(place, odd)| {
            let mut mutated = object.clone();
            *mutated.pointer_mut(place).unwrap() = odd.clone();
            (format!("{place} = {odd}"), mutated)
        })
        .collect()
}

/// Sends requests and collects those whose answers are none.
struct Probe {
    connection: Connection,
    wrong: BTreeSet<String>,
    sent: usize,
}

impl Probe {
    async fn send(&mut self, what: &str, method: &str, path: &str, media: &str, body: &Value) {
        self.sent += 1;
        let body = Bytes::from(body.to_string());
        assert!(body.len() < 3 << 20, "{method} {path}: {} bytes", body.len());
        let reply = self.connection.call(method, path, media, body).await;
        let (code, _, message) = reply.refusal();
        // Upstream answers some patches with 500, but in words; this is what a panic becomes.
        if code > 500 || message.contains("could not be answered") {
            self.wrong
                .insert(format!("{method} {path} {what}: {code} {message}"));
        }
    }
}

async fn embedded() -> (Embedded, Client, Probe) {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    embedded.virtual_cluster("demo", None).await.unwrap();
    let client = Client::admin(&tenant(&embedded, "demo"));
    let probe = Probe {
        connection: client.connect().await,
        wrong: BTreeSet::new(),
        sent: 0,
    };
    (embedded, client, probe)
}

#[tokio::test]
async fn in_valid_objects() {
    let (embedded, client, mut probe) = embedded().await;
    let entries: Vec<Value> = serde_json::from_str(OBJECTS).unwrap();
    for (at, entry) in entries.iter().enumerate() {
        let path = entry["request"]["path"].as_str().unwrap();
        let created = client.post(path, &entry["request"]["body"]).await.json();
        let name = created["metadata"]["name"].as_str().unwrap_or("none").to_owned();
        let mut object = entry["response"].clone();
        for gone in ["uid", "resourceVersion", "creationTimestamp"] {
            object["metadata"].as_object_mut().unwrap().remove(gone);
        }
        let (collection, one) = (format!("{path}?dryRun=All"), format!("{path}/{name}?dryRun=All"));
        for (at, (what, mutated)) in mutations(&object, at).into_iter().enumerate() {
            let json = "application/json";
            match at % 5 {
                0 | 1 => probe.send(&what, "POST", &collection, json, &mutated).await,
                2 => probe.send(&what, "PUT", &one, json, &mutated).await,
                3 => {
                    probe
                        .send(
                            &what,
                            "PATCH",
                            &one,
                            "application/strategic-merge-patch+json",
                            &mutated,
                        )
                        .await
                }
                _ => {
                    let apply = format!("{one}&fieldManager=m&force=true");
                    probe
                        .send(&what, "PATCH", &apply, "application/apply-patch+yaml", &mutated)
                        .await;
                }
            }
        }
    }
    assert!(probe.sent > 500, "{}", probe.sent);
    assert!(probe.wrong.is_empty(), "{:#?}", probe.wrong);
    assert_eq!(client.get("/readyz").await.code, 200);
    embedded.stop().await;
}

/// Deep enough for all that pods know. What knows itself ends here.
const DEPTH: usize = 9;

/// A value with every field that its schema knows.
fn filled(schema: &Ref, depth: usize, odd: &Value) -> Value {
    let schema: &Schema = &schema.get();
    if depth > DEPTH {
        return Value::Null;
    }
    match schema.kind {
        Type::Object => {
            let fields = schema.properties.iter();
            let mut map: Map<String, Value> = fields
                .map(|(name, field)| (name.to_string(), filled(field, depth + 1, odd)))
                .collect();
            if let Some(additional) = &schema.additional {
                map.insert("k".to_owned(), filled(additional, depth + 1, odd));
            }
            Value::Object(map)
        }
        Type::Array => match &schema.items {
            Some(items) => json!([filled(items, depth + 1, odd), filled(items, depth + 1, odd)]),
            None => json!([]),
        },
        // The right type and the wrong value, where there is such a one: the decoder would refuse another.
        Type::String | Type::IntOrString | Type::Quantity if odd.is_string() => odd.clone(),
        Type::Integer | Type::Number | Type::IntOrString | Type::Quantity => json!(-7),
        Type::Boolean => json!(true),
        Type::String => json!("x"),
        Type::Any => json!({"apiVersion": "v1", "kind": "X"}),
    }
}

#[tokio::test]
async fn in_every_field_that_a_kind_knows() {
    let (embedded, client, mut probe) = embedded().await;
    let catalogue = tenant(&embedded, "demo").registry().catalogue().clone();
    for definition in catalogue.iter() {
        if !definition.verbs.iter().any(|verb| verb == "create") {
            continue;
        }
        for version in &definition.versions {
            let group_version = definition.api_version(&version.name);
            let prefix = if definition.group.is_empty() {
                "api"
            } else {
                "apis"
            };
            let place = if definition.is_namespaced() {
                "/namespaces/default"
            } else {
                ""
            };
            let path = format!(
                "/{prefix}/{group_version}{place}/{}?dryRun=All",
                definition.plural
            );
            for odd in [
                json!(""),
                json!("x"),
                json!("💥/é*"),
                json!("2026-01-01T00:00:00Z"),
            ] {
                let mut object = filled(&version.schema, 0, &odd);
                definition.stamp(&version.name, &mut object);
                object["metadata"] = json!({"name": "x"});
                probe
                    .send(
                        &format!("filled with {odd}"),
                        "POST",
                        &path,
                        "application/json",
                        &object,
                    )
                    .await;
            }
        }
    }
    assert!(probe.sent > 200, "{}", probe.sent);
    assert!(probe.wrong.is_empty(), "{:#?}", probe.wrong);
    assert_eq!(client.get("/readyz").await.code, 200);
    embedded.stop().await;
}
