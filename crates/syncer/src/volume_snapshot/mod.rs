//! Snapshots of claims, where the host serves them. The host's snapshotter works; the tenant sees its status. A content
//! that the host made is known by the host's name for it, as a volume is.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, resource};

use crate::mirrored::{Carry, Report, Row, Setting, status};
use crate::sides::{Sides, ours};

/// Snapshots.
pub(crate) const SNAPSHOTS: Row = Row {
    follows: &["/spec/volumeSnapshotClassName"],
    fixed: &["/spec/source"],
    references: &[
        (
            "/spec/source/persistentVolumeClaimName",
            resource::PERSISTENT_VOLUME_CLAIMS,
        ),
        (
            "/spec/source/volumeSnapshotContentName",
            resource::VOLUME_SNAPSHOT_CONTENTS,
        ),
    ],
    report: Some(report),
    ..Row::new("sync-volume-snapshots", resource::VOLUME_SNAPSHOTS, |spec| {
        Setting::of(&spec.sync.to_host.volume_snapshots)
    })
};

/// Contents that the tenant makes, of snapshots that are there already.
pub(crate) const CONTENTS: Row = Row {
    follows: &["/spec/deletionPolicy", "/spec/volumeSnapshotClassName"],
    fixed: &["/spec/source", "/spec/volumeSnapshotRef"],
    shape,
    report: Some(status),
    ..Row::new(
        "sync-volume-snapshot-contents",
        resource::VOLUME_SNAPSHOT_CONTENTS,
        |spec| Setting::of(&spec.sync.to_host.volume_snapshot_contents),
    )
};

/// The snapshot that a content is for, on the host. Its uid is the host's to fill in.
fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let snapshot = value.at("/spec/volumeSnapshotRef");
    let key = ObjectKey::namespaced(snapshot.text("/namespace"), snapshot.text("/name"));
    let key = sides.host_key(&resource::VOLUME_SNAPSHOTS, &key);
    host.set("/spec/volumeSnapshotRef/name", key.name.as_str());
    host.set("/spec/volumeSnapshotRef/namespace", key.namespace.as_str());
    host.take_at("/spec/volumeSnapshotRef/uid");
    host.take_at("/spec/volumeSnapshotRef/resourceVersion");
    Carry::Yes
}

fn report(sides: &Sides<'_>, _: &Value, host: &Value) -> Report {
    let mut status = host.at("/status").clone();
    let content = ObjectKey::cluster(host.text("/status/boundVolumeSnapshotContentName"));
    let content = sides.host.get(&resource::VOLUME_SNAPSHOT_CONTENTS, &content);
    if let Some(identity) = content.and_then(|content| ours(&sides.binding, &content)) {
        status.set("/boundVolumeSnapshotContentName", identity.key.0.name.as_str());
    }
    Report {
        main: Value::Null,
        status,
    }
}
