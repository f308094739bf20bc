//! Requests to a host: kube's layers for address, credentials and TLS, and nothing above them, so that bodies stay
//! bytes. HTTP/1.1 on purpose: streams upgrade, and a pool of connections has no window that one watch could fill.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::ConfigExt;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use warren_apimachinery::Status;

use super::answer::{self, Failure};
use crate::access::Access;
use crate::error::RemoteError;

const CONNECT: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(60);
/// The longest answer that is read: a list without pages of a very large host.
const ANSWER_MAX: usize = 1 << 30;
/// The longest refusal that is read.
const REFUSAL_MAX: usize = 1 << 20;
/// Shorter silences are of single requests: what failed is tried again by itself soon enough.
const HICCUP: Duration = Duration::from_secs(1);
/// Credentials are not read again sooner, however often the host refuses them.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// What a request carries: bytes at hand, or what comes as it is sent.
pub type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

type Service = BoxCloneSyncService<Request<RequestBody>, Response<Incoming>, BoxError>;

/// Where the host is and who we are there.
#[derive(Clone, Debug)]
pub enum Origin {
    /// By kubeconfig.
    Kubeconfig(Access),
    /// From inside: the service account of our own pod.
    InCluster,
}

impl Origin {
    /// By a kubeconfig file and a context in it.
    pub fn kubeconfig(file: Option<PathBuf>, context: Option<String>) -> Self {
        Self::Kubeconfig(Access {
            kubeconfig: file,
            context,
        })
    }

    /// Whether we run in a pod of the host.
    pub fn is_inside() -> bool {
        std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
    }

    async fn config(&self) -> Result<kube::Config, RemoteError> {
        match self {
            Self::Kubeconfig(access) => access.config().await.map(|(config, _)| config),
            Self::InCluster => kube::Config::incluster()
                .map_err(|error| RemoteError::NoKubeconfig(format!("not inside of a cluster: {error}"))),
        }
    }
}

pub(super) const JSON: &str = "application/json";

/// One request. Its body can be sent again.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: &'a str,
    pub(super) accept: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    pub(super) timeout: Duration,
}

impl<'a> Call<'a> {
    /// Reads.
    pub(super) fn get(path: &'a str, timeout: Duration) -> Self {
        Self {
            method: Method::GET,
            path,
            accept: JSON,
            content_type: "",
            body: Bytes::new(),
            timeout,
        }
    }

    fn request(&self) -> Result<Request<RequestBody>, Failure> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(self.path)
            .header(ACCEPT, HeaderValue::from_static(self.accept))
            .header(USER_AGENT, HeaderValue::from_static(AGENT));
        if !self.content_type.is_empty() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        let body = Full::new(self.body.clone())
            .map_err(|never| match never {})
            .boxed_unsync();
        request
            .body(body)
            .map_err(|error| Failure::Silent(error.to_string()))
    }
}

const AGENT: &str = concat!("warren/", env!("CARGO_PKG_VERSION"));

/// A time without any answer.
struct Silence {
    since: Instant,
    is_told: bool,
}

type Sent = Result<Response<Incoming>, BoxError>;

/// See the module.
pub(super) struct Wire {
    origin: Origin,
    server: String,
    service: ArcSwap<Service>,
    renewed: Mutex<Instant>,
    /// Since when no request got an answer.
    silent: Mutex<Option<Silence>>,
    /// Counts how often the host came back.
    returned: watch::Sender<u64>,
}

impl Wire {
    /// Reads the credentials. Nothing is asked yet.
    pub(super) async fn new(origin: Origin) -> Result<Self, RemoteError> {
        let config = origin.config().await?;
        Ok(Self {
            server: config.cluster_url.to_string().trim_end_matches('/').to_owned(),
            service: ArcSwap::from_pointee(service(&config)?),
            origin,
            renewed: Mutex::new(Instant::now()),
            silent: Mutex::default(),
            returned: watch::Sender::new(0),
        })
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Changes each time the host answers again after it did not for longer than a hiccup.
    pub(super) fn returned(&self) -> watch::Receiver<u64> {
        self.returned.subscribe()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silence().is_some()
    }

    /// Sends a request and reads its answer to the end.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Bytes, Failure> {
        let (_, body) = self.answer(call).await?;
        Ok(body)
    }

    /// The same, with the code of the success.
    pub(super) async fn answer(&self, call: Call<'_>) -> Result<(u16, Bytes), Failure> {
        let timeout = call.timeout;
        let work = async {
            let response = self.open(&call).await?;
            let code = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
            let body = body.map_err(|error| self.lost(&error.to_string()))?;
            Ok((code, body.to_bytes()))
        };
        match tokio::time::timeout(timeout, work).await {
            Ok(answer) => answer,
            Err(_) => Err(self.lost(&format!("no answer within {} s", timeout.as_secs()))),
        }
    }

    /// Sends a request and answers its success as soon as its head is there. Refused credentials are read anew once.
    pub(super) async fn open(&self, call: &Call<'_>) -> Result<Response<Incoming>, Failure> {
        match self.open_once(call).await {
            Err(Failure::Answered(status)) if status.code() == 401 && self.renew().await => {
                self.open_once(call).await
            }
            answer => answer,
        }
    }

    async fn open_once(&self, call: &Call<'_>) -> Result<Response<Incoming>, Failure> {
        let sending = self.send(call.request()?);
        let response = match tokio::time::timeout(call.timeout, sending).await {
            Ok(response) => response?,
            Err(_) => return Err(self.lost(&format!("no answer within {} s", call.timeout.as_secs()))),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failure::Answered(refusal(response).await))
    }

    /// Sends a request as it is, whatever the answer.
    pub(super) async fn send(&self, request: Request<RequestBody>) -> Result<Response<Incoming>, Failure> {
        match self.sending(request).await {
            Ok(response) => {
                self.answered();
                Ok(response)
            }
            Err(error) => Err(self.lost(&chain(error.as_ref()))),
        }
    }

    /// Of a named type, as the compiler does not see through the layers in the futures of its callers.
    fn sending(&self, request: Request<RequestBody>) -> BoxFuture<'static, Sent> {
        Service::clone(&self.service.load()).oneshot(request).boxed()
    }

    fn lost(&self, why: &str) -> Failure {
        let mut silence = self.silence();
        let silence = silence.get_or_insert_with(|| Silence {
            since: Instant::now(),
            is_told: false,
        });
        if !silence.is_told && silence.since.elapsed() >= HICCUP {
            silence.is_told = true;
            tracing::warn!(host = self.server, why, "the host does not answer");
        }
        Failure::Silent(why.to_owned())
    }

    fn answered(&self) {
        let Some(silence) = self.silence().take() else {
            return;
        };
        if silence.is_told {
            tracing::warn!(host = self.server, "the host answers again");
        }
        if silence.since.elapsed() >= HICCUP {
            self.returned.send_modify(|count| *count += 1);
        }
    }

    fn silence(&self) -> MutexGuard<'_, Option<Silence>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the credentials again: tokens rotate, and plugins make new ones. Whether it was time for it.
    async fn renew(&self) -> bool {
        {
            let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
            if renewed.elapsed() < RENEW_EVERY {
                return false;
            }
            *renewed = Instant::now();
        }
        let made = match self.origin.config().await {
            Ok(config) => service(&config),
            Err(error) => Err(error),
        };
        match made {
            Ok(service) => {
                self.service.store(service.into());
                true
            }
            Err(error) => {
                let why = chain(&error);
                tracing::warn!(host = self.server, why, "the credentials cannot be read again");
                false
            }
        }
    }
}

/// Reads what an answer that is no success says.
pub async fn refusal(response: Response<Incoming>) -> Status {
    let code = response.status().as_u16();
    let after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| text.parse().ok());
    let body = Limited::new(response.into_body(), REFUSAL_MAX).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    answer::status(code, after, &body)
}

fn service(config: &kube::Config) -> Result<Service, RemoteError> {
    if config.proxy_url.is_some() {
        let why = "a proxy to the host is not supported";
        return Err(RemoteError::NoKubeconfig(why.to_owned()));
    }
    // The first one stays: it is the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_connect_timeout(Some(CONNECT));
    let tls = config
        .rustls_https_connector_with_connector(tcp)
        .map_err(RemoteError::Client)?;
    let client = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(tls);
    let layers = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(RemoteError::Client)?)
        .layer(config.extra_headers_layer().map_err(RemoteError::Client)?)
        .map_err(BoxError::from)
        .service(client);
    Ok(BoxCloneSyncService::new(layers.map_err(BoxError::from)))
}

/// An error with its causes, for our own log.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
