//! Impersonation: acting as another user, where RBAC grants the verb `impersonate`.

use warren_apimachinery::{Status, UserInfo};
use warren_rbac::Attributes;
use warren_storage::Snapshot;

use crate::authentication::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED};
use crate::authorization::authorize;
use crate::facts::Impersonation;
use crate::guard::Guard;
use crate::service_account_token::{groups_of, service_account_of};

const AUTHENTICATION: &str = "authentication.k8s.io";

/// The user that `user` wants to act as.
///
/// # Errors
/// 403 for the first part that they may not take on.
pub(crate) fn impersonate(
    guard: &Guard,
    now: &Snapshot,
    user: &UserInfo,
    wanted: &Impersonation,
) -> Result<UserInfo, Status> {
    let check = |asked: Attributes<'_>| authorize(guard, now, user, &asked);
    let base = Attributes {
        verb: "impersonate",
        version: "v1",
        ..Attributes::default()
    };
    match service_account_of(&wanted.user) {
        Some((namespace, name)) => check(Attributes {
            resource: "serviceaccounts",
            namespace,
            name,
            ..base
        })?,
        None => check(Attributes {
            resource: "users",
            name: &wanted.user,
            ..base
        })?,
    }
    for group in &wanted.groups {
        check(Attributes {
            resource: "groups",
            name: group,
            ..base
        })?;
    }
    for (key, values) in &wanted.extra {
        for value in values {
            check(Attributes {
                group: AUTHENTICATION,
                resource: "userextras",
                subresource: key,
                name: value,
                ..base
            })?;
        }
    }
    if !wanted.uid.is_empty() {
        check(Attributes {
            group: AUTHENTICATION,
            resource: "uids",
            name: &wanted.uid,
            ..base
        })?;
    }
    Ok(user_of(wanted))
}

fn user_of(wanted: &Impersonation) -> UserInfo {
    let mut groups = wanted.groups.clone();
    if let (true, Some((namespace, _))) = (groups.is_empty(), service_account_of(&wanted.user)) {
        groups = groups_of(namespace);
    }
    let has = |group: &str| groups.iter().any(|held| held == group);
    let implied = match wanted.user == ANONYMOUS {
        true => (!has(UNAUTHENTICATED)).then_some(UNAUTHENTICATED),
        false => (!has(AUTHENTICATED) && !has(UNAUTHENTICATED)).then_some(AUTHENTICATED),
    };
    groups.extend(implied.map(str::to_owned));
    UserInfo {
        name: wanted.user.clone(),
        uid: wanted.uid.clone(),
        groups,
        extra: wanted.extra.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{grant, guard, snapshot, user};

    fn check(who: &str, wanted: &[(&str, &str)], expect: Result<(&str, &[&str]), &str>) {
        let rule = json!({"verbs": ["impersonate"], "apiGroups": [""],
            "resources": ["users", "groups", "serviceaccounts"]});
        let cluster = snapshot(&grant("imp", "jane", rule));
        let wanted = Impersonation::from_headers(wanted.iter().copied())
            .unwrap()
            .unwrap();
        let found = impersonate(&guard(), &cluster, &user(who, &[]), &wanted);
        match (found, expect) {
            (Ok(found), Ok((name, groups))) => assert_eq!(found, user(name, groups)),
            (Err(status), Err(message)) => assert_eq!(status.message(), message),
            (found, expect) => panic!("{found:?} is not {expect:?}"),
        }
    }

    #[test]
    fn the_impersonated_get_the_groups_that_go_with_them() {
        check("jane", &[("Impersonate-User", "a")], Ok(("a", &[AUTHENTICATED])));
        check(
            "jane",
            &[("Impersonate-User", "a"), ("Impersonate-Group", "g")],
            Ok(("a", &["g", AUTHENTICATED])),
        );
        check(
            "jane",
            &[("Impersonate-User", ANONYMOUS)],
            Ok((ANONYMOUS, &[UNAUTHENTICATED])),
        );
        check(
            "jane",
            &[("Impersonate-User", "system:serviceaccount:ns:sa")],
            Ok((
                "system:serviceaccount:ns:sa",
                &[
                    "system:serviceaccounts",
                    "system:serviceaccounts:ns",
                    AUTHENTICATED,
                ],
            )),
        );
    }

    #[test]
    fn each_part_must_be_granted() {
        check(
            "joe",
            &[("Impersonate-User", "a")],
            Err(
                "users \"a\" is forbidden: User \"joe\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
            ),
        );
        check(
            "jane",
            &[("Impersonate-User", "a"), ("Impersonate-Extra-Scopes", "v")],
            Err(
                "userextras.authentication.k8s.io \"v\" is forbidden: User \"jane\" cannot impersonate resource \"userextras/scopes\" in API group \"authentication.k8s.io\" at the cluster scope",
            ),
        );
    }
}
