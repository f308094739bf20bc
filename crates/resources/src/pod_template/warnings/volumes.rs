//! Volumes to warn about: sources that no longer work, files that would lie upon each other.

use serde_json::Value;
use warren_apimachinery::field::{Path, go_quote};
use warren_apimachinery::value::ValueExt;

const VOLUMES: &[(&str, &str, &str)] = &[
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "gitRepo",
        "gitRepo",
        "deprecated in v1.11, and disabled by default in v1.33+",
    ),
    (
        "scaleIO",
        "scaleIO",
        "deprecated in v1.16, non-functional in v1.22+",
    ),
    (
        "flocker",
        "flocker",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "storageos",
        "storageOS",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "quobyte",
        "quobyte",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "glusterfs",
        "glusterfs",
        "deprecated in v1.25, non-functional in v1.26+",
    ),
    (
        "cephfs",
        "cephfs",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// Sources of volumes that no longer work.
pub(crate) fn volume_warnings(path: &Path, volume: &Value) -> Vec<String> {
    VOLUMES
        .iter()
        .filter(|(field, _, _)| !volume.field(field).is_null())
        .map(|(_, shown, message)| format!("{}: {message}", path.child(shown)))
        .collect()
}

/// A file in a volume and what it comes from.
struct File<'a> {
    path: &'a str,
    source: String,
}

impl<'a> File<'a> {
    fn new(path: &'a str, source: &str) -> Self {
        Self {
            path: path.trim_end_matches('/'),
            source: source.to_owned(),
        }
    }

    fn shown(&self) -> String {
        let path = go_quote(self.path);
        if self.source.is_empty() {
            path
        } else {
            format!("{path} ({})", self.source)
        }
    }

    /// The same file, or one of the two would lie in the other.
    fn collides(&self, other: &Self) -> bool {
        let below = |a: &str, b: &str| {
            a.strip_prefix(b)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !self.path.is_empty()
            && !other.path.is_empty()
            && (below(self.path, other.path) || below(other.path, self.path))
    }
}

/// Warns of files of one volume that would lie upon each other.
pub(super) fn overlapping_files(warnings: &mut Vec<String>, volumes: &[Value]) {
    for volume in volumes {
        let name = go_quote(volume.text("/name"));
        for (kind, title, named) in [
            ("configMap", "ConfigMap", "/name"),
            ("secret", "Secret", "/secretName"),
            ("downwardAPI", "DownwardAPI", ""),
        ] {
            let source = volume.field(kind);
            let shown = titled(title, source, named);
            let files = files(source, "");
            overlaps(
                warnings,
                &format!("volume {name} ({shown}): overlapping paths"),
                files,
            );
        }
        let mut all = Vec::new();
        for source in volume.items("/projected/sources") {
            if source.as_object().is_none_or(serde_json::Map::is_empty) {
                warnings.push(format!("volume {name} (Projected) has no sources provided"));
            }
            all.extend(projected_files(source));
        }
        overlaps(
            warnings,
            &format!("volume {name} (Projected): overlapping paths"),
            all,
        );
    }
}

fn titled(title: &str, source: &Value, named: &str) -> String {
    match named {
        "" => title.to_owned(),
        named => format!("{title} {}", go_quote(source.text(named))),
    }
}

fn files<'a>(source: &'a Value, shown: &str) -> Vec<File<'a>> {
    let items = source.items("/items").iter();
    items.map(|item| File::new(item.text("/path"), shown)).collect()
}

fn projected_files(source: &Value) -> Vec<File<'_>> {
    for (kind, title, named) in [
        ("configMap", "ConfigMap", "/name"),
        ("secret", "Secret", "/name"),
        ("downwardAPI", "DownwardAPI", ""),
    ] {
        let given = source.field(kind);
        if !given.field("items").is_null() {
            return files(given, &titled(title, given, named));
        }
    }
    let token = source.field("serviceAccountToken");
    if token.is_null() {
        return Vec::new();
    }
    vec![File::new(token.text("/path"), "ServiceAccountToken")]
}

fn overlaps(warnings: &mut Vec<String>, head: &str, files: Vec<File<'_>>) {
    for (at, file) in files.iter().enumerate() {
        for earlier in files.iter().take(at).filter(|earlier| file.collides(earlier)) {
            warnings.push(format!("{head}: {} with {}", file.shown(), earlier.shown()));
        }
    }
}
