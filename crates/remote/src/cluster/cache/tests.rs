use serde_json::json;

use super::*;

const LABEL: &str = "warren.dev/managed-by";
const OURS: Domain = Domain::Labelled(LABEL);

fn object(name: &str, uid: &str, revision: u64) -> Object {
    labelled(name, uid, revision, Some("x"))
}

fn labelled(name: &str, uid: &str, revision: u64, label: Option<&str>) -> Object {
    let labels = label.map(|label| json!({LABEL: label}));
    let revision = match revision {
        0 => "no number".to_owned(),
        number => number.to_string(),
    };
    Object::from_value(
        &json!({"metadata": {"namespace": "n", "name": name, "uid": uid, "resourceVersion": revision,
        "labels": labels}}),
    )
}

/// What may happen to the cache; revisions are of objects `a` with the uid that is named.
enum Input {
    Listed(&'static [(&'static str, &'static str, u64)], u64),
    Seen(&'static str, u64),
    Left(&'static str, u64),
    Deleted(&'static str),
}
use Input::{Deleted, Left, Listed, Seen};

fn feed(cache: &mut Cache, input: &Input) -> Vec<String> {
    let deltas: Vec<Delta> = match input {
        Listed(objects, revision) => {
            let listing = cache.begin();
            let items = objects.iter().map(|(name, uid, at)| object(name, uid, *at));
            let mut deltas: Vec<Delta> = items.filter_map(|item| cache.listed(listing, item)).collect();
            deltas.extend(cache.end(listing, &OURS, Revision(*revision)));
            deltas
        }
        Seen(uid, at) => cache.seen(Arc::new(object("a", uid, *at))).into_iter().collect(),
        Left(uid, at) => cache.left(&OURS, &object("a", uid, *at)).into_iter().collect(),
        Deleted(uid) => cache
            .deleted(&ObjectKey::namespaced("n", "a"), uid)
            .into_iter()
            .collect(),
    };
    let told = deltas.iter().map(|delta| {
        let what = match (&delta.previous, delta.deleted) {
            (_, true) => "-",
            (None, _) => "+",
            (Some(_), _) => "~",
        };
        format!(
            "{what}{}@{}",
            delta.object.meta().name,
            delta.object.meta().revision
        )
    });
    told.collect()
}

/// What is told of each input, and the revision of `a` at the end.
fn check(inputs: &[Input], told: &[&[&str]], end: Option<u64>) {
    let mut cache = Cache::default();
    for (input, told) in inputs.iter().zip(told) {
        assert_eq!(feed(&mut cache, input), *told);
    }
    assert_eq!(inputs.len(), told.len());
    let a = cache.get(&ObjectKey::namespaced("n", "a"));
    assert_eq!(a.map(|object| object.meta().revision.0), end);
}

#[test]
fn an_object_is_told_of_as_it_comes_changes_and_goes() {
    check(
        &[Listed(&[("a", "u", 1)], 5), Seen("u", 6), Left("u", 7)],
        &[&["+a@1"], &["~a@6"], &["-a@7"]],
        None,
    );
}

#[test]
fn what_comes_twice_or_late_changes_nothing() {
    check(
        &[
            Seen("u", 6),
            Seen("u", 6),
            Seen("u", 4),
            Seen("u", 8),
            Left("u", 7),
        ],
        &[&["+a@6"], &[], &[], &["~a@8"], &[]],
        Some(8),
    );
}

#[test]
fn an_object_that_is_gone_does_not_come_back_by_a_late_event() {
    check(
        &[Seen("u", 6), Left("u", 8), Seen("u", 7), Seen("v", 9)],
        &[&["+a@6"], &["-a@8"], &[], &["+a@9"]],
        Some(9),
    );
    // Our own delete was answered before the watch told of anything.
    check(
        &[
            Seen("u", 6),
            Deleted("u"),
            Seen("u", 7),
            Left("u", 8),
            Seen("u", 8),
            Seen("v", 9),
        ],
        &[&["+a@6"], &["-a@6"], &[], &[], &[], &["+a@9"]],
        Some(9),
    );
}

#[test]
fn the_end_of_an_older_object_of_the_name_leaves_the_newer_one() {
    check(
        &[Seen("u", 6), Seen("v", 9), Left("u", 8), Deleted("u")],
        &[&["+a@6"], &["~a@9"], &[], &[]],
        Some(9),
    );
}

#[test]
fn a_list_removes_what_it_does_not_hold_but_for_what_is_newer() {
    check(
        &[
            Seen("u", 6),
            Listed(&[("b", "w", 3)], 5),
            Listed(&[("b", "w", 3)], 7),
        ],
        &[&["+a@6"], &["+b@3"], &["-a@6"]],
        None,
    );
    // What the list did not hold was gone at its revision: what is older than that comes late.
    check(
        &[Seen("u", 6), Listed(&[], 9), Seen("u", 8)],
        &[&["+a@6"], &["-a@6"], &[]],
        None,
    );
}

#[test]
fn a_list_that_held_an_object_keeps_it() {
    check(
        &[
            Listed(&[("a", "u", 2)], 5),
            Listed(&[("a", "u", 2)], 7),
            Listed(&[("a", "u", 8)], 9),
        ],
        &[&["+a@2"], &[], &["~a@8"]],
        Some(8),
    );
}

#[test]
fn a_host_without_numbers_is_taken_in_the_order_of_arrival() {
    check(
        &[
            Seen("u", 0),
            Seen("u", 0),
            Left("u", 0),
            Seen("u", 0),
            Listed(&[], 0),
        ],
        &[&["+a@0"], &["~a@0"], &["-a@0"], &["+a@0"], &["-a@0"]],
        None,
    );
}

#[test]
fn an_object_that_lost_its_label_stays_where_its_namespace_is_watched_too() {
    let mut cache = Cache::default();
    let namespace = Domain::Namespace("n".into());
    cache.seen(Arc::new(object("a", "u", 1)));
    // Both watches tell of it, in either order, at the same revision.
    assert!(cache.left(&OURS, &labelled("a", "u", 2, None)).is_some());
    assert!(cache.seen(Arc::new(labelled("a", "u", 2, None))).is_some());
    assert!(cache.left(&OURS, &labelled("a", "u", 2, None)).is_none());
    assert_eq!(cache.len(), 1);
    assert!(cache.left(&namespace, &labelled("a", "u", 3, None)).is_some());
    assert_eq!(cache.len(), 0);
}

#[test]
fn lists_of_two_domains_do_not_remove_what_the_other_one_holds() {
    let mut cache = Cache::default();
    let namespace = Domain::Namespace("n".into());
    let (first, second) = (cache.begin(), cache.begin());
    cache.listed(second, labelled("foreign", "f", 1, None));
    cache.listed(first, object("a", "u", 2));
    cache.listed(second, object("a", "u", 2));
    assert!(cache.end(first, &OURS, Revision(5)).is_empty());
    assert!(cache.end(second, &namespace, Revision(5)).is_empty());
    assert_eq!(cache.len(), 2);
    cache.retain(&[OURS]);
    assert_eq!(cache.len(), 1);
}

#[test]
fn a_namespace_is_listed_by_key() {
    let mut cache = Cache::default();
    for (namespace, name) in [("n", "b"), ("m", "z"), ("n", "a"), ("na", "a"), ("", "c")] {
        let value = json!({"metadata": {"namespace": namespace, "name": name, "resourceVersion": "1"}});
        cache.seen(Arc::new(Object::from_value(&value)));
    }
    let names = |namespace| {
        let all = cache.list(namespace).into_iter();
        all.map(|object| object.key().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(Some("n")), ["n/a", "n/b"]);
    assert_eq!(names(None).len(), 5);
}

#[test]
fn only_the_newest_are_kept_where_there_is_a_most() {
    let mut cache = Cache::default();
    for at in 1..=10 {
        cache.seen(Arc::new(object(&format!("o{at}"), &format!("u{at}"), at)));
    }
    cache.keep_newest(3);
    let left: Vec<u64> = cache
        .list(None)
        .iter()
        .map(|object| object.meta().revision.0)
        .collect();
    assert_eq!(left.len(), 3);
    assert!(left.iter().all(|revision| *revision > 7));
}
