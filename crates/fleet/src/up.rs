//! `warren up`: an embedded host and a virtual cluster on it, in one process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, StatusReason, resource};
use warren_pki::{Credentials, Kubeconfig};
use warren_reconciler::{Cluster, Clusters, Runtime};
use warren_registry::reserve::{Cidr, LocalAddresses};

use crate::error::FleetError;
use crate::fleet::{Fleet, Nature, Port};
use crate::host::{self, HOST, host_id};
use crate::mend::mend;
use crate::options::Options;
use crate::reconcilers::{self, runtime};
use crate::tenant::Tenant;
use crate::tunnel::ToNode;
use crate::virtual_cluster::{ApiAddress, Owner, first_objects};

/// How long a virtual cluster may take before we say that something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a cluster that failed the last time has to do better.
const SECOND_CHANCE: Duration = Duration::from_secs(3);

/// A running fleet with an embedded host. Ends with `stop`.
pub struct Embedded {
    fleet: Arc<Fleet>,
    runtime: Arc<Runtime>,
    host: Arc<Tenant>,
    stop: watch::Sender<bool>,
    working: JoinHandle<()>,
    mending: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Opens the data, serves the host on `port` (any, if none is given), registers `nodes` simulated nodes and puts
    /// the controllers to work.
    ///
    /// # Errors
    /// As [`Fleet::open`], and `Address` when the port is taken.
    pub async fn start(options: Options, nodes: u32, port: Option<u16>) -> Result<Self, FleetError> {
        Self::start_on(Fleet::open(options).await?, nodes, port).await
    }

    /// The same, on a fleet whose data is open.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub async fn start_on(fleet: Arc<Fleet>, nodes: u32, port: Option<u16>) -> Result<Self, FleetError> {
        let workers = fleet.options().workers;
        let nature = Nature {
            reserve: Arc::new(LocalAddresses::new(Cidr::new([10, 96, 0, 0], 16))),
            tunnel: Arc::new(ToNode),
            is_host: true,
        };
        let (host, _) = fleet.load_or_make(&host_id(), nature).await?;
        first_objects(
            &host,
            ApiAddress::OwnRange(host::SERVICE_RANGE, host::API_ADDRESS),
        )
        .await?;
        let runtime = runtime(
            &fleet,
            &Arc::default(),
            reconcilers::Host::Embedded,
            Owner::Object,
        );
        fleet.connect(Arc::clone(&runtime));
        let port = port.map_or(Port::Any, Port::Rather);
        fleet.listen(&host, port, &[]).await?;
        fleet.open_front_door().await?;
        let cluster = cluster(&fleet)?;
        host::furnish(&cluster, nodes, Timestamp::now()).await?;
        host::serve_virtual_clusters(&cluster, &host, Timestamp::now()).await?;
        let (stop, mut stopped) = watch::channel(false);
        let working = tokio::spawn(Arc::clone(&runtime).run(workers, async move {
            // An error means that the sender is gone: the same as a stop.
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        let mending = fleet
            .failures()
            .map(|failed| tokio::spawn(crate::sweep::beside(mend(Arc::downgrade(&fleet), failed))));
        runtime.full_pass(&host_id());
        Ok(Self {
            mending,
            fleet,
            runtime,
            host,
            stop,
            working,
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
    pub fn host(&self) -> &Arc<Tenant> {
        &self.host
    }

    /// An admin's kubeconfig of the host.
    ///
    /// # Errors
    /// `Keys` when no certificate could be made.
    pub fn host_kubeconfig(&self) -> Result<Kubeconfig, FleetError> {
        let admin = self.host.issue_admin(Timestamp::now());
        let admin = admin.map_err(|source| FleetError::Keys {
            cluster: host_id(),
            source,
        })?;
        let address = self
            .host
            .listener()
            .ok_or_else(|| FleetError::NoCluster(host_id()))?
            .address();
        Ok(Kubeconfig {
            name: format!("warren-{HOST}"),
            server: format!("https://{address}"),
            authority_pem: self.host.authority_pem().to_owned(),
            tls_server_name: None,
            credentials: Credentials::Certificate(admin),
            namespace: None,
        })
    }

    /// Asks for a virtual cluster by way of its object on the host, and waits until it is ready. Its kubeconfig is
    /// the answer. One that is there already is left as it is, but for a port that is asked for.
    ///
    /// # Errors
    /// `NotReady` with the reason that the object's conditions give.
    pub async fn virtual_cluster(&self, name: &str, port: Option<u16>) -> Result<String, FleetError> {
        let cluster = cluster(&self.fleet)?;
        let wrong = |source| FleetError::Bootstrap {
            cluster: host_id(),
            source,
        };
        let key = ObjectKey::namespaced(namespace_of(name), name);
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": key.namespace}});
        let made = cluster.create(&resource::NAMESPACES, namespace).await;
        made.map(|_| ()).or_else(there).map_err(wrong)?;
        // A tenant of one's own: what their applications bring along should run.
        let mut spec = json!({"sync": {"toHost": {"storageClasses": {"enabled": true}}},
            "policies": {"podSecurityStandard": "privileged"}});
        if let Some(port) = port {
            spec.set("/controlPlane/proxy/port", port);
        }
        let object = json!({
            "apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster",
            "metadata": {"name": name, "namespace": key.namespace}, "spec": spec});
        let made = cluster.create(&resource::VIRTUAL_CLUSTERS, object).await;
        made.map(|_| ()).or_else(there).map_err(wrong)?;
        if port.is_some() {
            let patch = json!({"spec": spec});
            let patched = cluster.merge_patch(
                &resource::VIRTUAL_CLUSTERS,
                &key,
                warren_reconciler::Part::Main,
                patch,
            );
            patched.await.map_err(wrong)?;
        }
        self.wait_ready(&key).await
    }

    async fn wait_ready(&self, key: &ObjectKey) -> Result<String, FleetError> {
        let store = self.host.store();
        let clusters = resource::VIRTUAL_CLUSTERS.group_resource();
        let secrets = resource::SECRETS.group_resource();
        let secret = ObjectKey::namespaced(key.namespace.clone(), format!("vc-{}", key.name));
        let not_ready = |why: String| FleetError::NotReady {
            name: key.name.to_string(),
            why,
        };
        let since = Instant::now();
        let looking = async {
            let mut news = false;
            loop {
                let mut opened = self.fleet.opened();
                let snapshot = store.snapshot();
                let mut changes = store
                    .watch(&clusters, Some(&key.namespace), snapshot.revision())
                    .map_err(|_| not_ready("the store moved on too fast".to_owned()))?;
                let object = snapshot
                    .get(&clusters, key)
                    .map(|object| object.to_value())
                    .unwrap_or_default();
                match object.text("/status/phase") {
                    // A restart finds the state of the last time first, when its port was perhaps another.
                    "Ready" | "Paused" => {
                        let secret = snapshot.get(&secrets, &secret).map(|secret| secret.to_value());
                        let config = secret.as_ref().and_then(config_of);
                        if let Some(config) = config.filter(|config| self.is_served(key, &object, config)) {
                            return Ok(config);
                        }
                    }
                    "Failed" if news || since.elapsed() > SECOND_CHANCE => {
                        return Err(not_ready(reason(&object)));
                    }
                    _ => {}
                }
                tokio::select! {
                    // Whatever came, the state tells more than the event.
                    _ = changes.next() => news = true,
                    // A restart finds the object as it was before the cluster is served again: no change will tell.
                    _ = opened.changed() => {}
                    // A failure of the last time that is this time's as well changes nothing either.
                    () = tokio::time::sleep_until((since + SECOND_CHANCE).into()), if since.elapsed() <= SECOND_CHANCE => {}
                }
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(result) => result,
            Err(_) => Err(not_ready(format!(
                "it is not ready after {} s",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Whether the cluster is served where the object and its kubeconfig say.
    fn is_served(&self, key: &ObjectKey, object: &Value, config: &str) -> bool {
        let tenant = self.fleet.tenant(&crate::virtual_cluster::cluster_id(key));
        let Some(listener) = tenant.and_then(|tenant| tenant.listener()) else {
            return false;
        };
        let wanted = object.int("/spec/controlPlane/proxy/port").unwrap_or_default();
        let port = listener.address().port();
        let elsewhere = !object.text("/spec/exportKubeConfig/server").is_empty();
        (wanted == 0 || wanted == i64::from(port))
            && (elsewhere || config.contains(&format!("https://{}", listener.address())))
    }

    /// Ends the controllers, the listeners and the stores, in this order.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.working.await.is_err() {
            tracing::error!("the runtime panicked");
        }
        if let Some(mending) = self.mending {
            // It only waits and tries again: there is nothing to finish.
            mending.abort();
        }
        self.fleet.close().await;
    }
}

/// The host namespace of a virtual cluster that was asked for by name alone.
pub fn namespace_of(name: &str) -> String {
    format!("warren-{name}")
}

/// The name in the fleet of a virtual cluster that was asked for by name alone.
pub fn virtual_cluster_id(name: &str) -> ClusterId {
    crate::virtual_cluster::cluster_id(&ObjectKey::namespaced(namespace_of(name), name))
}

fn there(status: warren_apimachinery::Status) -> Result<(), warren_apimachinery::Status> {
    if status.is(StatusReason::AlreadyExists) {
        Ok(())
    } else {
        Err(status)
    }
}

fn config_of(secret: &Value) -> Option<String> {
    use base64::Engine;
    let data = base64::engine::general_purpose::STANDARD
        .decode(secret.text("/data/config"))
        .ok()?;
    String::from_utf8(data).ok()
}

fn reason(object: &Value) -> String {
    let conditions = object.items("/status/conditions");
    let bad = conditions
        .iter()
        .find(|condition| condition.text("/status") == "False");
    bad.map(|condition| condition.text("/message").to_owned())
        .unwrap_or_default()
}

fn cluster(fleet: &Arc<Fleet>) -> Result<Arc<dyn Cluster>, FleetError> {
    fleet
        .cluster(&host_id(), "warren")
        .ok_or_else(|| FleetError::NoCluster(host_id()))
}
