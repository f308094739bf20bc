//! JSON bodies: read within bounds, and what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(decoded) = warren_apimachinery::decode_json(data) {
        let text = decoded.value.to_string();
        // Not compared: the last digit of a number beyond 64 bits may differ, its reader does not round as Go's.
        warren_apimachinery::decode_json(text.as_bytes()).expect("what was read");
    }
});
