//! From the claims of a checked token to the user that they name. Pure.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::UserInfo;
use warren_apimachinery::value::ValueExt;

use super::configuration::IssuerConfiguration;

/// Whom a token names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// The user's name.
    pub username: Username,
    /// Where the groups stand; empty for none.
    pub groups_claim: String,
    /// What stands before each of them.
    pub groups_prefix: String,
    /// Where the uid stands; empty for none.
    pub uid_claim: String,
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
    for required in &issuer.required {
        if claims.field(&required.claim).as_str() != Some(&required.value) {
            return Err(format!("required claim {} does not hold", required.claim));
        }
    }
    let mapping = &issuer.mapping;
    let claim = mapping.username.claim.as_str();
    let name = claims
        .field(claim)
        .as_str()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| format!("the claim {claim} names nobody"))?;
    // An address that the issuer did not verify is anybody's.
    let verified = claims.field("email_verified");
    if claim == "email" && !verified.is_null() && verified.as_bool() != Some(true) {
        return Err("email not verified".to_owned());
    }
    Ok(UserInfo {
        name: format!("{}{name}", mapping.username.prefix),
        uid: claims
            .field(&mapping.uid_claim)
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        groups: texts(claims.field(&mapping.groups_claim))
            .into_iter()
            .map(|group| format!("{}{group}", mapping.groups_prefix))
            .collect(),
        ..UserInfo::default()
    })
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
        check(|c| c.set("/hd", "y"), Err("required claim hd does not hold"));
        check(|c| c.set("/email_verified", false), Err("email not verified"));
        check(|c| drop(c.take_at("/email")), Err("the claim email names nobody"));
        check(
            |c| c.set("/aud", "other"),
            Err("expected audience in [\"warren\"] got [\"other\"]"),
        );
    }
}
