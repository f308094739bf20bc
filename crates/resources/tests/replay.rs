//! What real API servers answered, request by request, compared with what a whole registry answers: codes,
//! messages, causes, objects, and who owns their fields.
//!
//! Admission, authorisation and HTTP are not in it. Cases that do not match yet stand in `golden/replay-open.txt`,
//! which may only shrink.

#![cfg(test)]

mod recorded;

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::resource::CUSTOM_RESOURCE_DEFINITIONS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, Status, UserInfo};
use warren_reconciler::Part;
use warren_registry::admission::AdmitAll;
use warren_registry::definition::Definition;
use warren_registry::request::delete_options;
use warren_registry::reserve::{Cidr, LocalAddresses};
use warren_registry::{
    Catalogue, Deleted, FieldValidation, NoReviews, NoTokens, Parts, Patch, Registry, Request, Warnings,
};
use warren_storage::{Journal, MemoryJournal, Silent, Store};

use recorded::{Address, OBJECTS, REQUESTS, differences, settle, strip_pod};

/// Requests that the edge or admission answers.
const ELSEWHERE: [usize; 6] = [9, 12, 17, 22, 51, 77];
const OPEN: &str = include_str!("golden/replay-open.txt");

fn registry() -> Arc<Registry> {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let id = ClusterId::new("golden");
    journal.create(&id, None).unwrap();
    let opened = journal.open(&id).unwrap();
    Registry::new(Parts {
        store: Store::open(id, journal, opened, Arc::new(Silent)),
        catalogue: Arc::new(Catalogue::new(warren_resources::definitions())),
        admission: Arc::new(AdmitAll),
        reserve: Arc::new(LocalAddresses::new(Cidr::new([10, 96, 0, 0], 16))),
        reviews: Arc::new(NoReviews),
        tokens: Arc::new(NoTokens),
        converter: Arc::new(warren_registry::NoConverter),
        clock: Arc::new(|| "2026-11-22T09:59:32Z".parse().unwrap()),
    })
}

/// Where a request goes.
struct Target {
    definition: Arc<Definition>,
    version: String,
    key: ObjectKey,
    part: Part,
}

impl Target {
    fn of(registry: &Registry, path: &str) -> Option<Target> {
        let address = Address::of(path)?;
        let catalogue = registry.catalogue();
        let (definition, _) = catalogue.served(address.group, address.version, address.plural)?;
        Some(Target {
            definition: Arc::clone(definition),
            version: address.version.to_owned(),
            key: ObjectKey::namespaced(address.namespace, address.name),
            part: match address.subresource {
                "" => Part::Main,
                "status" => Part::Status,
                "scale" => Part::Sub("scale"),
                _ => return None,
            },
        })
    }
}

/// Sends one recorded request; `None` where it asks for something that the registry does not answer.
async fn send(registry: &Arc<Registry>, case: &Value, warnings: &Warnings) -> Option<(i64, Value)> {
    let request = case.field("request");
    let path = request.text("/path");
    let target = Target::of(registry, path)?;
    let user = UserInfo::system("admin");
    let manager = path
        .split_once("fieldManager=")
        .map_or("", |(_, rest)| rest.split('&').next().unwrap_or_default());
    let mut cx = Request::new(&user, manager, &target.version, warnings);
    cx.dry_run = path.contains("dryRun=All");
    cx.field_validation = if path.contains("fieldValidation=Strict") {
        FieldValidation::Strict
    } else {
        FieldValidation::Warn
    };
    let definition = &target.definition;
    let key = &target.key;
    let read = |object: &Arc<warren_apimachinery::Object>| {
        if target.part == Part::Sub("scale") {
            return object.to_value();
        }
        serde_json::from_slice(&registry.answer(definition, &target.version, object)).unwrap()
    };
    let body = request.field("body").clone();
    let answer: Result<(i64, Value), Status> = match request.text("/method") {
        "GET" if !key.name.is_empty() => registry
            .read_part(definition, target.part, key)
            .await
            .map(|object| (200, read(&object))),
        "POST" if key.name.is_empty() && body.is_object() && !definition.is_review() => registry
            .create(&cx, definition, &key.namespace, body)
            .await
            .map(|object| (201, read(&object))),
        "PUT" => registry
            .update(&cx, definition, target.part, key, body)
            .await
            .map(|written| (200, read(&written.object))),
        "PATCH" => {
            let patch = patch(request.text("/contentType"), body.as_str()?, path.contains("force=true"))?;
            let written = registry.patch(&cx, definition, target.part, key, patch).await;
            written.map(|written| {
                let code = if written.created { 201 } else { 200 };
                (code, read(&written.object))
            })
        }
        "DELETE" => match delete_options(&body) {
            Ok(options) => registry
                .delete(&cx, definition, key, options)
                .await
                .map(|deleted| match deleted {
                    Deleted::Gone(details) => (
                        200,
                        json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "details": details}),
                    ),
                    Deleted::Last(object) | Deleted::Marked(object) => (200, read(&object)),
                }),
            Err(status) => Err(status),
        },
        _ => return None,
    };
    Some(answer.unwrap_or_else(|status| (status.code().into(), serde_json::to_value(&status).unwrap())))
}

/// A recorded patch; `None` for what the edge refuses before the registry sees it.
fn patch(content_type: &str, body: &str, force: bool) -> Option<Patch> {
    let json = || serde_json::from_str::<Value>(body).ok();
    Some(match content_type {
        "application/json-patch+json" => Patch::Json(json()?),
        "application/merge-patch+json" => Patch::Merge(json()?),
        "application/strategic-merge-patch+json" => Patch::Strategic(json()?),
        "application/apply-patch+yaml" => Patch::Apply {
            configuration: yaml(body)?,
            force,
        },
        _ => return None,
    })
}

/// The recorded applies are all of this form.
fn yaml(text: &str) -> Option<Value> {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    let name = text.split_once("name: ")?.1.split('}').next()?;
    object.set("/metadata/name", name);
    if let Some((_, data)) = text.split_once("\ndata: {") {
        for pair in data.split('}').next()?.split(", ") {
            let (key, value) = pair.split_once(": ")?;
            object.set(&format!("/data/{key}"), value.trim_matches('"'));
        }
    }
    Some(object)
}

/// Takes out what differs each time and what admission and controllers added.
fn strip(object: &mut Value) {
    for field in ["resourceVersion", "uid", "creationTimestamp"] {
        object.take_at(&format!("/metadata/{field}"));
    }
    object.take_at("/details/uid");
    for at in 0..object.items("/metadata/managedFields").len() {
        object.take_at(&format!("/metadata/managedFields/{at}/time"));
    }
    match object.text("/kind") {
        "Pod" => strip_pod(
            object,
            &[
                "tolerations",
                "priority",
                "preemptionPolicy",
                "serviceAccount",
                "serviceAccountName",
            ],
        ),
        "Node" => {
            object.take_at("/spec/taints");
        }
        "Scale" => {
            object.take_at("/status/replicas");
        }
        "Service" => {
            if object.text("/spec/clusterIP") != "None" {
                for field in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
                    object.take_at(&format!("/spec/{field}"));
                }
            }
            for at in 0..object.items("/spec/ports").len() {
                object.take_at(&format!("/spec/ports/{at}/nodePort"));
            }
        }
        _ => {}
    }
}

/// Uids stand in messages too.
fn without_uids(value: &Value) -> Value {
    let mut text = value.to_string();
    while let Some(at) = uid_at(&text) {
        text.replace_range(at..at + 36, "UID");
    }
    serde_json::from_str(&text).unwrap()
}

fn uid_at(text: &str) -> Option<usize> {
    let is_uid = |window: &[u8]| {
        window.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    text.as_bytes().windows(36).position(is_uid)
}

async fn compare(registry: &Arc<Registry>, case: &Value) -> Option<Vec<String>> {
    let warnings = Warnings::default();
    let (code, answer) = send(registry, case, &warnings).await?;
    let (mut ours, mut theirs) = (without_uids(&answer), without_uids(case.field("response")));
    strip(&mut ours);
    strip(&mut theirs);
    let mut found = Vec::new();
    differences("/code", &code.into(), case.field("status"), &mut found);
    differences("", &ours, &theirs, &mut found);
    let said: Vec<String> = warnings
        .take()
        .iter()
        .map(|text| format!("299 - {text:?}"))
        .collect();
    differences("/warnings", &json!(said), case.field("warnings"), &mut found);
    Some(found)
}

#[tokio::test]
async fn a_registry_answers_as_upstream_does() {
    let registry = registry();
    let objects: Vec<Value> = serde_json::from_str(OBJECTS).unwrap();
    let mut differing = Vec::new();
    for mut case in objects {
        let path = format!("{}?fieldManager=golden", case.text("/request/path"));
        case.set("/request/path", path);
        let body = case.at("/request/body");
        let name = format!("{} {}", body.text("/kind"), body.text("/metadata/name"));
        let found = compare(&registry, &case).await.unwrap();
        if !found.is_empty() {
            differing.push((name, found));
        }
    }
    let mut problems = settle(OPEN, "create:", &differing);
    let crds = registry
        .store()
        .snapshot()
        .list(&CUSTOM_RESOURCE_DEFINITIONS.group_resource(), None)
        .map(|object| Arc::new(warren_resources::custom::definition(&object.to_value()).unwrap()))
        .collect();
    registry.set_custom(crds);
    // What was there before the first recorded request.
    let setup = json!({"request": {"method": "POST", "path": "/api/v1/namespaces/default/configmaps",
        "body": {"metadata": {"name": "e1"}, "data": {"a": "1"}}}});
    send(&registry, &setup, &Warnings::default()).await.unwrap();
    let requests: Vec<Value> = serde_json::from_str(REQUESTS).unwrap();
    let mut compared = 0;
    let mut differing = Vec::new();
    for (at, case) in requests.iter().enumerate() {
        if ELSEWHERE.contains(&at) {
            continue;
        }
        let Some(found) = compare(&registry, case).await else {
            continue;
        };
        compared += 1;
        if !found.is_empty() {
            let request = case.field("request");
            let name = format!("{at} {} {}", request.text("/method"), request.text("/path"));
            differing.push((name, found));
        }
    }
    assert!(compared >= 50, "only {compared} requests were compared");
    problems.extend(settle(OPEN, "request:", &differing));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
