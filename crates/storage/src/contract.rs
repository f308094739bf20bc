//! The contract suite of the `Journal` port: what every implementation must pass, each on a fresh database.
//!
//! An implementation implements [`Scratch`] and calls [`journal_contract!`](crate::journal_contract) once in a
//! test module. Behind the feature `contract`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step that fails is a test that fails"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread;

use serde_json::json;
use smol_str::SmolStr;
use warren_apimachinery::{ClusterId, Draft, GroupResource, Object, ObjectKey, Revision};

use crate::journal::{Epoch, Journal, JournalError, Opened, Record};

/// A database of its own for one test; it is removed when dropped.
pub trait Scratch {
    /// Opens it for the first time.
    fn open(&self) -> Arc<dyn Journal>;

    /// Closes the journal as the end of a process would, and opens the data again.
    fn restart(&self, journal: Arc<dyn Journal>) -> Arc<dyn Journal>;

    /// Returns when nothing superseded is left on disk, where there is such a thing.
    fn compact(&self, _journal: &Arc<dyn Journal>) {}
}

/// Makes a test of each clause. `$make` is a function that returns a [`Scratch`].
#[macro_export]
macro_rules! journal_contract {
    ($make:path) => {
        $crate::journal_contract!($make:
            makes_lists_and_removes_clusters keeps_what_was_appended_across_a_restart
            completes_appends_in_order an_append_is_durable_whole_or_not_at_all
            revisions_never_go_back_even_after_deletions compaction_changes_nothing_that_is_read
            clusters_on_a_base_share_its_objects a_base_is_sealed_and_protected
            bases_can_have_bases deletions_hide_objects_of_the_base_for_good
            an_older_opening_is_fenced_off epochs_rise_across_restarts
            a_failed_append_fences_until_the_next_opening many_clusters_append_at_once
            a_cluster_of_the_same_name_starts_empty);
    };
    ($make:path: $($clause:ident)*) => {
        $(
            #[test]
            fn $clause() {
                $crate::contract::$clause(&$make());
            }
        )*
    };
}

type Objects = BTreeMap<(GroupResource, ObjectKey), Arc<Object>>;

fn id(name: &str) -> ClusterId {
    ClusterId::new(name)
}

fn pods() -> GroupResource {
    GroupResource {
        group: SmolStr::default(),
        resource: SmolStr::new("pods"),
    }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::namespaced("default", name)
}

/// A record that makes or replaces a pod.
pub fn put(revision: u64, name: &str, supersedes: Option<u64>) -> Record {
    let value = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"at": revision}, "metadata": {
        "name": name, "namespace": "default", "uid": format!("{name}-{revision}"), "labels": {"app": name},
        "finalizers": ["a/b"], "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "controller": true}]}});
    let fields = Box::new([(SmolStr::new("spec.nodeName"), SmolStr::new("n\"1"))]);
    Record {
        revision: Revision(revision),
        resource: pods(),
        key: key(name),
        object: Some(Arc::new(Draft::new(value, fields).at(Revision(revision)))),
        supersedes: supersedes.map(Revision),
    }
}

/// A record that removes a pod.
pub fn remove(revision: u64, name: &str, supersedes: u64) -> Record {
    Record {
        revision: Revision(revision),
        resource: pods(),
        key: key(name),
        object: None,
        supersedes: Some(Revision(supersedes)),
    }
}

/// Appends and waits.
///
/// # Errors
/// The journal's.
pub fn append(
    journal: &Arc<dyn Journal>,
    cluster: &str,
    epoch: Epoch,
    records: Vec<Record>,
) -> Result<(), JournalError> {
    let (done, result) = mpsc::channel();
    let done = Box::new(move |outcome| {
        let _ = done.send(outcome);
    });
    journal.append(&id(cluster), epoch, records, done);
    result.recv().unwrap()
}

fn objects(opened: &Opened) -> Objects {
    let objects = opened.objects.iter();
    let map: Objects = objects
        .map(|(r, o)| ((r.clone(), o.key()), Arc::clone(o)))
        .collect();
    assert_eq!(map.len(), opened.objects.len(), "each object comes once");
    map
}

/// Opens and compares: revision, and name → revision of every object, its bytes and its index.
fn check(journal: &Arc<dyn Journal>, cluster: &str, revision: u64, expect: &[(&str, u64)]) -> Opened {
    let opened = journal.open(&id(cluster)).unwrap();
    assert_eq!(opened.revision, Revision(revision), "revision of {cluster}");
    let found = objects(&opened);
    let names: Vec<_> = found
        .values()
        .map(|o| (o.meta().name.to_string(), o.meta().revision.0))
        .collect();
    let expected: Vec<_> = expect
        .iter()
        .map(|(name, at)| ((*name).to_owned(), *at))
        .collect();
    assert_eq!(names, expected, "objects of {cluster}");
    for (name, at) in expect {
        let original = put(*at, name, None).object.unwrap();
        let object = found.get(&(pods(), key(name))).unwrap();
        assert_eq!(object.bytes(), original.bytes());
        assert_eq!(object.meta(), original.meta());
    }
    opened
}

/// Names are unique, sorted, and gone after removal.
pub fn makes_lists_and_removes_clusters(scratch: &dyn Scratch) {
    let journal = scratch.open();
    assert!(matches!(
        journal.open(&id("a")),
        Err(JournalError::UnknownCluster(_))
    ));
    for name in ["b", "a", "c"] {
        journal.create(&id(name), None).unwrap();
    }
    assert!(matches!(
        journal.create(&id("a"), None),
        Err(JournalError::Exists(_))
    ));
    assert!(matches!(
        journal.create(&id("d"), Some(&id("x"))),
        Err(JournalError::UnknownCluster(_))
    ));
    journal.delete(&id("b")).unwrap();
    journal.delete(&id("b")).unwrap();
    assert_eq!(journal.clusters().unwrap(), [id("a"), id("c")]);
    let journal = scratch.restart(journal);
    assert_eq!(journal.clusters().unwrap(), [id("a"), id("c")]);
    assert!(matches!(
        journal.open(&id("b")),
        Err(JournalError::UnknownCluster(_))
    ));
    check(&journal, "a", 0, &[]);
}

/// What was acknowledged is there, with its bytes and its index.
pub fn keeps_what_was_appended_across_a_restart(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let epoch = journal.create(&id("a"), None).unwrap();
    append(&journal, "a", epoch, vec![put(1, "x", None), put(2, "y", None)]).unwrap();
    append(&journal, "a", epoch, vec![put(3, "x", Some(1))]).unwrap();
    append(&journal, "a", epoch, vec![remove(4, "y", 2), put(5, "z", None)]).unwrap();
    check(&journal, "a", 5, &[("x", 3), ("z", 5)]);
    let journal = scratch.restart(journal);
    let opened = check(&journal, "a", 5, &[("x", 3), ("z", 5)]);
    append(&journal, "a", opened.epoch, vec![put(6, "z", Some(5))]).unwrap();
    check(&scratch.restart(journal), "a", 6, &[("x", 3), ("z", 6)]);
}

/// The appends of one cluster are done in the order they were given.
pub fn completes_appends_in_order(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let epoch = journal.create(&id("a"), None).unwrap();
    let (done, order) = mpsc::channel();
    for at in 1..=500 {
        let done = done.clone();
        let record = put(at, &format!("n{at:04}"), None);
        let done = Box::new(move |result: Result<(), JournalError>| {
            result.unwrap();
            let _ = done.send(at);
        });
        journal.append(&id("a"), epoch, vec![record], done);
    }
    drop(done);
    assert_eq!(order.iter().collect::<Vec<_>>(), (1..=500).collect::<Vec<_>>());
    let opened = scratch.restart(journal).open(&id("a")).unwrap();
    assert_eq!((opened.objects.len(), opened.revision), (500, Revision(500)));
}

/// A batch with a refused record leaves nothing behind.
pub fn an_append_is_durable_whole_or_not_at_all(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let epoch = journal.create(&id("a"), None).unwrap();
    append(&journal, "a", epoch, vec![put(1, "x", None)]).unwrap();
    let bad = vec![put(2, "y", None), put(3, "z", None), put(3, "w", None)];
    let refused = append(&journal, "a", epoch, bad);
    assert!(
        matches!(refused, Err(JournalError::Disorder { .. })),
        "{refused:?}"
    );
    check(&journal, "a", 1, &[("x", 1)]);
    check(&scratch.restart(journal), "a", 1, &[("x", 1)]);
}

/// The revision of a deletion counts, also when the deleted object was the last one, and compacted.
pub fn revisions_never_go_back_even_after_deletions(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let epoch = journal.create(&id("a"), None).unwrap();
    append(
        &journal,
        "a",
        epoch,
        vec![put(1, "x", None), put(2, "x", Some(1)), remove(7, "x", 2)],
    )
    .unwrap();
    let mut journal = scratch.restart(journal);
    for _ in 0..2 {
        check(&journal, "a", 7, &[]);
        scratch.compact(&journal);
        journal = scratch.restart(journal);
    }
    let epoch = check(&journal, "a", 7, &[]).epoch;
    let refused = append(&journal, "a", epoch, vec![put(7, "x", None)]);
    assert!(
        matches!(refused, Err(JournalError::Disorder { .. })),
        "{refused:?}"
    );
}

/// Superseded records and tombstones may go; the state stays.
pub fn compaction_changes_nothing_that_is_read(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let epoch = journal.create(&id("a"), None).unwrap();
    append(
        &journal,
        "a",
        epoch,
        vec![put(1, "keep", None), put(2, "x", None), put(3, "gone", None)],
    )
    .unwrap();
    for at in 4..3000 {
        let before = if at == 4 { 2 } else { at - 1 };
        append(&journal, "a", epoch, vec![put(at, "x", Some(before))]).unwrap();
    }
    append(
        &journal,
        "a",
        epoch,
        vec![remove(3000, "gone", 3), put(3001, "gone", None)],
    )
    .unwrap();
    append(&journal, "a", epoch, vec![remove(3002, "gone", 3001)]).unwrap();
    scratch.compact(&journal);
    check(&journal, "a", 3002, &[("keep", 1), ("x", 2999)]);
    let journal = scratch.restart(journal);
    scratch.compact(&journal);
    check(&journal, "a", 3002, &[("keep", 1), ("x", 2999)]);
}

/// Two clusters on one base see its objects, as the same pointers, and not each other's writes.
pub fn clusters_on_a_base_share_its_objects(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let epoch = journal.create(&id("base"), None).unwrap();
    append(
        &journal,
        "base",
        epoch,
        vec![put(1, "x", None), put(2, "y", None), put(3, "z", None)],
    )
    .unwrap();
    let one = journal.create(&id("one"), Some(&id("base"))).unwrap();
    let two = journal.create(&id("two"), Some(&id("base"))).unwrap();
    append(
        &journal,
        "one",
        one,
        vec![put(4, "x", Some(1)), remove(5, "y", 2), put(6, "new", None)],
    )
    .unwrap();
    append(&journal, "two", two, vec![put(4, "mine", None)]).unwrap();
    let journal = scratch.restart(journal);
    let one = check(&journal, "one", 6, &[("new", 6), ("x", 4), ("z", 3)]);
    let two = check(&journal, "two", 4, &[("mine", 4), ("x", 1), ("y", 2), ("z", 3)]);
    let at = (pods(), key("z"));
    assert!(
        Arc::ptr_eq(&objects(&one)[&at], &objects(&two)[&at]),
        "objects of the base are shared"
    );
    check(&journal, "base", 3, &[("x", 1), ("y", 2), ("z", 3)]);
}

/// A base takes no writes and cannot be removed while others stand on it.
pub fn a_base_is_sealed_and_protected(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let base = journal.create(&id("base"), None).unwrap();
    append(&journal, "base", base, vec![put(1, "x", None)]).unwrap();
    journal.create(&id("one"), Some(&id("base"))).unwrap();
    let refused = append(&journal, "base", base, vec![put(2, "y", None)]);
    assert!(matches!(refused, Err(JournalError::InUse(_))), "{refused:?}");
    assert!(matches!(journal.delete(&id("base")), Err(JournalError::InUse(_))));
    let journal = scratch.restart(journal);
    assert!(matches!(journal.delete(&id("base")), Err(JournalError::InUse(_))));
    check(&journal, "one", 1, &[("x", 1)]);
    journal.delete(&id("one")).unwrap();
    let base = journal.open(&id("base")).unwrap().epoch;
    append(&journal, "base", base, vec![put(2, "y", None)]).unwrap();
    journal.create(&id("two"), Some(&id("base"))).unwrap();
    check(&journal, "two", 2, &[("x", 1), ("y", 2)]);
    journal.delete(&id("two")).unwrap();
    journal.delete(&id("base")).unwrap();
    assert_eq!(journal.clusters().unwrap(), []);
}

/// A cluster on a base can be a base.
pub fn bases_can_have_bases(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let a = journal.create(&id("a"), None).unwrap();
    append(&journal, "a", a, vec![put(1, "x", None), put(2, "y", None)]).unwrap();
    let b = journal.create(&id("b"), Some(&id("a"))).unwrap();
    append(&journal, "b", b, vec![put(3, "x", Some(1)), remove(4, "y", 2)]).unwrap();
    let c = journal.create(&id("c"), Some(&id("b"))).unwrap();
    append(&journal, "c", c, vec![put(5, "y", None)]).unwrap();
    let journal = scratch.restart(journal);
    check(&journal, "c", 5, &[("x", 3), ("y", 5)]);
    check(&journal, "b", 4, &[("x", 3)]);
}

/// The tombstone of a base's object is never compacted away, also when the object came and went again.
pub fn deletions_hide_objects_of_the_base_for_good(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let base = journal.create(&id("base"), None).unwrap();
    let many = (1..=20).map(|at| put(at, &format!("n{at:02}"), None)).collect();
    append(&journal, "base", base, many).unwrap();
    let one = journal.create(&id("one"), Some(&id("base"))).unwrap();
    let mut at = 20;
    let mut next = || {
        at += 1;
        at
    };
    for object in 1..=20 {
        let name = format!("n{object:02}");
        let (update, gone) = (next(), next());
        append(
            &journal,
            "one",
            one,
            vec![put(update, &name, Some(object)), remove(gone, &name, update)],
        )
        .unwrap();
        if object % 2 == 0 {
            let (again, gone) = (next(), next());
            append(
                &journal,
                "one",
                one,
                vec![put(again, &name, None), remove(gone, &name, again)],
            )
            .unwrap();
        }
    }
    scratch.compact(&journal);
    check(&journal, "one", 80, &[]);
    let journal = scratch.restart(journal);
    scratch.compact(&journal);
    let one = check(&journal, "one", 80, &[]).epoch;
    append(&journal, "one", one, vec![put(81, "n07", None)]).unwrap();
    check(&scratch.restart(journal), "one", 81, &[("n07", 81)]);
}

/// Who opened last may write; nobody else.
pub fn an_older_opening_is_fenced_off(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let made = journal.create(&id("a"), None).unwrap();
    append(&journal, "a", made, vec![put(1, "x", None)]).unwrap();
    let first = journal.open(&id("a")).unwrap();
    assert!(first.epoch > made);
    let refused = append(&journal, "a", made, vec![put(2, "y", None)]);
    assert!(matches!(refused, Err(JournalError::Fenced(_))), "{refused:?}");
    append(&journal, "a", first.epoch, vec![put(2, "z", None)]).unwrap();
    let second = check(&journal, "a", 2, &[("x", 1), ("z", 2)]);
    let refused = append(&journal, "a", first.epoch, vec![put(3, "w", None)]);
    assert!(matches!(refused, Err(JournalError::Fenced(_))), "{refused:?}");
    append(&journal, "a", second.epoch, vec![put(3, "v", None)]).unwrap();
    check(&scratch.restart(journal), "a", 3, &[("v", 3), ("x", 1), ("z", 2)]);
}

/// An owner from before a restart is fenced off too.
pub fn epochs_rise_across_restarts(scratch: &dyn Scratch) {
    let mut journal = scratch.open();
    let mut last = journal.create(&id("a"), None).unwrap();
    for _ in 0..3 {
        journal = scratch.restart(journal);
        for _ in 0..3 {
            let epoch = journal.open(&id("a")).unwrap().epoch;
            assert!(epoch > last, "{epoch:?} after {last:?}");
            last = epoch;
        }
    }
}

/// After a failure nothing of that opening gets through, and other clusters do not notice.
pub fn a_failed_append_fences_until_the_next_opening(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let a = journal.create(&id("a"), None).unwrap();
    let b = journal.create(&id("b"), None).unwrap();
    append(&journal, "a", a, vec![put(5, "x", None)]).unwrap();
    let refused = append(&journal, "a", a, vec![put(5, "y", None)]);
    assert!(
        matches!(refused, Err(JournalError::Disorder { .. })),
        "{refused:?}"
    );
    for _ in 0..2 {
        let refused = append(&journal, "a", a, vec![put(6, "z", None)]);
        assert!(matches!(refused, Err(JournalError::Fenced(_))), "{refused:?}");
    }
    append(&journal, "b", b, vec![put(1, "x", None)]).unwrap();
    let a = check(&journal, "a", 5, &[("x", 5)]).epoch;
    append(&journal, "a", a, vec![put(6, "z", None)]).unwrap();
    check(&journal, "a", 6, &[("x", 5), ("z", 6)]);
}

/// Appends of many clusters at once keep apart and in order.
pub fn many_clusters_append_at_once(scratch: &dyn Scratch) {
    let journal = scratch.open();
    thread::scope(|scope| {
        for cluster in 0..16 {
            let journal = &journal;
            scope.spawn(move || {
                let name = format!("c{cluster}");
                let epoch = journal.create(&id(&name), None).unwrap();
                for at in 1..=40_u64 {
                    let records = vec![put(
                        at,
                        &format!("n{}", at % 7),
                        at.checked_sub(7).filter(|at| *at > 0),
                    )];
                    append(journal, &name, epoch, records).unwrap();
                }
            });
        }
    });
    let journal = scratch.restart(journal);
    let expect = [
        ("n0", 35),
        ("n1", 36),
        ("n2", 37),
        ("n3", 38),
        ("n4", 39),
        ("n5", 40),
        ("n6", 34),
    ];
    for cluster in 0..16 {
        check(&journal, &format!("c{cluster}"), 40, &expect);
    }
}

/// A cluster that was removed and made again has nothing of the first, and its owner cannot write to it.
pub fn a_cluster_of_the_same_name_starts_empty(scratch: &dyn Scratch) {
    let journal = scratch.open();
    let first = journal.create(&id("a"), None).unwrap();
    append(&journal, "a", first, vec![put(1, "x", None), put(2, "y", None)]).unwrap();
    journal.delete(&id("a")).unwrap();
    let refused = append(&journal, "a", first, vec![put(3, "z", None)]);
    assert!(refused.is_err());
    let second = journal.create(&id("a"), None).unwrap();
    let refused = append(&journal, "a", first, vec![put(3, "z", None)]);
    assert!(matches!(refused, Err(JournalError::Fenced(_))), "{refused:?}");
    append(&journal, "a", second, vec![put(1, "new", None)]).unwrap();
    check(&journal, "a", 1, &[("new", 1)]);
    scratch.compact(&journal);
    check(&scratch.restart(journal), "a", 1, &[("new", 1)]);
}
