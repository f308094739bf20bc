//! ControllerRevisions: the history of the templates of StatefulSets and DaemonSets.

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::resource::CONTROLLER_REVISIONS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Meta, Object, ObjectKey, Resource, Status, StatusReason};
use warren_reconciler::{Cluster, DeleteOptions, Part, ReconcileError};

use crate::label_selector::Selector;
use crate::{owner, template_hash};

/// The label that carries the hash of a revision's data.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";
/// The label that a DaemonSet's revisions and all its pods carry.
pub(crate) const REVISION_LABEL: &str = "controller-revision-hash";

/// A revision.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    pub(crate) object: Arc<Object>,
    /// Its place in history.
    pub(crate) number: i64,
    /// A strategic merge patch of the owner: `{"spec": {"template": {…, "$patch": "replace"}}}`.
    pub(crate) data: Value,
}

impl Revision {
    fn of(object: Arc<Object>) -> Self {
        let mut value = object.to_value();
        Self {
            number: value.int("/revision").unwrap_or_default(),
            data: value.take_at("/data").unwrap_or_default(),
            object,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.object.meta().name
    }

    /// The hash in its label.
    pub(crate) fn hash(&self) -> &str {
        let meta = self.object.meta();
        meta.label(REVISION_LABEL)
            .or_else(|| meta.label(HASH_LABEL))
            .unwrap_or_default()
    }

    /// The template it keeps.
    pub(crate) fn template(&self) -> Value {
        let mut template = self.data.at("/spec/template").clone();
        template.take_at("/$patch");
        template
    }
}

/// The history of an owner.
pub(crate) struct History<'a> {
    pub(crate) cluster: &'a dyn Cluster,
    pub(crate) resource: &'a Resource,
    pub(crate) owner: &'a Object,
    pub(crate) collisions: i64,
}

/// What keeping the history came to.
pub(crate) struct Current {
    /// The revision of the owner's template.
    pub(crate) update: Revision,
    /// All revisions, oldest first, that one included.
    pub(crate) all: Vec<Revision>,
}

impl History<'_> {
    /// The owner's revisions, oldest first, after adoption and release.
    pub(crate) async fn list(&self, selector: &Selector) -> Result<Vec<Revision>, Status> {
        let meta = self.owner.meta();
        let candidates = self.cluster.list(&CONTROLLER_REVISIONS, Some(&meta.namespace));
        let owner = (self.resource, meta);
        let dependents = (&CONTROLLER_REVISIONS, candidates);
        let claimed = owner::claim(self.cluster, owner, selector, dependents).await?;
        let mut revisions: Vec<_> = claimed.into_iter().map(Revision::of).collect();
        revisions.sort_by(|a, b| (a.number, a.name()).cmp(&(b.number, b.name())));
        Ok(revisions)
    }

    /// Finds or makes the revision of the owner's template. A template that was there before becomes the newest.
    pub(crate) async fn ensure(&self, mut all: Vec<Revision>) -> Result<Current, ReconcileError> {
        let owner = self.owner.to_value();
        let data = data(&owner);
        let next = all.last().map_or(0, |last| last.number) + 1;
        let known = all.iter().rposition(|revision| revision.data == data);
        let update = match known {
            Some(at) if at + 1 == all.len() => all.remove(at),
            Some(at) => {
                let known = all.remove(at);
                let key = known.object.key();
                let patch = json!({"revision": next});
                let renumbered = self
                    .cluster
                    .merge_patch(&CONTROLLER_REVISIONS, &key, Part::Main, patch)
                    .await?;
                Revision::of(renumbered)
            }
            None => self.create(&owner, data, next).await?,
        };
        all.push(update.clone());
        Ok(Current { update, all })
    }

    async fn create(&self, owner: &Value, data: Value, number: i64) -> Result<Revision, ReconcileError> {
        let meta = self.owner.meta();
        let hash = template_hash::of(&data, Some(self.collisions));
        let name = name(&meta.name, &hash);
        let mut labels = owner.at("/spec/template/metadata/labels").clone();
        let label = match self.resource.kind {
            "DaemonSet" => REVISION_LABEL,
            _ => HASH_LABEL,
        };
        labels.set(&format!("/{}", label.replace('/', "~1")), hash.as_str());
        let mut revision = json!({
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "namespace": meta.namespace,
                "labels": labels,
                "ownerReferences": [owner::controller_reference(self.resource, meta)],
            },
            "data": data,
            "revision": number,
        });
        if owner.at("/metadata/annotations").is_object() {
            revision.set("/metadata/annotations", owner.at("/metadata/annotations").clone());
        }
        match self.cluster.create(&CONTROLLER_REVISIONS, revision).await {
            Ok(object) => Ok(Revision::of(object)),
            Err(status) if status.is(StatusReason::AlreadyExists) => self.taken(&name, owner).await,
            Err(status) => Err(status.into()),
        }
    }

    /// The name is taken: by the same content (the cache was behind), or by chance, which is counted in the status.
    async fn taken(&self, name: &str, owner: &Value) -> Result<Revision, ReconcileError> {
        let meta = self.owner.meta();
        let key = ObjectKey::namespaced(meta.namespace.clone(), name);
        let taken = self.cluster.get(&CONTROLLER_REVISIONS, &key).map(Revision::of);
        if let Some(taken) = taken.filter(|taken| taken.data == data(owner))
            && owner::is_controlled_by(taken.object.meta(), meta)
        {
            return Ok(taken);
        }
        let patch = json!({"status": {"collisionCount": self.collisions + 1}});
        let key = self.owner.key();
        self.cluster
            .merge_patch(self.resource, &key, Part::Status, patch)
            .await?;
        Err(ReconcileError::Retry(format!(
            "a controller revision {name:?} of another template exists"
        )))
    }

    /// Removes the oldest revisions beyond `limit` that are not in use.
    pub(crate) async fn truncate(
        &self,
        all: &[Revision],
        limit: usize,
        in_use: impl Fn(&Revision) -> bool,
    ) -> Result<(), Status> {
        let idle: Vec<_> = all.iter().filter(|revision| !in_use(revision)).collect();
        let surplus = idle.len().saturating_sub(limit);
        for revision in idle.into_iter().take(surplus) {
            let options = DeleteOptions::default();
            match self
                .cluster
                .delete(&CONTROLLER_REVISIONS, &revision.object.key(), options)
                .await
            {
                Err(status) if !status.is(StatusReason::NotFound) => return Err(status),
                _ => {}
            }
        }
        Ok(())
    }
}

fn data(owner: &Value) -> Value {
    let mut template = owner.at("/spec/template").clone();
    template.set("/$patch", "replace");
    json!({"spec": {"template": template}})
}

/// Upstream cuts the owner's name so that the whole fits.
fn name(owner: &str, hash: &str) -> String {
    let prefix: String = owner.chars().take(223).collect();
    format!("{prefix}-{hash}")
}

/// The revision that a pod was made of, as its label says.
pub(crate) fn of_pod(pod: &Meta) -> &str {
    pod.label(REVISION_LABEL).unwrap_or_default()
}
