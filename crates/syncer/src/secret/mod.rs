//! Secrets, while something on the host needs them.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_config::ReferencedOrAll;
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use crate::binding::Bindings;
use crate::referenced::{self, Kind, Referrer};
use crate::sides::{ACTOR, Sides};
use crate::{gateway, ingress};

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

    const REFERRERS: &'static [Referrer] = &[
        Referrer {
            resource: resource::INGRESSES,
            is_on: |spec| spec.sync.to_host.ingresses.enabled,
            names: ingress::secrets,
        },
        Referrer {
            resource: resource::GATEWAYS,
            is_on: |spec| spec.sync.to_host.gateway_api.syncs_gateways(),
            names: gateway::secrets,
        },
    ];

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
        &[
            resource::SECRETS,
            resource::PODS,
            resource::INGRESSES,
            resource::GATEWAYS,
        ]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        referenced::triggers::<Self>(self.bindings.as_ref(), change, out);
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
