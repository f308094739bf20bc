//! A host process, what stands before it, and a fleet with one virtual cluster on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use warren_apimachinery::resource::{CONFIG_MAPS, NAMESPACES, PODS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, Object, ObjectKey, Resource};
use warren_fleet::{HostOptions, OnHost, OneCluster, Options, cluster_id};
use warren_reconciler::{Cluster, Clusters, Want};
use warren_remote::{Origin, RemoteCluster, RemoteOptions};
use warren_test_kit::{Folder, Warren};

use crate::proxy::Proxy;

/// Where the tenant works.
pub(crate) const NAMESPACE: &str = "default";
/// Where that is on the host.
pub(crate) const HOST_NAMESPACE: &str = "storm";
const NAME: &str = "inside";
const LABEL: &str = "warren.dev/managed-by";
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// See the module.
pub(crate) struct World {
    pub(crate) proxy: Proxy,
    folder: Folder,
    /// The way to the host without trouble.
    direct: RemoteCluster,
    serving: Option<OnHost>,
    _host: Warren,
    _host_folder: Folder,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (host_folder, folder) = (Folder::new().unwrap(), Folder::new().unwrap());
        let binary = env!("CARGO_BIN_EXE_warren");
        let host = Warren::up(binary, &host_folder, &["--no-kubeconfig"]).unwrap();
        let direct = RemoteCluster::new(RemoteOptions {
            id: ClusterId::new("direct"),
            origin: Origin::kubeconfig(Some(host.host_kubeconfig()), None),
            ours: LABEL,
            namespace: None,
        });
        let direct = direct.await.unwrap();
        let wants: Vec<Want> = [PODS, SERVICES, CONFIG_MAPS].map(Want::ours).into();
        direct.want("test", wants.clone());
        assert_eq!(direct.listed(&wants).await, []);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOST_NAMESPACE}});
        direct.create(&NAMESPACES, namespace).await.unwrap();
        let proxy = Proxy::open(direct.clone(), folder.path(), 11).await;
        let mut world = Self {
            proxy,
            folder,
            direct,
            serving: None,
            _host: host,
            _host_folder: host_folder,
        };
        world.start().await;
        world.until_served().await;
        world.until_in_step().await;
        world
    }

    async fn start(&mut self) {
        let mut options = Options::in_dir(self.folder.join("data"));
        options.workers = 32;
        let host = HostOptions {
            origin: Origin::kubeconfig(Some(self.proxy.kubeconfig.clone()), None),
            namespace: Some(HOST_NAMESPACE.to_owned()),
        };
        let spec = json!({"controlPlane": {"proxy": {"port": 0}}, "sync": {"toHost": {"configMaps": {"all": true}}}});
        let one = OneCluster::new(HOST_NAMESPACE, NAME, spec);
        self.serving = Some(OnHost::start_one(options, host, &one).await.unwrap());
    }

    /// Ends the fleet and starts it anew on its data.
    pub(crate) async fn restart(&mut self) {
        self.serving.take().unwrap().stop().await;
        self.start().await;
    }

    pub(crate) async fn end(mut self) {
        self.serving.take().unwrap().stop().await;
        self.direct.close().await;
    }

    pub(crate) fn serving(&self) -> &OnHost {
        self.serving.as_ref().unwrap()
    }

    fn id() -> ClusterId {
        cluster_id(&ObjectKey::namespaced(HOST_NAMESPACE, NAME))
    }

    /// The virtual cluster, as its tenant.
    pub(crate) fn tenant(&self) -> Arc<dyn Cluster> {
        self.serving().fleet().cluster(&Self::id(), "storm").unwrap()
    }

    /// The host without trouble.
    pub(crate) fn direct(&self) -> &RemoteCluster {
        &self.direct
    }

    /// What the syncer has on the host of a kind.
    pub(crate) fn synced(&self, resource: &Resource) -> Vec<Arc<Object>> {
        let all = self.direct.list(resource, Some(HOST_NAMESPACE)).into_iter();
        all.filter(|object| object.meta().label("warren.dev/namespace") == Some(NAMESPACE))
            .collect()
    }

    pub(crate) fn host_pods(&self) -> Vec<Arc<Object>> {
        self.synced(&PODS)
    }

    /// Waits until the tenant's API listens.
    pub(crate) async fn until_served(&self) {
        self.until("served", || {
            let tenant = self.serving().fleet().tenant(&Self::id());
            match tenant.and_then(|tenant| tenant.listener()) {
                Some(_) => Vec::new(),
                None => vec!["no listener".to_owned()],
            }
        })
        .await;
    }

    /// Waits until both sides say the same and nothing is left to do.
    pub(crate) async fn until_in_step(&self) {
        self.until("in step", || {
            let mut wrong = self.differences();
            if self.serving().host().is_silent() {
                wrong.push("the host is silent".to_owned());
            }
            if !self.serving().runtime().is_settled() {
                wrong.push("passes are left".to_owned());
            }
            wrong
        })
        .await;
    }

    /// Level by level, with a deadline: whatever is wrong at its end is told.
    async fn until(&self, what: &str, wrong: impl Fn() -> Vec<String>) {
        let since = Instant::now();
        loop {
            let left = wrong();
            if left.is_empty() {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "not {what}: {left:#?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What a fresh full pass would change.
    fn differences(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self
            .tenant()
            .get(&SERVICES, &ObjectKey::namespaced(NAMESPACE, "kubernetes"))
            .is_none()
        {
            wrong.push("the API's own service is missing".to_owned());
        }
        for (resource, follows) in [
            (
                &PODS,
                &[
                    "/status/phase",
                    "/status/podIP",
                    "/spec/nodeName",
                    "/metadata/labels/value",
                ][..],
            ),
            (&SERVICES, &["/spec/clusterIP", "/metadata/labels/value"]),
            (&CONFIG_MAPS, &["/data"]),
        ] {
            wrong.extend(self.compared(resource, follows));
        }
        wrong
    }

    fn compared(&self, resource: &Resource, follows: &[&str]) -> Vec<String> {
        let own = ["kubernetes", "kube-root-ca.crt"];
        let all = self.tenant().list(resource, Some(NAMESPACE)).into_iter();
        let mut virtual_objects: BTreeMap<String, Value> = all
            .filter(|object| !own.contains(&object.meta().name.as_str()))
            .map(|object| (object.meta().name.to_string(), object.to_value()))
            .collect();
        let mut wrong = Vec::new();
        for host in self.synced(resource) {
            let host = host.to_value();
            let name = host
                .text("/metadata/name")
                .split("-x-")
                .next()
                .unwrap_or_default()
                .to_owned();
            if own.contains(&name.as_str()) {
                continue;
            }
            let Some(found) = virtual_objects.remove(&name) else {
                wrong.push(format!("{} {name} is left on the host", resource.kind));
                continue;
            };
            for field in follows {
                if host.at(field) != found.at(field) {
                    let (host, found) = (host.at(field), found.at(field));
                    wrong.push(format!(
                        "{} {name} {field}: {found} is {host} on the host",
                        resource.kind
                    ));
                }
            }
            if *resource == PODS && host.text("/status/phase") != "Running" {
                wrong.push(format!("pod {name} does not run"));
            }
        }
        let missing = virtual_objects.keys();
        wrong.extend(missing.map(|name| format!("{} {name} is not on the host", resource.kind)));
        wrong
    }

    /// The state of every object of the tenant's that is synced.
    pub(crate) fn revisions(&self) -> BTreeMap<String, u64> {
        let kinds = [&PODS, &SERVICES, &CONFIG_MAPS].into_iter();
        let all = kinds.flat_map(|kind| self.tenant().list(kind, Some(NAMESPACE)));
        all.map(|object| (object.meta().uid.to_string(), object.meta().revision.0))
            .collect()
    }
}
