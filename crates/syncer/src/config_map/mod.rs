//! Config maps, while something on the host needs them. `kube-root-ca.crt` is one host object for all namespaces.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_config::ReferencedOrAll;
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};
use warren_translate::{Identity, Virtual};

use crate::binding::Bindings;
use crate::referenced::{self, Kind, Referrer};
use crate::sides::{ACTOR, Sides, ours};
use crate::{gateway, ingress};

const ROOT_CA: &str = "kube-root-ca.crt";

/// The rule.
pub(crate) struct ConfigMaps {
    pub(crate) bindings: Arc<dyn Bindings>,
}

impl Kind for ConfigMaps {
    const RESOURCE: Resource = resource::CONFIG_MAPS;
    const FIELDS: &'static [&'static str] = &["data", "binaryData", "immutable"];

    fn wanted<'a>(sides: &'a Sides<'_>) -> &'a ReferencedOrAll {
        &sides.binding.spec.sync.to_host.config_maps
    }

    const REFERRERS: &'static [Referrer] = &[
        Referrer {
            resource: resource::INGRESSES,
            is_on: |spec| spec.sync.to_host.ingresses.enabled,
            names: ingress::config_maps,
        },
        Referrer {
            resource: resource::GATEWAYS,
            is_on: |spec| spec.sync.to_host.gateway_api.syncs_gateways(),
            names: gateway::config_maps,
        },
        Referrer {
            resource: resource::BACKEND_TLS_POLICIES,
            is_on: |spec| spec.sync.to_host.gateway_api.backend_tls_policies.enabled,
            names: gateway::config_maps,
        },
    ];
}

#[async_trait]
impl Reconciler for ConfigMaps {
    fn name(&self) -> &'static str {
        "sync-config-maps"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[
            resource::CONFIG_MAPS,
            resource::PODS,
            resource::INGRESSES,
            resource::GATEWAYS,
            resource::BACKEND_TLS_POLICIES,
        ]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        referenced::triggers::<Self>(self.bindings.as_ref(), change, out);
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        if let Some(sides) = Sides::of(cx, self.bindings.as_ref()) {
            match key.name.as_str() {
                // Without a namespace it is the host's object that changed: one that was deleted is made anew.
                ROOT_CA => root_ca(&sides, key, key.namespace.is_empty()).await?,
                _ => referenced::reconcile::<Self>(&sides, key).await?,
            }
        }
        Ok(Next::Wait)
    }
}

/// Brings what a pod is about to refer to in step.
pub(crate) async fn ensure(sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
    match key.name.as_str() {
        ROOT_CA => root_ca(sides, key, true).await,
        _ => referenced::ensure::<ConfigMaps>(sides, key).await,
    }
}

/// The content is the same in every namespace; that of `kube-system` counts. Once a pod needed it, it stays until the
/// virtual cluster goes.
async fn root_ca(sides: &Sides<'_>, of: &ObjectKey, needed: bool) -> Result<(), ReconcileError> {
    let source = ObjectKey::namespaced("kube-system", ROOT_CA);
    let Some(object) = sides.virtual_cluster.get(&resource::CONFIG_MAPS, &source) else {
        let why = format!("{source} is not there yet");
        return if needed {
            Err(ReconcileError::Retry(why))
        } else {
            Ok(())
        };
    };
    let data = object.to_value().at("/data").clone();
    let key = sides.host_key(&resource::CONFIG_MAPS, of);
    match sides.host.get(&resource::CONFIG_MAPS, &key) {
        None if needed => {
            let config_map = shared(sides, &key, data);
            sides
                .create_host(&resource::CONFIG_MAPS, &object, config_map)
                .await?;
        }
        None => {}
        Some(there) if ours(&sides.binding, &there).is_none() => {
            sides.taken(&resource::CONFIG_MAPS, &object).await;
        }
        Some(there) if there.to_value().at("/data") != &data => {
            let patch = json!({"data": data});
            sides
                .host
                .merge_patch(&resource::CONFIG_MAPS, &key, Part::Main, patch)
                .await?;
        }
        Some(_) => {}
    }
    Ok(())
}

fn shared(sides: &Sides<'_>, key: &ObjectKey, data: Value) -> Value {
    let mut config_map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": key.name, "namespace": key.namespace}, "data": data});
    let is_beside = key.namespace == sides.binding.tenant.host_namespace().0;
    if let Some(owner) = sides.binding.owner.as_ref().filter(|_| is_beside) {
        config_map.set("/metadata/ownerReferences", json!([owner]));
    }
    let identity = Identity {
        kind: "ConfigMap".into(),
        key: Virtual(ObjectKey::cluster(ROOT_CA)),
        uid: Virtual(SmolStr::default()),
    };
    sides.binding.tenant.mark(&mut config_map, &identity);
    config_map
}
