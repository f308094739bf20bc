//! The pods that are made.

use bytes::Bytes;
use serde_json::json;

/// What they are like.
#[derive(Clone, Copy, Debug)]
pub(super) struct PodShape {
    /// Whether a scheduler takes them.
    pub(super) runs: bool,
}

impl PodShape {
    /// A pod as an application would have it.
    pub(super) fn body(self, name: &str) -> Bytes {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "bench", "tier": "web"}},
            "spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false, "containers": [
                {"name": "web", "image": "nginx:1.27", "ports": [{"containerPort": 80}],
                    "env": [{"name": "MODE", "value": "bench"}],
                    "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}}]}});
        if !self.runs
            && let Some(spec) = pod.get_mut("spec").and_then(serde_json::Value::as_object_mut)
        {
            spec.insert("schedulerName".to_owned(), json!("nobody"));
        }
        Bytes::from(pod.to_string())
    }
}
