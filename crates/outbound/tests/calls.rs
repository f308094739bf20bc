//! Posts to real servers on loopback: what comes back, and the words for what goes wrong.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use warren_access::{Destination, Outbound, Place, Reply, Trust};
use warren_apimachinery::{ClusterId, ObjectKey};
use warren_outbound::{Calls, Endpoint, Services, Stream};
use warren_pki::{Authority, Issued};

/// All Services are the one server; the pods `far` and `gone` are out of reach, but for the host's API.
struct One(u16);

#[async_trait]
impl Services for One {
    fn resolve(&self, _: &ClusterId, _: &str, name: &str, _: u16) -> Result<Endpoint, String> {
        let pod = |host: &str| Endpoint {
            host: host.to_owned(),
            port: self.0,
            pod: Some(ObjectKey::namespaced("default", name)),
        };
        match name {
            "hooks" => Ok(Endpoint::address("127.0.0.1", self.0)),
            "near" => Ok(pod("127.0.0.1")),
            // No address of a host: it cannot be dialled.
            "far" | "gone" => Ok(pod("\0")),
            other => Err(format!("service {other:?} not found")),
        }
    }

    fn front_proxy(&self, _: &ClusterId) -> Option<Issued> {
        None
    }

    async fn through_host(
        &self,
        _: &ClusterId,
        pod: &ObjectKey,
        port: u16,
    ) -> Result<Box<dyn Stream>, String> {
        if pod.name == "gone" {
            return Err("the host does not know it".to_owned());
        }
        let stream = TcpStream::connect(("127.0.0.1", port)).await;
        Ok(Box::new(stream.map_err(|error| error.to_string())?))
    }
}

/// Answers with what it was sent, and in other ways where the path says so.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let leading = |to: &str| {
        Response::builder()
            .status(307)
            .header("location", to)
            .body(Full::default())
            .unwrap()
    };
    match request.uri().path() {
        "/late" => std::future::pending::<()>().await,
        "/huge" => return Ok(Response::new(Full::from(vec![b'x'; 17 << 20]))),
        "/moved" => return Ok(leading("/here")),
        "/loop" => return Ok(leading("/loop")),
        // Cuts the connection.
        "/cut" => return Err(std::io::Error::other("cut")),
        _ => {}
    }
    let head = format!("{} {:?} ", request.uri(), request.headers().get("host").unwrap());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut answer = head.into_bytes();
    answer.extend(body);
    Ok(Response::new(Full::from(answer)))
}

async fn serve(tls: Option<TlsAcceptor>) -> SocketAddr {
    counted(tls, Arc::default()).await
}

/// The same, counting connections.
async fn counted(tls: Option<TlsAcceptor>, connections: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::Relaxed);
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

/// Says something that is neither TLS nor HTTP.
async fn babble() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"what do you want?\r\n").await.unwrap();
            // What the client says is read, so that the end is no reset.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    });
    address
}

fn authority() -> Authority {
    Authority::generate("hooks-ca", Timestamp::now()).unwrap()
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let names = ["hooks", "near", "far"].map(|name| format!("{name}.default.svc"));
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
    let babbling = babble().await;
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
            "tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly because of \
             \"x509: ECDSA verification failure\" while trying to verify candidate authority certificate \"hooks-ca\")"
                .to_owned(),
        ),
        (
            elsewhere,
            ours,
            "tls: failed to verify certificate: x509: certificate is valid for hooks.default.svc, near.default.svc, \
             far.default.svc, not localhost"
                .to_owned(),
        ),
        (url(plain, "/x"), ours, "http: server gave HTTP response to HTTPS client".to_owned()),
        (url(babbling, "/x"), ours, "tls: first record does not look like a TLS handshake".to_owned()),
        (url(secure, "/cut"), ours, "EOF".to_owned()),
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

#[tokio::test]
async fn connections_are_used_again_but_never_by_another_cluster_or_another_trust() {
    let (ours, connections) = (authority(), Arc::new(AtomicUsize::new(0)));
    let address = counted(Some(acceptor(&ours)), Arc::clone(&connections)).await;
    let calls = Calls::new(One(address.port()));
    let ours = ours.certificate_pem();
    for _ in 0..5 {
        post(&calls, service("hooks"), ours).await.unwrap();
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    let to = Destination {
        place: service("hooks"),
        trust: Trust::of_bundle(ours.to_owned()),
    };
    let other = ClusterId::new("other");
    let timeout = Duration::from_secs(1);
    calls.post(&other, &to, b"{}".to_vec(), timeout).await.unwrap();
    assert_eq!(connections.load(Ordering::Relaxed), 2);
    let anyone = Destination {
        place: service("hooks"),
        trust: Trust::Anyone,
    };
    calls
        .post(&other, &anyone, b"{}".to_vec(), timeout)
        .await
        .unwrap();
    assert_eq!(connections.load(Ordering::Relaxed), 3);
    calls.close().await;
    post(&calls, service("hooks"), ours).await.unwrap();
    assert_eq!(connections.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn redirects_are_followed_ten_times_and_answers_are_bounded() {
    let authority = authority();
    let address = serve(Some(acceptor(&authority))).await;
    let calls = Calls::new(One(address.port()));
    let to = |path: &str| post(&calls, url(address, path), authority.certificate_pem());
    let reply = to("/moved").await.unwrap();
    assert_eq!(
        String::from_utf8(reply.body).unwrap(),
        format!("/here \"{address}\" {{}}")
    );
    assert_eq!(
        to("/loop").await.unwrap_err(),
        "Post \"/loop\": stopped after 10 redirects"
    );
    assert_eq!(
        to("/huge").await.unwrap_err(),
        "unexpected error when reading response body. Please retry. Original error: the answer is larger than 16777216 \
         bytes"
    );
}

#[tokio::test]
async fn pods_out_of_reach_are_called_through_the_host_from_then_on() {
    let authority = authority();
    let address = serve(Some(acceptor(&authority))).await;
    let calls = Calls::new(One(address.port()));
    let to = |name: &str| post(&calls, service(name), authority.certificate_pem());
    let refused = to("gone").await.unwrap_err();
    assert!(refused.contains("dial tcp: lookup"), "{refused}");
    let reply = to("far").await.unwrap();
    assert_eq!(
        String::from_utf8(reply.body).unwrap(),
        "/hook?timeout=1s \"far.default.svc:443\" {}"
    );
    // It is remembered.
    assert!(
        to("gone")
            .await
            .unwrap_err()
            .ends_with("the host does not know it")
    );
}

#[tokio::test]
async fn pods_at_hand_are_called_at_their_addresses() {
    let authority = authority();
    let address = serve(Some(acceptor(&authority))).await;
    let calls = Calls::new(One(address.port()));
    let to = |name: &str| post(&calls, service(name), authority.certificate_pem());
    to("near").await.unwrap();
    let refused = to("far").await.unwrap_err();
    assert!(refused.contains("dial tcp: lookup"), "{refused}");
}
