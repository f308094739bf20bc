//! JSON bodies: read within bounds, and what was read is written and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(decoded) = warren_apimachinery::decode_json(data) {
        let text = decoded.value.to_string();
        let again = warren_apimachinery::decode_json(text.as_bytes()).expect("what was read");
        assert_eq!(again.value, decoded.value);
    }
});
