//! Random changes on either side.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use warren_apimachinery::resource::{CONFIG_MAPS, PODS, SERVICES};
use warren_apimachinery::{ObjectKey, Resource};
use warren_reconciler::{Cluster, DeleteOptions, Part};

use crate::world::{HOST_NAMESPACE, NAMESPACE, World};

/// So few names that changes meet each other.
const NAMES: u32 = 12;

/// See the module.
pub(crate) struct Storm(StdRng);

/// A pod that may refer to a ConfigMap.
pub(crate) fn pod(name: &str, config_map: Option<&str>) -> Value {
    let from = config_map.map(|name| json!([{"configMapRef": {"name": name, "optional": true}}]));
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": "storm"}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "nginx", "envFrom": from}]}})
}

/// A Service of these pods.
pub(crate) fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"app": "storm"}, "ports": [{"port": 80}]}})
}

impl Storm {
    /// The same each time.
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Makes `changes`, one after the other. Most are of the virtual cluster; many are refused, as what they change is
    /// not there, or is there already.
    pub(crate) async fn rage(&mut self, world: &World, changes: u32) {
        for _ in 0..changes {
            if self.0.random_bool(0.15) {
                self.meddle(world).await;
            } else {
                self.change(world.tenant().as_ref()).await;
            }
            tokio::task::yield_now().await;
        }
    }

    fn name(&mut self, of: &str) -> String {
        format!("{of}{}", self.0.random_range(0..NAMES))
    }

    async fn change(&mut self, tenant: &dyn Cluster) {
        let (pods, maps, services) = (self.name("p"), self.name("c"), self.name("s"));
        let value = self.0.random_range(0..1000).to_string();
        let labels = json!({"metadata": {"labels": {"value": value}}});
        // Whether it is refused depends on what went before.
        match self.0.random_range(0..10) {
            0..=2 => drop(tenant.create(&PODS, pod(&pods, Some(&maps))).await),
            3 => remove(tenant, &PODS, &pods).await,
            4 => patch(tenant, &PODS, &pods, labels).await,
            5 => {
                let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": maps, "namespace": NAMESPACE}, "data": {"value": value}});
                drop(tenant.create(&CONFIG_MAPS, map).await);
            }
            6 => patch(tenant, &CONFIG_MAPS, &maps, json!({"data": {"value": value}})).await,
            7 => remove(tenant, &CONFIG_MAPS, &maps).await,
            8 => drop(tenant.create(&SERVICES, service(&services)).await),
            _ => match self.0.random_bool(0.5) {
                true => remove(tenant, &SERVICES, &services).await,
                false => patch(tenant, &SERVICES, &services, labels).await,
            },
        }
    }

    /// Somebody changes or removes what is ours on the host.
    async fn meddle(&mut self, world: &World) {
        let kind = [&PODS, &CONFIG_MAPS, &SERVICES][self.0.random_range(0..3)];
        let all: Vec<_> = world.synced(kind);
        if all.is_empty() {
            return;
        }
        let key = all[self.0.random_range(0..all.len())].key();
        let host = world.direct();
        if self.0.random_bool(0.5) {
            drop(host.delete(kind, &key, DeleteOptions::default()).await);
        } else {
            let patch =
                json!({"metadata": {"annotations": {"somebody": self.0.random_range(0..1000).to_string()}}});
            drop(host.merge_patch(kind, &key, Part::Main, patch).await);
        }
        assert_eq!(key.namespace, HOST_NAMESPACE);
    }
}

async fn remove(tenant: &dyn Cluster, resource: &Resource, name: &str) {
    drop(
        tenant
            .delete(
                resource,
                &ObjectKey::namespaced(NAMESPACE, name),
                DeleteOptions::default(),
            )
            .await,
    );
}

async fn patch(tenant: &dyn Cluster, resource: &Resource, name: &str, patch: Value) {
    drop(
        tenant
            .merge_patch(
                resource,
                &ObjectKey::namespaced(NAMESPACE, name),
                Part::Main,
                patch,
            )
            .await,
    );
}
