//! Admission webhooks: who is asked, what about, and what their answers do. The servers are played by a table of
//! functions behind the `Outbound` port.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use warren_access::{Destination, Outbound, Place};
use warren_apimachinery::ClusterId;

use crate::client::{Client, Reply};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const REGISTRATION: &str = "/apis/admissionregistration.k8s.io/v1";

type Answer = Result<Value, String>;
type Play = Box<dyn Fn(&str, &Value) -> Answer + Send + Sync>;

/// Plays all servers: answers with a `response` for the path and the `request` of a review, and remembers both.
struct Servers {
    play: Play,
    heard: Mutex<Vec<(String, Value)>>,
}

#[async_trait]
impl Outbound for Servers {
    async fn post(
        &self,
        _: &ClusterId,
        to: &Destination,
        body: Vec<u8>,
        _: Duration,
    ) -> Result<warren_access::Reply, String> {
        let review: Value = serde_json::from_slice(&body).unwrap();
        let path = match &to.place {
            Place::Url(url) => url.rsplit('/').next().unwrap().to_owned(),
            Place::Service { path, .. } => path.trim_start_matches('/').to_owned(),
        };
        let request = review["request"].clone();
        let answer = (self.play)(&path, &request);
        self.heard.lock().unwrap().push((path, request.clone()));
        let mut response = answer.map_err(|why| format!("Post {:?}: {why}", to.url()))?;
        let code = response["http"].as_u64().unwrap_or(200).try_into().unwrap();
        if response.get("uid").is_none() {
            response["uid"] = request["uid"].clone();
        }
        let answer =
            json!({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response});
        Ok(warren_access::Reply {
            code,
            media: "application/json".to_owned(),
            body: answer.to_string().into_bytes(),
        })
    }
}

struct Scene {
    client: Client,
    servers: Arc<Servers>,
}

impl Scene {
    fn new(play: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> Self {
        let servers = Arc::new(Servers {
            play: Box::new(play),
            heard: Mutex::default(),
        });
        let client = Client::reaching(Arc::clone(&servers) as _);
        Self { client, servers }
    }

    /// Registers one webhook `NAME.example.com` of a configuration `NAME`; `more` is merged over what is usual.
    async fn register(&self, kind: &str, name: &str, more: Value) {
        let mut webhook = json!({
            "name": format!("{name}.example.com"), "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"namespace": "default", "name": "hooks", "path": format!("/{name}")}},
            "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}]});
        for (key, value) in more.as_object().unwrap() {
            webhook[key] = value.clone();
        }
        let (resource, kind) = match kind {
            "mutating" => ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
            _ => (
                "validatingwebhookconfigurations",
                "ValidatingWebhookConfiguration",
            ),
        };
        let body = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": name}, "webhooks": [webhook]});
        let made = self
            .client
            .post(&format!("{REGISTRATION}/{resource}"), &body)
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    }

    async fn create(&self, name: &str, query: &str) -> Reply {
        let body = json!({"metadata": {"name": name, "labels": {"app": name}}, "data": {"a": "1"}});
        self.client.post(&format!("{CONFIG_MAPS}{query}"), &body).await
    }

    fn heard(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.servers.heard.lock().unwrap())
    }

    fn asked(&self) -> Vec<String> {
        self.heard().into_iter().map(|(path, _)| path).collect()
    }
}

fn patched(patch: Value) -> Answer {
    Ok(json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string())}))
}

fn allowed() -> Answer {
    Ok(json!({"allowed": true}))
}

#[tokio::test]
async fn what_a_validating_webhook_says_is_what_the_client_reads() {
    let table = [
        (json!({"allowed": true}), 201, ""),
        (
            json!({"allowed": false, "status": {"message": "too small"}}),
            400,
            "admission webhook \"v.example.com\" denied the request: too small",
        ),
        (
            json!({"allowed": false, "status": {"reason": "Because", "code": 418}}),
            418,
            "admission webhook \"v.example.com\" denied the request: Because",
        ),
        (
            json!({"allowed": false, "status": {"code": 200}}),
            400,
            "admission webhook \"v.example.com\" denied the request without explanation",
        ),
        (
            json!({"allowed": true, "patch": "W10="}),
            500,
            "Internal error occurred: failed calling webhook \"v.example.com\": received invalid webhook response: \
             validating webhook may not return response.patch",
        ),
        (
            json!({"allowed": true, "uid": "another"}),
            500,
            "Internal error occurred: failed calling webhook \"v.example.com\": received invalid webhook response: \
             expected response.uid=\"",
        ),
        (
            json!({"allowed": true, "http": 404}),
            500,
            "Internal error occurred: failed calling webhook \"v.example.com\": failed to call webhook: the server could \
             not find the requested resource",
        ),
    ];
    for (response, code, message) in table {
        let scene = Scene::new(move |_, _| Ok(response.clone()));
        scene.register("validating", "v", json!({})).await;
        let reply = scene.create("a", "").await;
        assert_eq!(reply.status.as_u16(), code, "{}", reply.text());
        if code != 201 {
            let said = reply.json()["message"].as_str().unwrap().to_owned();
            assert!(said.starts_with(message), "{said}");
        }
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_be_asked_refuses_or_is_left_out() {
    let down = || Err("dial tcp 10.96.0.9:443: connect: connection refused".to_owned());
    let scene = Scene::new(move |_, _| down());
    scene
        .register("validating", "open", json!({"failurePolicy": "Ignore"}))
        .await;
    assert_eq!(scene.create("a", "").await.status, StatusCode::CREATED);
    scene.register("mutating", "closed", json!({})).await;
    let refused = scene.create("b", "").await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        refused.json()["message"],
        "Internal error occurred: failed calling webhook \"closed.example.com\": failed to call webhook: \
         Post \"https://hooks.default.svc:443/closed\": dial tcp 10.96.0.9:443: connect: connection refused"
    );
}

#[tokio::test]
async fn a_mutating_webhook_changes_what_is_kept_and_what_is_unknown_is_dropped() {
    let scene = Scene::new(|_, _| {
        patched(
            json!([{"op": "add", "path": "/data/b", "value": "2"}, {"op": "add", "path": "/bogus", "value": 1}]),
        )
    });
    scene.register("mutating", "m", json!({})).await;
    let made = scene.create("a", "").await.json();
    assert_eq!(made["data"], json!({"a": "1", "b": "2"}));
    assert!(made.get("bogus").is_none());
    let (_, request) = scene.heard().remove(0);
    assert_eq!(request["operation"], "CREATE");
    assert_eq!(
        request["resource"],
        json!({"group": "", "version": "v1", "resource": "configmaps"})
    );
    assert_eq!(
        request["requestKind"],
        json!({"group": "", "version": "v1", "kind": "ConfigMap"})
    );
    assert_eq!(
        (&request["name"], &request["namespace"]),
        (&json!("a"), &json!("default"))
    );
    assert_eq!(request["userInfo"]["username"], "admin");
    assert_eq!(request["options"]["kind"], "CreateOptions");
    assert_eq!(
        (&request["oldObject"], &request["dryRun"]),
        (&Value::Null, &json!(false))
    );
    assert_eq!(request["object"]["data"], json!({"a": "1"}));
}

#[tokio::test]
async fn a_patch_that_does_not_fit_is_told_of_in_the_librarys_words() {
    let scene =
        Scene::new(|_, _| patched(json!([{"op": "add", "path": "/metadata/annotations/a", "value": "b"}])));
    scene.register("mutating", "m", json!({})).await;
    let refused = scene.create("a", "").await;
    assert_eq!(
        refused.json()["message"],
        "Internal error occurred: add operation does not apply: doc is missing path: \"/metadata/annotations/a\": \
         missing value"
    );
}

#[tokio::test]
async fn webhooks_run_by_name_and_again_where_others_changed_their_work() {
    let scene = Scene::new(|path, request| match path {
        "b" if request["object"]["data"].get("b").is_none() => {
            patched(json!([{"op": "add", "path": "/data/b", "value": "2"}]))
        }
        _ => allowed(),
    });
    for (name, policy) in [
        ("c", "IfNeeded"),
        ("a", "IfNeeded"),
        ("b", "IfNeeded"),
        ("a-never", "Never"),
    ] {
        scene
            .register("mutating", name, json!({"reinvocationPolicy": policy}))
            .await;
    }
    assert_eq!(scene.create("x", "").await.status, StatusCode::CREATED);
    // `b` changed what `a` had seen; `c` came after it.
    assert_eq!(scene.asked(), ["a", "a-never", "b", "c", "a"]);
}

#[tokio::test]
async fn only_what_rules_and_selectors_name_is_asked_about() {
    let other = json!([{"operations": ["UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}]);
    let cluster = json!([{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "scope": "Cluster"}]);
    let secrets = json!([{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets", "configmaps/status"]}]);
    let table = [
        ("everything", json!({}), true),
        ("updates", json!({"rules": other}), false),
        ("cluster", json!({"rules": cluster}), false),
        ("secrets", json!({"rules": secrets}), false),
        (
            "this-object",
            json!({"objectSelector": {"matchLabels": {"app": "x"}}}),
            true,
        ),
        (
            "no-object",
            json!({"objectSelector": {"matchLabels": {"app": "y"}}}),
            false,
        ),
        (
            "this-namespace",
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}),
            true,
        ),
        (
            "no-namespace",
            json!({"namespaceSelector": {"matchLabels": {"a": "b"}}}),
            false,
        ),
    ];
    for (name, more, asked) in table {
        let scene = Scene::new(|_, _| allowed());
        scene.register("validating", name, more).await;
        assert_eq!(scene.create("x", "").await.status, StatusCode::CREATED);
        assert_eq!(!scene.asked().is_empty(), asked, "{name}");
    }
}

#[tokio::test]
async fn a_rule_for_another_version_matches_where_the_policy_is_equivalent() {
    const SCALERS: &str = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
    let rules = json!([{"operations": ["CREATE"], "apiGroups": ["autoscaling"], "apiVersions": ["v2"],
        "resources": ["horizontalpodautoscalers"]}]);
    let scene = Scene::new(|path, request| match path {
        "equivalent" => {
            assert_eq!(request["object"]["apiVersion"], "autoscaling/v2");
            assert_eq!(request["kind"]["version"], "v2");
            assert_eq!(request["requestKind"]["version"], "v1");
            patched(json!([{"op": "replace", "path": "/spec/maxReplicas", "value": 9}]))
        }
        _ => Ok(json!({"allowed": false})),
    });
    scene
        .register(
            "mutating",
            "exact",
            json!({"rules": rules, "matchPolicy": "Exact"}),
        )
        .await;
    scene
        .register("mutating", "equivalent", json!({"rules": rules}))
        .await;
    let scaler = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}});
    let made = scene.client.post(SCALERS, &scaler).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.json()["spec"]["maxReplicas"], 9);
    assert_eq!(scene.asked(), ["equivalent"]);
}

#[tokio::test]
async fn a_dry_run_asks_only_who_has_no_side_effects() {
    let scene = Scene::new(|_, _| allowed());
    scene.register("validating", "none", json!({})).await;
    assert_eq!(scene.create("a", "?dryRun=All").await.status, StatusCode::CREATED);
    assert_eq!(scene.heard().remove(0).1["dryRun"], true);
    let v1beta1 = json!({"sideEffects": "NoneOnDryRun", "admissionReviewVersions": ["v1beta1"]});
    scene.register("validating", "on-dry-run", v1beta1).await;
    assert_eq!(scene.create("a", "?dryRun=All").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn deletions_are_asked_about_with_what_goes_and_their_own_configuration_is_not() {
    let all = json!([{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}]);
    let scene = Scene::new(|_, request| match request["operation"].as_str() {
        Some("DELETE") => {
            Ok(json!({"allowed": false, "status": {"message": "stays", "code": 403, "reason": "Forbidden"}}))
        }
        _ => allowed(),
    });
    assert_eq!(scene.create("kept", "").await.status, StatusCode::CREATED);
    scene.register("validating", "v", json!({"rules": all})).await;
    let path = format!("{CONFIG_MAPS}/kept");
    let refused = scene
        .client
        .call(Method::DELETE, &path, "application/json", "")
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let (_, request) = scene.heard().remove(0);
    assert_eq!(request["object"], Value::Null);
    assert_eq!(request["oldObject"]["data"], json!({"a": "1"}));
    let own = format!("{REGISTRATION}/validatingwebhookconfigurations/v");
    let gone = scene
        .client
        .call(Method::DELETE, &own, "application/json", "")
        .await;
    assert_eq!(gone.status, StatusCode::OK, "{}", gone.text());
    let gone = scene
        .client
        .call(Method::DELETE, &path, "application/json", "")
        .await;
    assert_eq!(gone.status, StatusCode::OK);
}

#[tokio::test]
async fn warnings_of_webhooks_reach_the_client() {
    let scene = Scene::new(|_, _| Ok(json!({"allowed": true, "warnings": ["think again"]})));
    scene.register("validating", "v", json!({})).await;
    assert_eq!(scene.create("a", "").await.warnings(), ["299 - \"think again\""]);
}
