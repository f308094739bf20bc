//! What real API servers answered, compared with what the strategies make of the same requests.
//!
//! The strategies are driven directly, in the order of the registry's lifecycle: decode, default, prepare,
//! validate. What admission, reservation and controllers add to the recorded answers is taken out of them first.
//! Cases that do not match yet stand in `golden/open.txt`, which may only shrink.

#![expect(
    clippy::unwrap_used,
    reason = "a comparison that cannot read its fixtures has failed"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, field};
use warren_registry::definition::Definition;
use warren_schema::Schema;

const OBJECTS: &str = include_str!("golden/defaulted-objects-and-tables.json");
const REQUESTS: &str = include_str!("golden/requests-and-answers.json");
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
        let path = path.split('?').next()?;
        let mut parts = path.trim_start_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        let version = parts.next()?.to_owned();
        let mut rest: Vec<&str> = parts.collect();
        let mut namespace = "";
        if let ["namespaces", within, _, ..] = rest.as_slice() {
            namespace = within;
            rest.drain(..2);
        }
        let plural = rest.first()?;
        let definition = warren_resources::definitions()
            .into_iter()
            .find(|known| known.group == group && known.plural == *plural)?;
        Some(Target {
            definition,
            version,
            namespace: namespace.to_owned(),
            name: rest.get(1).copied().unwrap_or_default().to_owned(),
            subresource: rest.get(2).copied().unwrap_or_default().to_owned(),
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
        strategy.prepare_for_update(&mut new, old);
        let mut errors = strategy.validate(&new);
        errors.extend(strategy.validate_update(&new, old));
        errors
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
        "Pod" => strip_pod(object),
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

/// Service account, priority and tolerations are admission's.
fn strip_pod(pod: &mut Value) {
    for field in ["tolerations", "priority", "preemptionPolicy"] {
        pod.take_at(&format!("/spec/{field}"));
    }
    let is_token = |entry: &Value| entry.text("/name").starts_with("kube-api-access-");
    let mut lists = vec!["/spec/volumes".to_owned()];
    lists.extend(
        (0..pod.items("/spec/containers").len()).map(|at| format!("/spec/containers/{at}/volumeMounts")),
    );
    for list in lists {
        let kept: Vec<Value> = pod
            .items(&list)
            .iter()
            .filter(|entry| !is_token(entry))
            .cloned()
            .collect();
        if kept.is_empty() {
            pod.take_at(&list);
        } else {
            pod.set(&list, kept);
        }
    }
}

/// What differs, as JSON pointers with both sides.
fn differences(pointer: &str, ours: &Value, theirs: &Value, out: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let next = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                match (a.get(key), b.get(key)) {
                    (Some(ours), Some(theirs)) => differences(&next, ours, theirs, out),
                    (ours, theirs) => out.push(format!("{next}: ours {ours:?}, theirs {theirs:?}")),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (ours, theirs)) in a.iter().zip(b).enumerate() {
                differences(&format!("{pointer}/{at}"), ours, theirs, out);
            }
        }
        _ if ours == theirs => {}
        _ => out.push(format!("{pointer}: ours {ours}, theirs {theirs}")),
    }
}

/// Compares the cases that failed with the committed list of open ones.
fn settle(prefix: &str, failed: Vec<(String, Vec<String>)>) {
    let open: BTreeSet<&str> = OPEN
        .lines()
        .filter_map(|line| line.strip_prefix(prefix))
        .map(str::trim)
        .collect();
    let mut problems = Vec::new();
    for (case, why) in &failed {
        if !open.contains(case.as_str()) {
            problems.push(format!("{prefix} {case}\n    {}", why.join("\n    ")));
        }
    }
    for case in &open {
        if !failed.iter().any(|(name, _)| name == case) {
            problems.push(format!("{prefix} {case}: matches now, take it out of open.txt"));
        }
    }
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
    settle("object:", failed);
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
    settle("row:", failed);
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
    settle("refusal:", failed);
}
