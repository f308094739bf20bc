//! `warren serve`: the fleet on a real host.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use warren_apimachinery::resource::VIRTUAL_CLUSTERS;
use warren_apimachinery::{ClusterId, Object, Status};
use warren_reconciler::{Change, Clusters, Runtime, Want};
use warren_remote::{Origin, RemoteCluster, RemoteError, RemoteOptions};
use warren_translate::MANAGED_BY;

use crate::bindings::BindingTable;
use crate::error::FleetError;
use crate::fleet::{Fleet, Nature};
use crate::host::host_id;
use crate::mend::mend;
use crate::one_cluster::OneCluster;
use crate::options::Options;
use crate::real_host::{Overlay, RealHost};
use crate::reconcilers::{self, runtime};
use crate::virtual_cluster::Owner;
use crate::{definition, health, kept, sweep};

/// What the fleet itself wants of a host.
const FLEET: &str = "fleet";
/// How long we rest when the host does not let us install the kind.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Which host, and what of it.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Where it is and who we are there.
    pub origin: Origin,
    /// Only the virtual clusters of this namespace.
    pub namespace: Option<String>,
}

/// A running fleet on a real host. Ends with `stop`.
pub struct OnHost {
    fleet: Arc<Fleet>,
    runtime: Arc<Runtime>,
    host: RemoteCluster,
    stop: watch::Sender<bool>,
    working: JoinHandle<()>,
    /// What only waits and tries again: nothing of it is to be finished.
    attending: JoinSet<()>,
    attached: watch::Receiver<bool>,
}

/// Why the fleet cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Our own side.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The way to the host.
    #[error(transparent)]
    Host(#[from] RemoteError),
}

impl OnHost {
    /// Opens the data, puts everything to work, and serves what was served before as soon as it is loaded. The host is
    /// not waited for: see [`OnHost::attached`].
    ///
    /// # Errors
    /// As [`Fleet::open`], and what is wrong with the way to the host.
    pub async fn start(options: Options, host: HostOptions) -> Result<Self, ServeError> {
        Self::start_with(options, host, None).await
    }

    /// The same for one virtual cluster that a file asks for: the host is asked for nothing outside of its namespace.
    ///
    /// # Errors
    /// As [`OnHost::start`].
    pub async fn start_one(
        options: Options,
        host: HostOptions,
        one: &Arc<OneCluster>,
    ) -> Result<Self, ServeError> {
        Self::start_with(options, host, Some(Arc::new(Arc::clone(one)))).await
    }

    /// The same with objects laid over the host, which then need no definition there.
    async fn start_with(
        options: Options,
        host: HostOptions,
        overlay: Option<Arc<dyn Overlay>>,
    ) -> Result<Self, ServeError> {
        let workers = options.workers;
        let is_overlaid = overlay.is_some();
        let owner = if is_overlaid {
            Owner::ConfigMap
        } else {
            Owner::Object
        };
        let port = RemoteCluster::new(RemoteOptions {
            id: host_id(),
            origin: host.origin,
            ours: MANAGED_BY,
            namespace: host.namespace,
        })
        .await?;
        let fleet = Fleet::open(options).await?;
        let installation = match is_overlaid {
            true => None,
            false => Some(crate::installation::name(fleet.options().data_dir.as_deref())?),
        };
        fleet.is_on(RealHost {
            port: port.clone(),
            overlay,
            installation,
        });
        let bindings = Arc::new(BindingTable::default());
        let runtime = runtime(&fleet, &bindings, reconcilers::Host::Real, owner);
        fleet.connect(Arc::clone(&runtime));
        port.connect(Arc::clone(&runtime));
        fleet.open_front_door().await?;
        let known = load(&fleet, &bindings).await?;
        if !is_overlaid {
            port.preload(&VIRTUAL_CLUSTERS, known);
        }
        let (stop, mut stopped) = watch::channel(false);
        let working = tokio::spawn(Arc::clone(&runtime).run(workers, async move {
            // An error means that the sender is gone: the same as a stop.
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        let (attached, is_attached) = watch::channel(false);
        let mut attending = JoinSet::new();
        if let Some(failed) = fleet.failures() {
            attending.spawn(sweep::beside(mend(Arc::downgrade(&fleet), failed)));
        }
        attending.spawn(attach(port.clone(), is_overlaid, attached));
        attending.spawn(look_again(port.clone(), Arc::clone(&runtime)));
        attending.spawn(tell_of_lists(
            Arc::downgrade(&fleet),
            port.news(),
            Arc::clone(&runtime),
        ));
        if let Some(address) = fleet.options().health {
            let ready = is_attached.clone();
            attending.spawn(health::open(address, move || *ready.borrow()).await?);
        }
        runtime.full_pass(&host_id());
        Ok(Self {
            fleet,
            runtime,
            host: port,
            stop,
            working,
            attending,
            attached: is_attached,
        })
    }

    /// The fleet.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// The runtime.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// The host.
    pub fn host(&self) -> &RemoteCluster {
        &self.host
    }

    /// The virtual clusters that are loaded.
    pub fn clusters(&self) -> Vec<ClusterId> {
        let all = self.fleet.ids().into_iter();
        all.filter(|id| *id != host_id()).collect()
    }

    /// Waits until the host tells of its virtual clusters.
    pub async fn attached(&self) {
        let mut attached = self.attached.clone();
        // An error means that we are stopped.
        let _ = attached.wait_for(|attached| *attached).await;
    }

    /// Ends the rules, the watches, the listeners and the stores, in this order.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if self.working.await.is_err() {
            tracing::error!("the runtime panicked");
        }
        self.attending.shutdown().await;
        self.host.close().await;
        self.fleet.close().await;
    }
}

/// Loads all clusters that the data holds. Answers their `VirtualCluster` objects as they were last seen.
async fn load(fleet: &Arc<Fleet>, bindings: &Arc<BindingTable>) -> Result<Vec<Object>, FleetError> {
    let mut objects = Vec::new();
    for id in fleet.known().await? {
        let (tenant, _) = fleet
            .load_or_make(&id, Nature::of_virtual(fleet, bindings))
            .await?;
        objects.extend(kept::read(tenant.store()));
    }
    Ok(objects)
}

/// Installs the kind and has it watched.
async fn attach(host: RemoteCluster, is_overlaid: bool, attached: watch::Sender<bool>) {
    let wanted = vec![Want::all(VIRTUAL_CLUSTERS)];
    if !is_overlaid {
        let mut pause = PAUSE;
        while let Err(status) = definition::ensure(&host).await {
            tell(&host, &status);
            if status.code() != 503 {
                // Somebody else may install it, or have done so already.
                host.want(FLEET, wanted.clone());
                if let Ok(refused) = host.in_step(&wanted)
                    && refused.is_empty()
                {
                    break;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        host.want(FLEET, wanted.clone());
        host.listed(&wanted).await;
    }
    attached.send_replace(true);
}

fn tell(host: &RemoteCluster, status: &Status) {
    // What a silent host means is told already.
    if !host.is_silent() {
        tracing::warn!(why = %status, "the kind VirtualCluster cannot be installed on the host");
    }
}

/// Virtual clusters may wait for what was listed just now.
async fn tell_of_lists(fleet: Weak<Fleet>, mut news: watch::Receiver<u64>, runtime: Arc<Runtime>) {
    while news.changed().await.is_ok() {
        let host = fleet
            .upgrade()
            .and_then(|fleet| fleet.cluster(&host_id(), "warren"));
        let Some(host) = host else {
            return;
        };
        runtime.observe(
            host.list(&VIRTUAL_CLUSTERS, None)
                .into_iter()
                .map(|object| Change {
                    cluster: host_id(),
                    resource: VIRTUAL_CLUSTERS.group_resource(),
                    object,
                    previous: None,
                    deleted: false,
                }),
        );
    }
}

/// What failed while the host was away is tried again when it is back, however long its turn would be.
async fn look_again(host: RemoteCluster, runtime: Arc<Runtime>) {
    let mut returned = host.returned();
    while returned.changed().await.is_ok() {
        runtime.full_pass_everywhere();
    }
}
