//! The list of controllers, and which clusters each is for.

use std::sync::Arc;

use warren_reconciler::Reconciler;

use crate::authority::Authority;
use crate::certificate_signing::CertificateSigning;
use crate::cluster_role_aggregation::ClusterRoleAggregation;
use crate::cron_job::CronJobs;
use crate::daemon_set::DaemonSets;
use crate::deployment::Deployments;
use crate::disruption::DisruptionBudgets;
use crate::endpoint_slice::EndpointSlices;
use crate::endpoint_slice::mirroring::EndpointSliceMirroring;
use crate::endpoints::Endpoints;
use crate::ephemeral_volume::EphemeralVolumes;
use crate::event_ttl::EventTtl;
use crate::garbage_collector::GarbageCollector;
use crate::horizontal_pod_autoscaler::HorizontalPodAutoscalers;
use crate::job::Jobs;
use crate::namespace::Namespaces;
use crate::namespace_defaults::{DefaultServiceAccounts, RootCaPublisher};
use crate::node_lifecycle::NodeLifecycle;
use crate::pod_gc::PodGc;
use crate::replica_set::{ReplicaSets, ReplicationControllers};
use crate::resource_metrics::ResourceMetrics;
use crate::resource_quota::{QuotaUsage, ResourceQuotas};
use crate::service_account_token::ServiceAccountTokens;
use crate::stateful_set::StatefulSets;
use crate::storage_protection::{ClaimProtection, VolumeProtection};
use crate::taint_eviction::TaintEviction;
use crate::ttl_after_finished::TtlAfterFinished;
use crate::volume_binder::{ClaimBinder, VolumeFollower};

/// On which clusters a controller has something to do. The fleet decides which cluster plays which role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// On every cluster.
    Any,
    /// Only where nodes and volumes are the cluster's own: the embedded host, not a virtual cluster.
    OwnNodes,
}

/// What the controllers need beyond the clusters themselves.
#[derive(Clone)]
pub struct Config {
    /// Certificates and tokens.
    pub authority: Arc<dyn Authority>,
    /// How quotas are counted.
    pub quota_usage: Arc<dyn QuotaUsage>,
    /// What pods use.
    pub metrics: Arc<dyn ResourceMetrics>,
}

/// A controller and where it belongs.
#[derive(Clone)]
pub struct Controller {
    /// On which clusters it has something to do.
    pub role: Role,
    /// The controller.
    pub reconciler: Arc<dyn Reconciler>,
}

/// All controllers.
pub fn all(config: &Config) -> Vec<Controller> {
    vec![
        on(Role::Any, ReplicaSets),
        on(Role::Any, ReplicationControllers),
        on(Role::Any, Deployments),
        on(Role::Any, StatefulSets),
        on(Role::Any, DaemonSets),
        on(Role::Any, Jobs),
        on(Role::Any, CronJobs),
        on(Role::Any, Endpoints),
        on(Role::Any, EndpointSlices),
        on(Role::Any, EndpointSliceMirroring),
        on(Role::Any, Namespaces),
        on(Role::Any, DefaultServiceAccounts),
        on(
            Role::Any,
            RootCaPublisher {
                authority: config.authority.clone(),
            },
        ),
        on(Role::Any, GarbageCollector),
        on(Role::Any, TtlAfterFinished),
        on(Role::Any, EventTtl),
        on(Role::Any, DisruptionBudgets),
        on(Role::Any, HorizontalPodAutoscalers::new(config.metrics.clone())),
        on(Role::Any, ClusterRoleAggregation),
        on(
            Role::Any,
            ResourceQuotas {
                usage: config.quota_usage.clone(),
            },
        ),
        on(
            Role::Any,
            ServiceAccountTokens {
                authority: config.authority.clone(),
            },
        ),
        on(
            Role::Any,
            CertificateSigning {
                authority: config.authority.clone(),
            },
        ),
        on(
            Role::OwnNodes,
            NodeLifecycle {
                since: jiff::Timestamp::now(),
            },
        ),
        on(Role::OwnNodes, TaintEviction),
        on(Role::OwnNodes, PodGc),
        on(Role::OwnNodes, ClaimBinder),
        on(Role::OwnNodes, VolumeFollower),
        on(Role::Any, EphemeralVolumes),
        on(Role::Any, ClaimProtection),
        on(Role::Any, VolumeProtection),
    ]
}

fn on(role: Role, reconciler: impl Reconciler) -> Controller {
    Controller {
        role,
        reconciler: Arc::new(reconciler),
    }
}
