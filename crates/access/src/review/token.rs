//! TokenReview: whose token is this?

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;

use super::Asked;
use crate::ISSUER;
use crate::authentication::of_token;

pub(crate) async fn answer(cx: &Asked<'_>, mut request: Value) -> Result<Value, Status> {
    let token = request.text("/spec/token");
    if token.is_empty() {
        return Err(Status::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    let asked: Vec<String> = request
        .items("/spec/audiences")
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let audiences = if asked.is_empty() {
        vec![ISSUER.to_owned()]
    } else {
        asked
    };
    let status = match of_token(cx.guard, cx.cluster, token, &audiences, cx.now).await {
        Some((user, meant)) => json!({"authenticated": true, "user": user, "audiences": meant}),
        None => json!({"user": {}, "error": "invalid bearer token"}),
    };
    request.set("/status", status);
    Ok(request)
}
