//! Definitions of custom resources that the configuration names: copied from the host, so that the virtual cluster
//! knows the kinds. A copy is never removed: its objects would go with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource::{self, CUSTOM_RESOURCE_DEFINITIONS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource};
use warren_config::VirtualClusterSpec;
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use super::CLASSES;
use super::class::plain_metadata;
use crate::binding::Bindings;
use crate::catalogue::MIRRORED;
use crate::custom_resource;
use crate::from_host::{Shown, show};
use crate::sides::{ACTOR, EVERYTHING, Sides, is_full_pass};

/// The rule.
pub(crate) struct Definitions {
    pub(crate) bindings: Arc<dyn Bindings>,
}

/// The names of the definitions that a configuration needs: those of kinds that a Kubernetes does not have of itself.
pub(crate) fn definitions(spec: &VirtualClusterSpec) -> impl Iterator<Item = String> {
    let mirrored = MIRRORED
        .iter()
        .filter(|row| (row.setting)(spec).enabled)
        .map(|row| row.resource);
    let classes = CLASSES
        .iter()
        .filter(|class| (class.setting)(spec).enabled)
        .map(|class| class.resource);
    let grants = spec
        .sync
        .to_host
        .gateway_api
        .syncs_any()
        .then_some(resource::REFERENCE_GRANTS);
    let known = mirrored
        .chain(classes)
        .chain(grants)
        .filter(|resource| BROUGHT.contains(&resource.group));
    let known = known.map(|resource| resource.group_resource().to_string());
    let all: BTreeSet<String> = known.chain(custom_resource::names(spec)).collect();
    all.into_iter()
}

/// Groups of kinds that rules name, but that come with definitions.
const BROUGHT: [&str; 2] = [resource::GATEWAYS.group, resource::VOLUME_SNAPSHOTS.group];

#[async_trait]
impl Reconciler for Definitions {
    fn name(&self) -> &'static str {
        "sync-custom-resource-definitions"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[CUSTOM_RESOURCE_DEFINITIONS, resource::NAMESPACES]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        let is_definition = CUSTOM_RESOURCE_DEFINITIONS.is(&change.resource);
        let name = change.object.meta().name.as_str();
        let is_wanted = |spec: &VirtualClusterSpec| definitions(spec).any(|wanted| wanted == name);
        if let Some(binding) = self.bindings.of_virtual(&change.cluster) {
            if is_full_pass(change) {
                out.add(EVERYTHING);
            } else if is_definition && is_wanted(&binding.spec) {
                out.add(change.object.key());
            }
        } else if is_definition {
            for binding in self.bindings.on_host(&change.cluster) {
                if is_wanted(&binding.spec) {
                    out.add_to(binding.virtual_cluster.clone(), change.object.key());
                }
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        for name in definitions(&sides.binding.spec) {
            if *key == EVERYTHING || key.name == name {
                one(&sides, &ObjectKey::cluster(name)).await?;
            }
        }
        Ok(Next::Wait)
    }
}

async fn one(sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
    let Some(host) = sides.host.get(&CUSTOM_RESOURCE_DEFINITIONS, key) else {
        return Ok(());
    };
    let shown = Shown {
        object: view(key, &host.to_value()),
        fixed: &["/spec/scope"],
        follows: &["/spec", "/metadata/labels", "/metadata/annotations"],
    };
    show(sides, &CUSTOM_RESOURCE_DEFINITIONS, key, Some(shown)).await
}

/// A conversion webhook is a Service of the host, which the virtual cluster can't call.
fn view(key: &ObjectKey, host: &Value) -> Value {
    let mut spec = host.at("/spec").clone();
    if spec.text("/conversion/strategy") == "Webhook" {
        spec.set("/conversion", json!({"strategy": "None"}));
    }
    let mut metadata = plain_metadata(key, host);
    if let Some(annotations) = metadata.object_at("/annotations") {
        // Of an injector that works on the host's webhook.
        annotations.retain(|key, _| !key.starts_with("cert-manager.io/"));
    }
    json!({"metadata": metadata, "spec": spec})
}
