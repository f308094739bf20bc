//! Every plugin by upstream's name, in upstream's order, with what it does and whether it runs unless somebody says.
//!
//! What has to wait (webhooks, quotas, the namespace that is made on the way) has its row here and is called by the
//! chain itself.

use serde_json::Value;
use warren_apimachinery::Status;

use self::Id::*;
use super::{
    Asked, always_deny, always_pull_images, certificate_approval, certificate_signing, default_ingress_class,
    default_storage_class, default_toleration_seconds, deny_service_external_ips, event_rate_limit,
    extended_resource_toleration, limit_pod_hard_anti_affinity_topology, limit_ranger, namespace_exists,
    namespace_lifecycle, node_declared_features, node_restriction, owner_references_permission_enforcement,
    persistent_volume_claim_resize, pod_node_selector, pod_resize, pod_security, pod_toleration_restriction,
    pod_topology_labels, priority, runtime_class, service_account, storage_object_in_use_protection,
    taint_nodes_by_condition,
};

pub(super) type Mutate = fn(&Asked<'_>, &mut Value) -> Result<(), Status>;
pub(super) type Validate = fn(&Asked<'_>, Option<&Value>) -> Result<(), Status>;

/// A plugin, as the bit that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    AlwaysAdmit,
    NamespaceAutoProvision,
    NamespaceLifecycle,
    NamespaceExists,
    LimitPodHardAntiAffinityTopology,
    LimitRanger,
    ServiceAccount,
    NodeRestriction,
    TaintNodesByCondition,
    AlwaysPullImages,
    ImagePolicyWebhook,
    PodSecurity,
    PodNodeSelector,
    Priority,
    DefaultTolerationSeconds,
    PodTolerationRestriction,
    EventRateLimit,
    ExtendedResourceToleration,
    DefaultStorageClass,
    StorageObjectInUseProtection,
    PodGroupProtection,
    OwnerReferencesPermissionEnforcement,
    PersistentVolumeClaimResize,
    RuntimeClass,
    CertificateApproval,
    CertificateSigning,
    ClusterTrustBundleAttest,
    CertificateSubjectRestriction,
    DefaultIngressClass,
    DenyServiceExternalIPs,
    PodTopologyLabels,
    PodGroupWorkloadExists,
    NodeDeclaredFeatureValidator,
    JobValidation,
    PodResizeValidator,
    MutatingAdmissionPolicy,
    MutatingAdmissionWebhook,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionWebhook,
    ResourceQuota,
    AlwaysDeny,
}

/// Whether a plugin runs unless somebody says otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unless {
    On,
    /// As upstream, but for `NodeRestriction`, which every installer of upstream's switches on.
    Off,
}

/// One plugin.
pub(super) struct Plugin {
    pub(super) id: Id,
    pub(super) name: &'static str,
    unless: Unless,
    pub(super) mutate: Option<Mutate>,
    pub(super) validate: Option<Validate>,
}

const fn row(
    id: Id,
    name: &'static str,
    unless: Unless,
    mutate: Option<Mutate>,
    validate: Option<Validate>,
) -> Plugin {
    Plugin {
        id,
        name,
        unless,
        mutate,
        validate,
    }
}

use Unless::{Off, On};

/// All of them. Those without a function are called elsewhere, or are about kinds and gates that upstream does not
/// serve by default either.
#[rustfmt::skip]
pub(super) static PLUGINS: &[Plugin] = &[
    row(AlwaysAdmit, "AlwaysAdmit", Off, None, None),
    row(NamespaceAutoProvision, "NamespaceAutoProvision", Off, None, None),
    row(NamespaceLifecycle, "NamespaceLifecycle", On, Some(namespace_lifecycle::mutate), Some(namespace_lifecycle::validate)),
    row(NamespaceExists, "NamespaceExists", Off, None, Some(namespace_exists::validate)),
    row(LimitPodHardAntiAffinityTopology, "LimitPodHardAntiAffinityTopology", Off, None, Some(limit_pod_hard_anti_affinity_topology::validate)),
    row(LimitRanger, "LimitRanger", On, Some(limit_ranger::mutate), Some(limit_ranger::validate)),
    row(ServiceAccount, "ServiceAccount", On, Some(service_account::mutate), Some(service_account::validate)),
    row(NodeRestriction, "NodeRestriction", On, Some(node_restriction::mutate), Some(node_restriction::validate)),
    row(TaintNodesByCondition, "TaintNodesByCondition", On, Some(taint_nodes_by_condition::mutate), None),
    row(AlwaysPullImages, "AlwaysPullImages", Off, Some(always_pull_images::mutate), Some(always_pull_images::validate)),
    row(ImagePolicyWebhook, "ImagePolicyWebhook", Off, None, None),
    row(PodSecurity, "PodSecurity", On, None, Some(pod_security::validate)),
    row(PodNodeSelector, "PodNodeSelector", Off, Some(pod_node_selector::mutate), Some(pod_node_selector::validate)),
    row(Priority, "Priority", On, Some(priority::mutate), Some(priority::validate)),
    row(DefaultTolerationSeconds, "DefaultTolerationSeconds", On, Some(default_toleration_seconds::mutate), None),
    row(PodTolerationRestriction, "PodTolerationRestriction", Off, Some(pod_toleration_restriction::mutate), Some(pod_toleration_restriction::validate)),
    row(EventRateLimit, "EventRateLimit", Off, None, Some(event_rate_limit::validate)),
    row(ExtendedResourceToleration, "ExtendedResourceToleration", Off, Some(extended_resource_toleration::mutate), None),
    row(DefaultStorageClass, "DefaultStorageClass", On, Some(default_storage_class::mutate), None),
    row(StorageObjectInUseProtection, "StorageObjectInUseProtection", On, Some(storage_object_in_use_protection::mutate), None),
    row(PodGroupProtection, "PodGroupProtection", On, None, None),
    row(OwnerReferencesPermissionEnforcement, "OwnerReferencesPermissionEnforcement", Off, None, Some(owner_references_permission_enforcement::validate)),
    row(PersistentVolumeClaimResize, "PersistentVolumeClaimResize", On, None, Some(persistent_volume_claim_resize::validate)),
    row(RuntimeClass, "RuntimeClass", On, Some(runtime_class::mutate), Some(runtime_class::validate)),
    row(CertificateApproval, "CertificateApproval", On, None, Some(certificate_approval::validate)),
    row(CertificateSigning, "CertificateSigning", On, None, Some(certificate_signing::validate)),
    row(ClusterTrustBundleAttest, "ClusterTrustBundleAttest", On, None, None),
    row(CertificateSubjectRestriction, "CertificateSubjectRestriction", On, None, Some(certificate_signing::validate_subject)),
    row(DefaultIngressClass, "DefaultIngressClass", On, Some(default_ingress_class::mutate), None),
    row(DenyServiceExternalIPs, "DenyServiceExternalIPs", Off, None, Some(deny_service_external_ips::validate)),
    row(PodTopologyLabels, "PodTopologyLabels", On, Some(pod_topology_labels::mutate), None),
    row(PodGroupWorkloadExists, "PodGroupWorkloadExists", On, None, None),
    row(NodeDeclaredFeatureValidator, "NodeDeclaredFeatureValidator", On, None, Some(node_declared_features::validate)),
    row(JobValidation, "JobValidation", On, None, None),
    row(PodResizeValidator, "PodResizeValidator", On, None, Some(pod_resize::validate)),
    row(MutatingAdmissionPolicy, "MutatingAdmissionPolicy", On, None, None),
    row(MutatingAdmissionWebhook, "MutatingAdmissionWebhook", On, None, None),
    row(ValidatingAdmissionPolicy, "ValidatingAdmissionPolicy", On, None, None),
    row(ValidatingAdmissionWebhook, "ValidatingAdmissionWebhook", On, None, None),
    row(ResourceQuota, "ResourceQuota", On, None, None),
    row(AlwaysDeny, "AlwaysDeny", Off, Some(always_deny::mutate), Some(always_deny::validate)),
];

/// Names that upstream once had, and one that needs what is not here: each with why it is refused.
const REFUSED: &[(&str, &str)] = &[(
    "ImagePolicyWebhook",
    "ImagePolicyWebhook is not supported: use a ValidatingWebhookConfiguration",
)];

/// Which plugins run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plugins(u64);

impl Default for Plugins {
    fn default() -> Self {
        let on = PLUGINS.iter().filter(|plugin| plugin.unless == On);
        Self(on.fold(0, |bits, plugin| bits | bit(plugin.id)))
    }
}

const fn bit(id: Id) -> u64 {
    1 << id as u64
}

fn named(name: &str) -> Option<&'static Plugin> {
    PLUGINS.iter().find(|plugin| plugin.name == name)
}

impl Plugins {
    /// The default ones, and what two flags of kube-apiserver say.
    ///
    /// # Errors
    /// What upstream says of names that it does not know, and of those that stand in both.
    pub fn switched(enable: &[String], disable: &[String]) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        for (flag, names) in [
            ("enable-admission-plugins", enable),
            ("disable-admission-plugins", disable),
        ] {
            let unknown = names.iter().filter(|name| named(name).is_none());
            errors.extend(unknown.map(|name| format!("{flag} plugin {name:?} is unknown")));
        }
        let mut both: Vec<&str> = enable
            .iter()
            .filter(|name| disable.contains(name))
            .map(String::as_str)
            .collect();
        both.sort_unstable();
        both.dedup();
        if !both.is_empty() {
            errors.push(format!(
                "[{}] in enable-admission-plugins and disable-admission-plugins overlapped",
                both.join(" ")
            ));
        }
        let refused = REFUSED
            .iter()
            .filter(|(name, _)| enable.iter().any(|asked| asked == name));
        errors.extend(refused.map(|(_, why)| (*why).to_owned()));
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut on = Self::default();
        for plugin in disable.iter().filter_map(|name| named(name)) {
            on.0 &= !bit(plugin.id);
        }
        for plugin in enable.iter().filter_map(|name| named(name)) {
            on.0 |= bit(plugin.id);
        }
        Ok(on)
    }

    /// All names, in upstream's order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PLUGINS.iter().map(|plugin| plugin.name)
    }

    /// Whether a plugin runs.
    pub(super) fn has(self, id: Id) -> bool {
        self.0 & bit(id) != 0
    }

    /// Those that run, in their order.
    pub(super) fn running(self) -> impl Iterator<Item = &'static Plugin> {
        PLUGINS.iter().filter(move |plugin| self.has(plugin.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switched(enable: &[&str], disable: &[&str]) -> Result<Vec<&'static str>, Vec<String>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let plugins = Plugins::switched(&owned(enable), &owned(disable))?;
        Ok(plugins.running().map(|plugin| plugin.name).collect())
    }

    #[test]
    fn every_plugin_has_a_bit_of_its_own_and_upstreams_place() {
        let ids: Vec<u64> = PLUGINS.iter().map(|plugin| plugin.id as u64).collect();
        assert_eq!(ids, (0..41).collect::<Vec<_>>());
        assert!(
            PLUGINS
                .iter()
                .all(|plugin| plugin.name == format!("{:?}", plugin.id))
        );
    }

    #[test]
    fn quotas_are_charged_last_and_webhooks_come_before_them() {
        let on = switched(&["AlwaysPullImages"], &["LimitRanger"]).unwrap();
        assert!(on.contains(&"AlwaysPullImages") && !on.contains(&"LimitRanger"));
        assert_eq!(
            on.get(on.len() - 5..).unwrap(),
            [
                "MutatingAdmissionPolicy",
                "MutatingAdmissionWebhook",
                "ValidatingAdmissionPolicy",
                "ValidatingAdmissionWebhook",
                "ResourceQuota"
            ]
        );
    }

    #[test]
    fn names_that_are_not_there_read_as_upstream_says_it() {
        assert_eq!(
            switched(&["Foo", "LimitRanger"], &["LimitRanger", "SecurityContextDeny"]).unwrap_err(),
            [
                "enable-admission-plugins plugin \"Foo\" is unknown",
                "disable-admission-plugins plugin \"SecurityContextDeny\" is unknown",
                "[LimitRanger] in enable-admission-plugins and disable-admission-plugins overlapped",
            ]
        );
        assert_eq!(
            switched(&["ImagePolicyWebhook"], &[]).unwrap_err(),
            ["ImagePolicyWebhook is not supported: use a ValidatingWebhookConfiguration"]
        );
    }
}
