//! A full disk, a store that fails, a directory in use, a taken port, a damaged file: what a fleet says and does.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;
use warren_apimachinery::ClusterId;
use warren_fleet::{Embedded, Fleet, FleetError, Options};
use warren_journal_sqlite::SqliteJournal;
use warren_storage::{Done, Epoch, Journal, JournalError, MemoryJournal, Opened, Record};

use crate::client::{Client, Reply, tenant};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn on(journal: Arc<dyn Journal>) -> Embedded {
    let fleet = Fleet::open_over(journal, Options::in_memory()).await.unwrap();
    Embedded::start_on(fleet, 1, None).await.unwrap()
}

async fn write(client: &Client, name: &str) -> Reply {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "x".repeat(4000)}});
    client.post(MAPS, &map).await
}

/// Writes until one is taken again.
async fn write_again(client: &Client, name: &str) {
    let deadline = tokio::time::Instant::now() + crate::client::PATIENCE;
    loop {
        let reply = write(client, name).await;
        if reply.code == 201 {
            return;
        }
        assert_eq!(reply.refusal().1, "InternalError", "{}", reply.text());
        assert!(tokio::time::Instant::now() < deadline, "still {}", reply.text());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn names(client: &Client) -> BTreeSet<String> {
    let maps = client.list(MAPS).await;
    let names = maps
        .iter()
        .map(|map| map["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| name != "kube-root-ca.crt").collect()
}

#[tokio::test]
async fn a_full_disk_refuses_writes_keeps_what_was_acknowledged_and_mends_itself() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(dir.path()).unwrap());
    let embedded = on(Arc::<SqliteJournal>::clone(&journal)).await;
    embedded.virtual_cluster("one", None).await.unwrap();
    embedded.virtual_cluster("two", None).await.unwrap();
    let one = Client::admin(&tenant(&embedded, "one"));
    let two = Client::admin(&tenant(&embedded, "two"));
    assert_eq!(write(&two, "before").await.code, 201);

    journal.limit(Some(1)).unwrap();
    let mut acknowledged = BTreeSet::new();
    let refused = loop {
        let name = format!("n{}", acknowledged.len());
        let reply = write(&one, &name).await;
        if reply.code != 201 {
            break reply;
        }
        acknowledged.insert(name);
        assert!(acknowledged.len() < 2000, "the disk never fills up");
    };
    let words = "Internal error occurred: no space is left for the cluster's data: nothing was written";
    assert_eq!(
        refused.refusal(),
        (500, "InternalError".to_owned(), words.to_owned())
    );
    assert_eq!(names(&one).await, acknowledged);
    assert_eq!(one.get("/readyz").await.code, 500, "it says that it is not well");
    assert_eq!(names(&two).await, BTreeSet::from(["before".to_owned()]));
    assert_eq!(write(&one, "refused").await.refusal().2, words);

    journal.limit(None).unwrap();
    write_again(&one, "again").await;
    write_again(&two, "again").await;
    acknowledged.insert("again".to_owned());
    assert_eq!(names(&one).await, acknowledged);
    assert_eq!(one.get("/readyz").await.code, 200);
    embedded.virtual_cluster("three", None).await.unwrap();
    embedded.stop().await;
    drop(journal);

    let embedded = Embedded::start(Options::in_dir(dir.path()), 1, None)
        .await
        .unwrap();
    embedded.virtual_cluster("one", None).await.unwrap();
    assert_eq!(
        names(&Client::admin(&tenant(&embedded, "one"))).await,
        acknowledged
    );
    embedded.stop().await;
}

/// A journal that fails the appends of some clusters, and their openings too where it is told to.
struct Broken {
    inner: MemoryJournal,
    appends: Mutex<BTreeSet<ClusterId>>,
    openings: Mutex<BTreeSet<ClusterId>>,
}

impl Journal for Broken {
    fn create(&self, cluster: &ClusterId, base: Option<&ClusterId>) -> Result<Epoch, JournalError> {
        self.inner.create(cluster, base)
    }

    fn open(&self, cluster: &ClusterId) -> Result<Opened, JournalError> {
        if self.openings.lock().unwrap().contains(cluster) {
            return Err(JournalError::Corrupt("a test's".to_owned()));
        }
        self.inner.open(cluster)
    }

    fn append(&self, cluster: &ClusterId, epoch: Epoch, records: Vec<Record>, done: Done) {
        if self.appends.lock().unwrap().contains(cluster) {
            return done(Err(JournalError::Io(Arc::new(std::io::Error::other(
                "secret details",
            )))));
        }
        self.inner.append(cluster, epoch, records, done);
    }

    fn delete(&self, cluster: &ClusterId) -> Result<(), JournalError> {
        self.inner.delete(cluster)
    }

    fn clusters(&self) -> Result<Vec<ClusterId>, JournalError> {
        self.inner.clusters()
    }
}

#[tokio::test]
async fn a_store_that_fails_is_its_tenants_trouble_alone() {
    let journal = Arc::new(Broken {
        inner: MemoryJournal::new(),
        appends: Mutex::default(),
        openings: Mutex::default(),
    });
    let embedded = on(Arc::<Broken>::clone(&journal)).await;
    for name in ["lost", "sick", "well"] {
        embedded.virtual_cluster(name, None).await.unwrap();
    }
    let [lost, sick, well] = ["lost", "sick", "well"].map(|name| tenant(&embedded, name));
    for tenant in [&lost, &sick] {
        journal.appends.lock().unwrap().insert(tenant.id().clone());
    }
    journal.openings.lock().unwrap().insert(lost.id().clone());
    let [to_lost, to_sick, to_well] = [&lost, &sick, &well].map(|tenant| Client::admin(tenant));
    for client in [&to_lost, &to_sick] {
        let (code, _, message) = write(client, "refused").await.refusal();
        assert_eq!(
            (code, message.as_str()),
            (
                500,
                "Internal error occurred: the write could not be made durable"
            )
        );
        assert_eq!(client.get(MAPS).await.code, 200, "reading goes on");
    }
    assert_eq!(write(&to_well, "fine").await.code, 201);

    // The one that cannot be mended does not keep the other from it.
    journal.appends.lock().unwrap().clear();
    write_again(&to_sick, "again").await;
    assert_eq!(names(&to_sick).await, BTreeSet::from(["again".to_owned()]));
    assert_eq!(write(&to_lost, "refused").await.code, 500);
    journal.openings.lock().unwrap().clear();
    write_again(&to_lost, "again").await;
    embedded.stop().await;
}

#[tokio::test]
async fn a_data_directory_in_use_is_refused_and_its_owner_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start(Options::in_dir(dir.path()), 1, None)
        .await
        .unwrap();
    embedded.virtual_cluster("one", None).await.unwrap();
    let second = Embedded::start(Options::in_dir(dir.path()), 1, None).await;
    let error = second.err().unwrap();
    assert!(error.is_data_in_use(), "{error:?}");
    assert_eq!(
        write(&Client::admin(&tenant(&embedded, "one")), "a").await.code,
        201
    );
    embedded.stop().await;
    // Free again at once.
    Embedded::start(Options::in_dir(dir.path()), 1, None)
        .await
        .unwrap()
        .stop()
        .await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_left_to_its_owner() {
    let first = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    let port = first.host().listener().unwrap().address().port();
    let second = Embedded::start(Options::in_memory(), 1, Some(port))
        .await
        .unwrap();
    assert_ne!(second.host().listener().unwrap().address().port(), port);
    assert_eq!(Client::admin(second.host()).get("/readyz").await.code, 200);
    assert_eq!(Client::admin(first.host()).get("/readyz").await.code, 200);
    second.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn a_damaged_data_file_is_refused_in_clear_words_and_left_as_it_is() {
    let file = |dir: &Path| dir.join("journal.sqlite");
    let dir = tempfile::tempdir().unwrap();
    Embedded::start(Options::in_dir(dir.path()), 1, None)
        .await
        .unwrap()
        .stop()
        .await;
    let whole = std::fs::read(file(dir.path())).unwrap();
    assert!(
        whole.len() > 100_000,
        "all is in the file, nothing in a log beside it"
    );
    // From the very beginning, and in the middle of the pages that hold the records.
    for (what, from, to) in [("header", 0, 4096), ("records", 4096, whole.len())] {
        let dir = tempfile::tempdir().unwrap();
        let mut damaged = whole.clone();
        damaged[from..to].fill(0xa5);
        std::fs::write(file(dir.path()), &damaged).unwrap();
        let error = Embedded::start(Options::in_dir(dir.path()), 1, None).await.err();
        let error = error.unwrap_or_else(|| panic!("{what}: not refused"));
        let FleetError::Journal(JournalError::Corrupt(words)) = &error else {
            panic!("{what}: {error:?}");
        };
        assert!(!words.is_empty());
        assert!(
            std::fs::read(file(dir.path())).unwrap() == damaged,
            "{what}: the file was touched"
        );
    }
}
