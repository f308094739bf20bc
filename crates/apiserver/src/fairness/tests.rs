use serde_json::{Value, json};
use warren_apimachinery::{ClusterId, GroupResource, Object, Revision};
use warren_storage::{Epoch, MemoryJournal, Opened, Silent, Store};

use super::*;

const GROUP: &str = "flowcontrol.apiserver.k8s.io";

fn snapshot(objects: &[(&str, Value)]) -> Snapshot {
    let objects = objects
        .iter()
        .map(|(resource, value)| {
            (
                GroupResource::new(GROUP, *resource),
                Arc::new(Object::from_value(value)),
            )
        })
        .collect();
    let opened = Opened {
        epoch: Epoch(1),
        revision: Revision(1),
        objects,
    };
    let journal = Arc::new(MemoryJournal::new());
    Store::open(ClusterId::new("test"), journal, opened, Arc::new(Silent)).snapshot()
}

fn level(name: &str, shares: u32, response: &Value) -> (&'static str, Value) {
    (
        "prioritylevelconfigurations",
        json!({"metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": shares, "lendablePercent": 0, "borrowingLimitPercent": 0, "limitResponse": response}}}),
    )
}

fn schema(name: &str, level: &str, user: &str) -> (&'static str, Value) {
    (
        "flowschemas",
        json!({"metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": {
            "priorityLevelConfiguration": {"name": level}, "distinguisherMethod": {"type": "ByUser"},
            "rules": [{"subjects": [{"kind": "User", "user": {"name": user}}],
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true}]}]}}),
    )
}

/// One seat for jane: 1 share of 600.
fn narrow(response: &Value) -> Snapshot {
    snapshot(&[
        level("narrow", 1, response),
        level("wide", 599, response),
        level("catch-all", 0, response),
        schema("narrow", "narrow", "jane"),
    ])
}

fn ask(fairness: &Fairness, known: &KnownRules, now: &Snapshot, who: &str) -> Ticket {
    let user = UserInfo {
        name: who.to_owned(),
        ..UserInfo::default()
    };
    let asked = Attributes {
        verb: "get",
        resource: "pods",
        ..Attributes::default()
    };
    let digest = Digest {
        user: &user,
        asked: &asked,
        objects: 0,
    };
    fairness.classify(known, now, &digest)
}

#[tokio::test]
async fn a_level_that_rejects_refuses_what_has_no_seat() {
    let (fairness, known) = (Fairness::default(), KnownRules::default());
    let now = narrow(&json!({"type": "Reject"}));
    let ticket = ask(&fairness, &known, &now, "jane");
    assert_eq!(ticket.classified.schema_uid, "uid-narrow");
    assert_eq!(ticket.classified.level_uid, "uid-narrow");
    let seat = ticket.seat().await.unwrap();
    let next = ask(&fairness, &known, &now, "jane");
    assert_eq!(next.seat().await.err(), Some(Rejection::ConcurrencyLimit));
    drop(seat);
    assert!(next.seat().await.is_ok());
    assert_eq!(ask(&fairness, &known, &now, "joe").classified.schema, "catch-all");
}

#[tokio::test(start_paused = true)]
async fn a_level_that_queues_lets_wait_up_to_its_length_and_its_time() {
    let (fairness, known) = (Arc::new(Fairness::default()), Arc::new(KnownRules::default()));
    let now =
        narrow(&json!({"type": "Queue", "queuing": {"queues": 1, "handSize": 1, "queueLengthLimit": 2}}));
    let seat = ask(&fairness, &known, &now, "jane").seat().await.unwrap();
    let wait = || {
        let ticket = ask(&fairness, &known, &now, "jane");
        tokio::spawn(async move { ticket.seat().await.map(drop) })
    };
    let (first, gone) = (wait(), wait());
    while fairness.usage().iter().map(|level| level.waiting).sum::<u32>() < 2 {
        tokio::task::yield_now().await;
    }
    let full = ask(&fairness, &known, &now, "jane");
    assert_eq!(full.seat().await.err(), Some(Rejection::QueueFull));
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    drop(seat);
    assert!(first.await.unwrap().is_ok());
    let seat = ask(&fairness, &known, &now, "jane").seat().await.unwrap();
    let late = ask(&fairness, &known, &now, "jane");
    assert_eq!(late.seat().await.err(), Some(Rejection::TimeOut));
    drop(seat);
    assert!(
        fairness
            .usage()
            .iter()
            .all(|level| (level.executing, level.waiting) == (0, 0))
    );
}

#[tokio::test]
async fn changed_objects_count_at_once_and_keep_who_sits() {
    let (fairness, known) = (Fairness::default(), KnownRules::default());
    let one = narrow(&json!({"type": "Reject"}));
    let seat = ask(&fairness, &known, &one, "jane").seat().await.unwrap();
    assert!(ask(&fairness, &known, &one, "jane").seat().await.is_err());
    let response = json!({"type": "Reject"});
    let two = snapshot(&[
        level("narrow", 2, &response),
        level("wide", 598, &response),
        level("catch-all", 0, &response),
        schema("narrow", "narrow", "jane"),
    ]);
    let second = ask(&fairness, &known, &two, "jane").seat().await.unwrap();
    assert!(ask(&fairness, &known, &two, "jane").seat().await.is_err());
    drop((seat, second));
    assert!(fairness.usage().iter().all(|level| level.executing == 0));
}

#[tokio::test]
async fn clusters_with_the_same_objects_share_the_rules() {
    let known = KnownRules::default();
    let now = narrow(&json!({"type": "Reject"}));
    let (one, other) = (Fairness::default(), Fairness::default());
    let (a, b) = (ask(&one, &known, &now, "x"), ask(&other, &known, &now, "x"));
    assert!(Arc::ptr_eq(&a.plan.rules, &b.plan.rules));
}
