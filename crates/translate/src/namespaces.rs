//! Where each virtual namespace is, when virtual namespaces have host namespaces of their own.

use std::cmp::Reverse;

use smol_str::SmolStr;

use crate::name::{HOST_NAME_MAX, host_cluster_name};

const CLUSTER: &str = "${name}";

/// The mappings of one tenant. Without any, each virtual namespace has a host namespace of a translated name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Namespaces {
    /// Names before patterns, longer patterns before shorter: the first that fits counts.
    rules: Vec<Rule>,
}

/// From a virtual namespace to a host namespace; or, where both end with `*`, from all that begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rule {
    shown: SmolStr,
    host: SmolStr,
    is_pattern: bool,
}

impl Namespaces {
    /// `mappings` as `sync.toHost.namespaces.mappings.byName` has them; `${name}` stands for the cluster's name.
    pub(crate) fn new<'a>(cluster: &str, mappings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let rule = |(shown, host): (&str, &str)| {
            let (shown, host) = (shown.replace(CLUSTER, cluster), host.replace(CLUSTER, cluster));
            let starts = shown.strip_suffix('*').zip(host.strip_suffix('*'));
            let (shown_start, host_start) = starts.unwrap_or((&shown, &host));
            Rule {
                shown: shown_start.into(),
                host: host_start.into(),
                is_pattern: starts.is_some(),
            }
        };
        let mut rules: Vec<Rule> = mappings.into_iter().map(rule).collect();
        rules.sort_by_key(|rule| (rule.is_pattern, Reverse(rule.shown.len())));
        Self { rules }
    }

    /// The host namespace of a virtual one; `None` where no mapping fits, or where another one has the better claim to
    /// the host namespace: two virtual namespaces never share one.
    pub(crate) fn to_host(&self, cluster: &str, own: &str, shown: &str) -> Option<SmolStr> {
        if self.rules.is_empty() {
            return Some(host_cluster_name(shown, own, cluster).into());
        }
        let host = self
            .rules
            .iter()
            .find_map(|rule| map(&rule.shown, &rule.host, rule.is_pattern, shown))?;
        let is_good = host.len() <= HOST_NAME_MAX && host != own && !host.ends_with('-');
        (is_good && self.to_virtual(&host).as_deref() == Some(shown)).then_some(host)
    }

    /// The virtual namespace that has a host namespace, as far as its name says that.
    pub(crate) fn to_virtual(&self, host: &str) -> Option<SmolStr> {
        let fitting = self.rules.iter().filter_map(|rule| {
            let shown = map(&rule.host, &rule.shown, rule.is_pattern, host)?;
            Some(((!rule.is_pattern, rule.host.len()), shown))
        });
        fitting.max_by_key(|(rank, _)| *rank).map(|(_, shown)| shown)
    }

    /// Whether a host namespace may be one of the tenant's.
    pub(crate) fn may_be_ours(&self, host: &str) -> bool {
        (self.rules.is_empty() && host.starts_with("warren-")) || self.to_virtual(host).is_some()
    }
}

fn map(from: &str, to: &str, is_pattern: bool, name: &str) -> Option<SmolStr> {
    if is_pattern {
        let rest = name.strip_prefix(from)?;
        return Some(SmolStr::from(format!("{to}{rest}")));
    }
    (from == name).then(|| SmolStr::new(to))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn mapped(mappings: &[(&str, &str)], shown: &str) -> Option<String> {
        let namespaces = Namespaces::new("demo", mappings.iter().copied());
        namespaces.to_host("demo", "team", shown).map(String::from)
    }

    #[test]
    fn names_count_before_patterns_and_long_patterns_before_short_ones() {
        let mappings = [
            ("default", "${name}-main"),
            ("*", "${name}-any-*"),
            ("team-*", "teams-${name}-*"),
            ("team-a", "a"),
        ];
        for (shown, host) in [
            ("default", Some("demo-main")),
            ("shop", Some("demo-any-shop")),
            ("team-b", Some("teams-demo-b")),
            ("team-a", Some("a")),
        ] {
            assert_eq!(mapped(&mappings, shown).as_deref(), host, "{shown}");
        }
        assert_eq!(mapped(&mappings[..1], "shop"), None);
        assert_eq!(mapped(&[], "shop").as_deref(), Some("warren-shop-x-team-x-demo"));
    }

    #[test]
    fn the_clusters_own_namespace_and_anothers_place_are_given_to_nobody() {
        assert_eq!(mapped(&[("a-*", "te*")], "a-am"), None);
        let mappings = [("a-*", "x-*"), ("b", "x-c")];
        assert_eq!(mapped(&mappings, "b").as_deref(), Some("x-c"));
        assert_eq!(mapped(&mappings, "a-c"), None);
        assert_eq!(mapped(&mappings, "a-d").as_deref(), Some("x-d"));
    }

    proptest! {
        /// Few letters, so that mappings overlap.
        #[test]
        fn two_virtual_namespaces_never_share_a_host_namespace(
            mappings in prop::collection::vec(("[ab]{1,3}[*]?", "[ab]{1,3}"), 0..6),
            shown in prop::collection::hash_set("[ab]{1,5}", 1..40)) {
            let mappings: Vec<(String, String)> = mappings.into_iter().map(|(from, to)| {
                let to = if from.ends_with('*') { format!("{to}*") } else { to };
                (from, to)
            }).collect();
            let pairs = mappings.iter().map(|(from, to)| (from.as_str(), to.as_str()));
            let namespaces = Namespaces::new("demo", pairs);
            let mut seen: HashMap<SmolStr, String> = HashMap::new();
            for name in shown {
                if let Some(host) = namespaces.to_host("demo", "own", &name) {
                    prop_assert!(namespaces.may_be_ours(&host));
                    prop_assert!(seen.insert(host.clone(), name).is_none(), "{host} twice");
                }
            }
        }
    }
}
