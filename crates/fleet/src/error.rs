//! Why the fleet cannot do what it is asked for.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use warren_apimachinery::{ClusterId, Status};
use warren_storage::{CommitError, JournalError};

/// Blame: `Address`, `AuditLog`, `Names` and `NoCluster` the caller's; `Journal` and `Commit` the store's; the rest ours.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The data directory cannot be opened, or a cluster in it.
    #[error("the store failed")]
    Journal(#[source] JournalError),
    /// The name of the data can be neither read nor written.
    #[error("{}: cannot read or write the name of this installation", path.display())]
    Installation {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What the fleet writes below the API was refused.
    #[error("{cluster}: could not write what the cluster starts from")]
    Commit {
        /// Which cluster.
        cluster: ClusterId,
        /// Why.
        #[source]
        source: CommitError,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Address {
        /// Which address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A certificate or key could not be made or read.
    #[error("{cluster}: certificates could not be made")]
    Keys {
        /// Whose.
        cluster: ClusterId,
        /// Why.
        #[source]
        source: warren_pki::PkiError,
    },
    /// What requests are to be written down in cannot be opened.
    #[error("cannot open the audit log {path}")]
    AuditLog {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `networking.resolveDNS` is wrong.
    #[error("{0}")]
    Names(String),
    /// There is no such cluster.
    #[error("no cluster {0}")]
    NoCluster(ClusterId),
    /// An object that every cluster starts with was refused by its own API.
    #[error("{cluster}: the API refused a bootstrap object")]
    Bootstrap {
        /// Which cluster.
        cluster: ClusterId,
        /// Its answer.
        #[source]
        source: Status,
    },
    /// A virtual cluster did not become ready.
    #[error("virtual cluster {name:?} is not ready: {why}")]
    NotReady {
        /// Its name.
        name: String,
        /// What its conditions say.
        why: String,
    },
    /// A blocking task did not come back.
    #[error("a task of the fleet was cut off")]
    CutOff,
}

impl FleetError {
    /// Whether another process holds the data.
    pub fn is_data_in_use(&self) -> bool {
        matches!(self, Self::Journal(JournalError::Locked))
    }
}

impl From<JournalError> for FleetError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}
