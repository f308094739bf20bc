//! Why the host could not be asked, or what it answered.

use std::error::Error;
use std::io;

use kube::config::KubeconfigError;

/// Blame: `Kubeconfig`, `NoKubeconfig`, `NotFound`, `Exists` and `Refused` the caller's; `Unreachable` and
/// `Unreadable` the host's; `NotWarren` of who chose the host.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// There is no kubeconfig, or it names no current context.
    #[error("no host is named: {0}")]
    NoKubeconfig(String),
    /// The kubeconfig cannot be read, or names what it does not hold.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig(#[source] KubeconfigError),
    /// A client could not be made of the kubeconfig.
    #[error("the kubeconfig's credentials cannot be used")]
    Client(#[source] kube::Error),
    /// Nobody answers, or not over TLS as the kubeconfig has it.
    #[error("the host at {server} cannot be reached")]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The host does not know the kind `VirtualCluster`.
    #[error("the host at {0} knows no VirtualCluster objects")]
    NotWarren(String),
    /// There is no such object.
    #[error("{what} \"{name}\" not found in namespace \"{namespace}\"")]
    NotFound {
        /// The kind, in words.
        what: &'static str,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// There is one of that name.
    #[error("virtual cluster \"{name}\" already exists in namespace \"{namespace}\"")]
    Exists {
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// The host's API refused the request.
    #[error("from the host ({reason}): {message}")]
    Refused {
        /// Kubernetes' reason, such as `Forbidden`.
        reason: String,
        /// What it says.
        message: String,
    },
    /// The host's answer makes no sense.
    #[error("the host's answer cannot be read: {0}")]
    Unreadable(String),
}

impl RemoteError {
    /// Whether nobody listens there: the host may not run.
    pub fn is_connection_refused(&self) -> bool {
        let mut source = self.source();
        while let Some(error) = source {
            if let Some(error) = error.downcast_ref::<io::Error>()
                && error.kind() == io::ErrorKind::ConnectionRefused
            {
                return true;
            }
            source = error.source();
        }
        false
    }

    /// What kube's client says, about the server that was asked.
    pub(crate) fn of(error: kube::Error, server: &str) -> Self {
        match error {
            kube::Error::Api(status) if is_unknown_path(&status) => Self::NotWarren(server.to_owned()),
            kube::Error::Api(status) => Self::Refused {
                reason: status.reason,
                message: status.message,
            },
            kube::Error::SerdeError(error) => Self::Unreadable(error.to_string()),
            other => Self::Unreachable {
                server: server.to_owned(),
                source: Box::new(other),
            },
        }
    }

    /// Whether the host's API gave this reason.
    pub(crate) fn is_refused_as(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason == wanted)
    }
}

/// A 404 that is about the path, not about an object: upstream answers it with text, kube's client makes a status of
/// that without details.
fn is_unknown_path(status: &kube::core::Status) -> bool {
    let named = status
        .details
        .as_ref()
        .is_some_and(|details| !details.name.is_empty());
    status.code == 404 && !named
}
