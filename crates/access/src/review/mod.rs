//! Reviews: questions about access that are answered and not kept.

mod selectors;
mod self_subject;
mod self_subject_rules;
mod subject_access;
mod token;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::{Status, UserInfo};
use warren_registry::definition::Definition;
use warren_registry::{Registry, Request, Reviews};
use warren_storage::Snapshot;

use crate::guard::Guard;

/// Who asks, and the state that the answer is about.
pub(crate) struct Asked<'a> {
    pub(crate) guard: &'a Guard,
    pub(crate) cluster: &'a Snapshot,
    pub(crate) user: &'a UserInfo,
    pub(crate) namespace: &'a str,
    pub(crate) now: Timestamp,
}

/// The request with its `status`.
///
/// # Errors
/// 404 for a resource that is no review; else what the client reads.
pub(crate) async fn answer(cx: &Asked<'_>, plural: &str, request: Value) -> Result<Value, Status> {
    match plural {
        "selfsubjectaccessreviews" => subject_access::answer_self(cx, request),
        "subjectaccessreviews" => subject_access::answer(cx, request),
        "localsubjectaccessreviews" => subject_access::answer_local(cx, request),
        "selfsubjectrulesreviews" => self_subject_rules::answer(cx, request),
        "selfsubjectreviews" => Ok(self_subject::answer(cx, request)),
        "tokenreviews" => token::answer(cx, request).await,
        _ => Err(Status::path_not_found()),
    }
}

#[async_trait]
impl Reviews for Guard {
    async fn review(
        &self,
        registry: &Registry,
        cx: &Request<'_>,
        definition: &Definition,
        namespace: &str,
        object: Value,
    ) -> Result<Value, Status> {
        let asked = Asked {
            guard: self,
            cluster: &registry.store().snapshot(),
            user: cx.user,
            namespace,
            now: registry.now(),
        };
        answer(&asked, &definition.plural, object).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::value::ValueExt;
    use warren_registry::TokenIssuer;
    use warren_registry::token::TokenClaims;

    use super::*;
    use crate::testing::{grant, guard, named, now, snapshot, user};

    fn ask(guard: &Guard, user: &UserInfo, plural: &str, spec: Value) -> Result<Value, Status> {
        let mut objects = grant(
            "a",
            "jane",
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}),
        );
        objects.push(("serviceaccounts", named("ServiceAccount", "ns", "sa", "1")));
        objects.push((
            "rolebindings.rbac.authorization.k8s.io",
            json!({"metadata": {"name": "lost", "namespace": "default"},
                "roleRef": {"kind": "Role", "name": "x"}, "subjects": [{"kind": "User", "name": "u"}]}),
        ));
        let cluster = snapshot(&objects);
        let cx = Asked {
            guard,
            cluster: &cluster,
            user,
            namespace: "ns",
            now: now(),
        };
        futures_util::FutureExt::now_or_never(answer(&cx, plural, json!({"spec": spec}))).unwrap()
    }

    fn check(who: &str, groups: &[&str], plural: &str, spec: Value, expect: Result<Value, &str>) {
        let found = ask(&guard(), &user(who, groups), plural, spec).map(|value| value.at("/status").clone());
        assert_eq!(found.as_ref().map_err(Status::message).cloned(), expect);
    }

    #[test]
    fn access_reviews_answer_as_the_recorded_ones() {
        let pods = json!({"resourceAttributes": {"resource": "pods", "verb": "get"}});
        check(
            "admin",
            &["system:masters"],
            "selfsubjectaccessreviews",
            pods.clone(),
            Ok(json!({"allowed": true})),
        );
        check(
            "admin",
            &["system:masters"],
            "subjectaccessreviews",
            json!({"resourceAttributes": {"namespace": "default", "resource": "pods", "verb": "get"}, "user": "u"}),
            Ok(json!({"allowed": false, "reason": "RBAC: role.rbac.authorization.k8s.io \"x\" not found"})),
        );
        check(
            "jane",
            &[],
            "selfsubjectaccessreviews",
            pods,
            Ok(json!({"allowed": true,
                "reason": "RBAC: allowed by ClusterRoleBinding \"a\" of ClusterRole \"a\" to User \"jane\""})),
        );
    }

    #[test]
    fn malformed_reviews_are_refused() {
        check(
            "jane",
            &[],
            "selfsubjectaccessreviews",
            json!({}),
            Err(
                ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
            ),
        );
        check(
            "jane",
            &[],
            "selfsubjectrulesreviews",
            json!({}),
            Err("no namespace on request"),
        );
        check(
            "jane",
            &[],
            "localsubjectaccessreviews",
            json!({"user": "u", "resourceAttributes": {"namespace": "other"}}),
            Err(
                ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"other\": must match metadata.namespace",
            ),
        );
    }

    #[test]
    fn rules_reviews_list_what_the_user_holds() {
        check(
            "jane",
            &[],
            "selfsubjectrulesreviews",
            json!({"namespace": "default"}),
            Ok(json!({"incomplete": false, "nonResourceRules": [],
                "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]})),
        );
    }

    #[test]
    fn self_and_token_reviews_name_the_user() {
        check(
            "jane",
            &["g"],
            "selfsubjectreviews",
            json!({}),
            Ok(json!({"userInfo": {"username": "jane", "groups": ["g"]}})),
        );
        let guard = guard();
        let claims = TokenClaims {
            namespace: "ns",
            service_account: "sa",
            uid: "1",
            audiences: vec!["vault".into()],
            expiration_seconds: 600,
            bound: None,
            node: None,
            now: now(),
        };
        let token = guard.issue(&claims).unwrap().token;
        let review = |spec: Value| {
            ask(&guard, &user("x", &[]), "tokenreviews", spec)
                .unwrap()
                .at("/status")
                .clone()
        };
        let good = review(json!({"token": token, "audiences": ["vault", "other"]}));
        assert_eq!(good.text("/user/username"), "system:serviceaccount:ns:sa");
        assert_eq!(good.at("/audiences"), &json!(["vault"]));
        assert!(
            !review(json!({"token": token}))
                .at("/authenticated")
                .as_bool()
                .unwrap_or_default()
        );
    }
}
