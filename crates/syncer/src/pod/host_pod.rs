//! The host pod of a virtual pod. Pure: a function of the pod and its surroundings in the virtual cluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_translate::{Tenant, Virtual};

use super::dns::{self, Dns};
use super::needs::ephemeral_claim;
use super::references::{elements, env_from, visit, visit_container};
use super::scheduling::{self, NamespaceLabels};
use super::{downward, enforced, env, hostname, token};
use crate::applied::{APPLIED, Applied, Parts};
use crate::binding::Binding;
use crate::sides::host_metadata;

/// What the virtual cluster holds around a pod.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Labels of the pod's namespace.
    pub(crate) namespace_labels: Vec<(String, String)>,
    /// Services of the pod's namespace; empty when the pod does not want them as variables.
    pub(crate) services: Vec<env::Service>,
    /// Namespaces, if the pod's affinity asks for any by label.
    pub(crate) namespaces: Vec<NamespaceLabels>,
    /// The keys of the config maps and secrets that `envFrom` names, by resource and name.
    pub(crate) keys: BTreeMap<(&'static str, String), Vec<String>>,
    /// How names are resolved.
    pub(crate) dns: Dns,
    /// Where the API is.
    pub(crate) api: (String, u16),
    /// The host's priority class for the one that the tenant names, if that one crosses.
    pub(crate) priority_class: Option<String>,
}

/// See the module. The base (`applied`) is not in it yet: see `finish`.
pub(crate) fn host_pod(binding: &Binding, pod: &Value, around: &Surroundings) -> Value {
    let tenant = &binding.tenant;
    let mut spec = pod.at("/spec").clone();
    drop_what_stays(&mut spec);
    spec.set("/serviceAccountName", account(binding, pod));
    spec.set("/automountServiceAccountToken", false);
    spec.set("/enableServiceLinks", false);
    hostname::translate(pod, &around.dns.domain, &mut spec);
    let mut metadata = metadata(binding, pod, &around.namespace_labels);
    downward::annotate(tenant, pod, &mut spec, &mut metadata);
    let key = pod_key(pod);
    let secret = token::secret_key(tenant, &key, pod.text("/metadata/uid"));
    rename(tenant, &key.namespace, &mut spec);
    token::translate(&mut spec, &secret.name);
    ephemeral_volumes(tenant, pod, &mut spec);
    let generated = env::generated(&around.api, &around.services);
    for list in ["initContainers", "containers"] {
        for (container, original) in elements(&mut spec, list).zip(pod.items(&format!("/spec/{list}"))) {
            environment(tenant, pod, container, &generated, &brought(original, around));
        }
    }
    if enforced::is_scheduled_by_tenant(&binding.spec, &spec) {
        scheduling::forget(&mut spec);
    } else {
        scheduling::translate(tenant, pod, &mut spec, &around.namespaces);
    }
    enforced::translate(&binding.spec, around.priority_class.as_deref(), &mut spec);
    dns::translate(&around.dns, &key.namespace, &mut spec);
    api_alias(around, &mut spec);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// The host account that the pod runs as: its own where accounts are synced, else one that may do nothing.
pub(super) fn account(binding: &Binding, pod: &Value) -> String {
    if binding.spec.sync.to_host.service_accounts.enabled {
        let name = pod_account(pod);
        return host_name(
            &binding.tenant,
            &resource::SERVICE_ACCOUNTS,
            pod.text("/metadata/namespace"),
            name,
        );
    }
    let workload = &binding.spec.control_plane.advanced.workload_service_account;
    workload.account_name(binding.tenant.cluster())
}

/// The virtual account of a pod.
pub(super) fn pod_account(pod: &Value) -> &str {
    match pod.text("/spec/serviceAccountName") {
        "" => "default",
        account => account,
    }
}

/// The parts that may change after creation, and the base that says they were carried over.
pub(crate) fn finish(host_pod: &mut Value, parts: &Parts) {
    if let Some(annotations) = host_pod.object_at("/metadata/annotations") {
        annotations.insert(APPLIED.to_owned(), Applied::of(parts).to_text().into());
    }
}

/// The host metadata of a pod: labels of its namespace included, owned, and controlled where the virtual pod is, so
/// that a drain of the host's nodes treats it alike.
pub(crate) fn metadata(binding: &Binding, pod: &Value, namespace_labels: &[(String, String)]) -> Value {
    let mut metadata = host_metadata(binding, &resource::PODS, pod);
    let labels = namespace_labels
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    if let Some(all) = metadata.object_at("/labels") {
        for (key, value) in binding.tenant.namespace_labels(labels) {
            all.insert(key, value.into());
        }
    }
    let owners = pod.items("/metadata/ownerReferences");
    let controlled = owners
        .iter()
        .any(|owner| owner.at("/controller").as_bool().unwrap_or_default());
    if controlled {
        for owner in elements(&mut metadata, "ownerReferences") {
            owner.set("/controller", true);
        }
    }
    metadata
}

/// An ephemeral container as the host pod gets it.
pub(crate) fn ephemeral_container(
    binding: &Binding,
    pod: &Value,
    container: &Value,
    around: &Surroundings,
) -> Value {
    let tenant = &binding.tenant;
    let mut out = container.clone();
    if let Some(image) = enforced::image(&binding.spec.sync.to_host.pods, container.text("/image")) {
        out.set("/image", image);
    }
    let namespace = pod.text("/metadata/namespace").to_owned();
    visit_container(&mut out, &mut |resource, name| {
        *name = host_name(tenant, resource, &namespace, name)
    });
    let generated = env::generated(&around.api, &around.services);
    environment(tenant, pod, &mut out, &generated, &brought(container, around));
    out
}

fn environment(
    tenant: &Tenant,
    pod: &Value,
    container: &mut Value,
    generated: &[(String, String)],
    brought: &[String],
) {
    for env in elements(container, "env") {
        downward::translate_env(tenant, pod, env);
    }
    env::prepend(container, generated, brought);
}

/// What only the virtual cluster's API server decides on, or the host's anew: accounts, priorities by class, overhead.
fn drop_what_stays(spec: &mut Value) {
    const DROPPED: &[&str] = &[
        "/serviceAccount",
        "/priority",
        "/priorityClassName",
        "/preemptionPolicy",
        "/overhead",
        "/ephemeralContainers",
    ];
    for field in DROPPED {
        spec.take_at(field);
    }
    if spec.text("/nodeName").is_empty() {
        spec.take_at("/nodeName");
    }
}

fn rename(tenant: &Tenant, namespace: &str, spec: &mut Value) {
    visit(spec, &mut |resource, name| {
        *name = host_name(tenant, resource, namespace, name)
    });
}

fn host_name(tenant: &Tenant, resource: &Resource, namespace: &str, name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    let key = Virtual(ObjectKey::namespaced(namespace, name));
    tenant.host_name(resource, &key).0.to_string()
}

/// The claims of ephemeral volumes are made in the virtual cluster, by the controller that makes them everywhere. The host
/// pod names what they are on the host: left as they are, the host would make them a second time.
fn ephemeral_volumes(tenant: &Tenant, pod: &Value, spec: &mut Value) {
    for volume in elements(spec, "volumes") {
        if volume
            .take_at("/ephemeral")
            .is_none_or(|ephemeral| ephemeral.is_null())
        {
            continue;
        }
        let claim = ephemeral_claim(pod, volume);
        let namespace = pod.text("/metadata/namespace");
        let host = host_name(tenant, &resource::PERSISTENT_VOLUME_CLAIMS, namespace, &claim);
        volume.set("/persistentVolumeClaim", json!({"claimName": host}));
    }
}

/// The names of the variables that a container's `envFrom` brings.
fn brought(container: &Value, around: &Surroundings) -> Vec<String> {
    env_from(container)
        .flat_map(|(resource, name, prefix)| {
            let keys = around.keys.get(&(resource.plural, name.to_owned()));
            keys.into_iter()
                .flatten()
                .map(move |key| format!("{prefix}{key}"))
        })
        .collect()
}

/// `kubernetes.default.svc` leads to the virtual cluster's API even where no DNS server knows it.
fn api_alias(around: &Surroundings, spec: &mut Value) {
    let (address, _) = &around.api;
    if address.parse::<std::net::IpAddr>().is_err() {
        return;
    }
    let full = format!("kubernetes.default.svc.{}", around.dns.domain);
    // The full name first: that is what a lookup of any of them answers with.
    let alias = json!({"ip": address, "hostnames": [full, "kubernetes", "kubernetes.default", "kubernetes.default.svc"]});
    let mut all = spec.items("/hostAliases").to_vec();
    all.push(alias);
    spec.set("/hostAliases", all);
}

/// The key of a pod.
pub(crate) fn pod_key(pod: &Value) -> ObjectKey {
    ObjectKey {
        namespace: SmolStr::new(pod.text("/metadata/namespace")),
        name: SmolStr::new(pod.text("/metadata/name")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pod::references::references;
    use crate::testing::binding;

    fn around() -> Surroundings {
        Surroundings {
            namespace_labels: vec![("team".to_owned(), "blue".to_owned())],
            services: Vec::new(),
            namespaces: Vec::new(),
            keys: BTreeMap::from([(("configmaps", "ref-env".to_owned()), vec!["PORT".to_owned()])]),
            dns: Dns {
                nameserver: None,
                domain: "cluster.local".to_owned(),
            },
            api: ("10.9.9.9".to_owned(), 443),
            priority_class: None,
        }
    }

    fn made(spec: Value) -> Value {
        let pod = json!({"metadata": {"name": "web.0", "namespace": "shop", "uid": "u",
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": "r", "controller": true}]}, "spec": spec});
        host_pod(&binding(), &pod, &around())
    }

    #[test]
    fn the_host_decides_on_accounts_priorities_and_overhead() {
        let host = made(
            json!({"serviceAccount": "sa", "serviceAccountName": "sa", "priority": 1000,
            "priorityClassName": "system-cluster-critical", "preemptionPolicy": "Never", "overhead": {"cpu": "1"},
            "subdomain": "web", "containers": [{"name": "c", "image": "i"}]}),
        );
        for field in [
            "serviceAccount",
            "priority",
            "priorityClassName",
            "preemptionPolicy",
            "overhead",
            "subdomain",
        ] {
            assert!(host.at("/spec").field(field).is_null(), "{field}");
        }
        assert_eq!(host.text("/spec/serviceAccountName"), "vc-workload-demo");
        assert_eq!(host.text("/spec/hostname"), "web-0");
        assert_eq!(host.text("/spec/dnsPolicy"), "Default");
        assert_eq!(
            host.at("/metadata/ownerReferences"),
            &json!([{"apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster", "name": "demo", "uid": "owner",
                "controller": true}])
        );
        assert_eq!(host.text("/spec/hostAliases/0/ip"), "10.9.9.9");
    }

    #[test]
    fn variables_that_env_from_brings_are_not_hidden_by_generated_ones() {
        let mut around = around();
        let keys = vec!["SERVICE_HOST".to_owned()];
        around.keys = BTreeMap::from([(("configmaps", "conf".to_owned()), keys)]);
        let pod = json!({"metadata": {"name": "a", "namespace": "b"}, "spec": {"containers": [
            {"name": "c", "envFrom": [{"prefix": "KUBERNETES_", "configMapRef": {"name": "conf"}}]}]}});
        let host = host_pod(&binding(), &pod, &around);
        let names: Vec<&str> = host
            .items("/spec/containers/0/env")
            .iter()
            .map(|env| env.text("/name"))
            .collect();
        assert!(!names.contains(&"KUBERNETES_SERVICE_HOST"));
        assert!(names.contains(&"KUBERNETES_SERVICE_PORT"));
    }

    /// A spec that names config maps, secrets and claims wherever one can; `ref-` marks them.
    fn specs() -> impl Strategy<Value = Value> {
        let name = "ref-[a-z]{1,8}([-.][a-z0-9]{1,6}){0,2}";
        let volume = (0..15_usize, name).prop_map(|(kind, name)| match kind {
            0 => json!({"configMap": {"name": name}}),
            1 => json!({"secret": {"secretName": name}}),
            2 => json!({"persistentVolumeClaim": {"claimName": name}}),
            3 => {
                json!({"projected": {"sources": [{"configMap": {"name": name}}, {"secret": {"name": name}}]}})
            }
            4 => json!({"csi": {"driver": "d", "nodePublishSecretRef": {"name": name}}}),
            5 => json!({"azureFile": {"secretName": name}}),
            6 => json!({"cephfs": {"secretRef": {"name": name}}}),
            7 => json!({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}),
            8 => json!({"iscsi": {"secretRef": {"name": name}}}),
            9 => json!({"cinder": {"secretRef": {"name": name}}}),
            10 => json!({"flexVolume": {"secretRef": {"name": name}}}),
            11 => json!({"rbd": {"secretRef": {"name": name}}}),
            12 => json!({"scaleIO": {"secretRef": {"name": name}}}),
            13 => json!({"storageos": {"secretRef": {"name": name}}}),
            // The claim is named after the pod and the volume.
            _ => json!({"name": name, "ephemeral": {"volumeClaimTemplate": {"spec": {
                "dataSource": {"kind": "PersistentVolumeClaim", "name": name}}}}}),
        });
        let env = (0..2_usize, name).prop_map(|(kind, name)| match kind {
            0 => json!({"name": "A", "valueFrom": {"configMapKeyRef": {"name": name, "key": "k"}}}),
            _ => json!({"name": "B", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}),
        });
        let env_from = (0..2_usize, name).prop_map(|(kind, name)| match kind {
            0 => json!({"configMapRef": {"name": name}}),
            _ => json!({"secretRef": {"name": name}}),
        });
        let pulls = prop::collection::vec(name.prop_map(|name| json!({"name": name})), 0..2);
        let volumes = prop::collection::vec(volume, 0..6);
        let (env, env_from) = (
            prop::collection::vec(env, 0..3),
            prop::collection::vec(env_from, 0..3),
        );
        (volumes, env, env_from, pulls).prop_map(|(volumes, env, env_from, pulls)| {
            json!({"volumes": volumes, "imagePullSecrets": pulls,
                "containers": [{"name": "c", "image": "i", "env": env}],
                "initContainers": [{"name": "i", "image": "i", "envFrom": env_from}]})
        })
    }

    fn texts<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
        match value {
            Value::String(text) => out.push(text),
            Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
            Value::Object(map) => map.values().for_each(|value| texts(value, out)),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn no_name_reaches_the_host_untranslated(spec in specs()) {
            let host = made(spec.clone());
            let tenant = binding().tenant;
            let mut expect: Vec<String> = references(&spec)
                .into_iter()
                .map(|(resource, name)| host_name(&tenant, resource, "shop", &name))
                .collect();
            expect.push(token::secret_key(&tenant, &ObjectKey::namespaced("shop", "web.0"), "u").name.to_string());
            for volume in spec.items("/volumes").iter().filter(|volume| !volume.field("ephemeral").is_null()) {
                let claim = format!("web.0-{}", volume.text("/name"));
                expect.push(host_name(&tenant, &resource::PERSISTENT_VOLUME_CLAIMS, "shop", &claim));
                // A volume's own name stays.
                expect.push(volume.text("/name").to_owned());
            }
            for (_, name) in references(host.at("/spec")) {
                prop_assert!(expect.contains(&name), "{name}");
            }
            let mut all = Vec::new();
            texts(host.at("/spec"), &mut all);
            for text in all.into_iter().filter(|text| text.starts_with("ref-")) {
                prop_assert!(expect.iter().any(|name| name == text), "{text}");
            }
        }
    }
}
