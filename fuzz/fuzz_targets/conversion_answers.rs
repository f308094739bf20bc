//! Answers of conversion webhooks: whatever comes is refused, or is the object that was sent but for its content, its labels
//! and its annotations.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|body: &[u8]| {
    let sent = json!({"apiVersion": "example.com/v1", "kind": "Toy", "spec": {"a": 1},
        "metadata": {"name": "a", "namespace": "b", "uid": "c", "generation": 3, "labels": {"d": "e"}}});
    let Ok(answered) = warren_access::conversion_answer(body, &sent) else {
        return;
    };
    assert_eq!(answered.len(), 1);
    let mut converted = answered.into_iter().next().unwrap_or_default();
    assert_eq!(converted["apiVersion"], "example.com/v2");
    assert_eq!(converted["kind"], "Toy");
    let mut metadata = sent["metadata"].clone();
    for field in ["labels", "annotations"] {
        let texts = converted["metadata"].as_object_mut().and_then(|metadata| metadata.remove(field));
        let is_text = |texts: &Value| texts.as_object().is_some_and(|map| map.values().all(Value::is_string));
        assert!(texts.as_ref().is_none_or(is_text));
        metadata.as_object_mut().map(|metadata| metadata.remove(field));
    }
    assert_eq!(converted["metadata"], metadata);
});
