//! AlwaysDeny: nothing may be written. Upstream calls it deprecated; it is there for tests of clients.

use serde_json::Value;
use warren_apimachinery::Status;

use super::Asked;

const WHY: &str = "admission control is denying all modifications";

pub(super) fn mutate(cx: &Asked<'_>, object: &mut Value) -> Result<(), Status> {
    Err(cx.forbidden(object, WHY))
}

pub(super) fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    Err(cx.forbidden(object.unwrap_or(&Value::Null), WHY))
}
