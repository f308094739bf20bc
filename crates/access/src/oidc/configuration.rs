//! Upstream's structured `AuthenticationConfiguration`: whom to trust besides the cluster's own keys. Expressions are
//! refused by name: there is no CEL here yet.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::claims::{Mapping, RequiredClaim, Username};
use crate::authentication::Anonymous;

const GROUP: &str = "apiserver.config.k8s.io";
const KIND: &str = "AuthenticationConfiguration";

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
        let issuers = file.items("/jwt").iter().enumerate();
        let issuers: Vec<_> = issuers
            .map(|(at, issuer)| issuer_of(issuer, &format!("jwt[{at}]")))
            .collect::<Result<_, _>>()?;
        for (at, issuer) in issuers.iter().enumerate() {
            if issuers.iter().take(at).any(|other| other.url == issuer.url) {
                return Err(format!("jwt[{at}].issuer.url: Duplicate value: {:?}", issuer.url));
            }
        }
        Ok(Self {
            issuers,
            anonymous: anonymous_of(file.field("anonymous"))?,
        })
    }
}

fn refuse_unknown(value: &Value, path: &str, known: &[&str]) -> Result<(), String> {
    for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !known.contains(&name.as_str()) {
            let separator = if path.is_empty() { "" } else { "." };
            return Err(format!("unknown field \"{path}{separator}{name}\""));
        }
    }
    Ok(())
}

fn anonymous_of(value: &Value) -> Result<Option<Anonymous>, String> {
    if value.is_null() {
        return Ok(None);
    }
    refuse_unknown(value, "anonymous", &["enabled", "conditions"])?;
    let paths: Vec<String> = value
        .items("/conditions")
        .iter()
        .map(|condition| condition.text("/path").to_owned())
        .collect();
    match (
        value.at("/enabled").as_bool().unwrap_or_default(),
        paths.is_empty(),
    ) {
        (false, true) => Ok(Some(Anonymous::Refused)),
        (false, false) => Err(
            "anonymous.conditions: Invalid value: enabled should be set to true when conditions are defined"
                .to_owned(),
        ),
        (true, true) => Ok(Some(Anonymous::Everywhere)),
        (true, false) => Ok(Some(Anonymous::On(paths))),
    }
}

fn issuer_of(value: &Value, path: &str) -> Result<IssuerConfiguration, String> {
    const FIELDS: [&str; 4] = [
        "issuer",
        "claimValidationRules",
        "claimMappings",
        "userValidationRules",
    ];
    refuse_unknown(value, path, &FIELDS)?;
    if !value.items("/userValidationRules").is_empty() {
        return Err(expression(&format!("{path}.userValidationRules")));
    }
    let (issuer, at) = (value.field("issuer"), format!("{path}.issuer"));
    const ISSUER: [&str; 5] = [
        "url",
        "discoveryURL",
        "certificateAuthority",
        "audiences",
        "audienceMatchPolicy",
    ];
    refuse_unknown(issuer, &at, &ISSUER)?;
    let url = issuer.text("/url");
    if !url.starts_with("https://") {
        return Err(format!(
            "{at}.url: Invalid value: {url:?}: URL scheme must be https"
        ));
    }
    let audiences: Vec<String> = issuer
        .items("/audiences")
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if audiences.is_empty() {
        return Err(format!(
            "{at}.audiences: Required value: at least one {at}.audiences is required"
        ));
    }
    Ok(IssuerConfiguration {
        url: url.to_owned(),
        discovery_url: issuer.text("/discoveryURL").to_owned(),
        certificate_authority: issuer.text("/certificateAuthority").to_owned(),
        audiences,
        // Upstream lets structured configuration choose no algorithms: all that it knows hold.
        algorithms: [
            "RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512",
        ]
        .map(str::to_owned)
        .to_vec(),
        required: required(value, path)?,
        mapping: mapping(value.field("claimMappings"), &format!("{path}.claimMappings"))?,
    })
}

fn expression(path: &str) -> String {
    format!("{path}: CEL expressions are not supported")
}

fn required(value: &Value, path: &str) -> Result<Vec<RequiredClaim>, String> {
    let rules = value.items("/claimValidationRules").iter().enumerate();
    rules
        .map(|(at, rule)| {
            let path = format!("{path}.claimValidationRules[{at}]");
            if !rule.text("/expression").is_empty() {
                return Err(expression(&format!("{path}.expression")));
            }
            if rule.text("/claim").is_empty() {
                return Err(format!("{path}: Required value: claim or expression is required"));
            }
            Ok(RequiredClaim {
                claim: rule.text("/claim").to_owned(),
                value: rule.text("/requiredValue").to_owned(),
            })
        })
        .collect()
}

fn mapping(value: &Value, path: &str) -> Result<Mapping, String> {
    refuse_unknown(value, path, &["username", "groups", "uid", "extra"])?;
    for part in ["username", "groups", "uid"] {
        if !value.field(part).text("/expression").is_empty() {
            return Err(expression(&format!("{path}.{part}.expression")));
        }
    }
    if !value.items("/extra").is_empty() {
        return Err(expression(&format!("{path}.extra[0].valueExpression")));
    }
    let username = value.field("username");
    if username.text("/claim").is_empty() {
        return Err(format!(
            "{path}.username: Required value: claim or expression is required"
        ));
    }
    for part in ["username", "groups"] {
        let part_value = value.field(part);
        if !part_value.text("/claim").is_empty() && part_value.at("/prefix").is_null() {
            return Err(format!(
                "{path}.{part}.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing"
            ));
        }
    }
    let text = |pointer: &str| value.text(pointer).to_owned();
    Ok(Mapping {
        username: Username {
            claim: text("/username/claim"),
            prefix: text("/username/prefix"),
        },
        groups_claim: text("/groups/claim"),
        groups_prefix: text("/groups/prefix"),
        uid_claim: text("/uid/claim"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AuthenticationConfiguration, String> {
        let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";
        AuthenticationConfiguration::read(format!("{head}{text}").as_bytes())
    }

    #[test]
    fn issuers_and_anonymous_conditions_are_read() {
        let read = read(
            "jwt: [{issuer: {url: 'https://i', audiences: [a, b]}, claimValidationRules: [{claim: hd, requiredValue: x}],\n\
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
    fn what_is_not_supported_is_refused_by_name() {
        let issuer = |rest: &str| {
            read(&format!(
                "jwt: [{{issuer: {{url: 'https://i', audiences: [a]}}, {rest}}}]"
            ))
        };
        for (rest, expect) in [
            (
                "claimMappings: {username: {expression: claims.sub}}",
                "jwt[0].claimMappings.username.expression: CEL expressions are not supported",
            ),
            (
                "claimMappings: {username: {claim: sub}}",
                "jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing",
            ),
            (
                "claimMappings: {username: {claim: sub, prefix: ''}}, userValidationRules: [{expression: 'true'}]",
                "jwt[0].userValidationRules: CEL expressions are not supported",
            ),
            ("nonsense: 1", "unknown field \"jwt[0].nonsense\""),
        ] {
            assert_eq!(issuer(rest).unwrap_err(), expect);
        }
        assert!(AuthenticationConfiguration::read(b"kind: Pod").is_err());
        assert!(read("anonymous: {enabled: false, conditions: [{path: /x}]}").is_err());
    }
}
