//! What real API servers answered, compared with what the strategies make of the same requests.
//!
//! The strategies are driven directly, in the order of the registry's lifecycle: decode, default, prepare,
//! validate. What admission, reservation and controllers add to the recorded answers is taken out of them first.
//! Cases that do not match yet stand in `golden/open.txt`, which may only shrink.

#![expect(
    clippy::unwrap_used,
    reason = "a comparison that cannot read its fixtures has failed"
)]

mod recorded;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, field};
use warren_registry::definition::Definition;
use warren_registry::reserve::service;
use warren_schema::Schema;

use recorded::{Address, OBJECTS, REQUESTS, differences, strip_pod};

const OPEN: &str = include_str!("golden/open.txt");

/// Where a request goes.
struct Target {
    definition: Arc<Definition>,
    version: String,
    namespace: String,
    name: String,
    subresource: String,
}

impl Target {
    /// Reads `/api/v1/namespaces/default/pods/x/status` and the like; `None` for what is not built in.
    fn of(path: &str) -> Option<Target> {
        let address = Address::of(path)?;
        let definition = warren_resources::definitions()
            .into_iter()
            .find(|known| known.group == address.group && known.plural == address.plural)?;
        Some(Target {
            definition,
            version: address.version.to_owned(),
            namespace: address.namespace.to_owned(),
            name: address.name.to_owned(),
            subresource: address.subresource.to_owned(),
        })
    }

    fn schema(&self) -> Arc<Schema> {
        self.definition.version(&self.version).unwrap().schema.get()
    }

    fn storage_schema(&self) -> Arc<Schema> {
        let storage = &self.definition.storage_version;
        let name = warren_schema::definition_for(&storage.group, &storage.version, &storage.kind).unwrap();
        warren_schema::builtin(name).unwrap()
    }

    /// Decoded, defaulted, in the storage version.
    fn decode(&self, body: &Value) -> Value {
        let mut object = body.clone();
        let schema = self.schema();
        let checked = schema.check(&mut object);
        assert_eq!(checked.type_error, None, "{body}");
        let strategy = &self.definition.strategy;
        schema.default(&mut object);
        strategy.convert_to_storage(&self.version, &mut object);
        self.storage_schema().default(&mut object);
        strategy.default(&mut object);
        if self.definition.is_namespaced() {
            object.set("/metadata/namespace", self.namespace.as_str());
        }
        object
    }

    /// The way of a create up to its commit; `uid` and `created` are what the registry would fill in.
    fn create(&self, body: &Value, uid: &str, created: &str) -> (Value, Vec<field::Error>) {
        let strategy = &self.definition.strategy;
        let traits = strategy.traits();
        let mut object = self.decode(body);
        if traits.status {
            object.take_at("/status");
        }
        object.set("/metadata/uid", uid);
        object.set("/metadata/creationTimestamp", created);
        if traits.generation {
            object.set("/metadata/generation", 1);
        }
        self.settle_addresses(&mut object, None);
        strategy.prepare_for_create(&mut object);
        let mut errors = strategy.validate(&object);
        errors.extend(strategy.validate_create(&object));
        (object, errors)
    }

    /// The way of an update up to its commit.
    fn update(&self, old: &Value, new: &Value) -> Vec<field::Error> {
        let strategy = &self.definition.strategy;
        let mut new = self.decode(new);
        if strategy.traits().status {
            new.set("/status", old.field("status").clone());
        }
        self.settle_addresses(&mut new, Some(old));
        strategy.prepare_for_update(&mut new, old);
        strategy.validate_replacement(&new, old)
    }

    /// What the registry does to services before their strategy sees them.
    fn settle_addresses(&self, new: &mut Value, old: Option<&Value>) {
        if self.definition.plural == "services" {
            service::normalize(new, old);
            service::default_families(new, old);
        }
    }

    /// As a client of the request's version reads it.
    fn answer(&self, mut object: Value) -> Value {
        self.storage_schema().default(&mut object);
        self.storage_schema().complete(&mut object);
        self.definition
            .strategy
            .convert_from_storage(&self.version, &mut object);
        self.definition.stamp(&self.version, &mut object);
        self.schema().complete(&mut object);
        object
    }
}

fn objects() -> Vec<Value> {
    serde_json::from_str(OBJECTS).unwrap()
}

fn case_name(case: &Value) -> String {
    let body = case.at("/request/body");
    format!("{} {}", body.text("/kind"), body.text("/metadata/name"))
}

/// Takes out of a recorded object what other parts than its strategy put there, and what differs each time.
fn strip(object: &mut Value) {
    if let Some(metadata) = object.object_at("/metadata") {
        for field in ["managedFields", "resourceVersion", "finalizers"] {
            metadata.remove(field);
        }
    }
    match object.text("/kind") {
        // Service account, priority and tolerations are admission's.
        "Pod" => strip_pod(object, &["tolerations", "priority", "preemptionPolicy"]),
        "Node" => {
            object.take_at("/spec/taints");
        }
        "Service" if object.text("/spec/clusterIP") != "None" => {
            for field in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
                object.take_at(&format!("/spec/{field}"));
            }
            for at in 0..object.items("/spec/ports").len() {
                object.take_at(&format!("/spec/ports/{at}/nodePort"));
            }
        }
        "CustomResourceDefinition" => {
            object.take_at("/status");
        }
        _ => {}
    }
}

/// Nothing may differ that the list does not hold.
fn settle(prefix: &str, failed: &[(String, Vec<String>)]) {
    let problems = recorded::settle(OPEN, prefix, failed);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn objects_read_back_as_upstream_defaults_them() {
    let mut failed = Vec::new();
    for case in objects() {
        let target = Target::of(case.text("/request/path")).unwrap();
        let mut theirs = case.field("response").clone();
        let (uid, created) = (
            theirs.text("/metadata/uid").to_owned(),
            theirs.text("/metadata/creationTimestamp").to_owned(),
        );
        let (object, errors) = target.create(case.at("/request/body"), &uid, &created);
        let mut ours = target.answer(object);
        let mut found: Vec<String> = errors.iter().map(|error| format!("refused: {error}")).collect();
        strip(&mut ours);
        strip(&mut theirs);
        differences("", &ours, &theirs, &mut found);
        if !found.is_empty() {
            failed.push((case_name(&case), found));
        }
    }
    settle("object:", &failed);
}

#[test]
fn rows_read_as_kubectl_prints_them() {
    let mut failed = Vec::new();
    for case in objects() {
        let target = Target::of(case.text("/request/path")).unwrap();
        let strategy = &target.definition.strategy;
        let mut object = case.field("response").clone();
        strategy.convert_to_storage(&target.version, &mut object);
        let mut found = Vec::new();
        let columns: Vec<Value> = strategy
            .columns()
            .iter()
            .map(|column| {
                json!({"name": column.name, "type": column.kind, "format": column.format,
                    "priority": column.priority, "description": column.description})
            })
            .collect();
        let table = case.field("table");
        differences(
            "/columns",
            &json!(columns),
            table.field("columnDefinitions"),
            &mut found,
        );
        // Ages of zero seconds, whenever the row was made.
        let created: Timestamp = object.text("/metadata/creationTimestamp").parse().unwrap();
        let cells = json!([strategy.cells(&object, created)]);
        let mut theirs = table.field("cells").clone();
        if table.items("/cells/0").contains(&json!("1s")) {
            theirs = serde_json::from_str(&theirs.to_string().replace("\"1s\"", "\"0s\"")).unwrap();
        }
        differences("/cells", &cells, &theirs, &mut found);
        if !found.is_empty() {
            failed.push((case_name(&case), found));
        }
    }
    settle("row:", &failed);
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let map = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Whether a recorded refusal is a validation that the kind's strategy makes.
fn is_ours(case: &Value, target: &Target) -> bool {
    let causes = case.items("/response/details/causes");
    let elsewhere = ["metadata.", "dryRun", "fieldManager", "propagationPolicy"];
    // The allocator's, not the strategy's.
    let allocation = ["failed to allocate", "provided port is not in the valid range"];
    case.int("/status") == Some(422)
        && target.subresource.is_empty()
        && matches!(case.text("/request/method"), "POST" | "PATCH")
        && !causes.is_empty()
        && !causes.iter().any(|cause| {
            elsewhere
                .iter()
                .any(|field| cause.text("/field").starts_with(field))
                || allocation
                    .iter()
                    .any(|words| cause.text("/message").contains(words))
        })
}

#[test]
fn invalid_objects_are_refused_in_upstreams_words() {
    let cases: Vec<Value> = serde_json::from_str(REQUESTS).unwrap();
    let objects = objects();
    let mut failed = Vec::new();
    let mut compared = 0;
    for (at, case) in cases.iter().enumerate() {
        let Some(target) = Target::of(case.text("/request/path")) else {
            continue;
        };
        if !is_ours(case, &target) {
            continue;
        }
        compared += 1;
        let (name, errors) = match case.text("/request/method") {
            "PATCH" => {
                let old = objects
                    .iter()
                    .map(|object| object.field("response"))
                    .find(|object| {
                        object.text("/metadata/name") == target.name
                            && object.text("/kind") == target.definition.kind
                    })
                    .unwrap();
                let mut new = old.clone();
                merge(
                    &mut new,
                    &serde_json::from_str(case.text("/request/body")).unwrap(),
                );
                (target.name.clone(), target.update(old, &new))
            }
            _ => {
                let body = case.at("/request/body");
                let name = body.text("/metadata/name").to_owned();
                (name, target.create(body, "uid", "2026-01-01T00:00:00Z").1)
            }
        };
        let definition = &target.definition;
        let ours = Status::invalid(&definition.group, &definition.kind, &name, &errors);
        let ours = serde_json::to_value(&ours).unwrap();
        let mut found = Vec::new();
        differences("", &ours, case.field("response"), &mut found);
        if !found.is_empty() {
            failed.push((format!("{at} {}", definition.kind), found));
        }
    }
    assert!(compared > 10, "only {compared} cases were compared");
    settle("refusal:", &failed);
}
