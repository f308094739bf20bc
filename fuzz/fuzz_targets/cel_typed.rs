//! Expressions over values that a schema describes: parsing, checking, estimating and evaluating whatever is written
//! ends soon, within its budget and without panic; so do selectors of devices and regular expressions.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use warren_cel::{Bindings, Declared, Environment, Expression, check_selector};

const BUDGET: u64 = 20_000;

static SCHEMA: LazyLock<Arc<Declared>> = LazyLock::new(|| {
    let schema = json!({"type": "object", "properties": {
        "s": {"type": "string", "maxLength": 20},
        "i": {"type": "integer"},
        "n": {"type": "number"},
        "t": {"type": "string", "format": "date-time"},
        "d": {"type": "string", "format": "duration"},
        "b": {"type": "string", "format": "byte"},
        "p": {"x-kubernetes-int-or-string": true},
        "any": {"x-kubernetes-preserve-unknown-fields": true},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "l": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}},
        "m": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}}}});
    Declared::of_schema(&schema, false).expect("the schema declares an object")
});

static OBJECT: LazyLock<Value> = LazyLock::new(|| {
    json!({"s": "text é", "i": -3, "n": 2.5, "t": "2024-02-29T12:34:56+02:00", "d": "1h30m", "b": "aGVsbG8=", "p": "50%",
        "any": {"x": [1, null, {"y": "z"}]}, "set": ["a", "b"], "l": [{"k": "a", "v": 1}, {"k": "b"}],
        "m": {"k": [1, 2, 3]}})
});

fuzz_target!(|data: &[u8]| {
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    let _ = check_selector(source);
    let _ = warren_apimachinery::regexp::fault(source);
    let environment = Environment::new()
        .declared("self", "selfType", &SCHEMA)
        .declared("oldSelf", "selfType", &SCHEMA);
    if let Ok(expression) = Expression::check(&environment, source)
        && let Ok(program) = expression.program()
    {
        let estimate = expression.estimate();
        assert!(estimate.min <= estimate.max || estimate.max == u64::MAX, "{estimate:?}");
        let bindings = Bindings::new()
            .declared("self", &OBJECT, &SCHEMA)
            .declared("oldSelf", &OBJECT, &SCHEMA);
        let outcome = program.evaluate_within(&bindings, BUDGET);
        assert!(outcome.value.is_err() || outcome.cost <= BUDGET, "{}", outcome.cost);
        let _ = outcome.value.map(|value| value.to_string());
    }
});
