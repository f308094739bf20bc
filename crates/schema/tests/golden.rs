//! Compares decoding and defaulting with objects that a real kube-apiserver 1.36.2 answered.

use serde_json::Value;
use warren_schema::{Ref, definition_for};

/// What the server, the strategies of kinds, admission or controllers add, and so not the schema: JSON
/// pointers without indexes. What stands here is nobody's but theirs.
const NOT_OURS: &str = include_str!("not-ours.txt");

fn without_indexes(pointer: &str) -> String {
    pointer
        .split('/')
        .filter(|part| part.is_empty() || part.parse::<usize>().is_err())
        .collect::<Vec<_>>()
        .join("/")
}

fn differences(ours: &Value, theirs: &Value, at: &str, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let at = format!("{at}/{}", key.replace('/', "~1"));
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differences(a, b, &at, found),
                    _ => found.push(at),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{at}/{index}"), found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn reads_and_defaults_every_kind_as_the_real_server_does() {
    let golden: Vec<Value> = serde_json::from_str(include_str!("defaulted-objects.json")).unwrap();
    let mut unexpected = Vec::new();
    let mut unused: Vec<&str> = NOT_OURS
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .collect();
    for case in golden {
        let mut object = case["request"].clone();
        let (api_version, kind) = (
            object["apiVersion"].as_str().unwrap(),
            object["kind"].as_str().unwrap().to_owned(),
        );
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let definition = definition_for(group, version, &kind).unwrap();
        let schema = Ref::Named(definition.into()).get();
        let checked = schema.check(&mut object);
        assert_eq!(checked, Default::default(), "{kind}");
        schema.default(&mut object);
        schema.complete(&mut object);
        let mut found = Vec::new();
        differences(&object, &case["response"], "", &mut found);
        for pointer in found {
            let line = format!("{kind} {}", without_indexes(&pointer));
            let known = NOT_OURS
                .lines()
                .find(|l| line.starts_with(*l) || line.replacen(&kind, "*", 1).starts_with(*l));
            match known.filter(|l| !l.is_empty()) {
                Some(known) => unused.retain(|l| l != &known),
                None => unexpected.push(line),
            }
        }
        // What the server answers is settled: reading it again changes nothing.
        let mut again = case["response"].clone();
        assert_eq!(schema.check(&mut again), Default::default(), "{kind}");
        schema.default(&mut again);
        schema.complete(&mut again);
        let mut found = Vec::new();
        differences(&again, &case["response"], "", &mut found);
        assert_eq!(found, Vec::<String>::new(), "{kind} is not settled");
    }
    assert_eq!(unexpected, Vec::<String>::new());
    assert_eq!(
        unused,
        Vec::<&str>::new(),
        "these lines of not-ours.txt are not needed"
    );
}
