//! Reads one cluster, by the index, newest record first: the first of a key is the object, older ones are
//! skipped without reading their bytes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row};
use smol_str::SmolStr;
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Revision};
use warren_storage::{JournalError, fields_from_text, revive};

use crate::failure::of_sqlite;
use crate::schema;

/// Connections that are kept for the next load.
const IDLE_CONNECTIONS: usize = 2;
/// Bases whose objects are kept, so that the clusters on them share them: templates, of which there are few.
/// The one that was not used for the longest goes.
const KEPT_BASES: usize = 8;

const RECORDS: &str = "SELECT revision, resource, namespace, name, fields, object FROM log WHERE cluster = ?1 \
    ORDER BY revision DESC";

/// Loads clusters. Any number of threads at once.
pub(crate) struct Loader {
    directory: PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// The most recently used last.
    bases: Mutex<Vec<(i64, Arc<Loaded>)>>,
}

type Objects = HashMap<(i64, ObjectKey), Arc<Object>>;

/// The state of one cluster.
#[derive(Clone, Default)]
pub(crate) struct Loaded {
    pub(crate) revision: Revision,
    objects: Objects,
    resources: Arc<HashMap<i64, GroupResource>>,
}

impl Loaded {
    pub(crate) fn into_objects(self) -> Result<Vec<(GroupResource, Arc<Object>)>, JournalError> {
        let Self {
            objects, resources, ..
        } = self;
        let named = objects.into_iter().map(|((resource, _), object)| {
            let resource = resources.get(&resource).cloned();
            Ok((
                resource.ok_or_else(|| damaged("a record's resource has no name"))?,
                object,
            ))
        });
        named.collect()
    }
}

fn damaged(what: &str) -> JournalError {
    JournalError::Corrupt(what.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Loader {
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            idle: Mutex::default(),
            bases: Mutex::default(),
        }
    }

    /// Closes the connections that no load has just now.
    pub(crate) fn close(&self) {
        lock(&self.idle).clear();
    }

    /// Reads the cluster of a row. All that was committed before the call is seen.
    pub(crate) fn load(&self, cluster: &ClusterId, row: i64) -> Result<Loaded, JournalError> {
        let connection = match lock(&self.idle).pop() {
            Some(connection) => connection,
            None => schema::second(&self.directory)?,
        };
        // One snapshot for everything, whatever is compacted or removed meanwhile.
        connection.execute_batch("BEGIN").map_err(of_sqlite)?;
        let loaded = self.load_all(&connection, cluster, row);
        connection.execute_batch("ROLLBACK").map_err(of_sqlite)?;
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_CONNECTIONS {
            idle.push(connection);
        }
        loaded
    }

    fn load_all(
        &self,
        connection: &Connection,
        cluster: &ClusterId,
        row: i64,
    ) -> Result<Loaded, JournalError> {
        let resources = Arc::new(resources(connection).map_err(of_sqlite)?);
        self.load_row(connection, cluster, row, &resources)
    }

    fn load_row(
        &self,
        connection: &Connection,
        cluster: &ClusterId,
        row: i64,
        resources: &Arc<HashMap<i64, GroupResource>>,
    ) -> Result<Loaded, JournalError> {
        let select = "SELECT base, base_revision, revision FROM clusters WHERE id = ?1";
        let found = connection
            .prepare_cached(select)
            .and_then(|mut select| {
                let read = |row: &Row<'_>| Ok((row.get(0)?, revision(row, 1)?, revision(row, 2)?));
                select.query_row([row], read).optional()
            })
            .map_err(of_sqlite)?;
        let (base, base_revision, last): (Option<i64>, Revision, Revision) =
            found.ok_or_else(|| JournalError::UnknownCluster(cluster.clone()))?;
        let mut loaded = match base {
            None => Loaded::default(),
            Some(base) => {
                let below = match self.kept(base, base_revision) {
                    Some(kept) => kept,
                    None => self.keep(base, self.load_row(connection, cluster, base, resources)?),
                };
                Loaded::clone(&below)
            }
        };
        loaded.resources = Arc::clone(resources);
        loaded.revision = loaded.revision.max(last);
        read(connection, row, &mut loaded).map_err(|error| error.of(cluster))?;
        Ok(loaded)
    }

    /// A base takes no writes while it is one, so its revision says what it holds.
    fn kept(&self, base: i64, at: Revision) -> Option<Arc<Loaded>> {
        let mut bases = lock(&self.bases);
        let place = bases
            .iter()
            .position(|(row, kept)| *row == base && kept.revision == at)?;
        let found = bases.remove(place);
        let kept = Arc::clone(&found.1);
        bases.push(found);
        Some(kept)
    }

    /// Of two that loaded a base at once, the first one's objects are shared by both.
    fn keep(&self, base: i64, loaded: Loaded) -> Arc<Loaded> {
        if let Some(kept) = self.kept(base, loaded.revision) {
            return kept;
        }
        let loaded = Arc::new(loaded);
        let mut bases = lock(&self.bases);
        bases.retain(|(row, _)| *row != base);
        if bases.len() >= KEPT_BASES {
            bases.remove(0);
        }
        bases.push((base, Arc::clone(&loaded)));
        loaded
    }
}

/// What went wrong with a record.
enum Unreadable {
    Sqlite(rusqlite::Error),
    Object(ObjectKey, Revision),
}

impl From<rusqlite::Error> for Unreadable {
    fn from(error: rusqlite::Error) -> Self {
        Unreadable::Sqlite(error)
    }
}

impl Unreadable {
    fn of(self, cluster: &ClusterId) -> JournalError {
        match self {
            Unreadable::Sqlite(error) => of_sqlite(error),
            Unreadable::Object(key, revision) => JournalError::Corrupt(format!(
                "object {key} at revision {revision} of cluster {cluster} cannot be read"
            )),
        }
    }
}

fn revision(row: &Row<'_>, column: usize) -> rusqlite::Result<Revision> {
    Ok(Revision(row.get::<_, i64>(column)?.unsigned_abs()))
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<SmolStr> {
    Ok(SmolStr::new(row.get_ref(column)?.as_str()?))
}

fn resources(connection: &Connection) -> rusqlite::Result<HashMap<i64, GroupResource>> {
    let mut select = connection.prepare_cached("SELECT id, api_group, name FROM resources")?;
    let rows = select.query_map([], |row| {
        let resource = GroupResource {
            group: text(row, 1)?,
            resource: text(row, 2)?,
        };
        Ok((row.get(0)?, resource))
    })?;
    rows.collect()
}

/// Lays the records of a cluster over what its base has.
fn read(connection: &Connection, cluster: i64, loaded: &mut Loaded) -> Result<(), Unreadable> {
    // Of each key the newest record counts; `None` is a tombstone.
    let mut newest: HashMap<(i64, ObjectKey), Option<Arc<Object>>> = HashMap::new();
    let mut select = connection.prepare_cached(RECORDS)?;
    let mut rows = select.query([cluster])?;
    while let Some(row) = rows.next()? {
        let at = revision(row, 0)?;
        loaded.revision = loaded.revision.max(at);
        let key = ObjectKey {
            namespace: text(row, 2)?,
            name: text(row, 3)?,
        };
        let place = (row.get::<_, i64>(1)?, key);
        if newest.contains_key(&place) {
            continue;
        }
        let object = object(row, at)?.map_err(|()| Unreadable::Object(place.1.clone(), at))?;
        newest.insert(place, object);
    }
    for (place, object) in newest {
        match object {
            Some(object) => loaded.objects.insert(place, object),
            None => loaded.objects.remove(&place),
        };
    }
    Ok(())
}

type Found = Result<Option<Arc<Object>>, ()>;

fn object(row: &Row<'_>, revision: Revision) -> rusqlite::Result<Found> {
    let Some(bytes) = row.get_ref(5)?.as_blob_or_null()? else {
        return Ok(Ok(None));
    };
    let fields = match row.get_ref(4)?.as_str_or_null()? {
        None => Some(Box::default()),
        Some(text) => fields_from_text(text),
    };
    let object = fields.and_then(|fields| revive(Bytes::copy_from_slice(bytes), revision, fields));
    Ok(object.map(|object| Some(Arc::new(object))).ok_or(()))
}
