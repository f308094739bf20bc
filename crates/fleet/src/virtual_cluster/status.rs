//! What a `VirtualCluster` reports of itself.

use std::net::SocketAddr;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, resource};
use warren_config::Phase;
use warren_config::check::Finding;
use warren_reconciler::{Context, Part};

use super::text;

/// A fact for the status.
pub(super) enum Fact {
    /// A condition: type, whether it holds, reason, message.
    Condition(&'static str, bool, &'static str, String),
    /// There is no such condition any more.
    NoCondition(&'static str),
    /// A plain field.
    Field(&'static str, String),
    /// A plain number.
    Number(&'static str, u16),
}

/// The facts of a cluster that is up.
pub(super) fn ready(server: &str, port: u16, name: &str) -> Vec<Fact> {
    vec![
        Fact::Condition("Ready", true, "Serving", format!("the API answers at {server}")),
        Fact::Field("endpoint", server.to_owned()),
        Fact::Number("port", port),
        Fact::Field(
            "kubernetesVersion",
            warren_apiserver::KUBERNETES_VERSION.to_owned(),
        ),
        Fact::Field("kubeconfigSecret", format!("vc-{name}")),
    ]
}

/// Where the name server listens, over UDP and TCP; empty where there is none.
pub(super) fn dns(address: Option<SocketAddr>) -> Fact {
    Fact::Field(
        "dns",
        address.map(|address| address.to_string()).unwrap_or_default(),
    )
}

/// The configuration holds; what of it nothing is done with is named.
pub(super) fn config_valid(ignored: &[Finding]) -> Fact {
    let words: Vec<_> = ignored.iter().map(|finding| format!("{finding}")).collect();
    let message = match words.as_slice() {
        [] => String::new(),
        words => format!("ignored: {}", words.join("; ")),
    };
    Fact::Condition("ConfigValid", true, "Valid", message)
}

/// The configuration is refused.
pub(super) fn config_invalid(why: &str) -> Fact {
    Fact::Condition("ConfigValid", false, "Invalid", why.to_owned())
}

/// The cluster is not up.
pub(super) fn not_ready(reason: &'static str, why: &str) -> Fact {
    Fact::Condition("Ready", false, reason, why.to_owned())
}

/// Writes the status, if it says anything new.
pub(super) async fn report(cx: &Context, object: &Value, phase: Phase, facts: &[Fact]) -> Result<(), Status> {
    let mut status = object.at("/status").clone();
    let generation = object.int("/metadata/generation").unwrap_or_default();
    status.set("/phase", phase.as_str());
    status.set("/observedGeneration", generation);
    let mut conditions = status.items("/conditions").to_vec();
    for fact in facts {
        match fact {
            Fact::Field(name, value) => status.set(&format!("/{name}"), value.as_str()),
            Fact::Number(name, value) => status.set(&format!("/{name}"), *value),
            Fact::NoCondition(name) => conditions.retain(|condition| condition.text("/type") != *name),
            Fact::Condition(name, holds, reason, message) => {
                let holds = if *holds { "True" } else { "False" };
                let old = conditions
                    .iter()
                    .find(|condition| condition.text("/type") == *name);
                let since = old.filter(|old| old.text("/status") == holds).map_or_else(
                    || json!(text(cx.now)),
                    |old| old.at("/lastTransitionTime").clone(),
                );
                let condition = json!({"type": name, "status": holds, "reason": reason, "message": message,
                    "observedGeneration": generation, "lastTransitionTime": since});
                conditions.retain(|condition| condition.text("/type") != *name);
                conditions.push(condition);
            }
        }
    }
    conditions.sort_by(|a, b| a.text("/type").cmp(b.text("/type")));
    status.set("/conditions", conditions);
    if status == *object.at("/status") {
        return Ok(());
    }
    let key = ObjectKey::namespaced(object.text("/metadata/namespace"), object.text("/metadata/name"));
    let patch = json!({"status": status});
    cx.cluster
        .merge_patch(&resource::VIRTUAL_CLUSTERS, &key, Part::Status, patch)
        .await?;
    Ok(())
}
