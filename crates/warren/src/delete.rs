//! `warren delete NAME`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use warren_apimachinery::ObjectKey;
use warren_apimachinery::value::ValueExt;
use warren_remote::{Host, VirtualClusterObject};

use crate::create::duration;
use crate::failure::Hinted;
use crate::host_access::HostAccess;
use crate::progress::Progress;
use crate::terminal::{say, warn};
use crate::virtual_cluster_name::VirtualClusterName;

/// Delete a virtual cluster with all that it holds, and the contexts that lead to it
#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// Its name
    name: VirtualClusterName,
    /// Its namespace on the host [default: warren-NAME]
    #[arg(short, long)]
    namespace: Option<String>,
    /// Wait until it is gone (this is the default)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
    /// How long to wait, such as 30s or 2m
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    timeout: Duration,
    #[command(flatten)]
    host: HostAccess,
}

impl Delete {
    pub(crate) async fn run(self, started: Instant) -> anyhow::Result<ExitCode> {
        let host = self.host.host().await?;
        let key = self.name.key(self.namespace.as_deref());
        let object = host.find(&key).await?;
        host.delete(&key).await?;
        if !self.no_wait {
            wait_gone(&host, &object, self.timeout).await?;
        }
        self.forget(&host, &key);
        let took = started.elapsed().as_millis();
        match self.no_wait {
            true => say(&format!("Virtual cluster \"{}\" is being deleted.", key.name)),
            false => say(&format!(
                "Virtual cluster \"{}\" is deleted after {took} ms.",
                key.name
            )),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The cluster is gone whether or not the kubeconfig can be changed.
    fn forget(&self, host: &Host, key: &ObjectKey) {
        let user = self.host.user_kubeconfig();
        match user.and_then(|user| user.forget(host.server(), &key.namespace, &key.name)) {
            Ok(contexts) => contexts
                .iter()
                .for_each(|context| say(&format!("Context {context} is removed."))),
            Err(error) => warn(&format!("the contexts that lead to it are left: {error:#}")),
        }
    }
}

async fn wait_gone(host: &Host, object: &VirtualClusterObject, patience: Duration) -> anyhow::Result<()> {
    let key = object.key();
    let uid = object.0.text("/metadata/uid");
    let progress = Progress::start(format!("deleting virtual cluster \"{}\"", key.name));
    let gone = host.wait(&key, |state| {
        // Somebody may have made another one of that name meanwhile.
        state
            .is_none_or(|state| state.0.text("/metadata/uid") != uid)
            .then_some(())
    });
    let outcome = tokio::time::timeout(patience, gone).await;
    drop(progress);
    match outcome {
        Ok(gone) => Ok(gone?),
        Err(_) => bail!(Hinted::new(
            format!(
                "virtual cluster \"{}\" is still there after {} s",
                key.name,
                patience.as_secs()
            ),
            format!(
                "'warren describe {} -n {}' shows what holds it",
                key.name, key.namespace
            )
        )),
    }
}
