//! Secrets, while something on the host needs them.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_config::ReferencedOrAll;
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use crate::binding::{Binding, Bindings};
use crate::ingress;
use crate::referenced::{self, Kind};
use crate::sides::{ACTOR, Sides};

/// The rule.
pub(crate) struct Secrets {
    pub(crate) bindings: Arc<dyn Bindings>,
}

impl Kind for Secrets {
    const RESOURCE: Resource = resource::SECRETS;
    const FIELDS: &'static [&'static str] = &["data", "immutable", "type"];

    fn wanted<'a>(sides: &'a Sides<'_>) -> &'a ReferencedOrAll {
        &sides.binding.spec.sync.to_host.secrets
    }

    fn is_referenced_elsewhere(sides: &Sides<'_>, key: &ObjectKey) -> bool {
        sides.binding.spec.sync.to_host.ingresses.enabled
            && sides
                .virtual_cluster
                .list(&resource::INGRESSES, Some(&key.namespace))
                .iter()
                .any(|ingress| {
                    let mut named = ingress::secrets(&ingress.to_value()).into_iter();
                    named.any(|name| key.name == name)
                })
    }

    /// The host would fill, or remove, a service account's token.
    fn shape(host: &mut Value) {
        if host.text("/type") == "kubernetes.io/service-account-token" {
            host.set("/type", "Opaque");
        }
    }
}

#[async_trait]
impl Reconciler for Secrets {
    fn name(&self) -> &'static str {
        "sync-secrets"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[resource::SECRETS, resource::PODS, resource::INGRESSES]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        referenced::triggers::<Self>(self.bindings.as_ref(), change, out);
        let on = |binding: Arc<Binding>| binding.spec.sync.to_host.ingresses.enabled;
        if resource::INGRESSES.is(&change.resource)
            && self.bindings.of_virtual(&change.cluster).is_some_and(on)
        {
            for ingress in [Some(&change.object), change.previous.as_ref()]
                .into_iter()
                .flatten()
            {
                for name in ingress::secrets(&ingress.to_value()) {
                    out.add(ObjectKey::namespaced(ingress.meta().namespace.clone(), name));
                }
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        if let Some(sides) = Sides::of(cx, self.bindings.as_ref()) {
            referenced::reconcile::<Self>(&sides, key).await?;
        }
        Ok(Next::Wait)
    }
}

/// Brings what a pod is about to refer to in step.
pub(crate) async fn ensure(sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
    referenced::ensure::<Secrets>(sides, key).await
}
