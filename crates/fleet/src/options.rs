//! How a fleet is started.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use warren_apimachinery::ClusterId;

use crate::api_options::ApiOptions;
use crate::front_door::FrontDoor;

/// How a fleet is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the data is; `None` keeps it in memory, for tests.
    pub data_dir: Option<PathBuf>,
    /// The address that clusters listen on.
    pub address: IpAddr,
    /// The address under which the host's pods reach what listens there: it goes into the EndpointSlices of the host's
    /// Services. `None`, or a loopback one, where they cannot.
    pub advertise: Option<IpAddr>,
    /// The host namespace of our own pod; `None` where we run outside the host.
    pub home: Option<String>,
    /// Where a kubelet's probes are answered, in plain HTTP; `None` for nowhere.
    pub health: Option<SocketAddr>,
    /// One more listener, for all virtual clusters.
    pub front_door: Option<FrontDoor>,
    /// The resolvers that are asked for names that are of no virtual cluster; empty for those of this machine.
    pub upstream_dns: Vec<SocketAddr>,
    /// How many passes of controllers and sync rules run at a time.
    pub workers: usize,
    /// How the APIs of some clusters are served; those of all others by the defaults.
    pub apis: HashMap<ClusterId, ApiOptions>,
}

impl Options {
    /// On loopback, in `data_dir`.
    pub fn in_dir(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: Some(data_dir.into()),
            ..Self::in_memory()
        }
    }

    /// On loopback, in memory.
    pub fn in_memory() -> Self {
        Self {
            data_dir: None,
            address: IpAddr::from([127, 0, 0, 1]),
            advertise: None,
            home: None,
            front_door: None,
            health: None,
            upstream_dns: Vec::new(),
            workers: 16,
            apis: HashMap::new(),
        }
    }
}
