//! The flags that say which host, and as how much of it.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use warren_fleet::HostOptions;
use warren_remote::Origin;

use super::{ANY, LOOPBACK};
use crate::failure::Hinted;

#[derive(Args, Debug)]
#[command(next_help_heading = "Host")]
pub(crate) struct HostFlags {
    /// Kubeconfig of the host [default: the cluster that this runs in]
    #[arg(long, value_name = "FILE")]
    host_kubeconfig: Option<PathBuf>,
    /// Context in it [default: the current one]
    #[arg(long, value_name = "NAME", requires = "host_kubeconfig")]
    context: Option<String>,
    /// Serve only the virtual clusters of this namespace, and look into no other
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    /// The namespace of our own pod, from which what surrounds virtual clusters lets requests in
    #[arg(long, value_name = "NAME")]
    pub(super) own_namespace: Option<String>,
}

impl HostFlags {
    /// Where the host is.
    pub(super) fn origin(&self) -> anyhow::Result<Origin> {
        match &self.host_kubeconfig {
            Some(file) => Ok(Origin::kubeconfig(Some(file.clone()), self.context.clone())),
            None if Origin::is_inside() => Ok(Origin::InCluster),
            None => bail!(Hinted::new(
                "no host is named, and this does not run in a pod",
                "--host-kubeconfig names the kubeconfig of a host; 'warren up' needs none",
            )),
        }
    }

    pub(super) fn options(&self, origin: Origin) -> HostOptions {
        HostOptions {
            origin,
            namespace: self.namespace.clone(),
        }
    }

    /// What is listened on where nothing else is asked for.
    pub(super) fn default_address(&self) -> IpAddr {
        if self.host_kubeconfig.is_some() {
            LOOPBACK
        } else {
            ANY
        }
    }

    /// The flags that lead other commands to the same host.
    pub(super) fn for_others(&self) -> String {
        let mut flags = String::new();
        if let Some(file) = &self.host_kubeconfig {
            flags.push_str(&format!(" --kubeconfig {}", file.display()));
        }
        if let Some(context) = &self.context {
            flags.push_str(&format!(" --context {context}"));
        }
        flags
    }
}
