//! Label and field selectors, and paths of fields in ownership.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = warren_apimachinery::LabelSelector::parse(text);
        let _ = warren_apimachinery::FieldSelector::parse(text);
        let _ = warren_patch::managed::PathElement::parse(text);
    }
    if let Ok(value) = serde_json::from_slice(data) {
        let _ = warren_apimachinery::LabelSelector::from_json(&value);
        let _ = warren_patch::FieldSet::parse(&value);
    }
});
