//! `AdmissionReview`: what a webhook is asked, and what its answer must look like.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupVersionKind, GroupVersionResource};
use warren_registry::admission::{AdmissionRequest, Operation};

use super::hook::Hook;
use super::matching::{Seen, namespace, operation};

const GROUP: &str = "admission.k8s.io";
const KIND: &str = "AdmissionReview";

/// What a webhook answered, once it was found well-formed.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) allowed: bool,
    /// The decoded text of a patch; empty for none.
    pub(super) patch: Vec<u8>,
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
                "options": options(request),
            },
        });
        let optional = [
            ("/request/subResource", request.subresource.unwrap_or_default()),
            (
                "/request/requestSubResource",
                request.subresource.unwrap_or_default(),
            ),
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
    pub(super) fn read(&self, body: &[u8], mutating: bool) -> Result<Verdict, String> {
        let answer: Value = serde_json::from_slice(body).map_err(|error| {
            format!("failed to call webhook: couldn't get version/kind; json parse error: {error}")
        })?;
        self.verdict(&answer, mutating)
            .map_err(|why| format!("received invalid webhook response: {why}"))
    }

    fn verdict(&self, answer: &Value, mutating: bool) -> Result<Verdict, String> {
        let response = answer.at("/response");
        if response.is_null() {
            return Err("webhook response was absent".to_owned());
        }
        let patch_type = response.at("/patchType").as_str();
        let patch = response.text("/patch");
        if self.version == "v1" {
            self.check_identity(answer, response)?;
            check_patch(patch, patch_type, mutating)?;
        }
        let patch = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, patch)
            .map_err(|error| format!("illegal base64 data: {error}"))?;
        let texts = response.items("/warnings").iter().filter_map(Value::as_str);
        let annotations = response.at("/auditAnnotations").as_object().into_iter().flatten();
        Ok(Verdict {
            allowed: response.at("/allowed").as_bool().unwrap_or_default(),
            patch: if mutating { patch } else { Vec::new() },
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
            return Err(format!(
                "expected webhook response of {GROUP}/v1, Kind={KIND}, got {api_version}, Kind={kind}"
            ));
        }
        Ok(())
    }
}

fn check_patch(patch: &str, patch_type: Option<&str>, mutating: bool) -> Result<(), String> {
    let why = match (mutating, patch.is_empty(), patch_type) {
        (false, false, _) => "validating webhook may not return response.patch",
        (false, true, Some(_)) => "validating webhook may not return response.patchType",
        (true, false, None) => "webhook returned response.patch but not response.patchType",
        (true, true, Some(_)) => "webhook returned response.patchType but not response.patch",
        (true, false, Some("")) => "webhook returned invalid response.patchType of \"\"",
        (true, false, Some(other)) if other != "JSONPatch" => {
            return Err(format!("unsupported patch type {other:?}"));
        }
        _ => return Ok(()),
    };
    Err(why.to_owned())
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

fn options(request: &AdmissionRequest<'_>) -> Value {
    let kind = match request.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
        Operation::Connect => return Value::Null,
    };
    let mut options = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
    if request.dry_run {
        options.set("/dryRun", json!(["All"]));
    }
    if request.operation != Operation::Delete && !request.field_manager.is_empty() {
        options.set("/fieldManager", request.field_manager);
    }
    options
}
