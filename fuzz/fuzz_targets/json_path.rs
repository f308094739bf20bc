//! Paths of printer columns: whatever comes is refused, or leads somewhere in an object within bounds. The path is the
//! first line, the object the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use warren_resources::custom::json_path::JsonPath;

fuzz_target!(|text: &str| {
    let (path, object) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(path) = JsonPath::parse(path) else {
        return;
    };
    let object: Value = serde_json::from_str(object).unwrap_or_default();
    path.first(&object);
});
