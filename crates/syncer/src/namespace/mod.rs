//! Virtual namespaces with host namespaces of their own (`sync.toHost.namespaces`), and the account that pods run as in
//! each. Where a namespace is, `translate` says; a host namespace that was there before is used and left as it is.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, Status, StatusReason, resource};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};
use warren_translate::{Host, MANAGED_BY, Virtual};

use crate::binding::{Binding, Bindings};
use crate::mirrored::{Carry, Notice, Row, Setting};
use crate::sides::{ACTOR, Sides, is_full_pass, of_host_change};

/// Every cluster has these, mapped or not.
const SYSTEM: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];
/// The API server's own label.
const NAME: &str = "kubernetes.io/metadata.name";
/// By these a host is told what to let pods do: its owner's to say (`extraLabels`), not a tenant's.
const POD_SECURITY: &str = "pod-security.kubernetes.io/";

/// The kind.
pub(crate) const ROW: Row = Row {
    fields: &[],
    follows: &[],
    shape,
    ..Row::new("sync-namespaces", resource::NAMESPACES, |spec| {
        let namespaces = &spec.sync.to_host.namespaces;
        Setting {
            enabled: namespaces.enabled,
            patches: &namespaces.patches,
        }
    })
};

fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let name = value.text("/metadata/name");
    let Some(Host(own)) = sides.binding.tenant.own_namespace_of(Virtual(name)) else {
        return match is_left_out(&sides.binding, name) {
            true => Carry::Refused(Notice::new("The namespace has no place on the host cluster")),
            false => Carry::No,
        };
    };
    let extra = &sides.binding.spec.sync.to_host.namespaces.extra_labels;
    if let Some(labels) = host.object_at("/metadata/labels") {
        labels.retain(|key, _| !key.starts_with(POD_SECURITY));
        labels.extend(
            extra
                .iter()
                .map(|(key, value)| (key.clone(), value.as_str().into())),
        );
        labels.insert(NAME.to_owned(), own.as_str().into());
        labels.insert(MANAGED_BY.to_owned(), sides.binding.tenant.cluster().into());
    }
    Carry::Yes
}

/// Whether only mapped namespaces are wanted, and this is none of them.
pub(crate) fn is_left_out(binding: &Binding, namespace: &str) -> bool {
    let wanted = &binding.spec.sync.to_host.namespaces;
    wanted.enabled
        && wanted.mappings_only
        && !namespace.is_empty()
        && !SYSTEM.contains(&namespace)
        && binding.tenant.own_namespace_of(Virtual(namespace)).is_none()
}

/// The rule that keeps the workload account in each host namespace of its own. Its keys are of virtual namespaces.
pub(crate) struct Accounts {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for Accounts {
    fn name(&self) -> &'static str {
        "sync-workload-accounts"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[resource::NAMESPACES, resource::SERVICE_ACCOUNTS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if let Some(binding) = self.bindings.of_virtual(&change.cluster) {
            let wanted = binding.tenant.has_namespaces() && resource::NAMESPACES.is(&change.resource);
            if wanted && is_full_pass(change) {
                let all = cluster.list(&resource::NAMESPACES, None);
                all.into_iter().for_each(|namespace| out.add(namespace.key()));
            } else if wanted {
                out.add(change.object.key());
            }
        } else if resource::NAMESPACES.is(&change.resource)
            && let Some((binding, identity)) = of_host_change(self.bindings.as_ref(), change)
        {
            out.add_to(binding.virtual_cluster.clone(), identity.key.0);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        let asked = &sides.binding.spec.control_plane.advanced.workload_service_account;
        let own = sides.binding.tenant.own_namespace_of(Virtual(&key.name));
        let lives = sides
            .virtual_cluster
            .get(&resource::NAMESPACES, key)
            .is_some_and(|namespace| !namespace.meta().deleting);
        let Some(Host(own)) = own.filter(|_| lives && asked.enabled) else {
            return Ok(Next::Wait);
        };
        let name = asked.account_name(sides.binding.tenant.cluster());
        let place = ObjectKey::namespaced(own, name);
        if sides.host.get(&resource::SERVICE_ACCOUNTS, &place).is_some() {
            return Ok(Next::Wait);
        }
        made(
            sides
                .host
                .create(&resource::SERVICE_ACCOUNTS, account(&sides.binding, &place))
                .await,
        )
    }
}

fn account(binding: &Binding, place: &ObjectKey) -> Value {
    let asked = &binding.spec.control_plane.advanced.workload_service_account;
    let mut labels = json!(asked.labels);
    labels.set(
        &format!("/{}", MANAGED_BY.replace('/', "~1")),
        binding.tenant.cluster(),
    );
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": false,
        "metadata": {"name": place.name, "namespace": place.namespace, "labels": labels,
            "annotations": asked.annotations},
        "imagePullSecrets": asked.image_pull_secrets})
}

/// An account that is there already is used as it is; a namespace that is not yet there will be.
fn made<T>(result: Result<T, Status>) -> Result<Next, ReconcileError> {
    match result {
        Ok(_) => Ok(Next::Wait),
        Err(status) if status.is(StatusReason::AlreadyExists) => Ok(Next::Wait),
        Err(status) => Err(ReconcileError::Api(status)),
    }
}
