//! The arguments that name a host, alike for all commands that ask one.

use std::path::PathBuf;

use clap::Args;
use warren_remote::{Access, Host, RemoteError};

use crate::user_kubeconfig::UserKubeconfig;

/// The file in a data directory that leads to its host.
pub(crate) const HOST_KUBECONFIG: &str = "host.kubeconfig";

/// Which host.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Host")]
pub(crate) struct HostAccess {
    /// Kubeconfig of the host [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the host in that kubeconfig [default: the current one, or the host of the virtual cluster that it leads to]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Data directory of the 'warren up' that runs the host
    #[arg(long, value_name = "DIR", conflicts_with_all = ["kubeconfig", "context"])]
    data_dir: Option<PathBuf>,
}

impl HostAccess {
    /// A client of the host.
    pub(crate) async fn host(&self) -> Result<Host, RemoteError> {
        let access = Access {
            kubeconfig: match &self.data_dir {
                Some(data) => Some(data.join(HOST_KUBECONFIG)),
                None => self.kubeconfig.clone(),
            },
            context: self.context.clone(),
        };
        access.host().await
    }

    /// The kubeconfig that contexts are merged into: the one that was named, else the user's.
    pub(crate) fn user_kubeconfig(&self) -> anyhow::Result<UserKubeconfig> {
        match &self.kubeconfig {
            Some(path) => Ok(UserKubeconfig::at(path.clone())),
            None => UserKubeconfig::locate(),
        }
    }
}
