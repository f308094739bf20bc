//! The template: what every cluster starts with, made once, written once, shared by all clusters that start from it.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use warren_access::bootstrap;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, Draft, Meta, Value, time};
use warren_registry::Catalogue;
use warren_registry::definition::Definition;
use warren_storage::{Journal, JournalError, Silent, Snapshot, Store, Write, WriteKind};

use crate::error::FleetError;

/// A cluster of the journal that nobody serves: the base of others. Its name holds the hash of its content, so a new
/// version of Warren brings a new template and leaves the old one to the clusters that started from it.
pub(crate) struct Template {
    pub(crate) id: ClusterId,
    pub(crate) root: Snapshot,
}

const PREFIX: &str = "template-";

/// Whether a cluster of the journal is a template.
pub(crate) fn is_template(id: &ClusterId) -> bool {
    id.as_str().starts_with(PREFIX)
}

impl Template {
    /// Loads the template of this version, or makes it.
    pub(crate) async fn load_or_make(
        journal: &Arc<dyn Journal>,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Result<Self, FleetError> {
        let id = id(bootstrap::template());
        let store = match blocking(journal, &id, |journal, id| journal.open(id)).await? {
            Ok(opened) => Store::open(id.clone(), Arc::clone(journal), opened, Arc::new(Silent)),
            Err(JournalError::UnknownCluster(_)) => make(journal, &id, catalogue, now).await?,
            Err(error) => return Err(error.into()),
        };
        store.close().await;
        Ok(Self {
            id,
            root: store.snapshot(),
        })
    }
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    journal: &Arc<dyn Journal>,
    id: &ClusterId,
    work: impl FnOnce(&dyn Journal, &ClusterId) -> Result<T, JournalError> + Send + 'static,
) -> Result<Result<T, JournalError>, FleetError> {
    let (journal, id) = (Arc::clone(journal), id.clone());
    let done = tokio::task::spawn_blocking(move || work(journal.as_ref(), &id)).await;
    done.map_err(|_| FleetError::CutOff)
}

fn id(objects: impl Iterator<Item = Value>) -> ClusterId {
    let mut hash = Sha256::new();
    for object in objects {
        hash.update(object.to_string());
    }
    let digits: String = hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    ClusterId::new(format!("{PREFIX}{digits}"))
}

/// A template that a crash left unfinished is made anew.
async fn make(
    journal: &Arc<dyn Journal>,
    id: &ClusterId,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Result<Arc<Store>, FleetError> {
    let building = ClusterId::new(format!("{id}-new"));
    blocking(journal, &building, |journal, id| journal.delete(id)).await??;
    let epoch = blocking(journal, &building, |journal, id| journal.create(id, None)).await??;
    let store = Store::fork(
        &Snapshot::default(),
        building.clone(),
        Arc::clone(journal),
        epoch,
        Arc::new(Silent),
    );
    let writes = bootstrap::template().filter_map(|object| write(catalogue, object, now));
    // All at once, so that they share their way to the disk.
    for written in futures_util::future::join_all(writes.map(|write| store.commit(write))).await {
        written.map_err(|source| FleetError::Commit {
            cluster: id.clone(),
            source,
        })?;
    }
    store.close().await;
    // The finished one is a fork, so that it is there whole or not at all.
    let base = building.clone();
    let epoch = blocking(journal, id, move |journal, id| journal.create(id, Some(&base))).await??;
    Ok(Store::fork(
        &store.snapshot(),
        id.clone(),
        Arc::clone(journal),
        epoch,
        Arc::new(Silent),
    ))
}

fn write(catalogue: &Catalogue, mut object: Value, now: Timestamp) -> Option<Write> {
    let api_version = object.text("/apiVersion").to_owned();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let definition: &Arc<Definition> = catalogue.kind(group, object.text("/kind"))?;
    object.set("/metadata/uid", uuid::Uuid::new_v4().to_string());
    object.set("/metadata/creationTimestamp", time::format(now));
    // Conditions became so with the template.
    let conditions = object
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        condition.set("/lastTransitionTime", time::format(now));
    }
    let fields = definition.strategy.fields(&object);
    let key = Meta::of(&object).key();
    Some(Write {
        resource: definition.storage.clone(),
        key,
        change: WriteKind::Create(Draft::new(object, fields)),
    })
}
