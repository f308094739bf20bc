//! What kinds are called: group, version, kind, resource.

use std::collections::HashSet;
use std::fmt;
use std::sync::{OnceLock, PoisonError, RwLock};

use smol_str::SmolStr;

/// A group and a version, as `apiVersion` spells them: `apps/v1`, or `v1` for the core group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupVersion {
    /// The API group; empty for the core group.
    pub group: SmolStr,
    /// The version, such as `v1`.
    pub version: SmolStr,
}

impl GroupVersion {
    /// Builds from its parts.
    pub fn new(group: impl Into<SmolStr>, version: impl Into<SmolStr>) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
        }
    }

    /// Reads an `apiVersion`. `None` when it has more than one slash or an empty part.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None if text.is_empty() => None,
            None => Some(Self::new("", text)),
            Some((group, version)) if group.is_empty() || version.is_empty() || version.contains('/') => None,
            Some((group, version)) => Some(Self::new(group, version)),
        }
    }
}

impl fmt::Display for GroupVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.version)
        } else {
            write!(f, "{}/{}", self.group, self.version)
        }
    }
}

/// A kind in a group and version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupVersionKind {
    /// The API group; empty for the core group.
    pub group: SmolStr,
    /// The version.
    pub version: SmolStr,
    /// The kind, such as `Deployment`.
    pub kind: SmolStr,
}

/// A resource in a group and version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupVersionResource {
    /// The API group; empty for the core group.
    pub group: SmolStr,
    /// The version.
    pub version: SmolStr,
    /// The plural name, such as `deployments`.
    pub resource: SmolStr,
}

/// A resource of a group, whatever its version: what a store keeps apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupResource {
    /// The API group; empty for the core group.
    pub group: SmolStr,
    /// The plural name, such as `deployments`.
    pub resource: SmolStr,
}

impl GroupResource {
    /// Builds from its parts.
    pub fn new(group: impl Into<SmolStr>, resource: impl Into<SmolStr>) -> Self {
        Self {
            group: group.into(),
            resource: resource.into(),
        }
    }

    /// Reads `deployments.apps` or `pods`.
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            None => Self::new("", text),
            Some((resource, group)) => Self::new(group, resource),
        }
    }
}

/// `deployments.apps`, or `pods`: as upstream's messages name a resource.
impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.resource)
        } else {
            write!(f, "{}.{}", self.resource, self.group)
        }
    }
}

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// Once per cluster.
    Cluster,
}

/// A resource that our own code names: everything needed to address it through a `Cluster` port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version our code reads and writes.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The plural name.
    pub plural: &'static str,
    /// Namespaced or not.
    pub scope: Scope,
}

impl Resource {
    /// The version-independent name.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource {
            group: SmolStr::new_static(self.group),
            resource: SmolStr::new_static(self.plural),
        }
    }

    /// `apps/v1`: what objects of this kind say as `apiVersion`.
    pub fn api_version(&self) -> String {
        GroupVersion::new(self.group, self.version).to_string()
    }

    /// A resource that is only known at run time, such as one of a `CustomResourceDefinition` that the configuration
    /// names. Its words live as long as the process, so only what configuration names is made this way; `None` when
    /// `INTERNED_MAX` words have been kept already.
    pub fn interned(group: &str, version: &str, kind: &str, plural: &str, scope: Scope) -> Option<Self> {
        Some(Self {
            group: interned(group)?,
            version: interned(version)?,
            kind: interned(kind)?,
            plural: interned(plural)?,
            scope,
        })
    }

    /// Whether `other` names the same resource.
    pub fn is(&self, other: &GroupResource) -> bool {
        other.group == self.group && other.resource == self.plural
    }
}

/// The most words that are kept for resources known at run time.
const INTERNED_MAX: usize = 16_384;

/// Each word once, for as long as the process lives.
fn interned(word: &str) -> Option<&'static str> {
    static WORDS: OnceLock<RwLock<HashSet<&'static str>>> = OnceLock::new();
    let words = WORDS.get_or_init(RwLock::default);
    if let Some(known) = words.read().unwrap_or_else(PoisonError::into_inner).get(word) {
        return Some(known);
    }
    let mut words = words.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(word) {
        return Some(known);
    }
    if words.len() >= INTERNED_MAX {
        return None;
    }
    let kept: &'static str = Box::leak(word.to_owned().into_boxed_str());
    words.insert(kept);
    Some(kept)
}

macro_rules! resources {
    ($($const:ident = $group:literal $version:literal $kind:literal $plural:literal $scope:ident;)*) => {
        $(#[doc = concat!("`", $plural, "` of `", $group, "/", $version, "`.")]
        pub const $const: Resource = Resource {
            group: $group, version: $version, kind: $kind, plural: $plural, scope: Scope::$scope,
        };)*
    };
}

resources! {
    NAMESPACES = "" "v1" "Namespace" "namespaces" Cluster;
    MUTATING_WEBHOOK_CONFIGURATIONS = "admissionregistration.k8s.io" "v1" "MutatingWebhookConfiguration" "mutatingwebhookconfigurations" Cluster;
    VALIDATING_WEBHOOK_CONFIGURATIONS = "admissionregistration.k8s.io" "v1" "ValidatingWebhookConfiguration" "validatingwebhookconfigurations" Cluster;
    MUTATING_ADMISSION_POLICIES = "admissionregistration.k8s.io" "v1" "MutatingAdmissionPolicy" "mutatingadmissionpolicies" Cluster;
    MUTATING_ADMISSION_POLICY_BINDINGS = "admissionregistration.k8s.io" "v1" "MutatingAdmissionPolicyBinding" "mutatingadmissionpolicybindings" Cluster;
    VALIDATING_ADMISSION_POLICIES = "admissionregistration.k8s.io" "v1" "ValidatingAdmissionPolicy" "validatingadmissionpolicies" Cluster;
    VALIDATING_ADMISSION_POLICY_BINDINGS = "admissionregistration.k8s.io" "v1" "ValidatingAdmissionPolicyBinding" "validatingadmissionpolicybindings" Cluster;
    NODES = "" "v1" "Node" "nodes" Cluster;
    PERSISTENT_VOLUMES = "" "v1" "PersistentVolume" "persistentvolumes" Cluster;
    PODS = "" "v1" "Pod" "pods" Namespaced;
    SERVICES = "" "v1" "Service" "services" Namespaced;
    ENDPOINTS = "" "v1" "Endpoints" "endpoints" Namespaced;
    CONFIG_MAPS = "" "v1" "ConfigMap" "configmaps" Namespaced;
    SECRETS = "" "v1" "Secret" "secrets" Namespaced;
    EVENTS = "" "v1" "Event" "events" Namespaced;
    SERVICE_ACCOUNTS = "" "v1" "ServiceAccount" "serviceaccounts" Namespaced;
    PERSISTENT_VOLUME_CLAIMS = "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims" Namespaced;
    REPLICATION_CONTROLLERS = "" "v1" "ReplicationController" "replicationcontrollers" Namespaced;
    RESOURCE_QUOTAS = "" "v1" "ResourceQuota" "resourcequotas" Namespaced;
    LIMIT_RANGES = "" "v1" "LimitRange" "limitranges" Namespaced;
    DEPLOYMENTS = "apps" "v1" "Deployment" "deployments" Namespaced;
    REPLICA_SETS = "apps" "v1" "ReplicaSet" "replicasets" Namespaced;
    STATEFUL_SETS = "apps" "v1" "StatefulSet" "statefulsets" Namespaced;
    DAEMON_SETS = "apps" "v1" "DaemonSet" "daemonsets" Namespaced;
    CONTROLLER_REVISIONS = "apps" "v1" "ControllerRevision" "controllerrevisions" Namespaced;
    JOBS = "batch" "v1" "Job" "jobs" Namespaced;
    CRON_JOBS = "batch" "v1" "CronJob" "cronjobs" Namespaced;
    ENDPOINT_SLICES = "discovery.k8s.io" "v1" "EndpointSlice" "endpointslices" Namespaced;
    INGRESSES = "networking.k8s.io" "v1" "Ingress" "ingresses" Namespaced;
    SERVICE_CIDRS = "networking.k8s.io" "v1" "ServiceCIDR" "servicecidrs" Cluster;
    NETWORK_POLICIES = "networking.k8s.io" "v1" "NetworkPolicy" "networkpolicies" Namespaced;
    POD_DISRUPTION_BUDGETS = "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets" Namespaced;
    HORIZONTAL_POD_AUTOSCALERS = "autoscaling" "v2" "HorizontalPodAutoscaler" "horizontalpodautoscalers" Namespaced;
    CERTIFICATE_SIGNING_REQUESTS = "certificates.k8s.io" "v1" "CertificateSigningRequest" "certificatesigningrequests" Cluster;
    LEASES = "coordination.k8s.io" "v1" "Lease" "leases" Namespaced;
    STORAGE_CLASSES = "storage.k8s.io" "v1" "StorageClass" "storageclasses" Cluster;
    PRIORITY_CLASSES = "scheduling.k8s.io" "v1" "PriorityClass" "priorityclasses" Cluster;
    CLUSTER_ROLES = "rbac.authorization.k8s.io" "v1" "ClusterRole" "clusterroles" Cluster;
    CLUSTER_ROLE_BINDINGS = "rbac.authorization.k8s.io" "v1" "ClusterRoleBinding" "clusterrolebindings" Cluster;
    ROLES = "rbac.authorization.k8s.io" "v1" "Role" "roles" Namespaced;
    ROLE_BINDINGS = "rbac.authorization.k8s.io" "v1" "RoleBinding" "rolebindings" Namespaced;
    API_SERVICES = "apiregistration.k8s.io" "v1" "APIService" "apiservices" Cluster;
    CUSTOM_RESOURCE_DEFINITIONS = "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions" Cluster;
    INGRESS_CLASSES = "networking.k8s.io" "v1" "IngressClass" "ingressclasses" Cluster;
    RUNTIME_CLASSES = "node.k8s.io" "v1" "RuntimeClass" "runtimeclasses" Cluster;
    CSI_DRIVERS = "storage.k8s.io" "v1" "CSIDriver" "csidrivers" Cluster;
    CSI_NODES = "storage.k8s.io" "v1" "CSINode" "csinodes" Cluster;
    CSI_STORAGE_CAPACITIES = "storage.k8s.io" "v1" "CSIStorageCapacity" "csistoragecapacities" Namespaced;
    VOLUME_ATTRIBUTES_CLASSES = "storage.k8s.io" "v1" "VolumeAttributesClass" "volumeattributesclasses" Cluster;
    DEVICE_CLASSES = "resource.k8s.io" "v1" "DeviceClass" "deviceclasses" Cluster;
    RESOURCE_CLAIMS = "resource.k8s.io" "v1" "ResourceClaim" "resourceclaims" Namespaced;
    RESOURCE_CLAIM_TEMPLATES = "resource.k8s.io" "v1" "ResourceClaimTemplate" "resourceclaimtemplates" Namespaced;
    VOLUME_SNAPSHOTS = "snapshot.storage.k8s.io" "v1" "VolumeSnapshot" "volumesnapshots" Namespaced;
    VOLUME_SNAPSHOT_CONTENTS = "snapshot.storage.k8s.io" "v1" "VolumeSnapshotContent" "volumesnapshotcontents" Cluster;
    VOLUME_SNAPSHOT_CLASSES = "snapshot.storage.k8s.io" "v1" "VolumeSnapshotClass" "volumesnapshotclasses" Cluster;
    GATEWAY_CLASSES = "gateway.networking.k8s.io" "v1" "GatewayClass" "gatewayclasses" Cluster;
    GATEWAYS = "gateway.networking.k8s.io" "v1" "Gateway" "gateways" Namespaced;
    HTTP_ROUTES = "gateway.networking.k8s.io" "v1" "HTTPRoute" "httproutes" Namespaced;
    GRPC_ROUTES = "gateway.networking.k8s.io" "v1" "GRPCRoute" "grpcroutes" Namespaced;
    TLS_ROUTES = "gateway.networking.k8s.io" "v1" "TLSRoute" "tlsroutes" Namespaced;
    TCP_ROUTES = "gateway.networking.k8s.io" "v1alpha2" "TCPRoute" "tcproutes" Namespaced;
    UDP_ROUTES = "gateway.networking.k8s.io" "v1alpha2" "UDPRoute" "udproutes" Namespaced;
    BACKEND_TLS_POLICIES = "gateway.networking.k8s.io" "v1" "BackendTLSPolicy" "backendtlspolicies" Namespaced;
    REFERENCE_GRANTS = "gateway.networking.k8s.io" "v1beta1" "ReferenceGrant" "referencegrants" Namespaced;
    VIRTUAL_CLUSTERS = "warren.dev" "v1alpha1" "VirtualCluster" "virtualclusters" Namespaced;
}
