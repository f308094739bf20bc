//! What stands between the fleet and its host: an API server to the one, a client to the other, and trouble.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use warren_pki::{Authority, Credentials, Kubeconfig};
use warren_remote::RemoteCluster;

use crate::watching::watched;

pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Answer = UnsyncBoxBody<Bytes, AnyError>;

/// See the module. Serves until it is dropped.
pub(crate) struct Proxy {
    pub(crate) kubeconfig: PathBuf,
    trouble: Arc<Trouble>,
    serving: JoinHandle<()>,
}

/// Which trouble is made, and how much of it was.
pub(crate) struct Trouble {
    makes_faults: AtomicBool,
    away: watch::Sender<bool>,
    dice: Mutex<StdRng>,
    made: Mutex<BTreeMap<&'static str, u32>>,
}

/// The sorts of trouble: how often each is made, in a thousand.
const OF_WRITES: &[(&str, u32)] = &[
    ("cut before", 40),
    ("cut after", 40),
    ("conflict", 40),
    ("too many", 40),
    ("error", 40),
    ("unavailable", 30),
    ("delay", 150),
];
const OF_READS: &[(&str, u32)] = &[("cut read", 60), ("read error", 60), ("gone page", 60)];
const OF_WATCHES: &[(&str, u32)] = &[("gone watch", 100)];
/// Per line of a watch.
pub(crate) const OF_LINES: &[(&str, u32)] = &[("twice", 60), ("late", 80), ("cut watch", 25)];

impl Trouble {
    /// Rolls the dice for one of these sorts.
    pub(crate) fn of(&self, sorts: &[(&'static str, u32)]) -> Option<&'static str> {
        if !self.makes_faults.load(Ordering::Relaxed) {
            return None;
        }
        let mut roll = self.dice.lock().unwrap().random_range(0..1000);
        for (sort, of_thousand) in sorts {
            if roll < *of_thousand {
                *self.made.lock().unwrap().entry(sort).or_default() += 1;
                return Some(sort);
            }
            roll -= of_thousand;
        }
        None
    }
}

impl Proxy {
    /// Opens on any port; `host` is the way to the real thing.
    pub(crate) async fn open(host: RemoteCluster, folder: &Path, seed: u64) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let authority = Authority::generate("between", Timestamp::now()).unwrap();
        let issued = authority
            .issue_server(&[], &[address.ip()], Timestamp::now())
            .unwrap();
        let tls = Arc::new(warren_pki::server_config(&issued, &[]).unwrap());
        let kubeconfig = folder.join("between.kubeconfig");
        std::fs::write(&kubeconfig, access(&authority, address)).unwrap();
        let trouble = Arc::new(Trouble {
            makes_faults: AtomicBool::new(false),
            away: watch::Sender::new(false),
            dice: Mutex::new(StdRng::seed_from_u64(seed)),
            made: Mutex::default(),
        });
        let accepting = accept(socket, TlsAcceptor::from(tls), host, Arc::clone(&trouble));
        Self {
            kubeconfig,
            trouble,
            serving: tokio::spawn(accepting),
        }
    }

    /// Whether requests fail now and then.
    pub(crate) fn make_faults(&self, on: bool) {
        self.trouble.makes_faults.store(on, Ordering::Relaxed);
    }

    /// Whether nobody answers; what is under way is cut.
    pub(crate) fn take_host_away(&self, away: bool) {
        self.trouble.away.send_replace(away);
    }

    /// How often each sort of trouble was made. Pages are few and not counted on.
    pub(crate) fn faults(&self) -> Vec<(&'static str, u32)> {
        let made = self.trouble.made.lock().unwrap();
        let sorts = OF_WRITES.iter().chain(OF_LINES);
        sorts
            .map(|(sort, _)| (*sort, made.get(sort).copied().unwrap_or_default()))
            .collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn access(authority: &Authority, address: SocketAddr) -> String {
    let client = authority.issue_client("fleet", &[], Timestamp::now()).unwrap();
    let kubeconfig = Kubeconfig {
        name: "between".to_owned(),
        server: format!("https://{address}"),
        authority_pem: authority.certificate_pem().to_owned(),
        tls_server_name: None,
        credentials: Credentials::Certificate(client),
        namespace: None,
    };
    kubeconfig.to_yaml()
}

async fn accept(socket: TcpListener, tls: TlsAcceptor, host: RemoteCluster, trouble: Arc<Trouble>) {
    loop {
        let (stream, _) = socket.accept().await.unwrap();
        let mut away = trouble.away.subscribe();
        if *away.borrow() {
            continue;
        }
        let (tls, host, trouble) = (tls.clone(), host.clone(), Arc::clone(&trouble));
        tokio::spawn(async move {
            tokio::select! {
                () = serve(stream, tls, host, trouble) => {}
                _ = away.wait_for(|away| *away) => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, host: RemoteCluster, trouble: Arc<Trouble>) {
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let service = service_fn(move |request| answer(request, host.clone(), Arc::clone(&trouble)));
    // A connection that ends in an error is one that we cut, or the fleet.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    host: RemoteCluster,
    trouble: Arc<Trouble>,
) -> Result<Response<Answer>, AnyError> {
    let query = request.uri().query().unwrap_or_default();
    let is_watch = query.contains("watch=1");
    let sorts = match (is_watch, request.method()) {
        (true, _) => OF_WATCHES,
        (_, &Method::GET) => OF_READS,
        _ => OF_WRITES,
    };
    match trouble.of(sorts) {
        Some("cut before" | "cut read") => return Err("cut before it was done".into()),
        Some("cut after") => {
            pass(request, &host).await?;
            return Err("cut after it was done".into());
        }
        Some("conflict") => return Ok(refusal(409, "Conflict")),
        Some("too many") => return Ok(refusal(429, "TooManyRequests")),
        Some("error" | "read error") => return Ok(refusal(500, "InternalError")),
        Some("unavailable") => return Ok(refusal(503, "ServiceUnavailable")),
        Some("gone watch") => return Ok(refusal(410, "Expired")),
        Some("gone page") if query.contains("continue=") => return Ok(refusal(410, "Expired")),
        Some("delay") => tokio::time::sleep(Duration::from_millis(15)).await,
        _ => {}
    }
    let response = pass(request, &host).await?;
    let is_stream = is_watch && response.status() == StatusCode::OK;
    let (parts, body) = response.into_parts();
    let body = match is_stream {
        true => watched(body, trouble),
        false => body.map_err(AnyError::from).boxed_unsync(),
    };
    Ok(Response::from_parts(parts, body))
}

/// The request as it came, with the credentials of the real thing, and pages so small that there are some.
async fn pass(request: Request<Incoming>, host: &RemoteCluster) -> Result<Response<Incoming>, AnyError> {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.to_string().replace("limit=500", "limit=7");
    let mut passed = Request::builder().method(parts.method).uri(uri);
    for (name, value) in &parts.headers {
        if name != http::header::HOST && name != http::header::CONTENT_LENGTH {
            passed = passed.header(name, value);
        }
    }
    let body = Full::new(body.collect().await?.to_bytes());
    let passed = passed.body(body.map_err(|never| match never {}).boxed_unsync())?;
    host.raw(passed).await.map_err(AnyError::from)
}

fn refusal(code: u16, reason: &str) -> Response<Answer> {
    let status = format!(
        r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"made by the test","reason":"{reason}","code":{code}}}"#
    );
    let body = Full::new(Bytes::from(status))
        .map_err(|never| match never {})
        .boxed_unsync();
    let response = Response::builder()
        .status(code)
        .header("content-type", "application/json");
    response.body(body).unwrap()
}
