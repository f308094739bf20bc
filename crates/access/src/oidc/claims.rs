//! From the claims of a checked token to the user that they name. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::UserInfo;
use warren_apimachinery::value::ValueExt;

use super::configuration::IssuerConfiguration;
use super::expressions::Mapped;

/// Whom a token names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// The user's name.
    pub username: Username,
    /// What the name is worked out by, in place of a claim.
    pub username_expression: Option<Mapped>,
    /// Where the groups stand; empty for none.
    pub groups_claim: String,
    /// What stands before each of them.
    pub groups_prefix: String,
    /// What the groups are worked out by, in place of a claim.
    pub groups_expression: Option<Mapped>,
    /// Where the uid stands; empty for none.
    pub uid_claim: String,
    /// What the uid is worked out by, in place of a claim.
    pub uid_expression: Option<Mapped>,
    /// Further facts by key.
    pub extra: Vec<(String, Mapped)>,
}

/// Where the name stands, and what stands before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Username {
    /// The claim.
    pub claim: String,
    /// The prefix.
    pub prefix: String,
}

/// What a token must say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequiredClaim {
    /// The claim.
    pub claim: String,
    /// Its value.
    pub value: String,
}

/// Where upstream notes which token somebody came with.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// The user of a token whose signature holds.
///
/// # Errors
/// Why the token names nobody here; for the log.
pub(super) fn user_of(
    issuer: &IssuerConfiguration,
    claims: &Value,
    now: Timestamp,
) -> Result<UserInfo, String> {
    check_times(claims, now)?;
    let audiences = texts(claims.field("aud"));
    if !issuer.audiences.iter().any(|wanted| audiences.contains(wanted)) {
        return Err(format!(
            "expected audience in {:?} got {audiences:?}",
            issuer.audiences
        ));
    }
    let mapping = &issuer.mapping;
    let user = UserInfo {
        name: name_of(mapping, claims)?,
        groups: groups_of(mapping, claims)?,
        uid: uid_of(mapping, claims)?,
        extra: extra_of(mapping, claims)?,
    };
    for required in &issuer.required {
        let RequiredClaim { claim, value } = required;
        if claims.get(claim).is_none() {
            return Err(format!("oidc: required claim {claim} not present in ID token"));
        }
        let found = text(claims, claim).map_err(|why| format!("oidc: parse claim {claim}: {why}"))?;
        if found != value {
            return Err(format!(
                "oidc: required claim {claim} value does not match. Got = {found}, want = {value}"
            ));
        }
    }
    for rule in &issuer.rules {
        let failed = |why| format!("oidc: error evaluating claim validation expression: {why}");
        rule.check_claims(claims).map_err(failed)?;
    }
    for rule in &issuer.user_rules {
        let failed = |why| format!("oidc: error evaluating user info validation rule: {why}");
        rule.check_user(&user).map_err(failed)?;
    }
    Ok(user)
}

fn name_of(mapping: &Mapping, claims: &Value) -> Result<String, String> {
    if let Some(expression) = &mapping.username_expression {
        let name = expression.text(claims, "username")?;
        if name.is_empty() {
            return Err("oidc: empty username via CEL expression is not allowed".to_owned());
        }
        return Ok(name);
    }
    let claim = mapping.username.claim.as_str();
    let name = text(claims, claim).map_err(|why| format!("oidc: parse username claims {claim:?}: {why}"))?;
    if name.is_empty() {
        return Err(format!("the claim {claim} names nobody"));
    }
    // An address that the issuer did not verify is anybody's.
    if claim == "email"
        && let Some(verified) = claims.get("email_verified")
    {
        let is_verified = match verified {
            Value::Null => false,
            Value::Bool(is_verified) => *is_verified,
            other => {
                return Err(format!(
                    "oidc: parse 'email_verified' claim: {}",
                    unfit(other, "bool")
                ));
            }
        };
        if !is_verified {
            return Err("oidc: email not verified".to_owned());
        }
    }
    Ok(format!("{}{name}", mapping.username.prefix))
}

fn groups_of(mapping: &Mapping, claims: &Value) -> Result<Vec<String>, String> {
    let claim = mapping.groups_claim.as_str();
    if !claim.is_empty()
        && let Some(said) = claims.get(claim)
    {
        let is_fit = match said {
            Value::Null | Value::String(_) => true,
            Value::Array(items) => items.iter().all(Value::is_string),
            _ => false,
        };
        if !is_fit {
            return Err(format!(
                "oidc: parse groups claim {claim:?}: {}",
                unfit(said, "string")
            ));
        }
        let groups = texts(said).into_iter();
        return Ok(groups
            .map(|group| format!("{}{group}", mapping.groups_prefix))
            .collect());
    }
    let Some(expression) = &mapping.groups_expression else {
        return Ok(Vec::new());
    };
    let failed = |why| format!("oidc: error evaluating group claim expression: {why}");
    expression.texts(claims).map_err(failed)?.map_err(failed)
}

fn uid_of(mapping: &Mapping, claims: &Value) -> Result<String, String> {
    let claim = mapping.uid_claim.as_str();
    if !claim.is_empty() {
        let uid = text(claims, claim).map_err(|why| format!("oidc: parse uid claim {claim:?}: {why}"))?;
        return Ok(uid.to_owned());
    }
    match &mapping.uid_expression {
        Some(expression) => expression.text(claims, "uid"),
        None => Ok(String::new()),
    }
}

fn extra_of(mapping: &Mapping, claims: &Value) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut extra = BTreeMap::new();
    if let Some(id) = claims.field("jti").as_str().filter(|id| !id.is_empty()) {
        extra.insert(CREDENTIAL_ID.to_owned(), vec![format!("JTI={id}")]);
    }
    let mut found = Vec::new();
    for (key, expression) in &mapping.extra {
        found.push((key, expression, expression.texts(claims)?));
    }
    for (key, expression, values) in found {
        let values = values.map_err(|why| {
            let source = expression.source();
            format!("oidc: error evaluating extra claim expression: {source}: {why}")
        })?;
        if !values.is_empty() {
            extra.insert(key.clone(), values);
        }
    }
    Ok(extra)
}

/// The text of a claim.
fn text<'c>(claims: &'c Value, claim: &str) -> Result<&'c str, String> {
    match claims.get(claim) {
        None => Err("claim not present".to_owned()),
        Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(unfit(other, "string")),
    }
}

/// What Go says of JSON that is of another type.
fn unfit(found: &Value, wanted: &str) -> String {
    let found = match found {
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::String(_) | Value::Null => "string",
    };
    format!("json: cannot unmarshal {found} into Go value of type {wanted}")
}

fn check_times(claims: &Value, now: Timestamp) -> Result<(), String> {
    let time = |name: &str| {
        let value = claims.field(name);
        #[expect(clippy::cast_possible_truncation, reason = "seconds with a fraction")]
        value
            .as_i64()
            .or_else(|| value.as_f64().map(|seconds| seconds as i64))
    };
    let now = now.as_second();
    match (time("exp"), time("nbf")) {
        (None, _) => Err("the token has no end".to_owned()),
        (Some(end), _) if end <= now => Err("the token has expired".to_owned()),
        (_, Some(begin)) if begin > now + 300 => Err("the token is not valid yet".to_owned()),
        _ => Ok(()),
    }
}

/// A text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn issuer() -> IssuerConfiguration {
        IssuerConfiguration {
            audiences: vec!["warren".into()],
            required: vec![RequiredClaim {
                claim: "hd".into(),
                value: "x".into(),
            }],
            mapping: Mapping {
                username: Username {
                    claim: "email".into(),
                    prefix: "i:".into(),
                },
                groups_claim: "roles".into(),
                groups_prefix: "g:".into(),
                uid_claim: "id".into(),
                ..Mapping::default()
            },
            ..IssuerConfiguration::default()
        }
    }

    fn check(change: impl Fn(&mut Value), expect: Result<(), &str>) {
        let mut claims = json!({"aud": ["other", "warren"], "exp": 2_000, "nbf": 500, "hd": "x", "email": "j@x",
            "roles": ["a", "b"], "id": "7"});
        change(&mut claims);
        let found = user_of(&issuer(), &claims, Timestamp::from_second(1_000).unwrap());
        assert_eq!(found.map(|_| ()), expect.map_err(str::to_owned), "{claims}");
    }

    #[test]
    fn claims_name_a_user() {
        let claims =
            json!({"aud": "warren", "exp": 2_000, "hd": "x", "email": "j@x", "roles": "a", "id": "7"});
        let user = user_of(&issuer(), &claims, Timestamp::from_second(1_000).unwrap()).unwrap();
        assert_eq!((user.name.as_str(), user.uid.as_str()), ("i:j@x", "7"));
        assert_eq!(user.groups, ["g:a"]);
    }

    #[test]
    fn a_token_must_hold_in_all_respects() {
        check(|_| {}, Ok(()));
        check(|c| c.set("/exp", 999), Err("the token has expired"));
        check(|c| drop(c.take_at("/exp")), Err("the token has no end"));
        check(|c| c.set("/nbf", 1_400), Err("the token is not valid yet"));
        check(
            |c| c.set("/hd", "y"),
            Err("oidc: required claim hd value does not match. Got = y, want = x"),
        );
        check(
            |c| c.set("/email_verified", false),
            Err("oidc: email not verified"),
        );
        check(
            |c| drop(c.take_at("/email")),
            Err("oidc: parse username claims \"email\": claim not present"),
        );
        check(
            |c| c.set("/aud", "other"),
            Err("expected audience in [\"warren\"] got [\"other\"]"),
        );
    }
}
