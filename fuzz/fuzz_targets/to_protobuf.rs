//! Objects on their way out in protobuf: any JSON is written or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_apiserver::decoders;

fuzz_target!(|data: &[u8]| {
    let _ = decoders::to_protobuf(data);
    let pod = [&br#"{"apiVersion":"v1","kind":"Pod","spec":"#[..], data, b"}"].concat();
    let _ = decoders::to_protobuf(&pod);
});
