//! Authentication: certificate, then bearer token, then anonymous.

use std::sync::Arc;

use warren_apimachinery::{Status, UserInfo};
use warren_storage::Snapshot;

use crate::facts::{Certificate, RequestFacts};
use crate::guard::Guard;
use crate::oidc::Issuer;
use crate::{ISSUER, service_account_token};

/// Who sends no credentials.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group of everybody with credentials.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of everybody without.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

/// What those without credentials may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// Whatever their rights allow.
    #[default]
    Everywhere,
    /// The same, on these paths alone.
    On(Vec<String>),
    /// Nothing.
    Refused,
}

impl Anonymous {
    fn allows(&self, path: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::On(paths) => paths.iter().any(|allowed| allowed == path),
            Self::Refused => false,
        }
    }
}

/// Whom a cluster trusts besides its own authority and token signer.
#[derive(Clone, Default)]
pub struct Authenticators {
    /// Issuers of tokens.
    pub issuers: Vec<Arc<Issuer>>,
    /// Those who say nothing.
    pub anonymous: Anonymous,
}

/// Who asks, impersonation aside.
///
/// # Errors
/// 401 when there are credentials and none of them holds, or none where they are needed.
pub(crate) async fn authenticate(
    guard: &Guard,
    now: &Snapshot,
    facts: &RequestFacts<'_>,
) -> Result<UserInfo, Status> {
    let mut refused = false;
    match facts.certificate {
        Certificate::Of(client) if client.holds_at(facts.now) => {
            return Ok(in_authenticated(client.user().clone()));
        }
        Certificate::Of(_) | Certificate::Refused => refused = true,
        Certificate::Absent => {}
    }
    if let Some(token) = facts.authorization.and_then(bearer) {
        let audiences = [ISSUER.to_owned()];
        match of_token(guard, now, token, &audiences, facts.now).await {
            Some((user, _)) => return Ok(user),
            None => refused = true,
        }
    }
    if refused || !guard.authenticators.anonymous.allows(facts.path) {
        Err(Status::unauthorized())
    } else {
        Ok(anonymous())
    }
}

/// Whom a bearer token names to one of `audiences`, and which of them it is for.
pub(crate) async fn of_token(
    guard: &Guard,
    now: &Snapshot,
    token: &str,
    audiences: &[String],
    time: jiff::Timestamp,
) -> Option<(UserInfo, Vec<String>)> {
    // These are not made for anybody in particular: they are for the API server.
    let for_us = || -> Option<Vec<String>> {
        let ours: Vec<String> = audiences
            .iter()
            .filter(|audience| *audience == ISSUER)
            .cloned()
            .collect();
        (!ours.is_empty()).then_some(ours)
    };
    if let Some(user) = guard.fixed_token(token) {
        return Some((in_authenticated(user.clone()), for_us()?));
    }
    let Ok(claims) = guard.claims(token) else {
        let user = of_issuers(&guard.authenticators.issuers, token, time).await?;
        return Some((in_authenticated(user), for_us()?));
    };
    let meant: Vec<String> = audiences
        .iter()
        .filter(|audience| claims.aud.contains(audience))
        .cloned()
        .collect();
    if meant.is_empty() {
        return None;
    }
    match service_account_token::user_of(&claims, now, time) {
        Ok(user) => Some((in_authenticated(user), meant)),
        Err(why) => {
            tracing::debug!(%why, "a service account token was refused");
            None
        }
    }
}

async fn of_issuers(issuers: &[Arc<Issuer>], token: &str, time: jiff::Timestamp) -> Option<UserInfo> {
    for issuer in issuers {
        if let Some(user) = issuer.user_of(token, time).await {
            return Some(user);
        }
    }
    None
}

/// Reads `Bearer <token>`; anything else is no attempt.
fn bearer(header: &str) -> Option<&str> {
    let mut parts = header.trim().splitn(3, ' ');
    let scheme = parts.next()?;
    let token = parts.next().filter(|token| !token.is_empty())?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

pub(crate) fn in_authenticated(mut user: UserInfo) -> UserInfo {
    if !user
        .groups
        .iter()
        .any(|group| group == AUTHENTICATED || group == UNAUTHENTICATED)
    {
        user.groups.push(AUTHENTICATED.to_owned());
    }
    user
}

fn anonymous() -> UserInfo {
    UserInfo {
        name: ANONYMOUS.to_owned(),
        groups: vec![UNAUTHENTICATED.to_owned()],
        ..UserInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use warren_registry::TokenIssuer;
    use warren_registry::token::{BoundObject, TokenClaims};

    use super::*;
    use crate::testing::{guard, named, now, snapshot, user};

    const NAME: &str = "system:serviceaccount:ns:sa";

    fn cluster(sa_uid: &str, pod_uid: &str) -> Snapshot {
        snapshot(&[
            ("serviceaccounts", named("ServiceAccount", "ns", "sa", sa_uid)),
            ("pods", named("Pod", "ns", "p", pod_uid)),
        ])
    }

    fn token(guard: &Guard, audiences: &[&str]) -> String {
        let claims = TokenClaims {
            namespace: "ns",
            service_account: "sa",
            uid: "1",
            audiences: audiences.iter().map(|a| (*a).to_owned()).collect(),
            expiration_seconds: 600,
            bound: Some(BoundObject {
                kind: "Pod".into(),
                name: "p".into(),
                uid: "2".into(),
            }),
            node: Some(("n".into(), "3".into())),
            now: now(),
        };
        guard.issue(&claims).unwrap().token
    }

    fn ask(
        guard: &Guard,
        cluster: &Snapshot,
        certificate: &Certificate,
        authorization: Option<&str>,
        after: i64,
    ) -> Result<UserInfo, u16> {
        let time: Timestamp = now() + SignedDuration::from_secs(after);
        let facts = RequestFacts {
            certificate,
            authorization,
            path: "/api",
            now: time,
        };
        let asked = authenticate(guard, cluster, &facts);
        futures_util::FutureExt::now_or_never(asked)
            .unwrap()
            .map_err(|status| status.code())
    }

    #[test]
    fn without_credentials_one_is_anonymous() {
        for header in [None, Some(""), Some("Basic x"), Some("Bearer"), Some("Bearer  ")] {
            let who = ask(&guard(), &snapshot(&[]), &Certificate::Absent, header, 0).unwrap();
            assert_eq!(who, user(ANONYMOUS, &[UNAUTHENTICATED]), "{header:?}");
        }
    }

    #[test]
    fn a_service_account_token_names_its_account_pod_and_node() {
        let guard = guard();
        let header = format!("bearer {}", token(&guard, &[]));
        let who = ask(&guard, &cluster("1", "2"), &Certificate::Absent, Some(&header), 0).unwrap();
        assert_eq!((who.name.as_str(), who.uid.as_str()), (NAME, "1"));
        assert_eq!(
            who.groups,
            [
                "system:serviceaccounts",
                "system:serviceaccounts:ns",
                AUTHENTICATED
            ]
        );
        let keys: Vec<&str> = who.extra.keys().filter_map(|k| k.split('/').nth(1)).collect();
        assert_eq!(
            keys,
            ["credential-id", "node-name", "node-uid", "pod-name", "pod-uid"]
        );
    }

    #[test]
    fn tokens_fall_with_their_objects_time_audience_and_key() {
        let (guard, other) = (guard(), guard());
        let good = format!("Bearer {}", token(&guard, &[]));
        let alien = format!("Bearer {}", token(&guard, &["vault"]));
        let foreign = format!("Bearer {}", token(&other, &[]));
        let check = |cluster: &Snapshot, header: &str, after: i64, expect: Result<(), u16>| {
            let found = ask(&guard, cluster, &Certificate::Absent, Some(header), after).map(|_| ());
            assert_eq!(found, expect);
        };
        check(&cluster("1", "2"), &good, 0, Ok(()));
        check(&cluster("9", "2"), &good, 0, Err(401));
        check(&cluster("1", "9"), &good, 0, Err(401));
        check(&snapshot(&[]), &good, 0, Err(401));
        check(&cluster("1", "2"), &good, 700, Err(401));
        check(&cluster("1", "2"), &alien, 0, Err(401));
        check(&cluster("1", "2"), &foreign, 0, Err(401));
        check(&cluster("1", "2"), "Bearer nonsense", 0, Err(401));
        check(&cluster("1", "2"), "Bearer s3cret", 0, Ok(()));
    }

    #[test]
    fn a_certificate_counts_until_it_expires_and_a_refused_one_leaves_room_for_a_token() {
        let guard: Arc<Guard> = guard();
        let issued = guard
            .authority()
            .issue_client("jane", &["devs".into()], now())
            .unwrap();
        let der = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
        let certificate = Certificate::Of(guard.authority().verify_client(&[der], now()).unwrap());
        let empty = snapshot(&[]);
        assert_eq!(
            ask(&guard, &empty, &certificate, None, 0).unwrap().groups,
            ["devs", AUTHENTICATED]
        );
        assert_eq!(ask(&guard, &empty, &certificate, None, 400 * 86_400), Err(401));
        assert_eq!(ask(&guard, &empty, &Certificate::Refused, None, 0), Err(401));
        let admin = ask(&guard, &empty, &Certificate::Refused, Some("Bearer s3cret"), 0).unwrap();
        assert_eq!(admin.name, "admin");
    }

    #[test]
    fn anonymous_users_are_let_in_where_the_configuration_says() {
        let check = |anonymous: Anonymous, path: &str, expect: Result<(), u16>| {
            let guard = crate::testing::guard_with(Authenticators {
                anonymous,
                ..Authenticators::default()
            });
            let facts = RequestFacts {
                certificate: &Certificate::Absent,
                authorization: None,
                path,
                now: now(),
            };
            let empty = snapshot(&[]);
            let asked = authenticate(&guard, &empty, &facts);
            let found = futures_util::FutureExt::now_or_never(asked).unwrap();
            assert_eq!(
                found.map(|_| ()).map_err(|status| status.code()),
                expect,
                "{path}"
            );
        };
        check(Anonymous::Everywhere, "/api", Ok(()));
        check(Anonymous::Refused, "/livez", Err(401));
        let some = Anonymous::On(vec!["/livez".into()]);
        check(some.clone(), "/livez", Ok(()));
        check(some, "/livez/ping", Err(401));
    }

    #[test]
    fn a_pods_own_token_lives_a_year_and_tells_when_to_warn() {
        let guard = guard();
        let claims = TokenClaims {
            namespace: "ns",
            service_account: "sa",
            uid: "1",
            audiences: vec![],
            expiration_seconds: 3607,
            bound: Some(BoundObject {
                kind: "Pod".into(),
                name: "p".into(),
                uid: "2".into(),
            }),
            node: None,
            now: now(),
        };
        let issued = guard.issue(&claims).unwrap();
        assert_eq!(issued.expires, now() + SignedDuration::from_secs(3607));
        let claims = guard.claims(&issued.token).unwrap();
        assert_eq!(claims.exp - claims.iat, 365 * 24 * 3600);
        assert_eq!(claims.private.warnafter, Some(claims.iat + 3607));
    }
}
