//! The host pod of a virtual pod. Pure: a function of the pod and its surroundings in the virtual cluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_translate::{Tenant, Virtual};

use super::dns::{self, Dns};
use super::references::{CONTAINERS, elements, env_from, visit, visit_container};
use super::scheduling::{self, NamespaceLabels};
use super::{downward, env, token};
use crate::applied::{APPLIED, Applied, Parts};
use crate::binding::Binding;
use crate::sides::{host_metadata, pairs};

/// The workload account of the host namespace: it may do nothing, and its token is never mounted.
const WORKLOAD_ACCOUNT: &str = "default";

/// What the virtual cluster holds around a pod.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Labels of the pod's namespace.
    pub(crate) namespace_labels: Vec<(String, String)>,
    /// Services of the pod's namespace; empty when the pod does not want them as variables.
    pub(crate) services: Vec<Value>,
    /// Namespaces, if the pod's affinity asks for any by label.
    pub(crate) namespaces: Vec<NamespaceLabels>,
    /// The keys of the config maps and secrets that `envFrom` names, by resource and name.
    pub(crate) keys: BTreeMap<(&'static str, String), Vec<String>>,
    /// How names are resolved.
    pub(crate) dns: Dns,
    /// Where the API is.
    pub(crate) api: (String, u16),
}

/// See the module. The base (`applied`) is not in it yet: see `finish`.
pub(crate) fn host_pod(binding: &Binding, pod: &Value, around: &Surroundings) -> Value {
    let tenant = &binding.tenant;
    let mut spec = pod.at("/spec").clone();
    drop_what_stays(&mut spec);
    spec.set("/serviceAccountName", WORKLOAD_ACCOUNT);
    spec.set("/automountServiceAccountToken", false);
    spec.set("/enableServiceLinks", false);
    spec.set("/hostname", hostname(pod));
    let mut metadata = metadata(binding, pod, &around.namespace_labels);
    for (key, value) in downward::translate(tenant, pod, &mut spec) {
        metadata.set(&format!("/annotations/{}", key.replace('/', "~1")), value);
    }
    let key = pod_key(pod);
    let secret = token::secret_key(tenant, &key, pod.text("/metadata/uid"));
    rename(tenant, &key.namespace, &mut spec);
    token::translate(&mut spec, &secret.name);
    ephemeral_claims(binding, pod, &mut spec);
    let generated = env::generated(&around.api, &around.services);
    for list in ["initContainers", "containers"] {
        for (container, original) in elements(&mut spec, list).zip(pod.items(&format!("/spec/{list}"))) {
            environment(tenant, pod, container, &generated, &brought(original, around));
        }
    }
    scheduling::translate(tenant, pod, &mut spec, &around.namespaces);
    dns::translate(&around.dns, &key.namespace, &mut spec);
    api_alias(around, &mut spec);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
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
    tenant: &Tenant,
    pod: &Value,
    container: &Value,
    around: &Surroundings,
) -> Value {
    let mut out = container.clone();
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
        "/subdomain",
        "/setHostnameAsFQDN",
        "/ephemeralContainers",
    ];
    for field in DROPPED {
        spec.take_at(field);
    }
    if spec.text("/nodeName").is_empty() {
        spec.take_at("/nodeName");
    }
}

/// What a kubelet would call a pod of this name; the host pod has another.
fn hostname(pod: &Value) -> String {
    let own = match pod.text("/spec/hostname") {
        "" => pod.text("/metadata/name").replace('.', "-"),
        hostname => hostname.to_owned(),
    };
    own.get(..63).unwrap_or(&own).trim_end_matches('-').to_owned()
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

/// Claims that live with the pod are made on the host, with the tenant's labels as the host has them.
fn ephemeral_claims(binding: &Binding, pod: &Value, spec: &mut Value) {
    for volume in elements(spec, "volumes") {
        let Some(template) = volume.pointer_mut("/ephemeral/volumeClaimTemplate") else {
            continue;
        };
        let tenant = &binding.tenant;
        for (field, all) in [
            (
                "/metadata/labels",
                tenant.host_labels(pairs(template.at("/metadata/labels"))),
            ),
            (
                "/metadata/annotations",
                tenant.host_annotations(pairs(template.at("/metadata/annotations"))),
            ),
        ] {
            if !all.is_empty() {
                template.set(field, json!(all));
            }
        }
        let namespace = Virtual(pod.text("/metadata/namespace"));
        let selector = tenant.host_selector(template.at("/spec/selector"), Some(namespace));
        if !selector.is_null() {
            template.set("/spec/selector", selector);
        }
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
    let alias = json!({"ip": address, "hostnames": ["kubernetes", "kubernetes.default", "kubernetes.default.svc", full]});
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

/// The images of a host pod by container, as parts are named.
pub(crate) fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    CONTAINERS
        .iter()
        .take(2)
        .flat_map(move |list| spec.field(list).as_array().into_iter().flatten())
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
        assert_eq!(host.text("/spec/serviceAccountName"), "default");
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
        let volume = (0..9_usize, name).prop_map(|(kind, name)| match kind {
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
            _ => json!({"ephemeral": {"volumeClaimTemplate": {"spec": {
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
