//! What holds for every patch and every object.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_schema::Schema;

use crate::managed::compare;
use crate::testing::deployment;
use crate::{Apply, ApplyError, FieldSet, OwnershipUpdate, apply, json_patch, strategic_merge, update};

/// Names that the schema knows, names that direct patches, and others.
const NAMES: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "status",
    "data",
    "labels",
    "finalizers",
    "managedFields",
    "template",
    "containers",
    "name",
    "ports",
    "containerPort",
    "protocol",
    "strategy",
    "selector",
    "conditions",
    "type",
    "$patch",
    "$retainKeys",
    "$setElementOrder/containers",
    "$setElementOrder/finalizers",
    "$deleteFromPrimitiveList/finalizers",
    "$deleteFromPrimitiveList",
    "fieldsV1",
    "f:spec",
    "k:{\"name\":1}",
    "k:",
    "v:1",
    "i:0",
    ".",
    "operation",
    "manager",
    "op",
    "path",
    "from",
    "value",
    "other",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "", "a", "delete", "replace", "merge", "Apply", "add", "copy", "/spec/-", "/a/0/-1"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

/// An object of the test schema, without empty maps and lists: those are gone when their last entry is taken
/// back, even where they are applied as empty.
fn object() -> impl Strategy<Value = Value> {
    let text = || prop::sample::select(vec!["x", "y", "z"]);
    let map = move || prop::collection::btree_map(text(), text(), 1..3).prop_map(|map| json!(map));
    let port = (80i64..83, prop::sample::select(vec!["TCP", "UDP"]), any::<bool>()).prop_map(
        |(port, protocol, plain)| {
            if plain {
                json!({"containerPort": port})
            } else {
                json!({"containerPort": port, "protocol": protocol})
            }
        },
    );
    let ports = prop::collection::vec(port, 1..3).prop_map(|list| {
        unique(list, |port| {
            format!(
                "{}{}",
                port.at("/containerPort"),
                port.text("/protocol").replace("TCP", "")
            )
        })
    });
    let container = (text(), text(), ports)
        .prop_map(|(name, image, ports)| json!({"name": name, "image": image, "ports": ports}));
    let containers =
        prop::collection::vec(container, 1..4).prop_map(|list| unique(list, |c| c.text("/name").to_owned()));
    let finalizers = prop::collection::btree_set(text(), 1..3).prop_map(|set| json!(set));
    let parts = (
        prop::option::of(map()),
        prop::option::of(map()),
        prop::option::of(finalizers),
        prop::option::of(0i64..3),
        prop::option::of(containers),
        prop::option::of(map()),
    );
    parts.prop_map(|(labels, data, finalizers, replicas, containers, selector)| {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}});
        let fields = [
            ("/metadata/labels", labels),
            ("/data", data),
            ("/metadata/finalizers", finalizers),
            ("/spec/replicas", replicas.map(Value::from)),
            ("/spec/template/spec/containers", containers),
            ("/spec/selector/matchLabels", selector),
        ];
        for (pointer, value) in fields {
            if let Some(value) = value {
                object.set(pointer, value);
            }
        }
        object
    })
}

fn unique(list: Vec<Value>, key: impl Fn(&Value) -> String) -> Value {
    let mut seen = Vec::new();
    Value::Array(
        list.into_iter()
            .filter(|item| {
                let key = key(item);
                let is_new = !seen.contains(&key);
                seen.push(key);
                is_new
            })
            .collect(),
    )
}

fn applied(
    schema: &Schema,
    live: Option<&Value>,
    configuration: &Value,
    manager: &str,
    now: &str,
) -> Result<Value, ApplyError> {
    apply(Apply {
        schema,
        live,
        configuration,
        manager,
        api_version: "apps/v1",
        kind: "Deployment",
        subresource: "",
        force: true,
        now,
        reset: &[],
        in_version: &|_, _, _| None,
    })
}

fn written(schema: &Schema, before: Option<&Value>, mut after: Value, manager: &str) -> Value {
    update(OwnershipUpdate {
        schema,
        before,
        after: &mut after,
        manager,
        api_version: "apps/v1",
        subresource: "",
        now: "2026-01-01T00:00:00Z",
        reset: &[],
        in_version: &|_, _, _| None,
    });
    after
}

/// The elements of `list` whose name is not in `names`, in order.
fn others(list: &[Value], names: &[Value]) -> Vec<Value> {
    list.iter()
        .filter(|item| !names.iter().any(|n| n.at("/name") == item.at("/name")))
        .cloned()
        .collect()
}

/// The merge patch that makes `b` of `a`.
fn difference(a: &Value, b: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (a, b) else {
        return b.clone();
    };
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let gone = gone.map(|name| (name.clone(), Value::Null));
    let set = new.iter().filter_map(|(name, value)| match old.get(name) {
        Some(was) if was == value => None,
        Some(was) => Some((name.clone(), difference(was, value))),
        None => Some((name.clone(), value.clone())),
    });
    gone.chain(set).collect()
}

proptest! {
    #[test]
    fn the_merge_patch_between_two_objects_makes_one_of_the_other(a in object(), b in object()) {
        let mut made = a.clone();
        crate::merge_patch(&mut made, &difference(&a, &b)).unwrap();
        prop_assert_eq!(made, b);
    }

    #[test]
    fn the_json_patch_that_replaces_each_field_makes_one_of_the_other(a in object(), b in object()) {
        let gone = a.as_object().unwrap().keys().map(|name| json!({"op": "remove", "path": format!("/{name}")}));
        let set = b.as_object().unwrap().iter();
        let set = set.map(|(name, value)| json!({"op": "add", "path": format!("/{name}"), "value": value}));
        let patch: Value = gone.chain(set).collect();
        let mut made = a.clone();
        json_patch(&mut made, &patch).unwrap();
        prop_assert_eq!(made, b);
    }

    #[test]
    fn nothing_panics_on_arbitrary_json(a in any_json(), b in any_json(), c in any_json()) {
        let schema = deployment();
        let _ = json_patch(&mut a.clone(), &b);
        let _ = json_patch(&mut a.clone(), &json!([b]));
        let _ = crate::merge_patch(&mut a.clone(), &b);
        let _ = strategic_merge(&schema, &mut a.clone(), &b);
        let _ = FieldSet::parse(&a);
        let _ = FieldSet::of(&schema, &a);
        let _ = compare(&schema, &a, &b);
        let _ = written(&schema, Some(&a), b.clone(), "m");
        let _ = applied(&schema, Some(&a), &b, "kubectl", "now");
        for mut object in [a, b] {
            object.set("/apiVersion", "apps/v1");
            object.set("/kind", "Deployment");
            let _ = applied(&schema, Some(&c), &object, "kubectl", "now");
        }
    }

    #[test]
    fn a_field_set_reads_what_it_writes(value in any_json(), other in object()) {
        let schema = deployment();
        for set in [FieldSet::of(&schema, &value), FieldSet::of(&schema, &other)] {
            prop_assert_eq!(FieldSet::parse(&set.to_value()).unwrap(), set);
        }
    }

    #[test]
    fn sets_obey_the_laws_of_sets(a in object(), b in object()) {
        let schema = deployment();
        let (a, b) = (FieldSet::of(&schema, &a), FieldSet::of(&schema, &b));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert!(a.difference(&a).is_empty());
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
    }

    #[test]
    fn an_object_differs_from_itself_in_nothing(a in object(), b in object()) {
        let schema = deployment();
        prop_assert!(compare(&schema, &a, &a).unwrap().is_empty());
        let (there, back) = (compare(&schema, &a, &b).unwrap(), compare(&schema, &b, &a).unwrap());
        prop_assert_eq!(there.added, back.removed);
        prop_assert_eq!(there.changed, back.changed);
    }

    #[test]
    fn the_same_apply_twice_is_one(live in prop::option::of(object()), configuration in object()) {
        let schema = deployment();
        let live = live.map(|live| written(&schema, None, live, "creator"));
        let once = applied(&schema, live.as_ref(), &configuration, "m", "2026-01-01T00:00:01Z").unwrap();
        let twice = applied(&schema, Some(&once), &configuration, "m", "2026-01-01T00:00:02Z").unwrap();
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn an_apply_sets_what_it_says_and_takes_back_what_it_said_before(
        live in object(), first in object(), second in object()
    ) {
        let schema = deployment();
        let live = written(&schema, None, live, "creator");
        let once = applied(&schema, Some(&live), &first, "m", "1").unwrap();
        let twice = applied(&schema, Some(&once), &second, "m", "2").unwrap();
        let has = FieldSet::of(&schema, &twice);
        let said = FieldSet::of(&schema, &second);
        prop_assert!(said.difference(&has).is_empty(), "{:?}", said.difference(&has));
        // Nothing is lost but what the manager had applied before.
        let lost = FieldSet::of(&schema, &once).difference(&has);
        let owners = FieldSet::of_names(&[&["metadata", "managedFields"]]);
        let unsaid = lost.difference(&FieldSet::of(&schema, &first)).difference(&owners);
        prop_assert!(unsaid.is_empty(), "{unsaid:?}");
    }

    #[test]
    fn every_field_of_a_create_is_owned_once(object in object()) {
        let schema = deployment();
        let object = written(&schema, None, object, "m");
        let mut owned = FieldSet::new();
        for entry in object.items("/metadata/managedFields") {
            owned = owned.union(&FieldSet::parse(entry.at("/fieldsV1")).unwrap());
        }
        let unowned = FieldSet::of(&schema, &object).difference(&owned);
        for path in unowned.paths() {
            let path: Vec<_> = path.iter().map(ToString::to_string).collect();
            prop_assert!(
                [".apiVersion", ".kind", ".metadata.name"].contains(&path.concat().as_str())
                    || path.concat().starts_with(".metadata.managedFields"),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_strategic_merge_keeps_the_other_elements(a in object(), b in object()) {
        let pointer = "/spec/template/spec/containers";
        let mut merged = a.clone();
        strategic_merge(&deployment(), &mut merged, &b).unwrap();
        let (before, patch, after) = (a.items(pointer), b.items(pointer), merged.items(pointer));
        prop_assert_eq!(others(before, patch), others(after, patch));
        for container in patch {
            let found = after.iter().find(|c| c.at("/name") == container.at("/name"));
            prop_assert_eq!(found.map(|c| c.text("/image")), Some(container.text("/image")));
        }
    }

    #[test]
    fn a_strategic_merge_of_scalars_is_a_union(a in object(), b in object()) {
        let mut merged = a.clone();
        strategic_merge(&deployment(), &mut merged, &b).unwrap();
        let list = |o: &Value| o.items("/metadata/finalizers").to_vec();
        for item in list(&a).iter().chain(&list(&b)) {
            prop_assert_eq!(list(&merged).iter().filter(|other| *other == item).count(), 1);
        }
    }

    #[test]
    fn a_strategic_merge_without_lists_is_a_merge(a in object(), labels in prop::collection::btree_map("[x-z]", prop::option::of("[a-b]"), 0..3)) {
        let patch = json!({"metadata": {"labels": labels}, "data": labels});
        let (mut one, mut other) = (a.clone(), a);
        strategic_merge(&deployment(), &mut one, &patch).unwrap();
        crate::merge_patch(&mut other, &patch).unwrap();
        prop_assert_eq!(one, other);
    }
}

#[test]
fn maps_and_lists_of_depth_do_not_overflow() {
    let mut deep = Value::Object(Map::new());
    for _ in 0..500 {
        deep = json!({"properties": [deep], "x": {"y": 1}});
    }
    let schema = deployment();
    assert!(!FieldSet::of(&schema, &json!({"other": deep})).is_empty());
}
