//! What an answer to a `ConversionReview` must be before it is believed. A function of bytes.

use serde_json::Value;
use warren_apimachinery::value::{ValueExt, go_kind};

use super::restored::restored;
use super::{Review, kind};

const GROUP: &str = "apiextensions.k8s.io";
const KIND: &str = "ConversionReview";

/// The converted objects of an answer, with the metadata of those that were sent.
///
/// # Errors
/// Why the answer is none, in upstream's words.
pub(super) fn check(
    review: &Review,
    body: &[u8],
    sent: &[Value],
    api_version: &str,
) -> Result<Vec<Value>, String> {
    let about = sent.first().map(kind).unwrap_or_default();
    let converted =
        read(review, body).map_err(|why| format!("conversion webhook for {about} failed: {why}"))?;
    if converted.len() != sent.len() {
        return Err(format!(
            "conversion webhook for {about} returned {} objects, expected {}",
            converted.len(),
            sent.len()
        ));
    }
    let pairs = sent.iter().zip(converted).enumerate();
    pairs
        .map(|(at, (sent, made))| one(at, sent, made, api_version))
        .collect()
}

/// One object: upstream says its place, which is always the first since it asks about one at a time.
fn one(at: usize, sent: &Value, made: Value, api_version: &str) -> Result<Value, String> {
    let about = format!("conversion webhook for {}", kind(sent));
    if made.text("/kind").is_empty() {
        return Err(format!("Object 'Kind' is missing in '{made}'"));
    }
    let got = made.text("/apiVersion");
    if got != api_version {
        return Err(format!(
            "{about} returned invalid object at index {at}: invalid groupVersion (expected {api_version}, received {got})"
        ));
    }
    let (expected, got) = (sent.text("/kind"), made.text("/kind"));
    if expected != got {
        return Err(format!(
            "{about} returned invalid object at index {at}: invalid kind (expected {expected}, received {got})"
        ));
    }
    for (what, pointer) in [
        ("name", "/metadata/name"),
        ("namespace", "/metadata/namespace"),
        ("UID", "/metadata/uid"),
    ] {
        let (expected, got) = (sent.text(pointer), made.text(pointer));
        if expected != got {
            return Err(format!(
                "{about} returned invalid object: must have the same {what}: {expected} != {got}"
            ));
        }
    }
    restored(sent, made).map_err(|why| format!("{about} returned invalid metadata: {why}"))
}

/// What is under `convertedObjects` of an answer that says to be one.
fn read(review: &Review, body: &[u8]) -> Result<Vec<Value>, String> {
    let unread = |why: String| format!("couldn't get version/kind; json parse error: {why}");
    let mut answer: Value = serde_json::from_slice(body).map_err(|error| unread(error.to_string()))?;
    if !answer.is_object() {
        let found = go_kind(&answer);
        return Err(unread(format!(
            "json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
        )));
    }
    if review.version == "v1" {
        let wanted = format!("{GROUP}/v1");
        let (api_version, said) = (answer.text("/apiVersion"), answer.text("/kind"));
        if (api_version, said) != (wanted.as_str(), KIND) {
            let api_version = if api_version.is_empty() { "/" } else { api_version };
            return Err(format!(
                "expected webhook response of {wanted}, Kind={KIND}, got {api_version}, Kind={said}"
            ));
        }
    }
    let response = answer.at("/response");
    if response.is_null() {
        return Err("no response provided".to_owned());
    }
    let uid = response.text("/uid");
    if review.version == "v1" && uid != review.uid {
        return Err(format!("expected response.uid={:?}, got {uid:?}", review.uid));
    }
    let status = response.text("/result/status");
    if status != "Success" {
        return Err(match response.text("/result/message") {
            "" => format!("response.result.status was '{status}', not 'Success'"),
            message => message.to_owned(),
        });
    }
    match answer.take_at("/response/convertedObjects") {
        Some(Value::Array(objects)) => Ok(objects),
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(other) => Err(format!(
            "json: cannot unmarshal {} into Go struct field ConversionResponse.response.convertedObjects of type []runtime.RawExtension",
            go_kind(&other)
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent() -> Value {
        json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab", "hostPort": "localhost:80",
            "metadata": {"name": "a", "namespace": "ns", "uid": "u", "labels": {"x": "y"}, "generation": 1}})
    }

    fn converted() -> Value {
        json!({"apiVersion": "stable.example.com/v2", "kind": "CronTab", "host": "localhost", "port": "80",
            "metadata": {"name": "a", "namespace": "ns", "uid": "u", "labels": {"x": "y"}, "generation": 7}})
    }

    fn ask(version: &'static str, answer: &Value) -> Result<Vec<Value>, String> {
        let review = Review {
            version,
            uid: "1".to_owned(),
        };
        check(
            &review,
            answer.to_string().as_bytes(),
            &[sent()],
            "stable.example.com/v2",
        )
    }

    fn answer() -> Value {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
            "response": {"uid": "1", "result": {"status": "Success"}, "convertedObjects": [converted()]}})
    }

    #[test]
    fn a_good_answer_keeps_the_metadata_that_was_sent() {
        for version in ["v1", "v1beta1"] {
            let mut made = ask(version, &answer()).unwrap();
            let mut expected = converted();
            expected.set("/metadata/generation", 1);
            assert_eq!(made.pop(), Some(expected));
        }
        let mut older = answer();
        older.set("/response/uid", "other");
        older.set("/kind", "Whatever");
        assert!(ask("v1beta1", &older).is_ok());
    }

    #[test]
    fn a_wrong_answer_is_refused_in_upstreams_words() {
        let failed = "conversion webhook for stable.example.com/v1, Kind=CronTab failed: ";
        let returned = "conversion webhook for stable.example.com/v1, Kind=CronTab returned ";
        let first = "/response/convertedObjects/0";
        let table = [
            (
                "/kind",
                json!("Review"),
                format!(
                    "{failed}expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got apiextensions.k8s.io/v1, Kind=Review"
                ),
            ),
            ("/response", json!(null), format!("{failed}no response provided")),
            (
                "/response/uid",
                json!("2"),
                format!("{failed}expected response.uid=\"1\", got \"2\""),
            ),
            (
                "/response/result",
                json!({"status": "Failure", "message": "no way"}),
                format!("{failed}no way"),
            ),
            (
                "/response/result",
                json!({}),
                format!("{failed}response.result.status was '', not 'Success'"),
            ),
            (
                "/response/convertedObjects",
                json!([]),
                format!("{returned}0 objects, expected 1"),
            ),
            (
                &format!("{first}/apiVersion"),
                json!("stable.example.com/v3"),
                format!(
                    "{returned}invalid object at index 0: invalid groupVersion (expected stable.example.com/v2, received stable.example.com/v3)"
                ),
            ),
            (
                &format!("{first}/kind"),
                json!("Other"),
                format!(
                    "{returned}invalid object at index 0: invalid kind (expected CronTab, received Other)"
                ),
            ),
            (
                &format!("{first}/metadata/name"),
                json!("b"),
                format!("{returned}invalid object: must have the same name: a != b"),
            ),
            (
                &format!("{first}/metadata/namespace"),
                json!("b"),
                format!("{returned}invalid object: must have the same namespace: ns != b"),
            ),
            (
                &format!("{first}/metadata/uid"),
                json!("b"),
                format!("{returned}invalid object: must have the same UID: u != b"),
            ),
            (
                &format!("{first}/metadata/labels"),
                json!({"x": 1}),
                format!(
                    "{returned}invalid metadata: metadata.labels[x] must be a string, but is int64 in converted object"
                ),
            ),
            (
                &format!("{first}/metadata/annotations"),
                json!("x"),
                format!(
                    "{returned}invalid metadata: invalid metadata.annotations of type string in converted object"
                ),
            ),
        ];
        for (pointer, value, expected) in table {
            let mut answer = answer();
            answer.set(pointer, value);
            assert_eq!(ask("v1", &answer).unwrap_err(), expected, "{pointer}");
        }
    }
}
