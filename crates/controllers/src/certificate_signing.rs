//! CertificateSigningRequests: approved ones are signed by the cluster's authority, and old ones go.
//!
//! Nothing is approved here: upstream does that for kubelets alone, and nodes are simulated.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::resource::CERTIFICATE_SIGNING_REQUESTS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, StatusReason};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, ReconcileError, Reconciler, Triggers,
};

use crate::authority::{Authority, CertificateRequest};
use crate::condition::{self, Said};
use crate::timestamp;

const SIGNERS: [&str; 4] = [
    "kubernetes.io/kube-apiserver-client",
    "kubernetes.io/kube-apiserver-client-kubelet",
    "kubernetes.io/kubelet-serving",
    "kubernetes.io/legacy-unknown",
];
const YEAR: u64 = 365 * 24 * 3600;
const SHORTEST: u64 = 600;
const HOUR: i64 = 3600;

/// The controller.
pub(crate) struct CertificateSigning {
    pub(crate) authority: Arc<dyn Authority>,
}

fn has(request: &Value, kind: &str) -> bool {
    request
        .items("/status/conditions")
        .iter()
        .any(|condition| condition.text("/type") == kind)
}

/// Whether it waits for a signature of ours.
fn is_due(request: &Value) -> bool {
    SIGNERS.contains(&request.text("/spec/signerName"))
        && has(request, "Approved")
        && !has(request, "Denied")
        && !has(request, "Failed")
        && request.text("/status/certificate").is_empty()
}

/// When it is cleaned away: an hour after it was decided, a day after it was made if it never was.
fn end(request: &Value) -> Option<Timestamp> {
    let made: Timestamp = request.text("/metadata/creationTimestamp").parse().ok()?;
    let decided = request
        .items("/status/conditions")
        .iter()
        .filter_map(|condition| {
            let time = condition.text("/lastUpdateTime").parse::<Timestamp>();
            time.or_else(|_| condition.text("/lastTransitionTime").parse())
                .ok()
        });
    Some(match decided.max() {
        Some(decided) => timestamp::after_seconds(decided, HOUR),
        None if request.items("/status/conditions").is_empty() => timestamp::after_seconds(made, 24 * HOUR),
        None => timestamp::after_seconds(made, HOUR),
    })
}

#[async_trait]
impl Reconciler for CertificateSigning {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-signing"
    }

    fn watches(&self) -> &'static [Resource] {
        &[CERTIFICATE_SIGNING_REQUESTS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if !change.deleted {
            out.add(change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        let Some(request) = cluster.get(&CERTIFICATE_SIGNING_REQUESTS, key) else {
            return Ok(Next::Wait);
        };
        let value = request.to_value();
        if is_due(&value) {
            let status = self.signed(cx, &value);
            crate::status::write(cluster, &CERTIFICATE_SIGNING_REQUESTS, &request, status).await?;
            return Ok(Next::Wait);
        }
        match end(&value) {
            Some(end) if end > cx.now => Ok(Next::After(timestamp::until(end, cx.now))),
            Some(_) => match cluster
                .delete(&CERTIFICATE_SIGNING_REQUESTS, key, DeleteOptions::default())
                .await
            {
                Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
                _ => Ok(Next::Wait),
            },
            None => Ok(Next::Wait),
        }
    }
}

impl CertificateSigning {
    /// The status with the certificate, or with the reason why there is none.
    fn signed(&self, cx: &Context, request: &Value) -> Value {
        let mut status = request.at("/status").clone();
        let pem = STANDARD.decode(request.text("/spec/request")).ok();
        let pem = pem
            .and_then(|pem| String::from_utf8(pem).ok())
            .unwrap_or_default();
        let usages = request.items("/spec/usages").iter().filter_map(Value::as_str);
        let usages: Vec<String> = usages.map(str::to_owned).collect();
        let seconds = request
            .int("/spec/expirationSeconds")
            .and_then(|seconds| u64::try_from(seconds).ok());
        let seconds = seconds.unwrap_or(YEAR).clamp(SHORTEST, YEAR);
        let asked = CertificateRequest {
            pem: &pem,
            usages: &usages,
            duration: Duration::from_secs(seconds),
            now: cx.now,
        };
        match self.authority.sign(cx.cluster.id(), &asked) {
            Ok(certificate) => status.set("/certificate", STANDARD.encode(certificate)),
            Err(why) => {
                let mut conditions = status.items("/conditions").to_vec();
                let said = Said {
                    kind: "Failed",
                    status: "True",
                    reason: "SignerValidationFailure",
                    message: why,
                };
                condition::set(&mut conditions, &said, cx.now);
                status.set("/conditions", conditions);
            }
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake::{FakeAuthority, FakeCluster, NOW, later};

    fn request(pem: &str, condition: &str) -> Value {
        json!({"metadata": {"name": "jane"}, "spec": {"request": STANDARD.encode(pem), "usages": ["client auth"],
            "signerName": "kubernetes.io/kube-apiserver-client"},
            "status": {"conditions": [{"type": condition, "status": "True", "lastUpdateTime": NOW}]}})
    }

    async fn signed(pem: &str, condition: &str) -> Value {
        let cluster = FakeCluster::new();
        let signing = CertificateSigning {
            authority: Arc::new(FakeAuthority),
        };
        cluster.put(&CERTIFICATE_SIGNING_REQUESTS, request(pem, condition));
        cluster.settle(&[&signing], NOW).await;
        let status = cluster
            .value(&CERTIFICATE_SIGNING_REQUESTS, "jane")
            .at("/status")
            .clone();
        cluster.settle(&[&signing], &later(HOUR)).await;
        assert!(cluster.values(&CERTIFICATE_SIGNING_REQUESTS).is_empty());
        status
    }

    #[tokio::test]
    async fn only_approved_requests_are_signed_and_all_go_in_time() {
        assert_eq!(
            signed("key", "Approved").await.text("/certificate"),
            STANDARD.encode("signed key")
        );
        assert_eq!(signed("key", "Denied").await.text("/certificate"), "");
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_signed_says_why() {
        let cluster = FakeCluster::new();
        let signing = CertificateSigning {
            authority: Arc::new(FakeAuthority),
        };
        cluster.put(&CERTIFICATE_SIGNING_REQUESTS, request("", "Approved"));
        cluster.settle(&[&signing], NOW).await;
        let status = cluster.value(&CERTIFICATE_SIGNING_REQUESTS, "jane");
        assert_eq!(
            status.text("/status/conditions/1/reason"),
            "SignerValidationFailure"
        );
    }
}
