//! Everything that works for the fleet: the built-in controllers, the syncer, the life of virtual clusters, and what makes
//! the embedded host a host.

use std::sync::Arc;

use warren_apimachinery::ClusterId;
use warren_controllers::Role;
use warren_reconciler::{Reconciler, Registration, RunsIn, Runtime};

use crate::api_services::ApiServices;
use crate::authority::FleetAuthority;
use crate::bindings::BindingTable;
use crate::custom_resources::CustomResources;
use crate::fleet::{Fleet, Found};
use crate::flow_control::FlowControl;
use crate::metrics::{HostMetrics, Presence};
use crate::policy_types::PolicyTypes;
use crate::virtual_cluster::{Owner, VirtualClusters, is_host};

/// What the host of the fleet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// One more cluster of this process, which needs controllers, a scheduler and nodes.
    Embedded,
    /// A real one, which has its own.
    Real,
}

/// The runtime of a fleet; `owner` is what all that a virtual cluster has on its host belongs to.
pub(crate) fn runtime(
    fleet: &Arc<Fleet>,
    bindings: &Arc<BindingTable>,
    host: Host,
    owner: Owner,
) -> Arc<Runtime> {
    // Where a cluster of our own is meant: the host, if it is one, is like any other.
    let in_own: RunsIn = match host {
        Host::Embedded => everywhere,
        Host::Real => in_virtual,
    };
    let metrics = HostMetrics::new(fleet, bindings);
    fleet.measured_by(Arc::clone(&metrics));
    let mut all = Vec::new();
    for controller in controllers(fleet, &metrics) {
        match controller.role {
            Role::Any => all.push(registration(controller.reconciler, in_own)),
            Role::OwnNodes if host == Host::Embedded => {
                all.push(registration(controller.reconciler, is_host))
            }
            Role::OwnNodes => {}
        }
    }
    for rule in warren_syncer::all(bindings.clone()) {
        all.push(registration(rule, everywhere));
    }
    let life = VirtualClusters {
        fleet: Arc::downgrade(fleet),
        bindings: Arc::clone(bindings),
        owner,
    };
    all.push(registration(Arc::new(life), is_host));
    if host == Host::Embedded {
        all.push(registration(
            Arc::new(warren_scheduler::Scheduler::default()),
            is_host,
        ));
        all.push(registration(Arc::new(warren_node::Kubelet::default()), is_host));
        all.push(registration(Arc::new(warren_node::Heartbeat), is_host));
    }
    let fleet = || Arc::downgrade(fleet);
    if host == Host::Real {
        let presence = Presence {
            fleet: fleet(),
            metrics,
        };
        all.push(registration(Arc::new(presence), in_virtual));
    }
    all.push(registration(Arc::new(CustomResources { fleet: fleet() }), in_own));
    all.push(registration(Arc::new(FlowControl { fleet: fleet() }), in_own));
    all.push(registration(Arc::new(ApiServices::new(fleet())), in_own));
    all.push(registration(Arc::new(PolicyTypes { fleet: fleet() }), in_own));
    Runtime::new(Arc::new(Found(fleet())), all)
}

fn controllers(fleet: &Arc<Fleet>, metrics: &Arc<HostMetrics>) -> Vec<warren_controllers::Controller> {
    let facts = Arc::new(FleetAuthority(Arc::downgrade(fleet)));
    warren_controllers::all(&warren_controllers::Config {
        authority: facts.clone(),
        quota_usage: facts,
        metrics: Arc::clone(metrics) as _,
    })
}

fn registration(reconciler: Arc<dyn Reconciler>, runs_in: RunsIn) -> Registration {
    Registration { reconciler, runs_in }
}

fn everywhere(_: &ClusterId) -> bool {
    true
}

fn in_virtual(id: &ClusterId) -> bool {
    !is_host(id)
}
