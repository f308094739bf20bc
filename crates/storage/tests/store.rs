//! The store over a journal in memory: expectations, visibility, watches, failures.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a step that fails is a test that fails"
)]

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use serde_json::json;
use smol_str::SmolStr;
use warren_apimachinery::{ClusterId, Draft, GroupResource, Object, ObjectKey, Revision};
use warren_storage::{
    CommitError, CommitListener, Compacted, Event, EventKind, Journal, JournalError, MAX_OBJECT_BYTES,
    MemoryJournal, Silent, Snapshot, Store, WatchEnd, Write, WriteKind,
};

fn resource(name: &str) -> GroupResource {
    GroupResource {
        group: SmolStr::default(),
        resource: SmolStr::new(name),
    }
}

fn pods() -> GroupResource {
    resource("pods")
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::namespaced("default", name)
}

fn draft(key: &ObjectKey, payload: &str) -> Draft {
    let metadata = json!({"namespace": key.namespace.as_str(), "name": key.name.as_str()});
    Draft::new(json!({"metadata": metadata, "payload": payload}), Box::default())
}

fn write(resource: &GroupResource, key: &ObjectKey, change: WriteKind) -> Write {
    Write {
        resource: resource.clone(),
        key: key.clone(),
        change,
    }
}

fn create(key: &ObjectKey) -> Write {
    write(&pods(), key, WriteKind::Create(draft(key, "new")))
}

fn update(key: &ObjectKey, expected: u64) -> Write {
    let change = WriteKind::Update {
        draft: draft(key, "changed"),
        expected: Revision(expected),
    };
    write(&pods(), key, change)
}

fn delete(key: &ObjectKey, expected: u64) -> Write {
    let change = WriteKind::Delete {
        last: draft(key, "gone"),
        expected: Revision(expected),
    };
    write(&pods(), key, change)
}

fn open(journal: &MemoryJournal) -> Arc<Store> {
    open_with(journal, Arc::new(Silent))
}

fn open_with(journal: &MemoryJournal, listener: Arc<dyn CommitListener>) -> Arc<Store> {
    let cluster = ClusterId::new("a");
    // There already, when a test opens it again.
    let _ = journal.create(&cluster, None);
    let opened = journal.open(&cluster).unwrap();
    Store::open(cluster, Arc::new(journal.clone()), opened, listener)
}

fn fresh() -> Arc<Store> {
    open(&MemoryJournal::new())
}

/// Over this journal a commit that is not held back is done at its first poll.
fn commit(store: &Store, write: Write) -> Result<Arc<Object>, CommitError> {
    match poll(pin!(store.commit(write)).as_mut()) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the write is held back"),
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn names(snapshot: &Snapshot, namespace: Option<&str>) -> Vec<String> {
    snapshot
        .list(&pods(), namespace)
        .map(|object| object.key().to_string())
        .collect()
}

fn told(events: &[Event]) -> Vec<(EventKind, u64)> {
    events
        .iter()
        .map(|event| (event.kind, event.revision.0))
        .collect()
}

#[test]
fn a_write_whose_expectation_fails_changes_nothing() {
    let store = fresh();
    let (a, b) = (key("a"), key("b"));
    commit(&store, create(&a)).unwrap();
    let check = |write: Write, expect: fn(&CommitError) -> bool| {
        let error = commit(&store, write).unwrap_err();
        assert!(expect(&error), "{error:?}");
        assert_eq!(store.snapshot().revision(), Revision(1));
        assert_eq!(store.head().revision(), Revision(1));
    };
    check(
        create(&a),
        |e| matches!(e, CommitError::Exists(current) if current.meta().revision == Revision(1)),
    );
    check(
        update(&a, 7),
        |e| matches!(e, CommitError::Changed(current) if current.meta().revision.0 == 1),
    );
    check(delete(&a, 7), |e| matches!(e, CommitError::Changed(_)));
    check(update(&b, 1), |e| matches!(e, CommitError::Missing));
    check(delete(&b, 1), |e| matches!(e, CommitError::Missing));
    check(write(&pods(), &b, WriteKind::Create(draft(&a, ""))), |e| {
        matches!(e, CommitError::Misplaced)
    });
    let large = WriteKind::Create(draft(&b, &"x".repeat(MAX_OBJECT_BYTES)));
    check(write(&pods(), &b, large), |e| {
        matches!(e, CommitError::TooLarge { .. })
    });
}

#[test]
fn a_full_store_takes_deletions_and_nothing_that_grows() {
    let store = fresh();
    let (a, b) = (key("a"), key("b"));
    commit(&store, create(&a)).unwrap();
    commit(&store, create(&b)).unwrap();
    store.limit_bytes(store.snapshot().bytes());
    assert!(matches!(
        commit(&store, create(&key("c"))),
        Err(CommitError::Full { .. })
    ));
    assert!(matches!(
        commit(&store, update(&a, 1)),
        Err(CommitError::Full { .. })
    ));
    commit(&store, delete(&b, 2)).unwrap();
    commit(&store, update(&a, 1)).unwrap();
    commit(&store, delete(&a, 4)).unwrap();
    assert_eq!(store.snapshot().bytes(), 0);
}

#[test]
fn a_write_is_seen_by_writers_at_once_and_by_readers_when_durable() {
    let journal = MemoryJournal::new();
    let store = open(&journal);
    let a = key("a");
    let stall = journal.stall();
    let mut first = pin!(store.commit(create(&a)));
    let mut second = pin!(store.commit(update(&a, 1)));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(store.latest(&pods(), &a).unwrap().meta().revision, Revision(2));
    assert_eq!(store.latest_list(&pods(), Some("default")).len(), 1);
    assert!(matches!(commit(&store, create(&a)), Err(CommitError::Exists(_))));
    assert!(store.snapshot().get(&pods(), &a).is_none());
    drop(stall);
    assert_eq!(
        store.snapshot().get(&pods(), &a).unwrap().meta().revision,
        Revision(2)
    );
    for (poll, revision) in [(poll(first.as_mut()), 1), (poll(second.as_mut()), 2)] {
        let Poll::Ready(Ok(object)) = poll else {
            panic!("not done")
        };
        assert_eq!(object.meta().revision, Revision(revision));
    }
}

#[test]
fn a_write_whose_caller_went_away_still_happens() {
    let journal = MemoryJournal::new();
    let store = open(&journal);
    let stall = journal.stall();
    {
        let mut abandoned = pin!(store.commit(create(&key("a"))));
        assert!(poll(abandoned.as_mut()).is_pending());
    }
    drop(stall);
    assert_eq!(names(&store.snapshot(), None), ["default/a"]);
}

#[test]
fn a_deletion_has_a_revision_of_its_own_and_watchers_get_the_last_object_at_it() {
    let store = fresh();
    let a = key("a");
    commit(&store, create(&a)).unwrap();
    let mut watch = store.watch(&pods(), None, Revision(1)).unwrap();
    assert_eq!(
        commit(&store, delete(&a, 1)).unwrap().meta().revision,
        Revision(2)
    );
    assert_eq!(store.snapshot().revision(), Revision(2));
    let events = watch.try_next().unwrap().unwrap();
    assert_eq!(told(&events), [(EventKind::Deleted, 2)]);
    let value = events[0].object.to_value();
    assert_eq!(
        value,
        json!({"payload": "gone", "metadata": {"name": "a", "namespace": "default",
        "resourceVersion": "2"}})
    );
    assert_eq!(events[0].previous.as_ref().unwrap().meta().revision, Revision(1));
    commit(&store, create(&a)).unwrap();
    assert_eq!(
        store.snapshot().get(&pods(), &a).unwrap().meta().revision,
        Revision(3)
    );
}

#[test]
fn lists_are_in_key_order_by_namespace_and_page_at_one_revision() {
    let store = fresh();
    let keys = [("b", "x"), ("a", "z"), ("a-b", "y"), ("a", "c"), ("", "cluster")];
    for (namespace, name) in keys {
        commit(&store, create(&ObjectKey::namespaced(namespace, name))).unwrap();
    }
    let snapshot = store.snapshot();
    assert_eq!(names(&snapshot, None), ["cluster", "a/c", "a/z", "a-b/y", "b/x"]);
    assert_eq!(names(&snapshot, Some("a")), ["a/c", "a/z"]);
    assert_eq!(names(&snapshot, Some("nope")), Vec::<String>::new());
    commit(&store, delete(&ObjectKey::namespaced("a", "z"), 2)).unwrap();
    let page = |namespace: Option<&str>, after: &ObjectKey| -> Vec<String> {
        snapshot
            .list_from(&pods(), namespace, after)
            .map(|object| object.key().to_string())
            .collect()
    };
    assert_eq!(
        page(None, &ObjectKey::namespaced("a", "c")),
        ["a/z", "a-b/y", "b/x"]
    );
    assert_eq!(page(Some("a"), &ObjectKey::namespaced("a", "c")), ["a/z"]);
    assert_eq!(page(Some("a"), &ObjectKey::namespaced("", "zzz")), ["a/c", "a/z"]);
    assert_eq!(
        page(Some("a"), &ObjectKey::namespaced("b", "")),
        Vec::<String>::new()
    );
    assert_eq!(snapshot.count(&pods()), 5);
    assert_eq!(store.snapshot().count(&pods()), 4);
    assert_eq!(snapshot.resources().collect::<Vec<_>>(), [&pods()]);
}

#[test]
fn a_watch_filters_by_namespace_and_its_revision_keeps_up_with_the_store() {
    let store = fresh();
    let mut watch = store.watch(&pods(), Some("default"), Revision::ZERO).unwrap();
    assert_eq!(watch.try_next().unwrap().map(|events| told(&events)), None);
    commit(&store, create(&ObjectKey::namespaced("other", "a"))).unwrap();
    commit(&store, create(&key("a"))).unwrap();
    assert_eq!(told(&watch.try_next().unwrap().unwrap()), [(EventKind::Added, 2)]);
    let elsewhere = key("a");
    let change = WriteKind::Create(draft(&elsewhere, ""));
    commit(&store, write(&resource("services"), &elsewhere, change)).unwrap();
    assert!(watch.try_next().unwrap().is_none());
    assert_eq!(watch.revision(), Revision(3));
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn only_watchers_of_the_written_resource_are_woken() {
    let store = fresh();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut watch = store.watch(&pods(), None, Revision::ZERO).unwrap();
    let mut next = pin!(watch.next());
    assert!(next.as_mut().poll(&mut context).is_pending());
    let a = key("a");
    commit(
        &store,
        write(&resource("services"), &a, WriteKind::Create(draft(&a, ""))),
    )
    .unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    commit(&store, create(&a)).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    let Poll::Ready(Ok(events)) = next.as_mut().poll(&mut context) else {
        panic!("no event")
    };
    assert_eq!(told(&events), [(EventKind::Added, 2)]);
}

fn update_many(store: &Store, key: &ObjectKey, from: u64, to: u64) {
    for expected in from..to {
        commit(store, update(key, expected)).unwrap();
    }
}

#[test]
fn a_slow_watch_is_told_that_it_fell_behind_and_a_quick_one_is_not() {
    let store = fresh();
    let a = key("a");
    commit(&store, create(&a)).unwrap();
    let mut slow = store.watch(&pods(), None, Revision::ZERO).unwrap();
    let mut quick = store.watch(&pods(), None, Revision::ZERO).unwrap();
    let mut seen = 0;
    for batch in 0..50 {
        update_many(&store, &a, batch * 100 + 1, batch * 100 + 101);
        while let Some(events) = quick.try_next().unwrap() {
            for event in events {
                seen += 1;
                assert_eq!(event.revision, Revision(seen));
            }
        }
    }
    assert_eq!(seen, 5001);
    let behind = WatchEnd::Compacted(Compacted {
        asked: Revision::ZERO,
        through: Revision(5001 - 4096),
    });
    assert_eq!(slow.try_next().unwrap_err(), behind);
    assert_eq!(slow.try_next().unwrap_err(), behind);
    assert!(store.watch(&pods(), None, Revision(904)).is_err());
    assert!(store.watch(&pods(), None, Revision(905)).is_ok());
}

#[test]
fn an_unwatched_resource_keeps_few_events_and_trimming_drops_them() {
    let store = fresh();
    let a = key("a");
    commit(&store, create(&a)).unwrap();
    update_many(&store, &a, 1, 1000);
    assert!(store.watch(&pods(), None, Revision(1000 - 129)).is_err());
    let mut watch = store.watch(&pods(), None, Revision(1000 - 128)).unwrap();
    assert_eq!(watch.try_next().unwrap().unwrap().len(), 128);
    assert!(store.is_watched());
    store.trim();
    assert!(
        store.watch(&pods(), None, Revision(990)).is_ok(),
        "the ring of a watched resource stays"
    );
    drop(watch);
    assert!(!store.is_watched());
    store.trim();
    assert!(store.watch(&pods(), None, Revision(999)).is_err());
    let mut watch = store.watch(&pods(), None, Revision(1000)).unwrap();
    update_many(&store, &a, 1000, 1001);
    assert_eq!(
        told(&watch.try_next().unwrap().unwrap()),
        [(EventKind::Modified, 1001)]
    );
}

#[test]
fn large_objects_fill_a_ring_by_their_bytes() {
    let store = fresh();
    let large = "x".repeat(200 * 1024);
    for at in 0..10 {
        let key = key(&format!("n{at}"));
        commit(
            &store,
            write(&pods(), &key, WriteKind::Create(draft(&key, &large))),
        )
        .unwrap();
    }
    assert!(store.watch(&pods(), None, Revision(7)).is_err());
    assert!(store.watch(&pods(), None, Revision(8)).is_ok());
}

#[test]
fn after_a_restart_a_watch_starts_at_the_loaded_revision_or_later() {
    let journal = MemoryJournal::new();
    let store = open(&journal);
    let a = key("a");
    commit(&store, create(&a)).unwrap();
    commit(&store, delete(&a, 1)).unwrap();
    drop(store);
    let store = open(&journal);
    assert_eq!(store.snapshot().revision(), Revision(2));
    let gone = store.watch(&pods(), None, Revision(1)).unwrap_err();
    assert_eq!((gone.asked, gone.through), (Revision(1), Revision(2)));
    let mut watch = store.watch(&pods(), None, Revision(2)).unwrap();
    commit(&store, create(&a)).unwrap();
    assert_eq!(told(&watch.try_next().unwrap().unwrap()), [(EventKind::Added, 3)]);
}

#[test]
fn when_the_journal_fails_nothing_unacknowledged_is_seen_and_the_store_is_read_only() {
    let journal = MemoryJournal::new();
    let store = open(&journal);
    let a = key("a");
    commit(&store, create(&a)).unwrap();
    let mut watch = store.watch(&pods(), None, Revision(1)).unwrap();
    let stall = journal.stall();
    let mut appended = pin!(store.commit(update(&a, 1)));
    let mut waiting = pin!(store.commit(update(&a, 2)));
    assert!(poll(appended.as_mut()).is_pending());
    assert!(poll(waiting.as_mut()).is_pending());
    journal.break_with(Some(JournalError::Full));
    drop(stall);
    for result in [poll(appended.as_mut()), poll(waiting.as_mut())] {
        assert!(
            matches!(result, Poll::Ready(Err(CommitError::Journal(JournalError::Full)))),
            "{result:?}"
        );
    }
    assert_eq!(store.head().revision(), Revision(1));
    assert_eq!(names(&store.snapshot(), None), ["default/a"]);
    assert!(watch.try_next().unwrap().is_none());
    journal.break_with(None);
    assert!(matches!(
        commit(&store, update(&a, 1)),
        Err(CommitError::Journal(JournalError::Full))
    ));
    assert!(matches!(store.failure(), Some(JournalError::Full)));
    let store = open(&journal);
    assert_eq!(
        commit(&store, update(&a, 1)).unwrap().meta().revision,
        Revision(2)
    );
}

#[test]
fn a_store_takes_writes_again_when_its_journal_is_opened_anew() {
    let journal = MemoryJournal::new();
    let store = open(&journal);
    let a = key("a");
    commit(&store, create(&a)).unwrap();
    let mut watch = store.watch(&pods(), None, Revision(1)).unwrap();
    journal.break_with(Some(JournalError::Full));
    assert!(commit(&store, update(&a, 1)).is_err());
    journal.break_with(None);
    let opened = journal.open(store.cluster()).unwrap();
    assert!(store.resume(&opened));
    assert_eq!(
        commit(&store, update(&a, 1)).unwrap().meta().revision,
        Revision(2)
    );
    assert_eq!(
        told(&watch.try_next().unwrap().unwrap()),
        [(EventKind::Modified, 2)]
    );
    assert!(!store.resume(&opened), "a store that works has nothing to resume");
}

#[test]
fn closing_waits_for_writes_in_flight_then_refuses_and_ends_the_watches() {
    let journal = MemoryJournal::new();
    let store = open(&journal);
    let mut watch = store.watch(&pods(), None, Revision::ZERO).unwrap();
    let stall = journal.stall();
    let mut inflight = pin!(store.commit(create(&key("a"))));
    assert!(poll(inflight.as_mut()).is_pending());
    let mut close = pin!(store.close());
    assert!(poll(close.as_mut()).is_pending());
    assert!(matches!(
        commit(&store, create(&key("b"))),
        Err(CommitError::Closed)
    ));
    assert!(watch.try_next().unwrap().is_none());
    drop(stall);
    assert!(poll(close.as_mut()).is_ready());
    assert!(matches!(poll(inflight.as_mut()), Poll::Ready(Ok(_))));
    assert_eq!(told(&watch.try_next().unwrap().unwrap()), [(EventKind::Added, 1)]);
    assert_eq!(watch.try_next().unwrap_err(), WatchEnd::Closed);
    assert_eq!(names(&store.snapshot(), None), ["default/a"]);
}

#[test]
fn a_fork_shares_everything_with_its_base_until_it_writes() {
    let journal = MemoryJournal::new();
    let base = open(&journal);
    for name in ["a", "b"] {
        commit(&base, create(&key(name))).unwrap();
    }
    let base = base.snapshot();
    let cluster = ClusterId::new("fork");
    let epoch = journal.create(&cluster, Some(&ClusterId::new("a"))).unwrap();
    let fork = Store::fork(
        &base,
        cluster.clone(),
        Arc::new(journal.clone()),
        epoch,
        Arc::new(Silent),
    );
    assert!(fork.watch(&pods(), None, Revision(1)).is_err());
    commit(&fork, update(&key("a"), 1)).unwrap();
    commit(&fork, delete(&key("b"), 2)).unwrap();
    assert_eq!(names(&fork.snapshot(), None), ["default/a"]);
    assert_eq!(names(&base, None), ["default/a", "default/b"]);
    let opened = journal.open(&cluster).unwrap();
    let again = Store::open_over(&base, cluster, Arc::new(journal), opened, Arc::new(Silent));
    assert_eq!(again.snapshot().revision(), Revision(4));
    assert_eq!(names(&again.snapshot(), None), ["default/a"]);
    assert_eq!(again.snapshot().bytes(), fork.snapshot().bytes());
}

/// `namespace/name` of what `owner` has, with the resource.
fn owned(store: &Store, namespace: &str, owner: &str) -> Vec<String> {
    let snapshot = store.snapshot();
    let found = snapshot.dependents(namespace, owner);
    found
        .map(|(resource, object)| format!("{resource}:{}", object.key()))
        .collect()
}

#[test]
fn dependents_are_found_by_any_of_their_owners_for_as_long_as_they_name_it() {
    let store = open(&MemoryJournal::new());
    let draft = |key: &ObjectKey, owners: &[&str]| {
        let owners: Vec<_> = owners.iter().map(|uid| json!({"uid": uid})).collect();
        let metadata = json!({"namespace": key.namespace, "name": key.name, "ownerReferences": owners});
        Draft::new(json!({"metadata": metadata}), Box::default())
    };
    let create = |resource: &str, key: &ObjectKey, owners: &[&str]| {
        let change = WriteKind::Create(draft(key, owners));
        commit(&store, write(&self::resource(resource), key, change)).unwrap();
    };
    create("pods", &key("b"), &["u1", "u2", "u1"]);
    create("pods", &key("a"), &["u1"]);
    create("pods", &key("c"), &[]);
    create("secrets", &key("a"), &["u1"]);
    create("pods", &ObjectKey::namespaced("other", "a"), &["u1"]);
    create("nodes", &ObjectKey::cluster("n"), &["u1"]);
    let check = |namespace: &str, owner: &str, expect: &[&str]| {
        assert_eq!(owned(&store, namespace, owner), expect, "{namespace} {owner}");
    };
    check(
        "default",
        "u1",
        &["pods:default/a", "pods:default/b", "secrets:default/a"],
    );
    check("default", "u2", &["pods:default/b"]);
    check("", "u1", &["nodes:n"]);
    check("default", "u3", &[]);

    let change = |owners: &[&str], expected| WriteKind::Update {
        draft: draft(&key("b"), owners),
        expected: Revision(expected),
    };
    commit(&store, write(&pods(), &key("b"), change(&["u3"], 1))).unwrap();
    commit(&store, delete(&key("a"), 2)).unwrap();
    check("default", "u1", &["secrets:default/a"]);
    check("default", "u2", &[]);
    check("default", "u3", &["pods:default/b"]);
    assert_eq!(
        store.snapshot().get(&pods(), &key("b")).unwrap().meta().revision,
        Revision(7)
    );
    let found = store.snapshot();
    let (_, object) = found.dependents("default", "u3").next().unwrap();
    assert_eq!(object.meta().revision, Revision(7), "the object as it is now");
}

/// Writes down what it hears, and checks what readers see at that time.
struct Diary {
    heard: Mutex<Vec<u64>>,
    store: Mutex<Option<Arc<Store>>>,
    panics: bool,
}

impl CommitListener for Diary {
    fn committed(&self, cluster: &ClusterId, events: &[Event]) {
        assert_eq!(cluster.as_str(), "a");
        assert!(!self.panics, "a listener with a bug");
        if let Some(store) = &*self.store.lock().unwrap() {
            assert_eq!(store.snapshot().revision(), events.last().unwrap().revision);
        }
        self.heard
            .lock()
            .unwrap()
            .extend(events.iter().map(|event| event.revision.0));
    }
}

fn diary(panics: bool) -> Arc<Diary> {
    Arc::new(Diary {
        heard: Mutex::default(),
        store: Mutex::default(),
        panics,
    })
}

#[test]
fn the_listener_hears_of_each_commit_in_order_once_it_is_visible() {
    let journal = MemoryJournal::new();
    let diary = diary(false);
    let listener: Arc<dyn CommitListener> = Arc::<Diary>::clone(&diary);
    let store = open_with(&journal, listener);
    *diary.store.lock().unwrap() = Some(Arc::clone(&store));
    let a = key("a");
    commit(&store, create(&a)).unwrap();
    let stall = journal.stall();
    let mut writes: Vec<_> = (1..4).map(|at| Box::pin(store.commit(update(&a, at)))).collect();
    assert!(writes.iter_mut().all(|write| poll(write.as_mut()).is_pending()));
    drop(stall);
    assert_eq!(*diary.heard.lock().unwrap(), [1, 2, 3, 4]);
}

#[test]
fn a_listener_that_panics_stops_nobody() {
    let store = open_with(&MemoryJournal::new(), diary(true));
    commit(&store, create(&key("a"))).unwrap();
    commit(&store, create(&key("b"))).unwrap();
    assert_eq!(store.snapshot().revision(), Revision(2));
}

/// Many writers and many watchers on real threads: each watcher sees each revision once, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_watcher_sees_every_revision_once_under_load() {
    const WRITERS: usize = 8;
    const WRITES: usize = 100;
    const ALL: u64 = (WRITERS * WRITES) as u64;
    let store = fresh();
    let watchers: Vec<_> = (0..40)
        .map(|_| {
            let mut watch = store.watch(&pods(), None, Revision::ZERO).unwrap();
            tokio::spawn(async move {
                let mut next = 1;
                while next <= ALL {
                    for event in watch.next().await.unwrap() {
                        assert_eq!(event.revision, Revision(next));
                        assert_eq!(event.object.meta().revision, Revision(next));
                        next += 1;
                    }
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let key = key(&format!("w{writer}"));
                let mut at = store.commit(create(&key)).await.unwrap().meta().revision;
                for _ in 1..WRITES {
                    at = store.commit(update(&key, at.0)).await.unwrap().meta().revision;
                }
                at
            })
        })
        .collect();
    for writer in writers {
        let at = writer.await.unwrap();
        assert!(
            store
                .snapshot()
                .list(&pods(), None)
                .any(|object| object.meta().revision == at)
        );
    }
    for watcher in watchers {
        watcher.await.unwrap();
    }
    assert_eq!(store.snapshot().revision(), Revision(ALL));
}
