//! A virtual cluster, its API as an administrator calls it, and a definition with a webhook.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use warren_apimachinery::ObjectKey;
use warren_apimachinery::value::ValueExt;
use warren_apiserver::{ApiServer, Body, Hello, Peer};
use warren_fleet::{ApiOptions, Embedded, Options, Tenant, cluster_id, namespace_of, virtual_cluster_id};

const NAME: &str = "demo";
pub(crate) const CRONTABS: &str = "/apis/stable.example.com/v1/namespaces/default/crontabs";
pub(crate) const CRONTABS_V2: &str = "/apis/stable.example.com/v2/namespaces/default/crontabs";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

pub(crate) struct Api {
    embedded: Embedded,
    tenant: Arc<Tenant>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let mut fleet = Options::in_memory();
        let options = ApiOptions {
            fixed_tokens: ApiOptions::read_token_file("s3cret,admin,1,system:masters\n").unwrap(),
            ..ApiOptions::default()
        };
        fleet.apis.insert(virtual_cluster_id(NAME), options);
        let embedded = Embedded::start(fleet, 1, None).await.unwrap();
        embedded.virtual_cluster(NAME, None).await.unwrap();
        let key = ObjectKey::namespaced(namespace_of(NAME), NAME);
        let tenant = embedded.fleet().tenant(&cluster_id(&key)).unwrap();
        Self { embedded, tenant }
    }

    pub(crate) async fn stop(self) {
        self.embedded.stop().await;
    }

    pub(crate) async fn respond(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: &Value,
    ) -> Response<Body> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, media)
            .header(header::AUTHORIZATION, "Bearer s3cret")
            .body(Body::full(body))
            .unwrap();
        let local = "127.0.0.1:1".parse().unwrap();
        let hello = Hello {
            server_name: None,
            local,
            remote: local,
        };
        let peer = Peer::new(hello, Vec::new());
        ApiServer::new()
            .handle(self.tenant.api(), &peer, request, 0)
            .await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, media: &str, body: &Value) -> (u16, Value) {
        let response = self.respond(method, path, media, body).await;
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, "application/json", &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("POST", path, "application/json", body).await
    }

    pub(crate) async fn merge(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("PATCH", path, "application/merge-patch+json", body)
            .await
    }

    pub(crate) async fn apply(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("PATCH", path, "application/apply-patch+yaml", body)
            .await
    }

    /// Waits until a path answers with this code.
    pub(crate) async fn until(&self, path: &str, code: u16) {
        let started = Instant::now();
        while self.get(path).await.0 != code {
            assert!(started.elapsed() < Duration::from_secs(20), "gave up on {path}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Defines crontabs, kept as `v1`.
    pub(crate) async fn define(&self, client_config: Value, review_versions: &[&str]) {
        let version = |name: &str, storage: bool, fields: &[&str]| {
            let mut properties = json!({"status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}});
            for field in fields {
                properties.set(&format!("/{field}"), json!({"type": "string"}));
            }
            json!({"name": name, "served": true, "storage": storage,
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                "additionalPrinterColumns": [{"name": fields[0], "type": "string", "jsonPath": format!(".{}", fields[0])}],
                "selectableFields": [{"jsonPath": format!(".{}", fields[0])}],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}}})
        };
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "crontabs.stable.example.com"},
            "spec": {"group": "stable.example.com", "scope": "Namespaced",
                "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList"},
                "conversion": {"strategy": "Webhook", "webhook": {
                    "conversionReviewVersions": review_versions, "clientConfig": client_config}},
                "versions": [version("v1", true, &["hostPort"]), version("v2", false, &["host", "port"])]}});
        let (code, answer) = self.post(DEFINITIONS, &definition).await;
        assert_eq!(code, 201, "{answer}");
        self.until(CRONTABS, 200).await;
    }

    /// Deletes the definition and waits until it is gone.
    pub(crate) async fn undefine(&self) {
        let path = format!("{DEFINITIONS}/crontabs.stable.example.com");
        self.send("DELETE", &path, "application/json", &Value::Null).await;
        self.until(&path, 404).await;
    }
}

pub(crate) fn first(name: &str) -> Value {
    json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": name}, "hostPort": "localhost:80"})
}

pub(crate) fn second(name: &str) -> Value {
    json!({"apiVersion": "stable.example.com/v2", "kind": "CronTab", "metadata": {"name": name}, "host": "example.com", "port": "81"})
}
