//! The four kinds of patches on an object, both as a stranger sends them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Two documents, told apart by a byte that is in no JSON.
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let read = |part: Option<&[u8]>| warren_apimachinery::decode_json(part?).ok().map(|decoded| decoded.value);
    let Some(patch) = read(parts.next()) else {
        return;
    };
    let live = read(parts.next()).unwrap_or_else(|| serde_json::json!({"apiVersion": "v1", "kind": "Pod"}));
    let schema = warren_schema::builtin("io.k8s.api.core.v1.Pod").expect("pods");
    let _ = warren_patch::json_patch(&mut live.clone(), &patch);
    let _ = warren_patch::merge_patch(&mut live.clone(), &patch);
    let _ = warren_patch::strategic_merge(&schema, &mut live.clone(), &patch);
    let _ = warren_patch::managed::compare(&schema, &live, &patch);
    let _ = warren_patch::FieldSet::of(&schema, &patch);
});
