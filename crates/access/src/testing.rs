//! What this crate's tests stand on: states made of plain objects, and a guard.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, GroupResource, Object, Revision, UserInfo};
use warren_pki::{Authority, TokenSigner};
use warren_storage::{Epoch, MemoryJournal, Opened, Silent, Snapshot, Store};

use crate::authentication::Authenticators;
use crate::guard::{Guard, Keys};
use crate::shared::Shared;

pub(crate) fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A store's state with these objects, each under its resource (`pods`, `roles.rbac.authorization.k8s.io`).
pub(crate) fn snapshot(objects: &[(&str, Value)]) -> Snapshot {
    let objects = objects
        .iter()
        .map(|(resource, value)| {
            (
                GroupResource::parse(resource),
                Arc::new(Object::from_value(value)),
            )
        })
        .collect();
    let opened = Opened {
        epoch: Epoch(1),
        revision: Revision(1),
        objects,
    };
    Store::open(
        ClusterId::new("test"),
        Arc::new(MemoryJournal::new()),
        opened,
        Arc::new(Silent),
    )
    .snapshot()
}

pub(crate) fn guard() -> Arc<Guard> {
    guard_with(Authenticators::default())
}

pub(crate) fn guard_with(authenticators: Authenticators) -> Arc<Guard> {
    static AUTHORITY: LazyLock<Arc<Authority>> =
        LazyLock::new(|| Arc::new(Authority::generate("test-ca", now()).unwrap()));
    let keys = Keys {
        authority: AUTHORITY.clone(),
        tokens: Arc::new(TokenSigner::generate().unwrap()),
        fixed_tokens: vec![("s3cret".into(), user("admin", &["system:masters"]))],
    };
    Guard::trusting(Shared::new(), keys, authenticators)
}

pub(crate) fn user(name: &str, groups: &[&str]) -> UserInfo {
    UserInfo {
        name: name.into(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..UserInfo::default()
    }
}

pub(crate) fn named(kind: &str, namespace: &str, name: &str, uid: &str) -> Value {
    let mut value = json!({"kind": kind, "metadata": {"name": name, "uid": uid}});
    if !namespace.is_empty() {
        value.set("/metadata/namespace", namespace);
    }
    value
}

/// A cluster role with one rule, and a cluster role binding of it to a user.
pub(crate) fn grant(name: &str, to: &str, rule: Value) -> Vec<(&'static str, Value)> {
    vec![
        (
            "clusterroles.rbac.authorization.k8s.io",
            json!({"metadata": {"name": name, "uid": "u"}, "rules": [rule]}),
        ),
        (
            "clusterrolebindings.rbac.authorization.k8s.io",
            json!({"metadata": {"name": name, "uid": "u"}, "roleRef": {"kind": "ClusterRole", "name": name},
                "subjects": [{"kind": "User", "name": to}]}),
        ),
    ]
}
