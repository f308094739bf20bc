//! Escalation: nobody may grant what they do not hold.

use smol_str::SmolStr;
use warren_apimachinery::UserInfo;

use crate::quoted_list;
use crate::rule::{Rule, has, url_matches};

/// Which of the `wanted` rules, taken apart, no rule of the owner covers; empty when all are covered.
pub fn covers(owner: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    wanted
        .iter()
        .flat_map(breakdown)
        .filter(|piece| !owner.iter().any(|rule| covers_piece(rule, piece)))
        .collect()
}

/// Takes a rule apart into rules of one verb and one resource (and one name), or one verb and one path.
pub fn breakdown(rule: &Rule) -> Vec<Rule> {
    let one = |text: &SmolStr| -> Box<[SmolStr]> { Box::new([text.clone()]) };
    let mut pieces = Vec::new();
    for group in &rule.api_groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                let piece = Rule {
                    verbs: one(verb),
                    api_groups: one(group),
                    resources: one(resource),
                    ..Rule::default()
                };
                if rule.resource_names.is_empty() {
                    pieces.push(piece);
                } else {
                    pieces.extend(rule.resource_names.iter().map(|name| Rule {
                        resource_names: one(name),
                        ..piece.clone()
                    }));
                }
            }
        }
    }
    for url in &rule.non_resource_urls {
        for verb in &rule.verbs {
            pieces.push(Rule {
                verbs: one(verb),
                non_resource_urls: one(url),
                ..Rule::default()
            });
        }
    }
    pieces
}

fn covers_piece(owner: &Rule, piece: &Rule) -> bool {
    let all = |held: &[SmolStr], wanted: &[SmolStr]| wanted.iter().all(|item| has_literally(held, item));
    let names = owner.resource_names.is_empty()
        || (!piece.resource_names.is_empty() && all(&owner.resource_names, &piece.resource_names));
    all(&owner.verbs, &piece.verbs)
        && all(&owner.api_groups, &piece.api_groups)
        && piece
            .resources
            .iter()
            .all(|resource| covers_resource(owner, resource))
        && names
        && piece
            .non_resource_urls
            .iter()
            .all(|url| owner.non_resource_urls.iter().any(|held| url_matches(held, url)))
}

fn has_literally(held: &[SmolStr], wanted: &str) -> bool {
    has(held, wanted)
}

fn covers_resource(owner: &Rule, resource: &str) -> bool {
    has(&owner.resources, resource)
        || resource.split_once('/').is_some_and(|(_, sub)| {
            owner
                .resources
                .iter()
                .any(|held| held.strip_prefix("*/") == Some(sub))
        })
}

/// Joins rules that differ in their verbs only, so that a message stays short.
pub fn compact(rules: &[Rule]) -> Vec<Rule> {
    let mut joined: Vec<Rule> = Vec::new();
    for rule in rules {
        let simple = rule.api_groups.len() == 1
            && rule.resources.len() == 1
            && rule.resource_names.len() <= 1
            && rule.non_resource_urls.is_empty();
        let same = joined.iter_mut().find(|other| {
            simple
                && other.api_groups == rule.api_groups
                && other.resources == rule.resources
                && other.resource_names == rule.resource_names
                && other.non_resource_urls.is_empty()
        });
        match same {
            Some(other) => other.verbs = other.verbs.iter().chain(&rule.verbs).cloned().collect(),
            None => joined.push(rule.clone()),
        }
    }
    joined
}

/// Upstream's refusal: `user "x" (groups=["a"]) is attempting to grant RBAC permissions not currently held:` and
/// the rules, one a line.
pub fn escalation_text(user: &UserInfo, missing: &[Rule], resolution_errors: &[String]) -> String {
    let mut lines: Vec<String> = compact(missing).iter().map(ToString::to_string).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut text = format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        quoted_list(&user.groups),
        lines.join("\n")
    );
    if !resolution_errors.is_empty() {
        let all = match resolution_errors {
            [one] => format!("[{one}]"),
            many => format!("[[{}]]", many.join(", ")),
        };
        text.push_str(&format!("; resolution errors: {all}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rules(value: Value) -> Vec<Rule> {
        value.as_array().unwrap().iter().map(Rule::parse).collect()
    }

    fn check(owner: Value, wanted: Value, missing: &[&str]) {
        let found = compact(&covers(&rules(owner), &rules(wanted)));
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(texts, missing);
    }

    #[test]
    fn covers_by_pieces_of_different_rules() {
        check(
            json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
                   {"verbs": ["list"], "apiGroups": [""], "resources": ["*"]}]),
            json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]),
            &[],
        );
    }

    #[test]
    fn a_star_is_covered_by_a_star_only() {
        check(
            json!([{"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]}]),
            json!([{"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}]),
            &["{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"*\"]}"],
        );
    }

    #[test]
    fn names_and_subresources_narrow() {
        check(
            json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]},
                   {"verbs": ["update"], "apiGroups": ["*"], "resources": ["*/scale"]}]),
            json!([{"verbs": ["get", "update"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]},
                   {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]},
                   {"verbs": ["update"], "apiGroups": ["apps"], "resources": ["deployments/scale"]}]),
            &[
                "{APIGroups:[\"\"], Resources:[\"secrets\"], ResourceNames:[\"a\"], Verbs:[\"update\"]}",
                "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\"]}",
            ],
        );
    }

    #[test]
    fn paths_are_covered_by_prefixes() {
        check(
            json!([{"verbs": ["get"], "nonResourceURLs": ["/api/*"]}]),
            json!([{"verbs": ["get"], "nonResourceURLs": ["/api/v1", "/metrics"]}]),
            &["{NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}"],
        );
    }

    #[test]
    fn the_refusal_reads_as_upstream_words_it() {
        let user = UserInfo {
            name: "x".into(),
            groups: vec!["a".into(), "b".into()],
            ..UserInfo::default()
        };
        let missing = rules(
            json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
            {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]),
        );
        assert_eq!(
            escalation_text(&user, &missing, &[]),
            "user \"x\" (groups=[\"a\" \"b\"]) is attempting to grant RBAC permissions not currently held:\n\
             {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\" \"list\"]}"
        );
    }
}
