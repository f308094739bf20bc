//! `AdmissionReview`: what a webhook is asked, and what its answer must look like.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use warren_apimachinery::decode_json;
use warren_apimachinery::value::{ValueExt, go_kind};
use warren_apimachinery::{GroupVersionKind, GroupVersionResource};
use warren_registry::admission::AdmissionRequest;

use super::hook::Hook;
use super::matching::{Seen, namespace, operation};
use crate::outbound::Reply;

const GROUP: &str = "admission.k8s.io";
const KIND: &str = "AdmissionReview";
/// What upstream's decoder reads first of any object.
const TYPE_META: &str =
    r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;

/// What a webhook answered, once it was found well-formed.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) allowed: bool,
    /// The decoded text of a patch; empty for none.
    pub(super) patch: Vec<u8>,
    /// How the patch is written.
    pub(super) patch_type: String,
    /// The answer's `status`; null for none.
    pub(super) result: Value,
    pub(super) warnings: Vec<String>,
    pub(super) annotations: Vec<(String, String)>,
}

/// The review that is sent: its version, uid and body.
pub(super) struct Review {
    version: &'static str,
    uid: String,
    pub(super) body: Vec<u8>,
}

impl Review {
    /// Puts a request to a webhook. `objects` are the object and what it was, in the version of `seen`.
    ///
    /// # Errors
    /// When the webhook takes no version of reviews that there is.
    pub(super) fn of(
        hook: &Hook,
        request: &AdmissionRequest<'_>,
        seen: &Seen,
        [object, old]: [&Value; 2],
    ) -> Result<Self, String> {
        let known = |version: &String| ["v1", "v1beta1"].into_iter().find(|known| known == version);
        let version = hook.review_versions.iter().find_map(known).ok_or(
            "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)",
        )?;
        let uid = uuid::Uuid::new_v4().to_string();
        let asked = Seen::as_asked(request);
        let mut review = json!({
            "kind": KIND,
            "apiVersion": format!("{GROUP}/{version}"),
            "request": {
                "uid": uid,
                "kind": kind(&seen.kind),
                "resource": resource(&seen.resource),
                "requestKind": kind(&asked.kind),
                "requestResource": resource(&asked.resource),
                "operation": operation(request.operation),
                "userInfo": request.user,
                "object": object,
                "oldObject": old,
                "dryRun": request.dry_run,
                "options": request.options,
            },
        });
        let subresource = request.subresource.unwrap_or_default();
        let optional = [
            ("/request/subResource", subresource),
            ("/request/requestSubResource", subresource),
            ("/request/name", name(request, object)),
            ("/request/namespace", namespace(request)),
        ];
        for (pointer, text) in optional.into_iter().filter(|(_, text)| !text.is_empty()) {
            review.set(pointer, text);
        }
        Ok(Self {
            version,
            uid,
            body: review.to_string().into_bytes(),
        })
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// Why it is none, in upstream's words.
    pub(super) fn read(&self, reply: &Reply, mutating: bool) -> Result<Verdict, String> {
        let read = self.decode(reply);
        let (answer, patch) = read.map_err(|why| format!("failed to call webhook: {why}"))?;
        self.verdict(&answer, patch, mutating)
            .map_err(|why| format!("received invalid webhook response: {why}"))
    }

    /// The answer and the patch that is written in it.
    fn decode(&self, reply: &Reply) -> Result<(Value, Vec<u8>), String> {
        if reply.body.is_empty() {
            return Err(format!(
                "0-length response with status code: {} and content type: {}",
                reply.code, reply.media
            ));
        }
        let answer = parse(&reply.body)
            .map_err(|why| format!("couldn't get version/kind; json parse error: {why}"))?;
        self.check_type(&answer)?;
        check_fields(answer.at("/response"))?;
        let patch = STANDARD.decode(answer.text("/response/patch"));
        let patch = patch.map_err(|error| format!("illegal base64 data at input byte {}", place(&error)))?;
        Ok((answer, patch))
    }

    /// What says to be of another type is no answer; what says nothing passes here.
    fn check_type(&self, answer: &Value) -> Result<(), String> {
        let (api_version, kind) = (answer.text("/apiVersion"), answer.text("/kind"));
        let expected = format!("{GROUP}/{}", self.version);
        let version = match (api_version, kind) {
            ("" | "admission.k8s.io/v1" | "admission.k8s.io/v1beta1", "") => return Ok(()),
            ("", KIND) => return Ok(()),
            (known, KIND) if known == expected => return Ok(()),
            ("admission.k8s.io/v1", KIND) => "v1.AdmissionReview",
            ("admission.k8s.io/v1beta1", KIND) => "v1beta1.AdmissionReview",
            ("v1", "Status") => "v1.Status",
            _ => {
                return Err(format!(
                    "no kind {kind:?} is registered for version {api_version:?} in scheme \"k8s.io/apiserver/pkg/util/webhook/client.go:71\""
                ));
            }
        };
        let wanted = self.version;
        Err(format!(
            "converting ({version}) to ({wanted}.{KIND}): unknown conversion"
        ))
    }

    fn verdict(&self, answer: &Value, patch: Vec<u8>, mutating: bool) -> Result<Verdict, String> {
        let response = answer.at("/response");
        if response.is_null() {
            return Err("webhook response was absent".to_owned());
        }
        let patch_type = response.at("/patchType").as_str();
        if self.version == "v1" {
            self.check_identity(answer, response)?;
            check_patch(&patch, patch_type, mutating)?;
        }
        let patch_type = match (self.version, patch_type) {
            ("v1", Some(named)) => named.to_owned(),
            // The older version never looked at it.
            _ => JSON_PATCH.to_owned(),
        };
        let texts = response.items("/warnings").iter().filter_map(Value::as_str);
        let annotations = response.at("/auditAnnotations").as_object().into_iter().flatten();
        Ok(Verdict {
            allowed: response.at("/allowed").as_bool().unwrap_or_default(),
            patch: if mutating { patch } else { Vec::new() },
            patch_type,
            result: response.at("/status").clone(),
            warnings: texts.map(str::to_owned).collect(),
            annotations: annotations
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
        })
    }

    fn check_identity(&self, answer: &Value, response: &Value) -> Result<(), String> {
        let uid = response.text("/uid");
        if uid != self.uid {
            return Err(format!("expected response.uid={:?}, got {uid:?}", self.uid));
        }
        let (api_version, kind) = (answer.text("/apiVersion"), answer.text("/kind"));
        if (api_version, kind) != ("admission.k8s.io/v1", KIND) {
            let got = if api_version.is_empty() { "/" } else { api_version };
            return Err(format!(
                "expected webhook response of {GROUP}/v1, Kind={KIND}, got {got}, Kind={kind}"
            ));
        }
        Ok(())
    }
}

/// Whether a webhook's answer to a review of version `v1` with the uid `u` allows the write: for fuzz targets.
///
/// # Errors
/// Why it is no answer.
pub fn admission_answer(body: &[u8], mutating: bool) -> Result<bool, String> {
    let review = Review {
        version: "v1",
        uid: "u".to_owned(),
        body: Vec::new(),
    };
    let reply = Reply {
        code: 200,
        media: "application/json".to_owned(),
        body: body.to_vec(),
    };
    review.read(&reply, mutating).map(|verdict| verdict.allowed)
}

/// The only way to write a patch.
pub(super) const JSON_PATCH: &str = "JSONPatch";

/// An object, or nothing: what starts in another way is a text of YAML to upstream's decoder.
fn parse(body: &[u8]) -> Result<Value, String> {
    let other = |kind: &str| format!("json: cannot unmarshal {kind} into Go value of type {TYPE_META}");
    let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
    match decode_json(body) {
        Ok(decoded) if decoded.value.is_object() || decoded.value.is_null() => Ok(decoded.value),
        Ok(decoded) => Err(other(go_kind(&decoded.value))),
        Err(error) if start == Some(&b'{') => Err(error.to_string()),
        Err(_) => Err(other("string")),
    }
}

/// The fields of a response, and the Go types that upstream's decoder wants them to be.
const FIELDS: [(&str, Shape, &str); 7] = [
    ("uid", Shape::Text, "types.UID"),
    ("allowed", Shape::Bool, "bool"),
    ("status", Shape::Object, "v1.Status"),
    ("patch", Shape::Text, "[]uint8"),
    ("patchType", Shape::Text, "v1.PatchType"),
    ("auditAnnotations", Shape::Texts, "map[string]string"),
    ("warnings", Shape::List, "[]string"),
];

#[derive(Clone, Copy)]
enum Shape {
    Text,
    Bool,
    Object,
    /// An object of texts.
    Texts,
    /// A list of texts.
    List,
}

impl Shape {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Bool => value.is_boolean(),
            Self::Object | Self::Texts => value.is_object(),
            Self::List => value.is_array(),
        }
    }

    /// An element that is none of the texts that it holds.
    fn stranger(self, value: &Value) -> Option<&Value> {
        let is_strange = |value: &&Value| !value.is_string() && !value.is_null();
        match (self, value) {
            (Self::Texts, Value::Object(fields)) => fields.values().find(is_strange),
            (Self::List, Value::Array(items)) => items.iter().find(is_strange),
            _ => None,
        }
    }
}

fn check_fields(response: &Value) -> Result<(), String> {
    let wrong = |value: &Value, field: &str, wanted: &str| {
        let found = go_kind(value);
        Err(format!(
            "json: cannot unmarshal {found} into Go struct field {field} of type {wanted}"
        ))
    };
    if !response.is_null() && !response.is_object() {
        return wrong(response, "AdmissionReview.response", "v1.AdmissionResponse");
    }
    for (name, shape, wanted) in FIELDS {
        let value = response.field(name);
        let field = format!("AdmissionResponse.response.{name}");
        if !value.is_null() && !shape.fits(value) {
            return wrong(value, &field, wanted);
        }
        if let Some(stranger) = shape.stranger(value) {
            return wrong(stranger, &field, "string");
        }
    }
    Ok(())
}

fn check_patch(patch: &[u8], patch_type: Option<&str>, mutating: bool) -> Result<(), String> {
    let why = match (mutating, patch.is_empty(), patch_type) {
        (false, false, _) => "validating webhook may not return response.patch",
        (false, true, Some(_)) => "validating webhook may not return response.patchType",
        (true, false, None) => "webhook returned response.patch but not response.patchType",
        (true, true, Some(_)) => "webhook returned response.patchType but not response.patch",
        (true, false, Some("")) => "webhook returned invalid response.patchType of \"\"",
        _ => return Ok(()),
    };
    Err(why.to_owned())
}

/// Where base64 breaks off.
fn place(error: &base64::DecodeError) -> usize {
    match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => *at,
        base64::DecodeError::InvalidLength(length) => *length,
        base64::DecodeError::InvalidPadding => 0,
    }
}

fn kind(kind: &GroupVersionKind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn resource(resource: &GroupVersionResource) -> Value {
    json!({"group": resource.group, "version": resource.version, "resource": resource.resource})
}

/// The name of the object; one that is to be generated has none yet.
fn name<'a>(request: &'a AdmissionRequest<'_>, object: &'a Value) -> &'a str {
    match request.key.name.as_str() {
        "" => object.text("/metadata/name"),
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: &'static str, body: &str, mutating: bool) -> Result<Verdict, String> {
        let review = Review {
            version,
            uid: "u".to_owned(),
            body: Vec::new(),
        };
        let reply = Reply {
            code: 200,
            media: "application/json".to_owned(),
            body: body.as_bytes().to_vec(),
        };
        review.read(&reply, mutating)
    }

    #[test]
    fn wrong_answers_are_refused_in_upstreams_words() {
        let answer = |response: &str| {
            format!(
                r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{response}}}"#
            )
        };
        let kind = |kind: &str| format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"{kind}"}}"#);
        let parse = "failed to call webhook: couldn't get version/kind; json parse error:";
        let table = [
            (String::new(), "failed to call webhook: 0-length response with status code: 200 and content type: application/json".to_owned()),
            ("null".to_owned(), "received invalid webhook response: webhook response was absent".to_owned()),
            ("hello".to_owned(), format!("{parse} json: cannot unmarshal string into Go value of type {TYPE_META}")),
            ("[]".to_owned(), format!("{parse} json: cannot unmarshal array into Go value of type {TYPE_META}")),
            ("{\"a\":".to_owned(), format!("{parse} unexpected end of JSON input")),
            (kind("Other"), "failed to call webhook: no kind \"Other\" is registered for version \"admission.k8s.io/v1\" in scheme \"k8s.io/apiserver/pkg/util/webhook/client.go:71\"".to_owned()),
            (r#"{"apiVersion":"v1","kind":"Status"}"#.to_owned(), "failed to call webhook: converting (v1.Status) to (v1.AdmissionReview): unknown conversion".to_owned()),
            (kind(KIND).replace("v1", "v1beta1"), "failed to call webhook: converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion".to_owned()),
            (r#"{"response":{"uid":"u"}}"#.to_owned(), "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=".to_owned()),
            (answer(r#"{"uid":"x"}"#), "received invalid webhook response: expected response.uid=\"u\", got \"x\"".to_owned()),
            (answer(r#"{"allowed":"yes"}"#), "failed to call webhook: json: cannot unmarshal string into Go struct field AdmissionResponse.response.allowed of type bool".to_owned()),
            (answer(r#"{"warnings":"w"}"#), "failed to call webhook: json: cannot unmarshal string into Go struct field AdmissionResponse.response.warnings of type []string".to_owned()),
            (answer(r#"{"uid":"u","patch":"***"}"#), "failed to call webhook: illegal base64 data at input byte 0".to_owned()),
            (answer(r#"{"uid":"u","patch":"W10="}"#), "received invalid webhook response: validating webhook may not return response.patch".to_owned()),
            (answer(r#"{"uid":"u","patchType":"JSONPatch"}"#), "received invalid webhook response: validating webhook may not return response.patchType".to_owned()),
        ];
        for (body, expected) in table {
            assert_eq!(read("v1", &body, false).unwrap_err(), expected, "{body}");
        }
    }

    #[test]
    fn the_older_version_checks_neither_identity_nor_type() {
        let body = r#"{"response":{"uid":"x","allowed":true,"patch":"W10="}}"#;
        let verdict = read("v1beta1", body, true).unwrap();
        assert_eq!((verdict.allowed, verdict.patch_type.as_str()), (true, JSON_PATCH));
        assert_eq!(verdict.patch, b"[]");
    }
}
