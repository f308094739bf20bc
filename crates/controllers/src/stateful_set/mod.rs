//! StatefulSets: pods with stable names and claims of their own, one after the other. Owns the shell; `plan` decides the
//! next steps, `identity` what pods and claims look like, `status` what is told.

mod identity;
mod plan;
mod status;
mod steps;

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::apps::v1::{StatefulSetSpec, StatefulSetStatus};
use warren_apimachinery::resource::{CONTROLLER_REVISIONS, PODS, STATEFUL_SETS};
use warren_apimachinery::{Object, ObjectKey, Resource};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use crate::controller_revision::{self, History, Revision};
use crate::label_selector::{self, Selector};
use crate::owner;
use crate::percent::{Rounding, scaled};
use crate::pod::Pod;
use crate::timestamp;
use crate::view::{Parts, view};
use warren_reconciler::event::Recorder;

use plan::{Desired, Member, Order, Strategy};

const RECORDER: Recorder = Recorder {
    component: "statefulset-controller",
};

/// The controller.
pub(crate) struct StatefulSets;

type StatefulSet = Parts<StatefulSetSpec, StatefulSetStatus>;

/// A set with the two revisions that its pods may have.
struct Pass<'a> {
    cx: &'a Context,
    object: Arc<Object>,
    set: StatefulSet,
    selector: Selector,
    current: Revision,
    update: Revision,
}

#[async_trait]
impl Reconciler for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulset"
    }

    fn watches(&self) -> &'static [Resource] {
        &[STATEFUL_SETS, PODS, CONTROLLER_REVISIONS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if STATEFUL_SETS.is(&change.resource) {
            out.add(change.object.key());
        } else {
            owner::trigger(change, cluster, &STATEFUL_SETS, out);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(object) = cx.cluster.get(&STATEFUL_SETS, key) else {
            return Ok(Next::Wait);
        };
        let set: StatefulSet = view(&object)?;
        let selector = label_selector::of(&set.spec.selector);
        let history = History {
            cluster: cx.cluster.as_ref(),
            resource: &STATEFUL_SETS,
            owner: &object,
            collisions: i64::from(set.status.collision_count.unwrap_or_default()),
        };
        let revisions = history.list(&selector).await?;
        let revisions = history.ensure(revisions).await?;
        let named = set.status.current_revision.as_deref();
        let current = revisions
            .all
            .iter()
            .find(|revision| Some(revision.name()) == named);
        let pass = Pass {
            cx,
            object: object.clone(),
            current: current.unwrap_or(&revisions.update).clone(),
            update: revisions.update.clone(),
            set,
            selector,
        };
        let (next, members) = pass.run().await?;
        let limit = pass.set.spec.revision_history_limit.unwrap_or(10);
        let in_use = |revision: &Revision| {
            let name = revision.name();
            let pods = members.iter().map(|member| member.pod.meta());
            name == pass.current.name()
                || name == pass.update.name()
                || pods
                    .into_iter()
                    .any(|pod| controller_revision::of_pod(pod) == name)
        };
        let limit = usize::try_from(limit).unwrap_or_default();
        history.truncate(&revisions.all, limit, in_use).await?;
        Ok(next)
    }
}

impl Pass<'_> {
    async fn run(&self) -> Result<(Next, Vec<Member>), ReconcileError> {
        let members = self.members().await?;
        let desired = self.desired();
        let actions = plan::plan(&desired, &members, self.cx.now);
        let failure = self.take(&actions, &members).await.err();
        let members = if actions.is_empty() {
            members
        } else {
            self.members().await?
        };
        self.keep_claim_owners(&members).await?;
        let status = status::decide(self, &members);
        let cluster = self.cx.cluster.as_ref();
        crate::status::write(cluster, &STATEFUL_SETS, &self.object, status).await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let next = members
            .iter()
            .filter_map(|member| member.pod.available_at(desired.min_ready_seconds, self.cx.now))
            .min()
            .map_or(Next::Wait, |at| Next::After(timestamp::until(at, self.cx.now)));
        Ok((next, members))
    }

    /// The set's pods in order of their ordinals, after adoption and release.
    async fn members(&self) -> Result<Vec<Member>, ReconcileError> {
        let meta = self.object.meta();
        let cluster = self.cx.cluster.as_ref();
        let candidates = cluster.list(&PODS, Some(&meta.namespace));
        let named = candidates
            .into_iter()
            .filter(|pod| identity::ordinal(&meta.name, &pod.meta().name).is_some())
            .collect();
        let owner = (&STATEFUL_SETS, meta);
        let claimed = owner::claim(cluster, owner, &self.selector, (&PODS, named)).await?;
        let mut members: Vec<Member> = claimed
            .into_iter()
            .filter_map(|pod| {
                let ordinal = identity::ordinal(&meta.name, &pod.meta().name)?;
                Some(Member {
                    ordinal,
                    pod: Pod::of(pod),
                })
            })
            .collect();
        members.sort_by_key(|member| member.ordinal);
        Ok(members)
    }

    fn start(&self) -> i64 {
        let ordinals = self.set.spec.ordinals.as_ref();
        i64::from(ordinals.and_then(|ordinals| ordinals.start).unwrap_or_default())
    }

    fn desired(&self) -> Desired<'_> {
        let spec = &self.set.spec;
        let replicas = i64::from(spec.replicas.unwrap_or(1));
        Desired {
            start: self.start(),
            replicas,
            order: match spec.pod_management_policy.as_deref() {
                Some("Parallel") => Order::Parallel,
                _ => Order::Ordered,
            },
            strategy: self.strategy(replicas),
            min_ready_seconds: i64::from(spec.min_ready_seconds.unwrap_or_default()),
            update_revision: self.update.name(),
            deleting: self.object.meta().deleting,
        }
    }

    fn strategy(&self, replicas: i64) -> Strategy {
        let strategy = self.set.spec.update_strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
            return Strategy::OnDelete;
        }
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let max_unavailable = rolling
            .and_then(|rolling| rolling.max_unavailable.as_ref())
            .map_or(1, |max| scaled(max, replicas, Rounding::Down));
        Strategy::Rolling {
            partition: i64::from(rolling.and_then(|rolling| rolling.partition).unwrap_or_default()),
            max_unavailable: max_unavailable.max(1),
        }
    }

    /// The revision that a new pod gets: below the partition, the old one.
    fn revision_of(&self, ordinal: i64) -> &Revision {
        let rolling = self
            .set
            .spec
            .update_strategy
            .as_ref()
            .and_then(|s| s.rolling_update.as_ref());
        let boundary = match (self.strategy(0), rolling) {
            (Strategy::OnDelete, _) => return &self.update,
            (_, None) => i64::from(self.set.status.current_replicas.unwrap_or_default()),
            (Strategy::Rolling { partition, .. }, Some(_)) => partition,
        };
        if ordinal < self.start() + boundary {
            &self.current
        } else {
            &self.update
        }
    }
}

#[cfg(test)]
mod tests;
