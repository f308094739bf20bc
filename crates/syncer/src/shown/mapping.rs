//! `mappings.byName`: where a virtual cluster sees an object of the host. Pure.
//!
//! `namespace/name` or `namespace/*` on either side; `/name` and the empty key are of the virtual cluster's own host
//! namespace; `${name}` is the virtual cluster's name. What names one object goes before what names many.

use warren_apimachinery::ObjectKey;
use warren_apimachinery::resource::Scope;
use warren_config::Mappings;

use crate::binding::Binding;

/// See the module.
pub(crate) struct Mapping<'a> {
    binding: &'a Binding,
    mappings: &'a Mappings,
    scope: Scope,
}

/// One side of an entry. The name may be `*`.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    namespace: String,
    name: String,
}

impl<'a> Mapping<'a> {
    pub(crate) fn new(binding: &'a Binding, mappings: &'a Mappings, scope: Scope) -> Self {
        Self {
            binding,
            mappings,
            scope,
        }
    }

    /// Where the host object `key` is shown.
    pub(crate) fn to_virtual(&self, key: &ObjectKey) -> Option<ObjectKey> {
        if self.scope == Scope::Cluster && self.mappings.by_name.is_empty() {
            return Some(key.clone());
        }
        self.find(key, |(from, to)| (from, to))
    }

    /// What the virtual object `key` shows.
    pub(crate) fn to_host(&self, key: &ObjectKey) -> Option<ObjectKey> {
        if self.scope == Scope::Cluster && self.mappings.by_name.is_empty() {
            return Some(key.clone());
        }
        let host = self.find(key, |(from, to)| (to, from))?;
        // An entry for one object may lead elsewhere what the entry for many would have shown here.
        (self.to_virtual(&host).as_ref() == Some(key)).then_some(host)
    }

    /// The other side of the best entry whose one side fits.
    fn find(&self, key: &ObjectKey, sides: fn((Place, Place)) -> (Place, Place)) -> Option<ObjectKey> {
        let entries = self
            .mappings
            .by_name
            .iter()
            .map(|(from, to)| (self.host(from), self.place(to)));
        let fitting = entries.map(sides).filter(|(here, _)| here.fits(key));
        let (_, there) = fitting.max_by_key(|(here, _)| here.name != "*")?;
        Some(there.key(key))
    }

    fn host(&self, text: &str) -> Place {
        let mut place = self.place(if text.is_empty() { "/*" } else { text });
        if place.namespace.is_empty() && self.scope == Scope::Namespaced {
            place.namespace = self.binding.tenant.host_namespace().0.to_string();
        }
        place
    }

    fn place(&self, text: &str) -> Place {
        let text = text.replace("${name}", self.binding.tenant.cluster());
        let (namespace, name) = text.split_once('/').unwrap_or(("", &text));
        Place {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl Place {
    fn fits(&self, key: &ObjectKey) -> bool {
        self.namespace == key.namespace.as_str() && (self.name == "*" || self.name == key.name.as_str())
    }

    /// This place as a key, `*` being the name of `other`.
    fn key(&self, other: &ObjectKey) -> ObjectKey {
        let name = if self.name == "*" {
            other.name.as_str()
        } else {
            &self.name
        };
        ObjectKey::namespaced(self.namespace.as_str(), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::binding;

    #[test]
    fn objects_are_shown_where_the_mappings_say() {
        let binding = binding();
        let by_name = [
            ("shared/*", "config/*"),
            ("shared/one", "special/renamed"),
            ("/own", "mine/own"),
            ("${name}-infra/ca", "kube-system/ca"),
        ];
        let mappings = Mappings {
            by_name: by_name.map(|(from, to)| (from.to_owned(), to.to_owned())).into(),
        };
        let mapping = Mapping::new(&binding, &mappings, Scope::Namespaced);
        let cases = [
            ("shared", "any", Some(("config", "any"))),
            ("shared", "one", Some(("special", "renamed"))),
            ("team-a", "own", Some(("mine", "own"))),
            ("team-a", "other", None),
            ("demo-infra", "ca", Some(("kube-system", "ca"))),
            ("elsewhere", "any", None),
        ];
        for (namespace, name, expect) in cases {
            let key = ObjectKey::namespaced(namespace, name);
            let shown = mapping.to_virtual(&key);
            assert_eq!(
                shown,
                expect.map(|(namespace, name)| ObjectKey::namespaced(namespace, name)),
                "{key}"
            );
            if let Some(shown) = shown {
                assert_eq!(mapping.to_host(&shown), Some(key));
            }
        }
    }

    #[test]
    fn the_empty_key_is_all_of_the_own_namespace() {
        let binding = binding();
        let mappings = Mappings {
            by_name: [(String::new(), "all/*".to_owned())].into(),
        };
        let mapping = Mapping::new(&binding, &mappings, Scope::Namespaced);
        let key = ObjectKey::namespaced("team-a", "x");
        assert_eq!(mapping.to_virtual(&key), Some(ObjectKey::namespaced("all", "x")));
    }

    #[test]
    fn cluster_scoped_objects_need_no_mapping() {
        let binding = binding();
        let none = Mappings::default();
        let key = ObjectKey::cluster("issuer");
        assert_eq!(
            Mapping::new(&binding, &none, Scope::Cluster).to_virtual(&key),
            Some(key.clone())
        );
        let some = Mappings {
            by_name: [
                ("issuer-*".to_owned(), String::new()),
                ("issuer".to_owned(), "shown".to_owned()),
            ]
            .into(),
        };
        let mapping = Mapping::new(&binding, &some, Scope::Cluster);
        assert_eq!(mapping.to_virtual(&key), Some(ObjectKey::cluster("shown")));
    }
}
