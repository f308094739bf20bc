//! Quantities: what is read is written and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(quantity) = warren_apimachinery::Quantity::parse(text)
    {
        let written = quantity.to_string();
        let again = warren_apimachinery::Quantity::parse(&written).expect("what was written");
        assert_eq!(again.to_string(), written);
    }
});
