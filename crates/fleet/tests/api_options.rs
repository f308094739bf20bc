//! How the API of a virtual cluster is served beyond the defaults: fixed tokens, issuers, anonymous users, audit.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use warren_apimachinery::UserInfo;
use warren_apiserver::{ApiServer, Body, Hello, Peer};
use warren_fleet::{
    Anonymous, ApiOptions, AuditOptions, AuditPolicy, AuthenticationConfiguration, Embedded, Options,
    Rotation, Tenant, cluster_id, namespace_of, virtual_cluster_id,
};
use warren_pki::{Authority, TokenSigner, jwks, server_config};

const NAME: &str = "demo";
const WHO: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

async fn serve(options: ApiOptions) -> (Embedded, Arc<Tenant>) {
    let mut fleet = Options::in_memory();
    fleet.apis.insert(virtual_cluster_id(NAME), options);
    let embedded = Embedded::start(fleet, 1, None).await.unwrap();
    embedded.virtual_cluster(NAME, None).await.unwrap();
    let key = warren_apimachinery::ObjectKey::namespaced(namespace_of(NAME), NAME);
    let tenant = embedded.fleet().tenant(&cluster_id(&key)).unwrap();
    (embedded, tenant)
}

/// Sends a request as whoever `token` names.
async fn send(tenant: &Tenant, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Body::full(body.to_owned())).unwrap();
    let local = "127.0.0.1:1".parse().unwrap();
    let hello = Hello {
        server_name: None,
        local,
        remote: local,
    };
    let peer = Peer::new(hello, Vec::new());
    let response = ApiServer::new().handle(tenant.api(), &peer, request, 0).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// The name and groups of whom a token names, or the code of the refusal.
async fn who(tenant: &Tenant, token: Option<&str>) -> Result<Value, u16> {
    match send(tenant, "POST", WHO, token, "{}").await {
        (201, review) => Ok(review["status"]["userInfo"].clone()),
        (code, _) => Err(code),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fixed_tokens_name_users_and_anonymous_ones_can_be_kept_out() {
    let options = ApiOptions {
        fixed_tokens: ApiOptions::read_token_file("s3cret,jane,7,devs\n").unwrap(),
        anonymous: Anonymous::On(vec!["/livez".to_owned()]),
        ..ApiOptions::default()
    };
    let (embedded, tenant) = serve(options).await;
    let jane = who(&tenant, Some("s3cret")).await.unwrap();
    assert_eq!(
        jane,
        json!({"username": "jane", "uid": "7", "groups": ["devs", "system:authenticated"]})
    );
    assert_eq!(who(&tenant, Some("wrong")).await, Err(401));
    assert_eq!(who(&tenant, None).await, Err(401));
    assert_eq!(send(&tenant, "GET", "/livez", None, "").await.0, 200);
    assert_eq!(send(&tenant, "GET", "/readyz", None, "").await.0, 401);
    // The host is served by the defaults.
    assert_eq!(who(embedded.host(), Some("s3cret")).await, Err(401));
    embedded.stop().await;
}

/// An issuer of tokens on a port of its own, over TLS.
async fn issuer(signer: Arc<TokenSigner>) -> (String, String) {
    let now = Timestamp::now();
    let authority = Authority::generate("issuer-ca", now).unwrap();
    let issued = authority
        .issue_server(&["localhost".to_owned()], &[], now)
        .unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", socket.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(Arc::new(server_config(&issued, &[]).unwrap()));
    let own = url.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let (url, signer) = (own.clone(), Arc::clone(&signer));
            let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
                let document = match request.uri().path() {
                    "/.well-known/openid-configuration" => {
                        json!({"issuer": url, "jwks_uri": format!("{url}/keys")})
                    }
                    _ => jwks(&[signer.public_key()]),
                };
                let body = Full::new(Bytes::from(document.to_string()));
                async move { Ok::<_, Infallible>(Response::new(body)) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        }
    });
    (url, authority.certificate_pem().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_of_tokens_is_trusted_as_the_configuration_says() {
    let signer = Arc::new(TokenSigner::generate().unwrap());
    let (url, authority) = issuer(Arc::clone(&signer)).await;
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
        "jwt": [{
            "issuer": {"url": url, "certificateAuthority": authority, "audiences": ["warren"]},
            "claimValidationRules": [{"claim": "hd", "requiredValue": "acme"}],
            "claimMappings": {"username": {"claim": "sub", "prefix": "acme:"}, "groups": {"claim": "roles", "prefix": ""}},
        }],
        "anonymous": {"enabled": false},
    });
    let mut options = ApiOptions::default();
    options.configure(AuthenticationConfiguration::read(configuration.to_string().as_bytes()).unwrap());
    let (embedded, tenant) = serve(options).await;
    let token = |change: &dyn Fn(&mut Value)| {
        let end = Timestamp::now().as_second() + 600;
        let mut claims =
            json!({"iss": url, "aud": "warren", "sub": "jane", "roles": ["devs"], "hd": "acme", "exp": end});
        change(&mut claims);
        signer.sign(&claims).unwrap()
    };
    let jane = who(&tenant, Some(&token(&|_| {}))).await.unwrap();
    assert_eq!(
        jane,
        json!({"username": "acme:jane", "groups": ["devs", "system:authenticated"]})
    );
    for wrong in [
        token(&|claims| claims["hd"] = json!("other")),
        token(&|claims| claims["aud"] = json!("other")),
        token(&|claims| claims["exp"] = json!(1)),
        token(&|claims| claims["iss"] = json!("https://localhost:1")),
        TokenSigner::generate()
            .unwrap()
            .sign(&json!({"iss": url, "aud": "warren"}))
            .unwrap(),
    ] {
        assert_eq!(who(&tenant, Some(&wrong)).await, Err(401));
    }
    assert_eq!(who(&tenant, None).await, Err(401));
    embedded.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_written_down_by_the_policy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n\
        - {level: RequestResponse, users: [jane], resources: [{group: '', resources: [configmaps]}]}\n\
        - {level: Metadata, users: [jane], resources: [{group: '', resources: [secrets]}]}\n";
    let jane = UserInfo {
        name: "jane".to_owned(),
        groups: vec!["system:masters".to_owned()],
        ..UserInfo::default()
    };
    let options = ApiOptions {
        fixed_tokens: vec![("s3cret".to_owned(), jane)],
        audit: Some(AuditOptions {
            policy: AuditPolicy::read(policy.as_bytes()).unwrap(),
            path: path.clone(),
            rotation: Rotation::default(),
        }),
        ..ApiOptions::default()
    };
    let (embedded, tenant) = serve(options).await;
    for (resource, name) in [("configmaps", "a"), ("secrets", "b"), ("pods", "c")] {
        let path = format!("/api/v1/namespaces/default/{resource}");
        let body = json!({"metadata": {"name": name}, "data": {}}).to_string();
        send(&tenant, "POST", &path, Some("s3cret"), &body).await;
    }
    send(
        &tenant,
        "GET",
        "/api/v1/namespaces/default/secrets/none",
        Some("s3cret"),
        "",
    )
    .await;
    embedded.stop().await;
    let log = std::fs::read_to_string(&path).unwrap();
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<(&str, &str, u64, bool, bool)> = events
        .iter()
        .map(|event| {
            (
                event["objectRef"]["name"].as_str().unwrap(),
                event["level"].as_str().unwrap(),
                event["responseStatus"]["code"].as_u64().unwrap(),
                event["requestObject"].is_object(),
                event["responseObject"].is_object(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a", "RequestResponse", 201, true, true),
            ("b", "Metadata", 201, false, false),
            ("none", "Metadata", 404, false, false),
        ]
    );
    let first = &events[0];
    assert_eq!(first["stage"], "ResponseComplete");
    assert_eq!(first["user"]["username"], "jane");
    assert_eq!(first["annotations"]["authorization.k8s.io/decision"], "allow");
    assert!(first["responseObject"]["metadata"]["managedFields"].is_null());
    assert_eq!(events[2]["responseStatus"]["reason"], "NotFound");
}
