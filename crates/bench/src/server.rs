//! The server that is measured, as the command line names it.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use warren_remote::Access;

use crate::connection::{Connection, Protocol, Target};

#[derive(Args, Debug)]
pub(crate) struct Server {
    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context in it [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    pub(crate) http2: bool,
}

impl Server {
    /// The kubeconfig and the context in it.
    pub(crate) fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }

    /// Its address, what connections are made with, and a first one.
    ///
    /// # Errors
    /// What is wrong with the kubeconfig, or why nothing connects.
    pub(crate) async fn reach(&self) -> anyhow::Result<(String, Target, Connection)> {
        let endpoint = self.access().endpoint()?;
        let protocol = if self.http2 {
            Protocol::Http2
        } else {
            Protocol::Http1
        };
        let target = Target::new(&endpoint, protocol)?;
        let connection = target
            .connect()
            .await
            .with_context(|| format!("cannot connect to {}", endpoint.server))?;
        Ok((endpoint.server, target, connection))
    }
}
