//! Posts to real servers on loopback: what comes back, and the words for what goes wrong.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use warren_access::{Destination, Outbound, Place, Reply, Trust};
use warren_apimachinery::ClusterId;
use warren_outbound::{Calls, Services};
use warren_pki::{Authority, Issued};

/// All Services are the one server.
struct One(u16);

impl Services for One {
    fn resolve(&self, _: &ClusterId, _: &str, name: &str, _: u16) -> Result<(String, u16), String> {
        match name {
            "hooks" => Ok(("127.0.0.1".to_owned(), self.0)),
            other => Err(format!("service {other:?} not found")),
        }
    }

    fn front_proxy(&self, _: &ClusterId) -> Option<Issued> {
        None
    }
}

/// Answers with what it was sent, and never to `/late`.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/late" {
        std::future::pending::<()>().await;
    }
    let head = format!("{} {:?} ", request.uri(), request.headers().get("host").unwrap());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut answer = head.into_bytes();
    answer.extend(body);
    Ok(Response::new(Full::from(answer)))
}

async fn serve(tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                let _ = match tls {
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else {
                            return;
                        };
                        http.serve_connection(TokioIo::new(stream), service_fn(echo))
                            .await
                    }
                    None => {
                        http.serve_connection(TokioIo::new(stream), service_fn(echo))
                            .await
                    }
                };
            });
        }
    });
    address
}

fn authority() -> Authority {
    Authority::generate("hooks-ca", Timestamp::now()).unwrap()
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let names = ["hooks.default.svc".to_owned()];
    let issued = authority
        .issue_server(&names, &[[127, 0, 0, 1].into()], Timestamp::now())
        .unwrap();
    TlsAcceptor::from(Arc::new(warren_pki::server_config(&issued, &[]).unwrap()))
}

fn url(address: SocketAddr, path: &str) -> Place {
    Place::Url(format!("https://{address}{path}"))
}

fn service(name: &str) -> Place {
    Place::Service {
        namespace: "default".into(),
        name: name.into(),
        port: 443,
        path: "/hook".into(),
    }
}

async fn post(calls: &Calls, place: Place, authority: &str) -> Result<Reply, String> {
    let to = Destination {
        place,
        trust: Trust::of_bundle(authority.to_owned()),
    };
    let timeout = Duration::from_secs(1);
    calls
        .post(&ClusterId::new("c"), &to, b"{}".to_vec(), timeout)
        .await
}

#[tokio::test]
async fn a_server_is_reached_by_address_and_by_service() {
    let authority = authority();
    let address = serve(Some(acceptor(&authority))).await;
    let calls = Calls::new(One(address.port()));
    let text = |reply: Reply| String::from_utf8(reply.body).unwrap();
    let reply = post(&calls, url(address, "/a/b"), authority.certificate_pem())
        .await
        .unwrap();
    assert_eq!(
        (reply.code, text(reply)),
        (200, format!("/a/b?timeout=1s \"{address}\" {{}}"))
    );
    let reply = post(&calls, service("hooks"), authority.certificate_pem())
        .await
        .unwrap();
    assert_eq!(text(reply), "/hook?timeout=1s \"hooks.default.svc:443\" {}");
}

#[tokio::test]
async fn what_goes_wrong_is_told_as_gos_client_tells_it() {
    let (ours, theirs) = (authority(), authority());
    let secure = serve(Some(acceptor(&ours))).await;
    let plain = serve(None).await;
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let calls = Calls::new(One(secure.port()));
    let (ours, theirs) = (ours.certificate_pem(), theirs.certificate_pem());
    let elsewhere = Place::Url(format!("https://localhost:{}/x", secure.port()));
    let table = [
        (url(secure, "/late"), ours, "context deadline exceeded".to_owned()),
        (url(closed, "/x"), ours, format!("dial tcp {closed}: connect: connection refused")),
        (
            url(secure, "/x"),
            theirs,
            "tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned(),
        ),
        (
            elsewhere,
            ours,
            "tls: failed to verify certificate: x509: certificate is not valid for any names, but wanted to match \
             localhost"
                .to_owned(),
        ),
        (url(plain, "/x"), ours, "http: server gave HTTP response to HTTPS client".to_owned()),
        (Place::Url(format!("http://{plain}/x")), ours, "unsupported protocol scheme \"http\"".to_owned()),
        (service("none"), ours, "service \"none\" not found".to_owned()),
    ];
    for (place, authority, why) in table {
        let said = post(&calls, place, authority).await.unwrap_err();
        let (head, tail) = said.split_once("?timeout=1s\": ").unwrap();
        assert!(head.starts_with("Post \"http"), "{said}");
        assert_eq!(tail, why);
    }
}
