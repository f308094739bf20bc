//! Protobuf bodies: what is read is written and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_apiserver::decoders;

fuzz_target!(|data: &[u8]| {
    let enveloped = [&b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12"[..], data].concat();
    for bytes in [data, &enveloped] {
        let Some(value) = decoders::from_protobuf(bytes) else {
            continue;
        };
        if let Some(written) = decoders::to_protobuf(value.to_string().as_bytes()) {
            let again = decoders::from_protobuf(&written).expect("what was written");
            assert_eq!(decoders::to_protobuf(again.to_string().as_bytes()), Some(written));
        }
    }
});
