//! Authorisation: members of `system:masters` may do everything; nodes what is theirs; for the rest RBAC decides.

use warren_apimachinery::{GroupResource, Status, UserInfo};
use warren_rbac::{Attributes, Decision, MASTERS};
use warren_storage::Snapshot;

use crate::guard::Guard;
use crate::{node, node_authorizer};

/// May `user` do this, and why?
pub(crate) fn decide(guard: &Guard, now: &Snapshot, user: &UserInfo, asked: &Attributes<'_>) -> Decision {
    if is_master(user) {
        return Decision::Allow(String::new());
    }
    let of_node = node::name_of(user).map(|node| node_authorizer::decide(now, node, asked));
    let reason = match of_node {
        Some(Decision::NoOpinion(reason)) => reason,
        Some(allowed) => return allowed,
        None => String::new(),
    };
    match guard.indexed(now).index.decide(user, asked) {
        Decision::NoOpinion(other) => {
            let reasons = [reason, other];
            let said: Vec<String> = reasons.into_iter().filter(|reason| !reason.is_empty()).collect();
            Decision::NoOpinion(said.join("\n"))
        }
        allowed => allowed,
    }
}

/// The same as an answer: 403 in upstream's words.
pub(crate) fn authorize(
    guard: &Guard,
    now: &Snapshot,
    user: &UserInfo,
    asked: &Attributes<'_>,
) -> Result<(), Status> {
    match decide(guard, now, user, asked) {
        Decision::Allow(_) => Ok(()),
        Decision::NoOpinion(reason) => Err(forbidden(user, asked, &reason)),
    }
}

pub(crate) fn is_master(user: &UserInfo) -> bool {
    user.groups.iter().any(|group| group == MASTERS)
}

pub(crate) fn forbidden(user: &UserInfo, asked: &Attributes<'_>, reason: &str) -> Status {
    let mut why = asked.refusal(&user.name);
    if !reason.is_empty() {
        why.push_str(": ");
        why.push_str(reason);
    }
    Status::forbidden(&GroupResource::new(asked.group, asked.resource), asked.name, &why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{grant, guard, snapshot, user};

    fn check(who: &UserInfo, asked: Attributes<'_>, expect: Result<(), &str>) {
        let rule = json!({"verbs": ["list"], "apiGroups": ["apps"], "resources": ["deployments"]});
        let mut objects = grant("lister", "jane", rule);
        objects.push((
            "rolebindings.rbac.authorization.k8s.io",
            json!({"metadata": {"name": "lost", "namespace": "y"}, "roleRef": {"kind": "Role", "name": "x"},
                "subjects": [{"kind": "User", "name": "joe"}]}),
        ));
        let found = authorize(&guard(), &snapshot(&objects), who, &asked);
        assert_eq!(found.as_ref().map_err(Status::message).copied(), expect);
    }

    #[test]
    fn refusals_read_as_upstream_words_them() {
        let list = Attributes {
            verb: "list",
            group: "apps",
            resource: "deployments",
            namespace: "y",
            ..Attributes::default()
        };
        check(&user("jane", &[]), list, Ok(()));
        check(
            &user("root", &["system:masters"]),
            Attributes {
                verb: "delete",
                ..list
            },
            Ok(()),
        );
        check(
            &user("x", &[]),
            list,
            Err(
                "deployments.apps is forbidden: User \"x\" cannot list resource \"deployments\" in API group \"apps\" in the namespace \"y\"",
            ),
        );
        check(
            &user("x", &[]),
            Attributes {
                verb: "get",
                name: "n",
                ..list
            },
            Err(
                "deployments.apps \"n\" is forbidden: User \"x\" cannot get resource \"deployments\" in API group \"apps\" in the namespace \"y\"",
            ),
        );
        check(
            &user("joe", &[]),
            list,
            Err(
                "deployments.apps is forbidden: User \"joe\" cannot list resource \"deployments\" in API group \"apps\" in the namespace \"y\": RBAC: role.rbac.authorization.k8s.io \"x\" not found",
            ),
        );
        check(
            &user("x", &[]),
            Attributes::path("get", "/metrics"),
            Err("forbidden: User \"x\" cannot get path \"/metrics\""),
        );
    }

    #[test]
    fn a_changed_state_is_answered_at_once() {
        let guard = guard();
        let rule = json!({"verbs": ["*"], "nonResourceURLs": ["*"]});
        let asked = Attributes::path("get", "/metrics");
        let jane = user("jane", &[]);
        assert!(!decide(&guard, &snapshot(&[]), &jane, &asked).allowed());
        assert!(decide(&guard, &snapshot(&grant("a", "jane", rule)), &jane, &asked).allowed());
        assert!(!decide(&guard, &snapshot(&[]), &jane, &asked).allowed());
        guard.rest();
        assert!(!decide(&guard, &snapshot(&[]), &jane, &asked).allowed());
    }
}
