//! How a fleet is started.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;

use warren_apimachinery::ClusterId;

use crate::api_options::ApiOptions;

/// How a fleet is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the data is; `None` keeps it in memory, for tests.
    pub data_dir: Option<PathBuf>,
    /// The address that clusters listen on.
    pub address: IpAddr,
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
            workers: 16,
            apis: HashMap::new(),
        }
    }
}
