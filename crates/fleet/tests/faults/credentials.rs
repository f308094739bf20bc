//! Who may come in, and as whom: everybody else reads 401 or 403 as upstream says it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use warren_fleet::{Embedded, Options};
use warren_pki::Authority;

use crate::client::{Client, Reply, tenant};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const WHO: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const UNAUTHORIZED: (u16, &str, &str) = (401, "Unauthorized", "Unauthorized");

/// A fleet with the virtual clusters `one` and `two`.
async fn embedded() -> Embedded {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    embedded.virtual_cluster("one", None).await.unwrap();
    embedded.virtual_cluster("two", None).await.unwrap();
    embedded
}

fn check(what: &str, reply: &Reply, expect: (u16, &str, &str)) {
    let (code, reason, message) = reply.refusal();
    assert_eq!((code, reason.as_str(), message.as_str()), expect, "{what}");
}

fn masters() -> Vec<String> {
    vec!["system:masters".to_owned()]
}

/// The name that a client's credentials give it.
async fn name_of(client: &Client) -> Value {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    client.create(WHO, &review).await["status"]["userInfo"].clone()
}

/// A token for the service account `default` in the namespace `default`.
async fn token(admin: &Client, spec: Value) -> String {
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    admin
        .until(&path.replace("/token", ""), |reply| {
            (reply.code == 200).then_some(())
        })
        .await;
    let made = admin.create(path, &request).await;
    made["status"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_shows_nothing_is_anonymous() {
    let embedded = embedded().await;
    let nobody = Client::new(&tenant(&embedded, "one"), None);
    for path in ["/readyz", "/livez", "/healthz", "/version"] {
        assert_eq!(nobody.get(path).await.code, 200, "{path}");
    }
    let forbidden = |verb: &str, resource: &str, at: &str| {
        format!(
            "{resource} is forbidden: User \"system:anonymous\" cannot {verb} resource \"{resource}\" in API group \"\" {at}"
        )
    };
    let default = "in the namespace \"default\"";
    for (method, path, message) in [
        ("GET", MAPS, forbidden("list", "configmaps", default)),
        ("POST", MAPS, forbidden("create", "configmaps", default)),
        (
            "GET",
            "/api/v1/secrets",
            forbidden("list", "secrets", "at the cluster scope"),
        ),
        (
            "GET",
            "/api",
            "forbidden: User \"system:anonymous\" cannot get path \"/api\"".to_owned(),
        ),
        (
            "GET",
            "/metrics",
            "forbidden: User \"system:anonymous\" cannot get path \"/metrics\"".to_owned(),
        ),
        (
            "GET",
            "/nope",
            "forbidden: User \"system:anonymous\" cannot get path \"/nope\"".to_owned(),
        ),
        // What does not exist is told to nobody who may not ask.
        (
            "GET",
            "/api/v1/namespaces/default/nope",
            forbidden("list", "nope", default),
        ),
    ] {
        let reply = nobody.call(method, path, "application/json", "{").await;
        check(path, &reply, (403, "Forbidden", &message));
    }
    embedded.stop().await;
}

#[tokio::test]
async fn certificates_count_in_the_cluster_whose_authority_signed_them_and_in_time() {
    let embedded = embedded().await;
    let (one, two) = (tenant(&embedded, "one"), tenant(&embedded, "two"));
    let host = embedded.host();
    let now = Timestamp::now();
    let foreign = Authority::generate("kubernetes", now).unwrap();
    let long_ago = now - SignedDuration::from_hours(24 * 800);
    let own = one.issue_admin(now).unwrap();
    assert_eq!(
        name_of(&Client::new(&one, Some(&own))).await["username"],
        "kubernetes-admin"
    );
    for (what, place, shown) in [
        ("of another virtual cluster", &*one, two.issue_admin(now)),
        ("of the host", &*one, host.issue_admin(now)),
        ("of a virtual cluster, on the host", &**host, Ok(own)),
        (
            "of a foreign authority of the same name",
            &*one,
            foreign.issue_client("kubernetes-admin", &masters(), now),
        ),
        ("expired", &*one, one.issue_admin(long_ago)),
        (
            "not yet valid",
            &*one,
            one.issue_admin(now + SignedDuration::from_hours(48)),
        ),
    ] {
        let client = Client::new(place, Some(&shown.unwrap()));
        check(what, &client.get(MAPS).await, UNAUTHORIZED);
        check(what, &client.get("/version").await, UNAUTHORIZED);
    }
    embedded.stop().await;
}

#[tokio::test]
async fn tokens_that_are_nothing() {
    let embedded = embedded().await;
    let nobody = Client::new(&tenant(&embedded, "one"), None);
    // A header and claims that are well-formed, signed by nobody: `none` is no signature.
    let unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMuY2x1c3Rlci5sb2NhbCIsInN1YiI6InN5c3RlbTpzZXJ2aWNlYWNjb3VudDpkZWZhdWx0OmRlZmF1bHQifQ.";
    let long = "x".repeat(50_000);
    for token in ["garbage", "a.b.c", "..", unsigned, &long, "\u{e9}\u{fffd}"] {
        check(token, &nobody.bearer(token).get(MAPS).await, UNAUTHORIZED);
        check(token, &nobody.bearer(token).get("/readyz").await, UNAUTHORIZED);
    }
    embedded.stop().await;
}

#[tokio::test]
async fn a_token_counts_in_its_cluster_for_its_audience_while_its_account_stands() {
    let embedded = embedded().await;
    let (one, two) = (tenant(&embedded, "one"), tenant(&embedded, "two"));
    let admin = Client::admin(&one);
    let good = token(&admin, json!({})).await;
    let nobody = Client::new(&one, None);
    let who = name_of(&nobody.bearer(&good)).await;
    assert_eq!(who["username"], "system:serviceaccount:default:default");
    let mine = "configmaps is forbidden: User \"system:serviceaccount:default:default\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\"";
    check(
        "a service account without rights",
        &nobody.bearer(&good).get(MAPS).await,
        (403, "Forbidden", mine),
    );

    let elsewhere = Client::new(&two, None).bearer(&good);
    check("of another cluster", &elsewhere.get(MAPS).await, UNAUTHORIZED);
    let on_host = Client::new(embedded.host(), None).bearer(&good);
    check(
        "of a virtual cluster, on the host",
        &on_host.get(MAPS).await,
        UNAUTHORIZED,
    );
    let vault = token(&admin, json!({"audiences": ["vault"]})).await;
    check(
        "for another audience",
        &nobody.bearer(&vault).get(MAPS).await,
        UNAUTHORIZED,
    );
    let tampered = format!("{}AAAA", good.strip_suffix(&good[good.len() - 4..]).unwrap());
    check(
        "with another signature",
        &nobody.bearer(&tampered).get(MAPS).await,
        UNAUTHORIZED,
    );

    admin
        .delete("/api/v1/namespaces/default/serviceaccounts/default")
        .await;
    check(
        "of a deleted account",
        &nobody.bearer(&good).get(MAPS).await,
        UNAUTHORIZED,
    );
    let again = token(&admin, json!({})).await;
    assert_eq!(name_of(&nobody.bearer(&again)).await["username"], who["username"]);
    check(
        "of an account that is there again, another",
        &nobody.bearer(&good).get(MAPS).await,
        UNAUTHORIZED,
    );
    embedded.stop().await;
}

#[tokio::test]
async fn a_pods_token_goes_with_its_pod() {
    let embedded = embedded().await;
    let one = tenant(&embedded, "one");
    let admin = Client::admin(&one);
    token(&admin, json!({})).await;
    let pods = "/api/v1/namespaces/default/pods";
    // On no node, so that it is deleted at once.
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"nodeSelector": {"no": "such"}, "containers": [{"name": "c", "image": "i"}]}});
    let made = admin.create(pods, &pod).await;
    let bound = json!({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": made["metadata"]["uid"]}});
    let bound = token(&admin, bound).await;
    let as_pod = Client::new(&one, None).bearer(&bound);
    let extra = name_of(&as_pod).await["extra"]["authentication.kubernetes.io/pod-name"].clone();
    assert_eq!(extra, json!(["p"]));
    let gone = admin.delete(&format!("{pods}/p?gracePeriodSeconds=0")).await;
    assert_eq!(gone.code, 200, "{}", gone.text());
    admin
        .until(&format!("{pods}/p"), |reply| (reply.code == 404).then_some(()))
        .await;
    check("of a deleted pod", &as_pod.get(MAPS).await, UNAUTHORIZED);
    embedded.stop().await;
}

#[tokio::test]
async fn acting_as_another_needs_the_right_to() {
    let embedded = embedded().await;
    let one = tenant(&embedded, "one");
    let admin = Client::admin(&one);
    let account = Client::new(&one, None).bearer(&token(&admin, json!({})).await);
    // As upstream, which asks for the constrained right first: the refusal names what was to be done.
    let cannot = |who: &str, way: &str| {
        format!(
            "configmaps is forbidden: User {who:?} cannot impersonate-on:{way}:list resource \"configmaps\" in API group \"\" in the namespace \"default\""
        )
    };
    let own = "system:serviceaccount:default:default";
    let as_root = account.with("impersonate-user", "root");
    check(
        "a user",
        &as_root.get(MAPS).await,
        (403, "Forbidden", &cannot(own, "user-info")),
    );
    let nobody = Client::new(&one, None).with("impersonate-user", "root");
    check(
        "by nobody",
        &nobody.get(MAPS).await,
        (403, "Forbidden", &cannot("system:anonymous", "user-info")),
    );
    let system = account.with("impersonate-user", "system:serviceaccount:kube-system:x");
    check(
        "a service account",
        &system.get(MAPS).await,
        (403, "Forbidden", &cannot(own, "serviceaccount")),
    );

    // Whoever may, is the other one from then on, whatever their name is.
    for name in ["root", "J\u{f6}rg"] {
        let who = name_of(&admin.with("impersonate-user", name)).await;
        assert_eq!(
            (&who["username"], &who["groups"]),
            (&json!(name), &json!(["system:authenticated"]))
        );
        let refused = admin.with("impersonate-user", name).get(MAPS).await;
        assert_eq!(refused.code, 403, "{}", refused.text());
    }
    let alone = admin.with("impersonate-group", "system:masters").get(MAPS).await;
    check(
        "a group and no user",
        &alone,
        (
            400,
            "BadRequest",
            "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"system:masters\"}, Extra:map[string][]string(nil)} without impersonating a user name",
        ),
    );
    embedded.stop().await;
}
