//! Impersonation: acting as another user. Constrained impersonation is asked first, which also looks at what is to be
//! done as the other user; then the old verb `impersonate`, which does not.

use warren_apimachinery::{Status, UserInfo, name};
use warren_rbac::{Attributes, MASTERS};
use warren_storage::Snapshot;

use crate::authentication::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED};
use crate::authorization::{authorize, forbidden};
use crate::facts::Impersonation;
use crate::guard::Guard;
use crate::service_account_token::{NODE_NAME, groups_of, service_account_of};

const AUTHENTICATION: &str = "authentication.k8s.io";
const NODES: &str = "system:nodes";
/// From so many groups or extra values on, the right to all of them is asked for first.
const MANY: usize = 4;

/// A way to impersonate, each with verbs of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A service account that runs on a node, as that node.
    AssociatedNode,
    ArbitraryNode,
    ServiceAccount,
    UserInfo,
    /// The verb `impersonate`, whatever is done afterwards.
    Legacy,
}

impl Mode {
    const ALL: [Self; 5] = [
        Self::AssociatedNode,
        Self::ArbitraryNode,
        Self::ServiceAccount,
        Self::UserInfo,
        Self::Legacy,
    ];

    const fn verb(self) -> &'static str {
        match self {
            Self::AssociatedNode => "impersonate:associated-node",
            Self::ArbitraryNode => "impersonate:arbitrary-node",
            Self::ServiceAccount => "impersonate:serviceaccount",
            Self::UserInfo => "impersonate:user-info",
            Self::Legacy => "impersonate",
        }
    }

    /// Whether the way leads to this user at all.
    fn applies(self, requester: &UserInfo, wanted: &Impersonation) -> bool {
        let node = node_of(&wanted.user);
        let account = service_account_of(&wanted.user);
        let only_a_name = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        match self {
            Self::AssociatedNode => {
                only_a_name
                    && service_account_of(&requester.name).is_some()
                    && node.is_some_and(|node| {
                        requester
                            .extra
                            .get(NODE_NAME)
                            .is_some_and(|own| *own == [node.to_owned()])
                    })
            }
            Self::ArbitraryNode => only_a_name && node.is_some(),
            Self::ServiceAccount => only_a_name && account.is_some(),
            Self::UserInfo => node.is_none() && account.is_none(),
            Self::Legacy => true,
        }
    }
}

/// Who asks and whom they want to be, in front of one state of a cluster.
struct Wish<'a> {
    guard: &'a Guard,
    now: &'a Snapshot,
    requester: &'a UserInfo,
    wanted: &'a Impersonation,
    mode: Mode,
}

/// The user that `user` wants to act as for `asked`, and the verb that allowed it where it is a constrained one.
///
/// # Errors
/// 403 of the first way that applied.
pub(crate) fn impersonate(
    guard: &Guard,
    now: &Snapshot,
    user: &UserInfo,
    wanted: &Impersonation,
    asked: &Attributes<'_>,
) -> Result<(UserInfo, &'static str), Status> {
    let mut first = None;
    for mode in Mode::ALL {
        if !mode.applies(user, wanted) {
            continue;
        }
        let wish = Wish {
            guard,
            now,
            requester: user,
            wanted,
            mode,
        };
        match wish.grant(asked) {
            Ok(user) if mode == Mode::Legacy => return Ok((user, "")),
            Ok(user) => return Ok((user, mode.verb())),
            Err(status) => first = first.or(Some(status)),
        }
    }
    Err(first.unwrap_or_else(|| Status::internal("all impersonation modes failed")))
}

impl Wish<'_> {
    fn grant(&self, asked: &Attributes<'_>) -> Result<UserInfo, Status> {
        if self.mode != Mode::Legacy {
            let way = self.mode.verb().trim_start_matches("impersonate:");
            let verb = format!("impersonate-on:{way}:{}", asked.verb);
            self.check(&Attributes {
                verb: &verb,
                ..*asked
            })?;
        }
        self.check_name()?;
        if !self.wanted.uid.is_empty() {
            self.check(&self.attributes("uids", &self.wanted.uid))?;
        }
        self.check_groups()?;
        self.check_extra()?;
        Ok(self.user())
    }

    fn check(&self, asked: &Attributes<'_>) -> Result<(), Status> {
        authorize(self.guard, self.now, self.requester, asked)
    }

    /// Of the authentication group; the old verb has users and groups in the core group.
    fn attributes<'a>(&self, resource: &'a str, name: &'a str) -> Attributes<'a> {
        let is_core = self.mode == Mode::Legacy && matches!(resource, "users" | "groups" | "serviceaccounts");
        Attributes {
            verb: self.mode.verb(),
            group: if is_core { "" } else { AUTHENTICATION },
            version: "v1",
            resource,
            name,
            ..Attributes::default()
        }
    }

    fn check_name(&self) -> Result<(), Status> {
        let wanted = self.wanted.user.as_str();
        if let Some((namespace, name)) = service_account_of(wanted) {
            return self.check(&Attributes {
                namespace,
                ..self.attributes("serviceaccounts", name)
            });
        }
        match (self.mode, node_of(wanted)) {
            // Upstream asks for the right to all nodes, as it remembers the answer for all of them.
            (Mode::AssociatedNode, Some(_)) => self.check(&self.attributes("nodes", "*")),
            (Mode::ArbitraryNode, Some(node)) => self.check(&self.attributes("nodes", node)),
            _ => self.check(&self.attributes("users", wanted)),
        }
    }

    fn check_groups(&self) -> Result<(), Status> {
        let groups = &self.wanted.groups;
        let asked = self.attributes("groups", "");
        if self.mode != Mode::Legacy {
            if groups.iter().any(String::is_empty) {
                let why = "impersonating the empty string group is not allowed";
                return Err(forbidden(self.requester, &asked, why));
            }
            if groups.iter().any(|group| group == MASTERS) {
                let why = "impersonating the system:masters group is not allowed";
                return Err(forbidden(
                    self.requester,
                    &Attributes {
                        name: MASTERS,
                        ..asked
                    },
                    why,
                ));
            }
            if groups.len() >= MANY && self.check(&Attributes { name: "*", ..asked }).is_ok() {
                return Ok(());
            }
        }
        groups
            .iter()
            .try_for_each(|group| self.check(&Attributes { name: group, ..asked }))
    }

    fn check_extra(&self) -> Result<(), Status> {
        let extra = &self.wanted.extra;
        let asked = self.attributes("userextras", "");
        if self.mode != Mode::Legacy && !extra.is_empty() {
            if let Some(why) = wrong_extra(self.wanted) {
                return Err(forbidden(self.requester, &asked, &why));
            }
            let all = Attributes {
                subresource: "*",
                name: "*",
                ..asked
            };
            let count: usize = extra.values().map(Vec::len).sum();
            if count >= MANY && self.check(&all).is_ok() {
                return Ok(());
            }
        }
        for (key, values) in extra {
            for value in values {
                self.check(&Attributes {
                    subresource: key,
                    name: value,
                    ..asked
                })?;
            }
        }
        Ok(())
    }

    fn user(&self) -> UserInfo {
        let wanted = self.wanted;
        let mut groups = wanted.groups.clone();
        if groups.is_empty() {
            if let Some((namespace, _)) = service_account_of(&wanted.user) {
                groups = groups_of(namespace);
            } else if matches!(self.mode, Mode::AssociatedNode | Mode::ArbitraryNode) {
                groups = vec![NODES.to_owned()];
            }
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
}

/// What constrained impersonation does not let through.
fn wrong_extra(wanted: &Impersonation) -> Option<String> {
    wanted.extra.iter().find_map(|(key, values)| {
        if key.is_empty() {
            return Some("impersonating the empty string key in extra is not allowed".to_owned());
        }
        values
            .iter()
            .any(String::is_empty)
            .then(|| "impersonating the empty string value in extra is not allowed".to_owned())
    })
}

/// The node whose user this is.
fn node_of(user: &str) -> Option<&str> {
    user.strip_prefix("system:node:")
        .filter(|node| name::dns1123_subdomain(node).is_empty())
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
        let asked = Attributes {
            verb: "list",
            resource: "pods",
            namespace: "ns",
            ..Attributes::default()
        };
        let found = impersonate(&guard(), &cluster, &user(who, &[]), &wanted, &asked);
        match (found, expect) {
            (Ok((found, _)), Ok((name, groups))) => assert_eq!(found, user(name, groups)),
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
                "pods is forbidden: User \"joe\" cannot impersonate-on:user-info:list resource \"pods\" in API group \"\" in the namespace \"ns\"",
            ),
        );
        check(
            "jane",
            &[("Impersonate-User", "a"), ("Impersonate-Extra-Scopes", "v")],
            Err(
                "pods is forbidden: User \"jane\" cannot impersonate-on:user-info:list resource \"pods\" in API group \"\" in the namespace \"ns\"",
            ),
        );
    }

    #[test]
    fn constrained_impersonation_is_for_one_verb_and_one_way() {
        let rule = |verb: &str, group: &str, resource: &str| json!({"verbs": [verb], "apiGroups": [group], "resources": [resource]});
        let mut objects = grant("on", "jane", rule("impersonate-on:user-info:list", "", "pods"));
        objects.extend(grant(
            "who",
            "jane",
            rule("impersonate:user-info", AUTHENTICATION, "users"),
        ));
        objects.extend(grant(
            "groups",
            "jane",
            rule("impersonate:user-info", AUTHENTICATION, "groups"),
        ));
        objects.extend(grant(
            "node",
            "jane",
            rule("impersonate-on:arbitrary-node:list", "", "pods"),
        ));
        objects.extend(grant(
            "nodes",
            "jane",
            rule("impersonate:arbitrary-node", AUTHENTICATION, "nodes"),
        ));
        for (at, (_, object)) in objects.iter_mut().enumerate() {
            object["metadata"]["name"] = json!(format!("{}-{}", object["metadata"]["name"], at / 2));
            if object["roleRef"].is_object() {
                object["roleRef"]["name"] = object["metadata"]["name"].clone();
            }
        }
        let cluster = snapshot(&objects);
        let check = |verb: &str, wanted: &[(&str, &str)], expect: Result<(&str, &[&str]), &str>| {
            let wanted = Impersonation::from_headers(wanted.iter().copied())
                .unwrap()
                .unwrap();
            let asked = Attributes {
                verb,
                resource: "pods",
                namespace: "ns",
                ..Attributes::default()
            };
            let found = impersonate(&guard(), &cluster, &user("jane", &[]), &wanted, &asked);
            let found = found.map(|(user, by)| (by, user.groups));
            match expect {
                Ok((by, groups)) => assert_eq!(
                    found.unwrap(),
                    (by, groups.iter().map(|group| (*group).to_owned()).collect())
                ),
                Err(message) => assert_eq!(found.unwrap_err().message(), message),
            }
        };
        check(
            "list",
            &[("Impersonate-User", "a"), ("Impersonate-Group", "g")],
            Ok(("impersonate:user-info", &["g", AUTHENTICATED])),
        );
        check(
            "list",
            &[("Impersonate-User", "system:node:n1")],
            Ok(("impersonate:arbitrary-node", &[NODES, AUTHENTICATED])),
        );
        check(
            "get",
            &[("Impersonate-User", "a")],
            Err(
                "pods is forbidden: User \"jane\" cannot impersonate-on:user-info:get resource \"pods\" in API group \"\" in the namespace \"ns\"",
            ),
        );
        check(
            "list",
            &[("Impersonate-User", "a"), ("Impersonate-Group", MASTERS)],
            Err(
                "groups.authentication.k8s.io \"system:masters\" is forbidden: User \"jane\" cannot impersonate:user-info resource \"groups\" in API group \"authentication.k8s.io\" at the cluster scope: impersonating the system:masters group is not allowed",
            ),
        );
    }
}
