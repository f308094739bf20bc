//! YAML bodies: read or refused within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = warren_apimachinery::decode_yaml(data);
});
