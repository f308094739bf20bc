//! What holds for every built-in kind.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

#[test]
fn every_row_has_a_cell_for_each_column_whatever_the_object_lacks() {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    for definition in warren_resources::definitions() {
        let strategy = &definition.strategy;
        let cells = strategy.cells(&Value::Null, now);
        // Upstream gives the age of an IPAddress and does not say so.
        let unnamed = usize::from(definition.plural == "ipaddresses");
        assert_eq!(
            cells.len(),
            strategy.columns().len() + unnamed,
            "{}",
            definition.plural
        );
    }
}

#[test]
fn kinds_with_a_status_are_those_that_discovery_says() {
    for definition in warren_resources::definitions() {
        assert_eq!(
            definition.strategy.traits().status,
            definition.subresource("status").is_some(),
            "{}",
            definition.plural
        );
    }
}

#[test]
fn selectable_fields_do_not_depend_on_the_object() {
    for definition in warren_resources::definitions() {
        let mut object = Value::Null;
        let names = |object: &Value| -> Vec<String> {
            let fields = definition.strategy.fields(object);
            fields.iter().map(|(name, _)| name.to_string()).collect()
        };
        let before = names(&object);
        object.set("/spec/nodeName", "n");
        object.set("/status/phase", "Running");
        assert_eq!(names(&object), before, "{}", definition.plural);
    }
}

#[test]
fn defaulting_and_validating_nonsense_does_not_panic() {
    let shapes = [
        "[]",
        "1",
        "\"x\"",
        "{\"a\": [{}]}",
        "[{}]",
        "[[1]]",
        "null",
        "[1, \"x\"]",
    ];
    for definition in warren_resources::definitions() {
        for shape in shapes {
            let value: Value = serde_json::from_str(shape).unwrap();
            for field in [
                "metadata",
                "spec",
                "status",
                "rules",
                "subjects",
                "webhooks",
                "endpoints",
                "ports",
            ] {
                let mut object = Value::Null;
                object.set(&format!("/{field}"), value.clone());
                let strategy = &definition.strategy;
                let old = object.clone();
                strategy.default(&mut object);
                strategy.prepare_for_create(&mut object);
                strategy.prepare_for_update(&mut object, &old);
                strategy.validate(&object);
                strategy.validate_create(&object);
                strategy.validate_update(&object, &old);
                strategy.validate_status_update(&object, &old);
                strategy.warnings(&object, None);
            }
        }
    }
}
