//! The store against the simplest thing that could be right: a list of writes, of which some are durable.
//! Random interleavings of writes, slow and failing journals, watches and restarts.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a step that fails is a test that fails"
)]

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use serde_json::json;
use smol_str::SmolStr;
use warren_apimachinery::{ClusterId, Draft, GroupResource, Object, ObjectKey, Revision};
use warren_storage::{
    CommitError, EventKind, Journal, JournalError, MemoryJournal, Silent, Snapshot, Stall, Store, Watch,
    WatchEnd, Write, WriteKind,
};

#[derive(Clone, Debug)]
enum Step {
    Write {
        at: Place,
        kind: EventKind,
        stale: bool,
    },
    /// The journal gets slow.
    Stall,
    /// It catches up.
    Release,
    /// It fails; the cluster is opened again.
    Break,
    /// Clean end and new start.
    Reopen,
    Watch {
        resource: usize,
        namespace: Option<usize>,
        back: u64,
    },
    Follow {
        which: usize,
    },
    Drop {
        which: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    resource: usize,
    namespace: usize,
    name: usize,
}

const RESOURCES: [&str; 2] = ["pods", "services"];
const NAMESPACES: [&str; 2] = ["a", "b"];
const NAMES: [&str; 3] = ["x", "y", "z"];

fn resource(at: usize) -> GroupResource {
    GroupResource {
        group: SmolStr::default(),
        resource: SmolStr::new(RESOURCES[at]),
    }
}

impl Place {
    fn key(self) -> ObjectKey {
        ObjectKey::namespaced(NAMESPACES[self.namespace], NAMES[self.name])
    }
}

fn place() -> impl Strategy<Value = Place> {
    (0..RESOURCES.len(), 0..NAMESPACES.len(), 0..NAMES.len()).prop_map(|(resource, namespace, name)| Place {
        resource,
        namespace,
        name,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(EventKind::Added),
        Just(EventKind::Modified),
        Just(EventKind::Deleted)
    ];
    prop_oneof![
        24 => (place(), kind, prop::bool::weighted(0.2)).prop_map(|(at, kind, stale)| Step::Write { at, kind, stale }),
        3 => Just(Step::Stall),
        4 => Just(Step::Release),
        1 => Just(Step::Break),
        1 => Just(Step::Reopen),
        3 => (0..RESOURCES.len(), prop::option::of(0..NAMESPACES.len()), 0..6_u64)
            .prop_map(|(resource, namespace, back)| Step::Watch { resource, namespace, back }),
        6 => (0..4_usize).prop_map(|which| Step::Follow { which }),
        1 => (0..4_usize).prop_map(|which| Step::Drop { which }),
    ]
}

/// One write of the model: its revision is its place in the list, from 1 on.
#[derive(Clone, Copy, Debug)]
struct Written {
    at: Place,
    kind: EventKind,
}

struct Watching {
    watch: Watch,
    resource: usize,
    namespace: Option<usize>,
    seen: usize,
}

type InFlight = Pin<Box<dyn Future<Output = Result<Arc<Object>, CommitError>>>>;

struct Run {
    journal: MemoryJournal,
    store: Arc<Store>,
    stall: Option<Stall>,
    log: Vec<Written>,
    /// How many of the log are durable, and how many were when the store was opened.
    visible: usize,
    opened: usize,
    in_flight: Vec<(usize, InFlight)>,
    watches: Vec<Watching>,
}

fn cluster() -> ClusterId {
    ClusterId::new("a")
}

fn open(journal: &MemoryJournal) -> Arc<Store> {
    let opened = journal.open(&cluster()).unwrap();
    Store::open(cluster(), Arc::new(journal.clone()), opened, Arc::new(Silent))
}

fn state(log: &[Written]) -> BTreeMap<Place, u64> {
    let mut state = BTreeMap::new();
    for (written, revision) in log.iter().zip(1..) {
        match written.kind {
            EventKind::Deleted => state.remove(&written.at),
            EventKind::Added | EventKind::Modified => state.insert(written.at, revision),
        };
    }
    state
}

fn check_state(snapshot: &Snapshot, log: &[Written]) {
    assert_eq!(snapshot.revision(), Revision(log.len() as u64));
    let state = state(log);
    for at in 0..RESOURCES.len() {
        let objects = state.iter().filter(|(place, _)| place.resource == at);
        let expect: Vec<_> = objects
            .map(|(place, revision)| (place.key(), Revision(*revision)))
            .collect();
        let found: Vec<_> = snapshot
            .list(&resource(at), None)
            .map(|o| (o.key(), o.meta().revision))
            .collect();
        assert_eq!(found, expect);
        assert_eq!(snapshot.count(&resource(at)), expect.len());
    }
    let bytes: u64 = RESOURCES
        .iter()
        .enumerate()
        .flat_map(|(at, _)| snapshot.list(&resource(at), None).map(|o| o.size() as u64 + 512))
        .sum();
    assert_eq!(snapshot.bytes(), bytes);
}

impl Run {
    fn new() -> Self {
        let journal = MemoryJournal::new();
        journal.create(&cluster(), None).unwrap();
        Self {
            store: open(&journal),
            journal,
            stall: None,
            log: Vec::new(),
            visible: 0,
            opened: 0,
            in_flight: Vec::new(),
            watches: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Write { at, kind, stale } => self.write(at, kind, stale),
            Step::Stall => {
                self.stall.get_or_insert_with(|| self.journal.stall());
            }
            Step::Release => self.release(),
            Step::Break => self.fail(),
            Step::Reopen => {
                self.release();
                self.reopen();
            }
            Step::Watch {
                resource,
                namespace,
                back,
            } => self.watch(resource, namespace, back),
            Step::Follow { which } => {
                if let Some(watching) = self.watches.get_mut(which) {
                    watching.follow(&self.log[..self.visible]);
                }
            }
            Step::Drop { which } => {
                if which < self.watches.len() {
                    self.watches.swap_remove(which);
                }
            }
        }
        check_state(&self.store.snapshot(), &self.log[..self.visible]);
        check_state(&self.store.head(), &self.log);
    }

    fn write(&mut self, at: Place, kind: EventKind, stale: bool) {
        let current = state(&self.log).get(&at).copied();
        let expected = Revision(if stale { 9999 } else { current.unwrap_or(1) });
        let metadata = json!({"namespace": NAMESPACES[at.namespace], "name": NAMES[at.name]});
        let draft = Draft::new(
            json!({"metadata": metadata, "count": self.log.len()}),
            Box::default(),
        );
        let change = match kind {
            EventKind::Added => WriteKind::Create(draft),
            EventKind::Modified => WriteKind::Update { draft, expected },
            EventKind::Deleted => WriteKind::Delete {
                last: draft,
                expected,
            },
        };
        let write = Write {
            resource: resource(at.resource),
            key: at.key(),
            change,
        };
        let store = Arc::clone(&self.store);
        let mut future: InFlight = Box::pin(async move { store.commit(write).await });
        let polled = poll(&mut future);
        match (current, kind) {
            (Some(_), EventKind::Added) => {
                assert!(matches!(polled, Poll::Ready(Err(CommitError::Exists(_)))))
            }
            (None, EventKind::Modified | EventKind::Deleted) => {
                assert!(matches!(polled, Poll::Ready(Err(CommitError::Missing))));
            }
            (Some(_), _) if stale => assert!(matches!(polled, Poll::Ready(Err(CommitError::Changed(_))))),
            _ => {
                self.log.push(Written { at, kind });
                self.check_accepted(future, polled);
            }
        }
    }

    fn check_accepted(&mut self, future: InFlight, polled: Poll<Result<Arc<Object>, CommitError>>) {
        let revision = self.log.len();
        if self.stall.is_some() {
            assert!(polled.is_pending());
            self.in_flight.push((revision, future));
        } else {
            let Poll::Ready(Ok(object)) = polled else {
                panic!("{polled:?}")
            };
            assert_eq!(object.meta().revision, Revision(revision as u64));
            self.visible = revision;
        }
    }

    fn release(&mut self) {
        self.stall = None;
        self.visible = self.log.len();
        for (revision, mut future) in self.in_flight.drain(..) {
            let Poll::Ready(Ok(object)) = poll(&mut future) else {
                panic!("write {revision} is not done")
            };
            assert_eq!(object.meta().revision, Revision(revision as u64));
        }
    }

    fn fail(&mut self) {
        self.stall.get_or_insert_with(|| self.journal.stall());
        self.write(
            Place {
                resource: 0,
                namespace: 0,
                name: 0,
            },
            EventKind::Added,
            false,
        );
        self.write(
            Place {
                resource: 0,
                namespace: 0,
                name: 0,
            },
            EventKind::Modified,
            false,
        );
        self.journal.break_with(Some(JournalError::Full));
        self.stall = None;
        self.log.truncate(self.visible);
        for (_, mut future) in self.in_flight.drain(..) {
            let polled = poll(&mut future);
            assert!(
                matches!(polled, Poll::Ready(Err(CommitError::Journal(_)))),
                "{polled:?}"
            );
        }
        check_state(&self.store.head(), &self.log);
        self.journal.break_with(None);
        self.reopen();
    }

    /// Watches of the old store get the rest of its events and then its end.
    fn reopen(&mut self) {
        self.store = open(&self.journal);
        self.opened = self.log.len();
        for mut watching in self.watches.drain(..) {
            watching.follow(&self.log);
            assert_eq!(watching.watch.try_next().unwrap_err(), WatchEnd::Closed);
        }
    }

    fn watch(&mut self, at: usize, namespace: Option<usize>, back: u64) {
        let after = (self.visible as u64).saturating_sub(back);
        let watch = self
            .store
            .watch(&resource(at), namespace.map(|at| NAMESPACES[at]), Revision(after));
        if after < self.opened as u64 {
            assert_eq!(watch.unwrap_err().through, Revision(self.opened as u64));
        } else if self.watches.len() < 4 {
            self.watches.push(Watching {
                watch: watch.unwrap(),
                resource: at,
                namespace,
                seen: usize::try_from(after).unwrap(),
            });
        }
    }
}

impl Watching {
    fn follow(&mut self, visible: &[Written]) {
        let mut found = Vec::new();
        while let Ok(Some(events)) = self.watch.try_next() {
            assert!(!events.is_empty());
            for event in events {
                assert_eq!(event.object.meta().revision, event.revision);
                assert_eq!(event.previous.is_none(), event.kind == EventKind::Added);
                found.push((event.revision.0, event.kind, event.object.key()));
            }
        }
        let mut expect = Vec::new();
        for (written, revision) in visible.iter().zip(1..).skip(self.seen) {
            let mine = self
                .namespace
                .is_none_or(|namespace| namespace == written.at.namespace);
            if mine && written.at.resource == self.resource {
                expect.push((revision, written.kind, written.at.key()));
            }
        }
        assert_eq!(found, expect);
        self.seen = visible.len();
        assert_eq!(self.watch.revision(), Revision(self.seen as u64));
    }
}

fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T>>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_list_of_writes(steps in prop::collection::vec(step(), 1..120)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
        }
        run.release();
        check_state(&run.store.snapshot(), &run.log);
    }
}
