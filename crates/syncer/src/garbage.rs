//! The safety net: host objects of ours whose virtual object is gone. Each rule removes its own when it hears of the
//! deletion; this finds what was missed while nobody listened, and the tokens of pods, which no rule of their own has.

use std::sync::Arc;

use async_trait::async_trait;
use warren_apimachinery::{Object, ObjectKey, Resource, resource};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};
use warren_translate::Identity;

use crate::binding::Bindings;
use crate::catalogue::MIRRORED;
use crate::pod::token;
use crate::service::may_be_reserved;
use crate::sides::{ACTOR, EVERYTHING, Sides, is_full_pass, of_host_change, ours};

/// The kinds that rules of their own put on a host; the rest are rows of `mirrored`.
const KINDS: &[Resource] = &[
    resource::PODS,
    resource::SERVICES,
    resource::CONFIG_MAPS,
    resource::SECRETS,
];

/// The rule. Its keys are of host objects, queued in the virtual cluster that they belong to.
pub(crate) struct Garbage {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for Garbage {
    fn name(&self) -> &'static str {
        "sync-garbage"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[resource::NAMESPACES, resource::PODS, resource::SECRETS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        let meta = change.object.meta();
        if let Some(binding) = self.bindings.of_virtual(&change.cluster) {
            if resource::PODS.is(&change.resource) && change.deleted {
                out.add(token::secret_key(&binding.tenant, &meta.key(), &meta.uid));
            }
            if is_full_pass(change) {
                out.add(EVERYTHING);
            }
        }
        if resource::SECRETS.is(&change.resource)
            && !change.deleted
            && let Some((binding, identity)) = of_host_change(self.bindings.as_ref(), change)
            && identity.kind == token::KIND
        {
            out.add_to(binding.virtual_cluster.clone(), meta.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if *key != EVERYTHING {
            if let Some(secret) = sides.host.get(&resource::SECRETS, key)
                && let Some(identity) = ours(&sides.binding, &secret)
            {
                collect(&sides, &resource::SECRETS, &secret, &identity).await?;
            }
            return Ok(Next::Wait);
        }
        let mirrored = MIRRORED.iter().map(|row| &row.resource);
        for resource in KINDS.iter().chain(mirrored) {
            for (object, identity) in sides.carried(resource) {
                collect(&sides, resource, &object, &identity).await?;
            }
        }
        Ok(Next::Wait)
    }
}

/// Deletes a host object of ours if its virtual object is gone or another.
async fn collect(
    sides: &Sides<'_>,
    resource: &Resource,
    object: &Object,
    identity: &Identity,
) -> Result<(), ReconcileError> {
    let is_off =
        || !identity.uid.0.is_empty() && identity.kind == resource.kind && is_switched_off(sides, resource);
    if object.meta().deleting || !(is_orphan(sides, resource, object, identity) || is_off()) {
        return Ok(());
    }
    sides.delete_host(resource, object, None).await
}

/// Whether the configuration does not carry the kind any more; the rows of `mirrored` look at that themselves.
fn is_switched_off(sides: &Sides<'_>, resource: &Resource) -> bool {
    let to_host = &sides.binding.spec.sync.to_host;
    let kinds = [
        (resource::PODS, to_host.pods.enabled),
        (resource::SERVICES, to_host.services.enabled),
        (resource::CONFIG_MAPS, to_host.config_maps.enabled),
        (resource::SECRETS, to_host.secrets.enabled),
    ];
    kinds.iter().any(|(kind, enabled)| kind == resource && !enabled)
}

fn is_orphan(sides: &Sides<'_>, resource: &Resource, object: &Object, identity: &Identity) -> bool {
    if identity.uid.0.is_empty() {
        // Shared by many virtual objects; it goes with the virtual cluster.
        return false;
    }
    let of = match identity.kind.as_str() {
        token::KIND => &resource::PODS,
        kind if kind == resource.kind => resource,
        _ => return false,
    };
    match sides.virtual_cluster.get(of, &identity.key.0) {
        // A Service made anew keeps its host Service, and with it the address.
        Some(there) => *resource != resource::SERVICES && there.meta().uid != identity.uid.0,
        None if *resource == resource::SERVICES => {
            may_be_reserved(&object.to_value(), sides.cx.now).is_none()
        }
        None => true,
    }
}
