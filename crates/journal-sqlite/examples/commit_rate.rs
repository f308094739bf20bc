//! Prints how many durable commits of 1-KB objects a second the store makes on SQLite:
//! `cargo run --release --example commit_rate -p warren-journal-sqlite [DIRECTORY]`.
//!
//! A commit counts when its writer has heard that it is durable and visible. `update` rewrites one object per
//! writer, so that compaction has as much to do as there is written.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that fails says so and ends"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use smol_str::SmolStr;
use warren_apimachinery::{ClusterId, Draft, GroupResource, ObjectKey};
use warren_journal_sqlite::SqliteJournal;
use warren_storage::{Journal, Silent, Store, Write, WriteKind};

const SECONDS: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Load {
    Create,
    Update,
}

struct Case {
    load: Load,
    writers: usize,
    clusters: usize,
}

#[tokio::main]
async fn main() {
    let parent = std::env::args()
        .nth(1)
        .map_or_else(|| PathBuf::from("."), PathBuf::from);
    for (load, writers, clusters) in [
        (Load::Create, 1, 1),
        (Load::Create, 32, 1),
        (Load::Create, 32, 32),
        (Load::Update, 1, 1),
        (Load::Update, 32, 1),
        (Load::Update, 32, 32),
    ] {
        measure(
            &parent,
            Case {
                load,
                writers,
                clusters,
            },
        )
        .await;
    }
}

async fn measure(parent: &Path, case: Case) {
    let directory = tempfile::tempdir_in(parent).unwrap();
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(directory.path()).unwrap());
    let stores: Vec<_> = (0..case.clusters).map(|at| store(&journal, at)).collect();
    let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let start = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for (writer, store) in (0..case.writers).zip(stores.iter().cycle()) {
        writers.spawn(write(
            Arc::clone(store),
            case.load,
            writer,
            Arc::clone(&count),
            Arc::clone(&stop),
        ));
    }
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let rate = count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    writers.join_all().await;
    let size = |file: &str| std::fs::metadata(directory.path().join(file)).map_or(0, |file| file.len() >> 20);
    println!(
        "{:?}: {:2} writers in {:2} clusters: {rate:6.0} commits/s; data {} MiB, write-ahead log {} MiB",
        case.load,
        case.writers,
        case.clusters,
        size("journal.sqlite"),
        size("journal.sqlite-wal"),
    );
}

fn store(journal: &Arc<dyn Journal>, at: usize) -> Arc<Store> {
    let cluster = ClusterId::new(format!("c{at}"));
    journal.create(&cluster, None).unwrap();
    let opened = journal.open(&cluster).unwrap();
    Store::open(cluster, Arc::clone(journal), opened, Arc::new(Silent))
}

async fn write(store: Arc<Store>, load: Load, writer: usize, count: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    let resource = GroupResource {
        group: SmolStr::default(),
        resource: SmolStr::new("configmaps"),
    };
    let pad = "x".repeat(850);
    let mut last = None;
    for at in 0.. {
        let name = if load == Load::Create {
            format!("w{writer}-{at}")
        } else {
            format!("w{writer}")
        };
        let key = ObjectKey::namespaced("default", name.as_str());
        let metadata =
            json!({"namespace": "default", "name": name, "uid": "5d4ff9a4-0000-4000-8000-000000000000"});
        let value =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"pad": pad}});
        let draft = Draft::new(value, Box::default());
        let change = match last {
            Some(expected) if load == Load::Update => WriteKind::Update { draft, expected },
            _ => WriteKind::Create(draft),
        };
        let resource = resource.clone();
        last = Some(
            store
                .commit(Write {
                    resource,
                    key,
                    change,
                })
                .await
                .unwrap()
                .meta()
                .revision,
        );
        count.fetch_add(1, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}
