//! Paths, queries, `Accept` headers, continue tokens and bearer tokens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_apiserver::decoders;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = decoders::request_path(text);
        let _ = decoders::accept_header(text);
        let _ = decoders::continue_token(text);
        let _ = warren_apiserver::Query::parse(Some(text));
        let _ = warren_pki::unverified_claims(text);
    }
});
