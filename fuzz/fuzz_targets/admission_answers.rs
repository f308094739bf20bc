//! Answers of webhooks: whatever comes, it is read or refused, by both sides alike where there is no patch.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let validating = warren_access::admission_answer(body, false);
    let mutating = warren_access::admission_answer(body, true);
    if let (Ok(one), Ok(other)) = (validating, mutating) {
        assert_eq!(one, other);
    }
});
