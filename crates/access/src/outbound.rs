//! The `Outbound` port: requests to servers that a tenant names, such as admission webhooks.
//!
//! Owns what such a request is. How it travels, and how a Service of a cluster is reached, is the adapter's.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use warren_apimachinery::ClusterId;
use warren_apimachinery::value::ValueExt;

/// The port of a Service that a configuration does not name.
const HTTPS: u16 = 443;

/// A server that a tenant named: `clientConfig` of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// Where it is.
    pub place: Place,
    /// Whose certificate it must show.
    pub trust: Trust,
}

/// Which servers' certificates are good.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Those that the machine trusts.
    Machine,
    /// Those that are signed by these authorities, as PEM.
    Authorities(String),
    /// Anyone's.
    Anyone,
}

impl Trust {
    /// `caBundle`, decoded; the machine's authorities where there is none.
    pub fn of_bundle(pem: String) -> Self {
        if pem.is_empty() {
            return Self::Machine;
        }
        Self::Authorities(pem)
    }
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// At an address of the network.
    Url(String),
    /// Behind a Service of the cluster.
    Service {
        /// The Service's namespace.
        namespace: String,
        /// The Service's name.
        name: String,
        /// The Service's port.
        port: u16,
        /// The path, with its leading slash; may be empty.
        path: String,
    },
}

impl Destination {
    /// Reads a `clientConfig`. One of a bundle that is nothing but white space trusts the machine's authorities.
    pub fn of(config: &Value) -> Self {
        let service = config.at("/service");
        let place = match config.at("/url").as_str() {
            Some(url) => Place::Url(url.to_owned()),
            None => Place::Service {
                namespace: service.text("/namespace").to_owned(),
                name: service.text("/name").to_owned(),
                port: service
                    .int("/port")
                    .and_then(|port| u16::try_from(port).ok())
                    .unwrap_or(HTTPS),
                path: service.text("/path").to_owned(),
            },
        };
        let authority = STANDARD.decode(config.text("/caBundle")).unwrap_or_default();
        let authority = String::from_utf8(authority).unwrap_or_default();
        let authority = if authority.trim().is_empty() {
            String::new()
        } else {
            authority
        };
        Self {
            place,
            trust: Trust::of_bundle(authority),
        }
    }

    /// The address as upstream's messages name it.
    pub fn url(&self) -> String {
        match &self.place {
            Place::Url(url) => url.clone(),
            Place::Service {
                namespace,
                name,
                port,
                path,
            } => format!("https://{name}.{namespace}.svc:{port}{path}"),
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status code.
    pub code: u16,
    /// `Content-Type`; empty where it does not say.
    pub media: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Sends requests to servers that tenants name. Bounded: an answer has a size and a time at which it is given up.
#[async_trait]
pub trait Outbound: Send + Sync + 'static {
    /// Posts JSON in the name of a cluster's API server.
    ///
    /// # Errors
    /// Why there is no answer, in the words of Go's HTTP client (`Post "https://…": context deadline exceeded`).
    async fn post(
        &self,
        cluster: &ClusterId,
        to: &Destination,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Reply, String>;
}
