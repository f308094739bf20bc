//! Conversion webhooks: servers that tenants name, which bring their custom resources from one version to another.
//!
//! Owns what such a server is asked and what its answer must be, as upstream's webhook converter has it. When an object is
//! converted is the registry's, how the server is reached the `Outbound` port's.
//!
//! **Bound.** A server has [`PATIENCE`] for an answer; a cluster asks [`AT_ONCE`] at a time, whoever comes later waits
//! within the same time.

mod answer;
mod restored;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::timeout;
use warren_apimachinery::ClusterId;
use warren_apimachinery::value::ValueExt;
use warren_registry::conversion::{Converter, Webhook};

use self::answer::check;
use crate::admission::refused_by_code;
use crate::guard::Guard;
use crate::outbound::{Destination, Reply};

/// How long a server may take, as upstream's client waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many conversions of a cluster are under way at a time.
pub(crate) const AT_ONCE: usize = 32;

/// What a server is asked.
#[derive(Clone, Debug)]
struct Review {
    /// `v1` or `v1beta1`
    version: &'static str,
    /// What its answer must repeat.
    uid: String,
}

/// Reads a server's answer about one object of an unremarkable kind: for the fuzz target.
///
/// # Errors
/// Why it is none.
pub fn conversion_answer(body: &[u8], sent: &Value) -> Result<Vec<Value>, String> {
    let review = Review {
        version: "v1",
        uid: "1".to_owned(),
    };
    check(&review, body, std::slice::from_ref(sent), "example.com/v2")
}

impl Review {
    /// # Errors
    /// When the server takes no version of reviews that there is.
    fn of(webhook: &Webhook) -> Result<Self, String> {
        let known = |version: &String| ["v1", "v1beta1"].into_iter().find(|known| known == version);
        let version = webhook.review_versions.iter().find_map(known);
        Ok(Self {
            version: version.ok_or("no supported conversion review versions")?,
            uid: uuid::Uuid::new_v4().to_string(),
        })
    }

    fn body(&self, objects: &[Value], api_version: &str) -> Vec<u8> {
        let review = json!({
            "kind": "ConversionReview",
            "apiVersion": format!("apiextensions.k8s.io/{}", self.version),
            "request": {"uid": self.uid, "desiredAPIVersion": api_version, "objects": objects},
        });
        review.to_string().into_bytes()
    }
}

#[async_trait]
impl Converter for Guard {
    async fn convert(
        &self,
        cluster: &ClusterId,
        webhook: &Webhook,
        objects: &[Value],
        api_version: &str,
    ) -> Result<Vec<Value>, String> {
        let review = Review::of(webhook)?;
        let about = objects.first().map(kind).unwrap_or_default();
        let failed = |why: String| format!("conversion webhook for {about} failed: {why}");
        let destination = Destination::of(&webhook.client_config);
        let body = review.body(objects, api_version);
        let asked = self.post(cluster, &destination, body).await;
        let reply = asked.map_err(failed)?;
        if let Some(why) = refused_by_code(&reply) {
            return Err(failed(why));
        }
        check(&review, &reply.body, objects, api_version)
    }
}

impl Guard {
    /// Waits for its turn and asks, all within the time of a server.
    async fn post(&self, cluster: &ClusterId, to: &Destination, body: Vec<u8>) -> Result<Reply, String> {
        let outbound = self.outbound().ok_or("this server does not call others")?;
        let since = Instant::now();
        let late = |_| format!("Post \"{}?timeout=30s\": context deadline exceeded", to.url());
        let turn = timeout(PATIENCE, self.conversions.acquire())
            .await
            .map_err(late)?;
        // The semaphore is never closed.
        let _turn = turn.map_err(|error| error.to_string())?;
        let left = PATIENCE.saturating_sub(since.elapsed());
        outbound.post(cluster, to, body, left).await
    }
}

/// An object's kind, as upstream's messages name it.
fn kind(object: &Value) -> String {
    format!("{}, Kind={}", object.text("/apiVersion"), object.text("/kind"))
}
