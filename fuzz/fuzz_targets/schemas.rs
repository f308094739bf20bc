//! Schemas of custom resources, and objects of theirs: whatever comes is refused or compiled, and an object that was
//! pruned and defaulted once is pruned no further. The input is a list of a schema and an object.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use warren_apimachinery::field::Path;
use warren_schema::from_json_schema;

fuzz_target!(|text: &[u8]| {
    let Ok([schema, mut object]) = serde_json::from_slice::<[Value; 2]>(text) else {
        return;
    };
    let Ok(schema) = from_json_schema(&schema) else {
        return;
    };
    if schema.check(&mut object).type_error.is_some() {
        return;
    }
    let mut again = object.clone();
    assert!(schema.check(&mut again).unknown.is_empty());
    assert_eq!(again, object);
    schema.default(&mut object);
    let root = Path::root();
    let found = schema.validate(&object, &root);
    // A change of nothing is never worse than a new object.
    assert!(schema.validate_change(&object, &object, &root).len() <= found.len());
    schema.validate_lists(&object, &root);
});
