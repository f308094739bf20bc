//! What helps to write JSON patches.

use super::{Answer, Row, no_such_overload};
use crate::value::Value;

pub(super) const TABLE: &[Row] = &[(
    "jsonpatch.escapeKey",
    "string_jsonpatch_escapeKey_string",
    "(string) -> string",
    escape_key,
)];

fn escape_key<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::text(text.replace('~', "~0").replace('/', "~1"))),
        _ => Err(no_such_overload()),
    }
}
