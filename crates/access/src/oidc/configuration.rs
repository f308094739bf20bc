//! Upstream's structured `AuthenticationConfiguration`: whom to trust besides the cluster's own keys. What is wrong is
//! told as upstream does, all at once.

use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path, aggregate};
use warren_apimachinery::value::ValueExt;

use super::claims::{Mapping, RequiredClaim};
use super::expressions::Condition;
use super::{issuer, mappings};
use crate::authentication::Anonymous;

const GROUP: &str = "apiserver.config.k8s.io";
const KIND: &str = "AuthenticationConfiguration";
/// How many issuers there may be.
const MOST: usize = 64;

/// Whom a configuration trusts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuthenticationConfiguration {
    /// Issuers of tokens.
    pub issuers: Vec<IssuerConfiguration>,
    /// What those without credentials may ask; `None` when it does not say.
    pub anonymous: Option<Anonymous>,
}

/// One issuer of tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IssuerConfiguration {
    /// The claim `iss`.
    pub url: String,
    /// Where its discovery document is, if not below `url`.
    pub discovery_url: String,
    /// PEM of the authorities of its server; the system's when empty.
    pub certificate_authority: String,
    /// A token must be for one of them.
    pub audiences: Vec<String>,
    /// What its tokens may be signed with.
    pub algorithms: Vec<String>,
    /// What a token must say.
    pub required: Vec<RequiredClaim>,
    /// What must be true of its claims.
    pub rules: Vec<Condition>,
    /// What must be true of its user.
    pub user_rules: Vec<Condition>,
    /// Whom a token names.
    pub mapping: Mapping,
}

impl AuthenticationConfiguration {
    /// Reads the YAML or JSON of a file.
    ///
    /// # Errors
    /// What is wrong, with the field's path.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let file = warren_apimachinery::decode_yaml(text)
            .map_err(|error| error.to_string())?
            .value;
        let version = file.text("/apiVersion").strip_prefix(GROUP).unwrap_or_default();
        if file.text("/kind") != KIND || !matches!(version, "/v1" | "/v1beta1" | "/v1alpha1") {
            return Err(format!("not a {KIND} of {GROUP}/v1"));
        }
        refuse_unknown(&file, "", &["apiVersion", "kind", "jwt", "anonymous"])?;
        let mut errors = Vec::new();
        let issuers = issuers(&mut errors, file.items("/jwt"))?;
        let anonymous = anonymous_of(&mut errors, file.field("anonymous"))?;
        if errors.is_empty() {
            Ok(Self { issuers, anonymous })
        } else {
            Err(aggregate(&errors))
        }
    }
}

fn issuers(errors: &mut Vec<Error>, all: &[Value]) -> Result<Vec<IssuerConfiguration>, String> {
    let root = Path::new("jwt");
    if all.len() > MOST {
        errors.push(Error::too_many(&root, all.len(), MOST));
        return Ok(Vec::new());
    }
    let mut read: Vec<IssuerConfiguration> = Vec::new();
    for (at, value) in all.iter().enumerate() {
        let path = root.index(at);
        let configuration = issuer_of(errors, value, &path)?;
        let at = path.child("issuer");
        if read.iter().any(|other| other.url == configuration.url) {
            errors.push(Error::duplicate(&at.child("url"), configuration.url.as_str()));
        }
        let discovery = configuration.discovery_url.as_str();
        if !discovery.is_empty() && read.iter().any(|other| other.discovery_url == discovery) {
            errors.push(Error::duplicate(&at.child("discoveryURL"), discovery));
        }
        read.push(configuration);
    }
    Ok(read)
}

pub(super) fn refuse_unknown(value: &Value, path: &str, known: &[&str]) -> Result<(), String> {
    for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !known.contains(&name.as_str()) {
            let separator = if path.is_empty() { "" } else { "." };
            return Err(format!("unknown field \"{path}{separator}{name}\""));
        }
    }
    Ok(())
}

fn anonymous_of(errors: &mut Vec<Error>, value: &Value) -> Result<Option<Anonymous>, String> {
    if value.is_null() {
        return Ok(None);
    }
    refuse_unknown(value, "anonymous", &["enabled", "conditions"])?;
    let paths: Vec<String> = value
        .items("/conditions")
        .iter()
        .map(|condition| condition.text("/path").to_owned())
        .collect();
    Ok(Some(
        match (
            value.at("/enabled").as_bool().unwrap_or_default(),
            paths.is_empty(),
        ) {
            (false, is_empty) => {
                if !is_empty {
                    let shown: Vec<Value> = paths.iter().map(|path| json!({"Path": path})).collect();
                    let why = "enabled should be set to true when conditions are defined";
                    let path = Path::new("anonymous").child("conditions");
                    errors.push(Error::invalid(&path, shown, why));
                }
                Anonymous::Refused
            }
            (true, true) => Anonymous::Everywhere,
            (true, false) => Anonymous::On(paths),
        },
    ))
}

fn issuer_of(errors: &mut Vec<Error>, value: &Value, path: &Path) -> Result<IssuerConfiguration, String> {
    const FIELDS: [&str; 4] = [
        "issuer",
        "claimValidationRules",
        "claimMappings",
        "userValidationRules",
    ];
    refuse_unknown(value, path.as_str(), &FIELDS)?;
    let mut configuration = issuer::read(errors, value.field("issuer"), &path.child("issuer"))?;
    let rules = value.items("/claimValidationRules");
    let claims = mappings::claim_rules(errors, rules, &path.child("claimValidationRules"));
    (configuration.required, configuration.rules) = claims;
    let mapped = value.field("claimMappings");
    configuration.mapping =
        mappings::read(errors, mapped, &path.child("claimMappings"), &configuration.rules)?;
    let rules = value.items("/userValidationRules");
    configuration.user_rules = mappings::user_rules(errors, rules, &path.child("userValidationRules"));
    Ok(configuration)
}

#[cfg(test)]
mod tests {
    use super::super::claims::user_of;
    use super::*;

    fn read(text: &str) -> Result<AuthenticationConfiguration, String> {
        let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";
        AuthenticationConfiguration::read(format!("{head}{text}").as_bytes())
    }

    #[test]
    fn issuers_and_anonymous_conditions_are_read() {
        let read = read(
            "jwt: [{issuer: {url: 'https://i', audiences: [a, b], audienceMatchPolicy: MatchAny}, claimValidationRules: [{claim: hd, requiredValue: x}],\n\
             \x20 claimMappings: {username: {claim: sub, prefix: 'i:'}, groups: {claim: roles, prefix: ''}, uid: {claim: id}}}]\n\
             anonymous: {enabled: true, conditions: [{path: /healthz}]}\n",
        )
        .unwrap();
        let issuer = &read.issuers[0];
        assert_eq!((issuer.url.as_str(), issuer.audiences.len()), ("https://i", 2));
        assert_eq!(issuer.mapping.username.prefix, "i:");
        assert_eq!(
            (
                issuer.mapping.groups_claim.as_str(),
                issuer.mapping.uid_claim.as_str()
            ),
            ("roles", "id")
        );
        assert_eq!(read.anonymous, Some(Anonymous::On(vec!["/healthz".into()])));
    }

    #[test]
    fn what_is_wrong_is_told_all_at_once() {
        let issuer = |rest: &str| {
            read(&format!(
                "jwt: [{{issuer: {{url: 'https://i', audiences: [a]}}, {rest}}}]"
            ))
        };
        for (rest, expect) in [
            (
                "claimMappings: {username: {claim: sub}}",
                "jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing",
            ),
            (
                "claimMappings: {username: {expression: '1'}, uid: {expression: 'x'}}, userValidationRules: [{expression: '1'}]",
                "[jwt[0].claimMappings.uid.expression: Invalid value: \"x\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'x' (in container '')\n | x\n | ^, jwt[0].userValidationRules[0].expression: Invalid value: \"1\": must evaluate to bool]",
            ),
            ("nonsense: 1", "unknown field \"jwt[0].nonsense\""),
        ] {
            assert_eq!(issuer(rest).unwrap_err(), expect);
        }
        assert!(AuthenticationConfiguration::read(b"kind: Pod").is_err());
        assert!(read("anonymous: {enabled: false, conditions: [{path: /x}]}").is_err());
    }

    /// Configurations with what kube-apiserver 1.36.2 says of them, and of the claims of a token.
    #[test]
    fn configurations_and_tokens_have_the_answers_that_upstream_gives() {
        let mut wrong = String::new();
        for line in include_str!("../../tests/authentication.jsonl").lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let mut file = case.field("config").clone();
            file.set("/apiVersion", "apiserver.config.k8s.io/v1");
            file.set("/kind", "AuthenticationConfiguration");
            let claims = case.get("claims");
            let now = jiff::Timestamp::from_second(1_000).unwrap();
            let found = match AuthenticationConfiguration::read(file.to_string().as_bytes()) {
                Err(error) => json!({"error": error}),
                Ok(read) => match claims.map(|claims| user_of(&read.issuers[0], claims, now)) {
                    None => json!({}),
                    Some(Err(why)) => json!({"refused": why}),
                    Some(Ok(user)) => json!({"user": {"username": user.name, "uid": user.uid,
                        "groups": user.groups, "extra": user.extra}}),
                },
            };
            for key in ["error", "refused", "user"] {
                if found.get(key) != case.get(key) {
                    wrong.push_str(&format!(
                        "{line}\n  {key}: {}\n  should be {}\n",
                        found.field(key),
                        case.field(key)
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }
}
