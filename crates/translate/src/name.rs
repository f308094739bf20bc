//! Host names: two virtual objects never meet, whatever they are called.

use sha2::{Digest, Sha256};

/// The longest host name that is made. Fits where a name becomes a label value or a DNS label.
pub const HOST_NAME_MAX: usize = 63;

const SEPARATOR: &str = "-x-";
/// 80 bits.
const HASH_DIGITS: usize = 20;

/// What a kind allows in its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameForm {
    /// RFC 1123 subdomain: dots are fine.
    Subdomain,
    /// RFC 1123 label: no dots.
    Label,
    /// RFC 1035 label: no dots, and a letter comes first.
    ServiceLabel,
}

/// `<name>-x-<namespace>-x-<cluster>` where that is unambiguous and fits; else a readable start of the name
/// and 80 bits of the hash of the three parts.
///
/// The plain form has exactly two separators, counted with overlaps, so it splits in one way only. The hashed
/// form has at most one, so it never equals a plain one.
pub(crate) fn host_name(form: NameForm, name: &str, namespace: &str, cluster: &str) -> String {
    let plain = [name, namespace, cluster].join(SEPARATOR);
    if plain.len() <= HOST_NAME_MAX && separators(&plain) == 2 && form.allows(&plain) {
        return plain;
    }
    let digits = digest(&[name, namespace, cluster]);
    let mut start = name.replace('.', "-");
    while start.contains(SEPARATOR) {
        start = start.replace(SEPARATOR, "-");
    }
    if form == NameForm::ServiceLabel && !start.starts_with(|c: char| c.is_ascii_lowercase()) {
        start.insert(0, 's');
    }
    let start = start
        .get(..HOST_NAME_MAX - HASH_DIGITS - 1)
        .unwrap_or(&start)
        .trim_end_matches('-');
    format!("{start}-{digits}")
}

/// `warren-<name>-x-<host namespace>-x-<cluster>` for cluster-scoped objects; hashed where that is longer than
/// a name may be or ambiguous.
pub(crate) fn host_cluster_name(name: &str, host_namespace: &str, cluster: &str) -> String {
    let plain = format!("warren-{}", [name, host_namespace, cluster].join(SEPARATOR));
    if plain.len() <= HOST_NAME_MAX && separators(&plain) == 2 && !name.contains(':') {
        return plain;
    }
    let start: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .take(HOST_NAME_MAX - HASH_DIGITS - "warren--".len())
        .collect();
    let mut start = start.trim_matches('-').to_owned();
    while start.contains(SEPARATOR) {
        start = start.replace(SEPARATOR, "-");
    }
    format!("warren-{start}-{}", digest(&[name, host_namespace, cluster]))
}

/// The name of a host object that stands for a part of a virtual object rather than for one of its own: always
/// hashed, over more parts than `host_name` hashes, so that it meets none of those.
pub(crate) fn host_part_name(part: &str, name: &str, namespace: &str, cluster: &str, uid: &str) -> String {
    let start = name.replace(['.', ':'], "-");
    let mut start = start
        .get(..HOST_NAME_MAX - HASH_DIGITS - 1)
        .unwrap_or(&start)
        .to_owned();
    while start.contains(SEPARATOR) {
        start = start.replace(SEPARATOR, "-");
    }
    let digits = digest(&[part, name, namespace, cluster, uid]);
    format!("{}-{digits}", start.trim_end_matches('-'))
}

/// A hash of parts that may not run into each other: names hold no NUL.
pub(crate) fn digest(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\0"));
    hash.iter()
        .take(HASH_DIGITS / 2)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn separators(text: &str) -> usize {
    text.as_bytes()
        .windows(SEPARATOR.len())
        .filter(|window| *window == SEPARATOR.as_bytes())
        .count()
}

impl NameForm {
    fn allows(self, name: &str) -> bool {
        match self {
            Self::Subdomain => true,
            Self::Label => !name.contains('.'),
            Self::ServiceLabel => !name.contains('.') && name.starts_with(|c: char| c.is_ascii_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_name_stays_readable() {
        assert_eq!(
            host_name(NameForm::Subdomain, "web-0", "shop", "demo"),
            "web-0-x-shop-x-demo"
        );
        assert_eq!(
            host_cluster_name("fast", "team", "demo"),
            "warren-fast-x-team-x-demo"
        );
    }

    #[test]
    fn names_that_would_meet_are_kept_apart() {
        let meets = [
            (("a-x-b", "c"), ("a", "b-x-c")),
            (("a-x", "b"), ("a", "x-b")),
            (("a", "b.c"), ("a.b", "c")),
        ];
        for ((name, namespace), (other, other_namespace)) in meets {
            assert_ne!(
                host_name(NameForm::Label, name, namespace, "demo"),
                host_name(NameForm::Label, other, other_namespace, "demo"),
            );
        }
    }

    #[test]
    fn a_service_name_starts_with_a_letter_and_has_no_dots() {
        assert!(host_name(NameForm::ServiceLabel, "1.a", "n", "c").starts_with("s1-a-"));
    }

    proptest! {
        /// Few letters and many separators, so that collisions would be found.
        #[test]
        fn two_virtual_objects_never_meet(parts in prop::collection::vec(
            ("[ax](-|[ax.]){0,8}[ax]", "[ax](-|[ax]){0,6}[ax]", "[ax](-|[ax]){0,4}[ax]"), 2..80)) {
            let mut seen: HashMap<String, (String, String, String)> = HashMap::new();
            for (name, namespace, cluster) in parts {
                let host = host_name(NameForm::Subdomain, &name, &namespace, &cluster);
                prop_assert!(host.len() <= HOST_NAME_MAX);
                let triple = (name, namespace, cluster);
                if let Some(other) = seen.insert(host.clone(), triple.clone()) {
                    prop_assert_eq!(other, triple, "{} for both", host);
                }
            }
        }

        #[test]
        fn long_names_fit(name in "[a-z]([-a-z0-9.]{0,250})[a-z0-9]", namespace in "[a-z]{1,63}") {
            let host = host_name(NameForm::ServiceLabel, &name, &namespace, "demo");
            prop_assert!(host.len() <= HOST_NAME_MAX);
            prop_assert!(!host.contains('.'));
            prop_assert!(!host.ends_with('-'));
            prop_assert!(host_cluster_name(&name, &namespace, "demo").len() <= HOST_NAME_MAX);
        }
    }
}
