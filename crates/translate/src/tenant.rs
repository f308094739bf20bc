//! A tenant as translation knows it: the virtual cluster's name and where on the host its objects live.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource};

use crate::label::{self, MANAGED_BY, NAMESPACE, namespace_label};
use crate::name::{NameForm, host_cluster_name, host_name, host_part_name};
use crate::namespaces::Namespaces;
use crate::side::{Host, Virtual};

/// The config map that every namespace has and whose content is the same everywhere: one host object serves
/// all namespaces of a tenant.
const ROOT_CA: &str = "kube-root-ca.crt";

/// See the module. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    cluster: SmolStr,
    host_namespace: Host<SmolStr>,
    /// Where virtual namespaces are that have a host namespace of their own.
    namespaces: Option<Arc<Namespaces>>,
}

impl Tenant {
    /// The virtual cluster `cluster`, whose namespaced objects live in `host_namespace`.
    pub fn new(cluster: impl Into<SmolStr>, host_namespace: impl Into<SmolStr>) -> Self {
        Self {
            cluster: cluster.into(),
            host_namespace: Host(host_namespace.into()),
            namespaces: None,
        }
    }

    /// The same, with host namespaces of their own for the virtual namespaces that `mappings` fit (`mappings.byName` of
    /// `sync.toHost.namespaces`), or for all of them if there are none. Names are kept there.
    #[must_use]
    pub fn with_namespaces<'a>(self, mappings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let namespaces = Namespaces::new(&self.cluster, mappings);
        Self {
            namespaces: Some(Arc::new(namespaces)),
            ..self
        }
    }

    /// Whether there are virtual namespaces with host namespaces of their own.
    pub fn has_namespaces(&self) -> bool {
        self.namespaces.is_some()
    }

    /// The host namespace that is a virtual one's own; `None` where that shares the cluster's.
    pub fn own_namespace_of(&self, Virtual(namespace): Virtual<&str>) -> Option<Host<SmolStr>> {
        let namespaces = self.namespaces.as_ref()?;
        let host = namespaces.to_host(&self.cluster, &self.host_namespace.0, namespace)?;
        Some(Host(host))
    }

    /// The host namespace of the objects of a virtual namespace.
    pub fn host_namespace_of(&self, namespace: Virtual<&str>) -> Host<SmolStr> {
        self.own_namespace_of(namespace)
            .unwrap_or_else(|| self.host_namespace.clone())
    }

    /// The virtual cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The host namespace of its namespaced objects, but of those whose virtual namespace has one of its own.
    pub fn host_namespace(&self) -> &Host<SmolStr> {
        &self.host_namespace
    }

    /// Whether objects of the tenant may live in a host namespace, as far as its name says that.
    pub fn lives_in(&self, Host(namespace): Host<&str>) -> bool {
        let is_mapped = |namespaces: &Arc<Namespaces>| namespaces.may_be_ours(namespace);
        self.host_namespace.0 == namespace || self.namespaces.as_ref().is_some_and(is_mapped)
    }

    /// Where the host object of a namespaced virtual object is.
    pub fn host_key(&self, resource: &Resource, key: &Virtual<ObjectKey>) -> Host<ObjectKey> {
        Host(ObjectKey {
            namespace: self.host_namespace_of(Virtual(&key.0.namespace)).0,
            name: self.host_name(resource, key).0,
        })
    }

    /// The name of the host object of a namespaced virtual object.
    pub fn host_name(&self, resource: &Resource, Virtual(key): &Virtual<ObjectKey>) -> Host<SmolStr> {
        let root_ca = || format!("{ROOT_CA}-x-{}", self.cluster);
        if resource.plural == "configmaps" && key.name == ROOT_CA {
            return Host(SmolStr::from(root_ca()));
        }
        // In a namespace of its own a name is kept, but for the one that is taken above.
        if self.own_namespace_of(Virtual(&key.namespace)).is_some() && key.name != root_ca() {
            return Host(key.name.clone());
        }
        Host(SmolStr::from(host_name(
            form(resource),
            &key.name,
            &key.namespace,
            &self.cluster,
        )))
    }

    /// The name of the host object of a cluster-scoped virtual object.
    pub fn host_cluster_name(&self, Virtual(name): Virtual<&str>) -> Host<SmolStr> {
        Host(SmolStr::from(host_cluster_name(
            name,
            &self.host_namespace.0,
            &self.cluster,
        )))
    }

    /// The host object that holds a `part` of one virtual object (such as the tokens of a pod), apart from every
    /// host object that stands for a virtual one. Another incarnation has another uid, and so another name.
    pub fn host_part(
        &self,
        part: &str,
        Virtual(key): &Virtual<ObjectKey>,
        Virtual(uid): Virtual<&str>,
    ) -> Host<ObjectKey> {
        Host(ObjectKey {
            namespace: self.host_namespace_of(Virtual(&key.namespace)).0,
            name: host_part_name(part, &key.name, &key.namespace, &self.cluster, uid).into(),
        })
    }

    /// The tenant's labels as the host has them, without our own (`mark` adds those).
    pub fn host_labels<'a>(
        &self,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> BTreeMap<String, String> {
        label::all_to_host(labels)
    }

    /// The tenant's annotations as the host has them.
    pub fn host_annotations<'a>(
        &self,
        annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> BTreeMap<String, String> {
        label::all_to_host(annotations)
    }

    /// The host key of one of the tenant's labels or annotations.
    pub fn host_label_key(&self, key: &str) -> String {
        label::to_host(key)
    }

    /// The tenant's key of a host label or annotation; `None` for ours, which a tenant never sees.
    pub fn virtual_label_key<'a>(&self, key: &'a str) -> Option<&'a str> {
        label::to_virtual(key)
    }

    /// What a host pod carries of its virtual namespace's labels.
    pub fn namespace_labels<'a>(
        &self,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> BTreeMap<String, String> {
        labels
            .into_iter()
            .map(|(key, value)| (namespace_label(key), value.to_owned()))
            .collect()
    }

    /// A `LabelSelector` of the tenant as one that selects the same objects on the host and no others.
    /// `namespace` bounds it to one virtual namespace. A missing selector (`null`) stays missing: it selects
    /// nothing.
    pub fn host_selector(&self, selector: &Value, namespace: Option<Virtual<&str>>) -> Value {
        if selector.is_null() {
            return Value::Null;
        }
        let mut out = self.renamed(selector, label::to_host);
        self.bind(&mut out, namespace);
        out
    }

    /// A selector of namespaces as one of pods in such namespaces, by the namespace labels that host pods
    /// carry.
    pub fn host_namespace_selector(&self, selector: &Value) -> Value {
        if selector.is_null() {
            return Value::Null;
        }
        self.renamed(selector, namespace_label)
    }

    /// A plain selector map (as Services have) of the tenant as one for the host.
    pub fn host_selector_map(
        &self,
        selector: &Map<String, Value>,
        Virtual(namespace): Virtual<&str>,
    ) -> Value {
        let mut out: Map<String, Value> = selector
            .iter()
            .map(|(key, value)| (label::to_host(key), value.clone()))
            .collect();
        out.insert(MANAGED_BY.to_owned(), self.cluster.as_str().into());
        out.insert(NAMESPACE.to_owned(), namespace.into());
        Value::Object(out)
    }

    /// Adds the cluster's label, and a namespace's, to a host selector.
    pub fn bind(&self, selector: &mut Value, namespace: Option<Virtual<&str>>) {
        if let Some(labels) = selector.object_at("/matchLabels") {
            labels.insert(MANAGED_BY.to_owned(), self.cluster.as_str().into());
            if let Some(Virtual(namespace)) = namespace {
                labels.insert(NAMESPACE.to_owned(), namespace.into());
            }
        }
    }

    fn renamed(&self, selector: &Value, rename: impl Fn(&str) -> String) -> Value {
        let mut out = json!({});
        if let Some(labels) = selector.field("matchLabels").as_object() {
            let renamed = labels
                .iter()
                .map(|(key, value)| (rename(key), value.clone()))
                .collect();
            out.set("/matchLabels", Value::Object(renamed));
        }
        if let Some(expressions) = selector.field("matchExpressions").as_array() {
            let mut expressions = expressions.clone();
            for expression in &mut expressions {
                let key = rename(expression.text("/key"));
                expression.set("/key", key);
            }
            out.set("/matchExpressions", expressions);
        }
        out
    }
}

fn form(resource: &Resource) -> NameForm {
    match resource.plural {
        "services" => NameForm::ServiceLabel,
        "namespaces" => NameForm::Label,
        _ => NameForm::Subdomain,
    }
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::resource;

    use super::*;
    use crate::identity::{Identity, Ownership};

    fn tenant() -> Tenant {
        Tenant::new("demo", "team-a")
    }

    #[test]
    fn the_root_ca_is_one_object_for_all_namespaces() {
        let in_one = tenant().host_key(
            &resource::CONFIG_MAPS,
            &Virtual(ObjectKey::namespaced("one", ROOT_CA)),
        );
        let in_two = tenant().host_key(
            &resource::CONFIG_MAPS,
            &Virtual(ObjectKey::namespaced("two", ROOT_CA)),
        );
        assert_eq!(in_one, in_two);
        assert_eq!(in_one.0.to_string(), "team-a/kube-root-ca.crt-x-demo");
    }

    #[test]
    fn in_a_namespace_of_its_own_a_name_is_kept() {
        let tenant = tenant().with_namespaces([("shop", "demo-shop")]);
        for (resource, namespace, name, expect) in [
            (&resource::PODS, "shop", "web-0", "demo-shop/web-0"),
            (
                &resource::PODS,
                "default",
                "web-0",
                "team-a/web-0-x-default-x-demo",
            ),
            (
                &resource::CONFIG_MAPS,
                "shop",
                ROOT_CA,
                "demo-shop/kube-root-ca.crt-x-demo",
            ),
        ] {
            let key = Virtual(ObjectKey::namespaced(namespace, name));
            assert_eq!(tenant.host_key(resource, &key).0.to_string(), expect);
        }
        let taken = Virtual(ObjectKey::namespaced("shop", "kube-root-ca.crt-x-demo"));
        assert_ne!(tenant.host_name(&resource::CONFIG_MAPS, &taken).0, taken.0.name);
        assert!(tenant.lives_in(Host("demo-shop")) && !tenant.lives_in(Host("demo-default")));
    }

    #[test]
    fn a_selector_is_bound_to_cluster_and_namespace() {
        let selector = json!({"matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "warren.dev/managed-by", "operator": "DoesNotExist"}]});
        assert_eq!(
            tenant().host_selector(&selector, Some(Virtual("shop"))),
            json!({"matchLabels": {"app": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"},
                "matchExpressions": [{"key": "tenant.warren.dev/managed-by", "operator": "DoesNotExist"}]}),
        );
        assert_eq!(tenant().host_selector(&Value::Null, None), Value::Null);
    }

    #[test]
    fn ownership_is_read_back_only_when_everything_agrees() {
        let identity = Identity {
            kind: "Pod".into(),
            key: Virtual(ObjectKey::namespaced("shop", "web-0")),
            uid: Virtual("u".into()),
        };
        let mut object = json!({"metadata": {"name": "web-0-x-shop-x-demo"}});
        tenant().mark(&mut object, &identity);
        assert_eq!(tenant().identify(&object), Ownership::Ours(identity));
        assert_eq!(
            Tenant::new("other", "team-a").identify(&object),
            Ownership::Foreign
        );
        object.set("/metadata/labels/warren.dev~1namespace", "elsewhere");
        assert_eq!(tenant().identify(&object), Ownership::Foreign);
    }
}
