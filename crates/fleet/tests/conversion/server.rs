//! A conversion webhook over TLS, which converts between `hostPort` and `host` with `port`, or does what a test tells it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use warren_apimachinery::value::ValueExt;
use warren_pki::{Authority, server_config};

/// What becomes of a good answer.
type Spoil = Box<dyn Fn(&mut Value) + Send>;

pub(crate) struct Webhook {
    pub(crate) url: String,
    authority: String,
    /// The objects of each call.
    pub(crate) calls: Mutex<Vec<Vec<Value>>>,
    spoil: Mutex<Spoil>,
    /// A call is answered when it gets a permit.
    pub(crate) gate: Semaphore,
}

impl Webhook {
    pub(crate) async fn start() -> Arc<Self> {
        let now = Timestamp::now();
        let authority = Authority::generate("webhook-ca", now).unwrap();
        let issued = authority
            .issue_server(&["localhost".to_owned()], &[], now)
            .unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let webhook = Arc::new(Self {
            url: format!("https://localhost:{port}/crdconvert"),
            authority: authority.certificate_pem().to_owned(),
            calls: Mutex::default(),
            spoil: Mutex::new(Box::new(|_| {})),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&issued, &[]).unwrap()));
        tokio::spawn(accept(socket, acceptor, Arc::clone(&webhook)));
        webhook
    }

    /// `clientConfig`
    pub(crate) fn client_config(&self) -> Value {
        json!({"url": self.url, "caBundle": STANDARD.encode(&self.authority)})
    }

    /// From now on answers are changed like this.
    pub(crate) fn spoil(&self, how: impl Fn(&mut Value) + Send + 'static) {
        *self.spoil.lock().unwrap() = Box::new(how);
    }

    /// How many calls there were since the last time.
    pub(crate) fn take_calls(&self) -> Vec<Vec<Value>> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    async fn answer(&self, request: Request<hyper::body::Incoming>) -> Bytes {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let review: Value = serde_json::from_slice(&body).unwrap();
        let objects = review.items("/request/objects").to_vec();
        self.calls.lock().unwrap().push(objects.clone());
        let _permit = self.gate.acquire().await.unwrap();
        let wanted = review.text("/request/desiredAPIVersion");
        let converted: Vec<Value> = objects
            .into_iter()
            .map(|object| convert(object, wanted))
            .collect();
        let mut answer = json!({
            "apiVersion": review.text("/apiVersion"), "kind": "ConversionReview",
            "response": {"uid": review.text("/request/uid"), "result": {"status": "Success"}, "convertedObjects": converted}});
        (self.spoil.lock().unwrap())(&mut answer);
        Bytes::from(answer.to_string())
    }
}

async fn accept(socket: TcpListener, acceptor: TlsAcceptor, webhook: Arc<Webhook>) {
    while let Ok((stream, _)) = socket.accept().await {
        let (acceptor, webhook) = (acceptor.clone(), Arc::clone(&webhook));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let answer = service_fn(move |request| {
                let webhook = Arc::clone(&webhook);
                async move { Ok::<_, Infallible>(Response::new(Full::new(webhook.answer(request).await))) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

fn convert(mut object: Value, wanted: &str) -> Value {
    if wanted.ends_with("/v1") {
        let (host, port) = (object.take_at("/host"), object.take_at("/port"));
        if let (Some(Value::String(host)), Some(Value::String(port))) = (host, port) {
            object.set("/hostPort", format!("{host}:{port}"));
        }
    } else if let Some(Value::String(both)) = object.take_at("/hostPort") {
        let (host, port) = both.split_once(':').unwrap();
        object.set("/host", host);
        object.set("/port", port);
    }
    object.set("/apiVersion", wanted);
    object
}
