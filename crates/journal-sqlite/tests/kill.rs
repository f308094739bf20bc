//! `kill -9` under load: every acknowledged write is there afterwards, and revisions only rise.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use smol_str::SmolStr;
use warren_apimachinery::{ClusterId, Draft, GroupResource, ObjectKey, Revision};
use warren_journal_sqlite::SqliteJournal;
use warren_storage::{CommitError, Journal, JournalError, Silent, Store, Write, WriteKind};

const CLUSTERS: usize = 3;
const WRITERS: usize = 8;
const ROUNDS: usize = 6;

fn pods() -> GroupResource {
    GroupResource {
        group: SmolStr::default(),
        resource: SmolStr::new("pods"),
    }
}

fn cluster(at: usize) -> ClusterId {
    ClusterId::new(format!("c{at}"))
}

fn open(journal: &Arc<dyn Journal>, at: usize) -> Arc<Store> {
    match journal.create(&cluster(at), None) {
        Ok(_) | Err(JournalError::Exists(_)) => {}
        Err(error) => unreachable!("{error}"),
    }
    let opened = journal.open(&cluster(at)).unwrap();
    Store::open(cluster(at), Arc::clone(journal), opened, Arc::new(Silent))
}

fn draft(key: &ObjectKey, count: usize) -> Draft {
    let metadata = json!({"namespace": key.namespace.as_str(), "name": key.name.as_str()});
    Draft::new(
        json!({"metadata": metadata, "count": count, "pad": "x".repeat(count % 3000)}),
        Box::default(),
    )
}

/// Creates, changes and deletes its own objects for ever; says each acknowledged revision on a line.
async fn write_for_ever(store: Arc<Store>, writer: usize) {
    for count in 0.. {
        let key = ObjectKey::namespaced("default", format!("w{writer}-{}", count % 5));
        let current = store.latest(&pods(), &key).map(|object| object.meta().revision);
        let (gone, change) = match current {
            None => (0, WriteKind::Create(draft(&key, count))),
            Some(expected) if count % 7 == 0 => (
                1,
                WriteKind::Delete {
                    last: draft(&key, count),
                    expected,
                },
            ),
            Some(expected) => (
                0,
                WriteKind::Update {
                    draft: draft(&key, count),
                    expected,
                },
            ),
        };
        let write = Write {
            resource: pods(),
            key: key.clone(),
            change,
        };
        let object = store.commit(write).await.unwrap();
        let line = format!(
            "acked {} {} {} {gone}\n",
            store.cluster(),
            key.name,
            object.meta().revision
        );
        // In one write, so that the parent reads whole lines.
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}

/// The child of the next one, which is what is killed; by itself it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_until_it_is_killed() {
    let Ok(directory) = std::env::var("WARREN_TEST_KILL") else {
        return;
    };
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(Path::new(&directory)).unwrap());
    let stores: Vec<_> = (0..CLUSTERS).map(|at| open(&journal, at)).collect();
    println!();
    let mut writers = tokio::task::JoinSet::new();
    for store in &stores {
        for writer in 0..WRITERS {
            writers.spawn(write_for_ever(Arc::clone(store), writer));
        }
    }
    writers.join_next().await;
}

/// What the last acknowledged write of an object left behind.
#[derive(Clone, Copy, Debug)]
struct Acked {
    revision: Revision,
    gone: bool,
}

type AllAcked = HashMap<(String, String), Acked>;

/// Lets a child write until it has said `enough` lines, kills it, and reads what it said until then.
fn write_and_kill(directory: &Path, enough: usize, acked: &mut AllAcked) -> usize {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_until_it_is_killed", "--nocapture"])
        .env("WARREN_TEST_KILL", directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let ["acked", cluster, name, revision, gone] = words[..] else {
            continue;
        };
        let ack = Acked {
            revision: Revision(revision.parse().unwrap()),
            gone: gone == "1",
        };
        let before = acked.insert((cluster.to_owned(), name.to_owned()), ack);
        assert!(
            before.is_none_or(|before| before.revision < ack.revision),
            "revisions of {name} rise"
        );
        said += 1;
        if said == enough {
            // SIGKILL on Unix.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    said
}

fn check(directory: &Path, acked: &AllAcked) -> Vec<Revision> {
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(directory).unwrap());
    let mut revisions = Vec::new();
    for at in 0..CLUSTERS {
        let store = open(&journal, at);
        let snapshot = store.snapshot();
        for ((_, name), ack) in acked
            .iter()
            .filter(|((cluster, _), _)| *cluster == store.cluster().as_str())
        {
            assert!(ack.revision <= snapshot.revision(), "{name} at {ack:?}");
            let found = snapshot.get(&pods(), &ObjectKey::namespaced("default", name.as_str()));
            let found = found.map(|object| object.meta().revision);
            // A later write of the same object may be durable though its acknowledgement was not read.
            let is_there = match found {
                Some(found) => found > ack.revision || (found == ack.revision && !ack.gone),
                None => ack.gone || snapshot.revision() > ack.revision,
            };
            assert!(is_there, "{name}: acknowledged {ack:?}, found {found:?}");
        }
        revisions.push(snapshot.revision());
    }
    revisions
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let mut acked = AllAcked::new();
    let mut last = vec![Revision::ZERO; CLUSTERS];
    for round in 0..ROUNDS {
        // Somewhere else in a group, a compaction or a checkpoint each time.
        let jitter = usize::try_from(any_number() % 997).unwrap();
        let said = write_and_kill(directory.path(), 200 + round * 700 + jitter, &mut acked);
        assert!(said >= 200, "the child wrote");
        let revisions = check(directory.path(), &acked);
        for (before, after) in last.iter().zip(&revisions) {
            assert!(before < after, "revisions rise: {before} then {after}");
        }
        last = revisions;
    }
}

/// A number that differs from run to run.
fn any_number() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

#[tokio::test]
async fn a_store_whose_disk_is_full_is_read_only_and_opens_again() {
    let directory = tempfile::tempdir().unwrap();
    let small = warren_journal_sqlite::Options { max_pages: Some(100) };
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open_with(directory.path(), small).unwrap());
    let store = open(&journal, 0);
    let mut count = 0;
    let error = loop {
        let key = ObjectKey::namespaced("default", format!("n{count}"));
        let change = WriteKind::Create(draft(&key, 2000));
        match store
            .commit(Write {
                resource: pods(),
                key,
                change,
            })
            .await
        {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
        assert!(count < 10_000, "the disk never fills up");
    };
    assert!(
        matches!(error, CommitError::Journal(JournalError::Full)),
        "{error:?}"
    );
    assert!(store.failure().is_some());
    assert_eq!(store.snapshot().count(&pods()), count);
    let store = open(&journal, 0);
    assert_eq!(store.snapshot().count(&pods()), count);
}
