//! Making and deleting pods for a controller: from a template, in growing batches, with upstream's events.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Resource, Status, StatusReason};
use warren_reconciler::{Context, DeleteOptions};

use crate::owner::controller_reference;
use warren_reconciler::event::Recorder;

/// The most pods that one pass makes or deletes.
pub(crate) const BURST: usize = 500;
const LARGEST_BATCH: usize = 64;

/// A controller and one of its objects, for which pods come and go.
pub(crate) struct PodControl<'a> {
    /// The pass.
    pub(crate) cx: &'a Context,
    /// Who tells of it.
    pub(crate) recorder: Recorder,
    /// The kind of the owner.
    pub(crate) resource: &'static Resource,
    /// The owner.
    pub(crate) owner: &'a Object,
}

/// A pod made from `template` (a `PodTemplateSpec`), owned by `owner`, without a name.
pub(crate) fn from_template(resource: &Resource, owner: &Object, template: &Value) -> Value {
    let mut metadata = Map::new();
    for name in ["labels", "annotations", "finalizers"] {
        let value = template.at("/metadata").field(name);
        if !value.is_null() {
            metadata.insert(name.to_owned(), value.clone());
        }
    }
    let meta = owner.meta();
    metadata.insert("namespace".to_owned(), meta.namespace.as_str().into());
    let reference = controller_reference(resource, meta);
    metadata.insert("ownerReferences".to_owned(), json!([reference]));
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.at("/spec")})
}

/// The prefix of the generated names of an owner's pods.
pub(crate) fn generate_name(owner: &str) -> String {
    format!("{owner}-")
}

/// The namespace is going: making more of anything is pointless, and no error.
pub(crate) fn namespace_is_terminating(status: &Status) -> bool {
    status.details().is_some_and(|details| {
        details
            .causes
            .iter()
            .any(|cause| cause.reason == "NamespaceTerminating")
    })
}

impl PodControl<'_> {
    /// Makes `pods`, in batches that double as long as all goes well. Answers with the first failure; what was made
    /// until then stays.
    pub(crate) async fn create_all(&self, pods: Vec<Value>) -> Result<Vec<Arc<Object>>, Status> {
        let mut made = Vec::with_capacity(pods.len());
        let mut left = pods.into_iter();
        let mut size = 1;
        loop {
            let mut batch = JoinSet::new();
            for pod in left.by_ref().take(size) {
                let cluster = self.cx.cluster.clone();
                batch.spawn(async move { cluster.create(&PODS, pod).await });
            }
            if batch.is_empty() {
                return Ok(made);
            }
            let mut failure = None;
            for result in batch.join_all().await {
                match result {
                    Ok(pod) => {
                        self.created(&pod).await;
                        made.push(pod);
                    }
                    Err(status) if namespace_is_terminating(&status) => return Ok(made),
                    Err(status) => failure = Some(status),
                }
            }
            if let Some(status) = failure {
                let about = self.recorder.about(self.cx, self.resource, self.owner);
                about
                    .warning("FailedCreate", format!("Error creating: {status}"))
                    .await;
                return Err(status);
            }
            size = (size * 2).min(LARGEST_BATCH);
        }
    }

    async fn created(&self, pod: &Object) {
        let about = self.recorder.about(self.cx, self.resource, self.owner);
        let message = format!("Created pod: {}", pod.meta().name);
        about.normal("SuccessfulCreate", message).await;
    }

    /// Deletes one pod; one that is gone already is no failure.
    pub(crate) async fn delete(&self, pod: &Object) -> Result<(), Status> {
        let options = DeleteOptions {
            uid: Some(pod.meta().uid.to_string()),
            ..DeleteOptions::default()
        };
        let about = self.recorder.about(self.cx, self.resource, self.owner);
        match self.cx.cluster.delete(&PODS, &pod.key(), options).await {
            Ok(()) => {
                let message = format!("Deleted pod: {}", pod.meta().name);
                about.normal("SuccessfulDelete", message).await;
                Ok(())
            }
            Err(status) if status.is(StatusReason::NotFound) => Ok(()),
            Err(status) => {
                about
                    .warning("FailedDelete", format!("Error deleting: {status}"))
                    .await;
                Err(status)
            }
        }
    }
}
