//! SelfSubjectReview: who am I?

use serde_json::{Value, json};
use warren_apimachinery::time;
use warren_apimachinery::value::ValueExt;

use super::Asked;

/// What the request says of itself is not repeated, as upstream makes the answer anew.
pub(crate) fn answer(cx: &Asked<'_>, mut request: Value) -> Value {
    request.set("/metadata", json!({"creationTimestamp": time::format(cx.now)}));
    request.set("/status", json!({ "userInfo": cx.user }));
    request
}
