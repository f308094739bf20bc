//! Which fields nobody comes to own by a write to a part of an object, since the part does not take them: upstream's
//! `GetResetFields`.

use warren_reconciler::Part;

use super::status;
use crate::definition::Definition;

type Paths = &'static [&'static [&'static str]];

const NOTHING: Paths = &[];
const STATUS: Paths = &[&["status"]];
const SPEC: Paths = &[&["spec"]];
const ALL_BUT_STATUS: Paths = &[&["metadata"], &["spec"]];

/// The kinds that differ from the others: group, plural, part, and what they reset.
const SPECIAL: [(&str, &str, Part, Paths); 6] = [
    (
        "apps",
        "deployments",
        Part::Status,
        &[&["spec"], &["metadata", "labels"]],
    ),
    (
        "",
        "pods",
        Part::Status,
        &[
            &["spec"],
            &["metadata", "deletionTimestamp"],
            &["metadata", "ownerReferences"],
        ],
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        Part::Main,
        &[&["spec"], &["status"]],
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        Part::Status,
        &[&["spec"], &["status", "conditions"]],
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        Part::Sub("approval"),
        &[&["spec"], &["status", "certificate"]],
    ),
    (
        "certificates.k8s.io",
        "podcertificaterequests",
        Part::Status,
        SPEC,
    ),
];

/// What a write to this part does not make anybody own.
pub(crate) fn reset_fields(definition: &Definition, part: Part, builtin: bool) -> Paths {
    let special = SPECIAL.iter().find(|(group, plural, of, _)| {
        definition.group == *group && definition.plural == *plural && part == *of
    });
    if let Some((_, _, _, paths)) = special {
        return paths;
    }
    match part {
        Part::Main if definition.strategy.traits().status => STATUS,
        Part::Sub("finalize") => STATUS,
        Part::Status if !builtin || status::is_alone(definition) => ALL_BUT_STATUS,
        Part::Status => SPEC,
        Part::Main | Part::Sub(_) => NOTHING,
    }
}
