//! From claims to users, as a configuration says it: mappings, and the rules of claims and users.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path, domain_prefixed_path};
use warren_apimachinery::value::ValueExt;

use super::claims::{Mapping, RequiredClaim, Username};
use super::configuration::refuse_unknown;
use super::expressions::{Condition, Mapped, Over, Wanted};

const BOTH: &str = "claim and expression can't both be set";
const NEITHER: &str = "claim or expression is required";
const UNVERIFIED: &str = "claims.email_verified must be used in claimMappings.username.expression or \
                          claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email \
                          is used in claimMappings.username.expression";

fn compiled(
    errors: &mut Vec<Error>,
    source: &str,
    (over, wanted): (Over, Wanted),
    path: &Path,
) -> Option<Mapped> {
    let compiled = Mapped::compile(source, over, wanted);
    compiled
        .map_err(|why| errors.push(Error::invalid(path, source, why)))
        .ok()
}

fn mapped(errors: &mut Vec<Error>, source: &str, path: &Path) -> Option<Mapped> {
    compiled(errors, source, (Over::Claims, Wanted::Anything), path)
}

/// `claimValidationRules`: claims with the values that they must have, and conditions.
pub(super) fn claim_rules(
    errors: &mut Vec<Error>,
    rules: &[Value],
    path: &Path,
) -> (Vec<RequiredClaim>, Vec<Condition>) {
    let (mut required, mut conditions): (Vec<RequiredClaim>, Vec<Condition>) = (Vec::new(), Vec::new());
    let mut seen: Vec<&str> = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let path = path.index(at);
        let (claim, source) = (rule.text("/claim"), rule.text("/expression"));
        let (message, value) = (rule.text("/message"), rule.text("/requiredValue"));
        match (claim.is_empty(), source.is_empty()) {
            (false, false) => errors.push(Error::invalid(&path, claim, BOTH)),
            (true, true) => errors.push(Error::required(&path, NEITHER)),
            (false, true) => {
                if !message.is_empty() {
                    let why = "may not be specified when claim is set";
                    errors.push(Error::invalid(&path.child("message"), message, why));
                }
                if required.iter().any(|known| known.claim == claim) {
                    errors.push(Error::duplicate(&path.child("claim"), claim));
                }
                required.push(RequiredClaim {
                    claim: claim.to_owned(),
                    value: value.to_owned(),
                });
            }
            (true, false) => {
                if !value.is_empty() {
                    let why = "may not be specified when expression is set";
                    errors.push(Error::invalid(&path.child("requiredValue"), value, why));
                }
                conditions.extend(condition(errors, rule, Over::Claims, &path, &mut seen));
            }
        }
    }
    (required, conditions)
}

/// `userValidationRules`.
pub(super) fn user_rules(errors: &mut Vec<Error>, rules: &[Value], path: &Path) -> Vec<Condition> {
    let mut seen: Vec<&str> = Vec::new();
    let mut conditions = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let path = path.index(at);
        if rule.text("/expression").is_empty() {
            errors.push(Error::required(&path.child("expression"), ""));
            continue;
        }
        conditions.extend(condition(errors, rule, Over::User, &path, &mut seen));
    }
    conditions
}

fn condition<'v>(
    errors: &mut Vec<Error>,
    rule: &'v Value,
    over: Over,
    path: &Path,
    seen: &mut Vec<&'v str>,
) -> Option<Condition> {
    let (source, path) = (rule.text("/expression"), path.child("expression"));
    if seen.contains(&source) {
        errors.push(Error::duplicate(&path, source));
        return None;
    }
    seen.push(source);
    Some(Condition {
        expression: compiled(errors, source, (over, Wanted::Truth), &path)?,
        message: rule.text("/message").to_owned(),
    })
}

/// `claimMappings`. `rules` are the conditions on claims: one of them may be what checks an address.
///
/// # Errors
/// A field that upstream does not know.
pub(super) fn read(
    errors: &mut Vec<Error>,
    value: &Value,
    path: &Path,
    rules: &[Condition],
) -> Result<Mapping, String> {
    refuse_unknown(value, path.as_str(), &["username", "groups", "uid", "extra"])?;
    let username = value.field("username");
    let username_expression = prefixed(errors, username, &path.child("username"), true);
    let groups_expression = prefixed(errors, value.field("groups"), &path.child("groups"), false);
    let uid = value.field("uid");
    let uid_expression = match (uid.text("/claim"), uid.text("/expression")) {
        (_, "") => None,
        ("", source) => mapped(errors, source, &path.child("uid").child("expression")),
        _ => {
            errors.push(Error::invalid(&path.child("uid"), "", BOTH));
            None
        }
    };
    let extra = extra(errors, value.items("/extra"), &path.child("extra"));
    let is_checked = |mapped: &Mapped| mapped.uses_email_verified();
    let checks = username_expression.as_ref().is_some_and(is_checked)
        || extra.iter().any(|(_, mapped)| is_checked(mapped))
        || rules.iter().any(|rule| is_checked(&rule.expression));
    if username_expression.as_ref().is_some_and(Mapped::uses_email) && !checks {
        let path = path.child("username").child("expression");
        errors.push(Error::invalid(&path, username.text("/expression"), UNVERIFIED));
    }
    let text = |pointer: &str| value.text(pointer).to_owned();
    Ok(Mapping {
        username: Username {
            claim: text("/username/claim"),
            prefix: text("/username/prefix"),
        },
        username_expression,
        groups_claim: text("/groups/claim"),
        groups_prefix: text("/groups/prefix"),
        groups_expression,
        uid_claim: text("/uid/claim"),
        uid_expression,
        extra,
    })
}

/// A claim with its prefix, or an expression.
fn prefixed(errors: &mut Vec<Error>, value: &Value, path: &Path, is_required: bool) -> Option<Mapped> {
    let (claim, source, prefix) = (
        value.text("/claim"),
        value.text("/expression"),
        value.field("prefix"),
    );
    match (claim.is_empty(), source.is_empty()) {
        (false, false) => errors.push(Error::invalid(path, "", BOTH)),
        (true, true) if is_required => errors.push(Error::required(path, NEITHER)),
        (true, true) => {}
        (true, false) => {
            if let Some(prefix) = prefix.as_str() {
                let why = "may not be specified when expression is set";
                errors.push(Error::invalid(&path.child("prefix"), prefix, why));
            }
            return mapped(errors, source, &path.child("expression"));
        }
        (false, true) => {
            if prefix.is_null() {
                let why = "prefix is required when claim is set. It can be set to an empty string to disable prefixing";
                errors.push(Error::required(&path.child("prefix"), why));
            }
        }
    }
    None
}

fn extra(errors: &mut Vec<Error>, all: &[Value], path: &Path) -> Vec<(String, Mapped)> {
    let mut seen: Vec<&str> = Vec::new();
    let mut read = Vec::new();
    for (at, mapping) in all.iter().enumerate() {
        let (path, key) = (path.index(at), mapping.text("/key"));
        let at = path.child("key");
        if key.is_empty() {
            errors.push(Error::required(&at, ""));
        } else {
            errors.extend(domain_prefixed_path(&at, key));
        }
        if key != key.to_lowercase() {
            errors.push(Error::invalid(&at, key, "must be lowercase"));
        }
        let domain = key.split_once('/').map_or("", |(domain, _)| domain);
        let is_reserved = ["kubernetes.io", "k8s.io"].iter().any(|own| {
            let below = domain.strip_suffix(own);
            below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        });
        if is_reserved {
            let why = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
            errors.push(Error::invalid(&at, key, why));
        }
        if seen.contains(&key) {
            errors.push(Error::duplicate(&at, key));
            continue;
        }
        seen.push(key);
        let (source, path) = (mapping.text("/valueExpression"), path.child("valueExpression"));
        if source.is_empty() {
            errors.push(Error::required(&path, ""));
            continue;
        }
        let mapped = mapped(errors, source, &path);
        read.extend(mapped.map(|mapped| (key.to_owned(), mapped)));
    }
    read
}
