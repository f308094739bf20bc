//! What all clusters of a process share: parsed rules, indexes of equal clusters, checked token signatures.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use serde_json::Value;
use sha2::{Digest, Sha256};
use warren_apimachinery::resource::{CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES};
use warren_apimachinery::{GroupResource, Object, ObjectKey};
use warren_pki::Claims;
use warren_rbac::{Aggregation, Binding, Index, RoleKind, Roles, Rule, aggregated_rules};
use warren_storage::Snapshot;

use crate::outbound::Outbound;
use crate::parsed::Parsed;

/// How many checked tokens are remembered, in two halves.
const TOKENS: usize = 8192;
/// How many different indexes are offered to other clusters.
const INDEXES: usize = 64;

static RBAC: LazyLock<[GroupResource; 4]> = LazyLock::new(|| {
    [CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS].map(|resource| resource.group_resource())
});

/// Caches of a process, bounded; every cluster's `Guard` holds the same one. Nothing in it outlives its last user
/// but the checked tokens, which age out.
#[derive(Default)]
pub struct Shared {
    roles: Parsed<Role>,
    bindings: Parsed<Binding>,
    /// The most recently made indexes, oldest first, at most `INDEXES`.
    indexes: Mutex<Vec<Weak<Indexed>>>,
    tokens: Mutex<Tokens>,
    outbound: OnceLock<Arc<dyn Outbound>>,
}

/// A role as read once for all clusters that hold the same object.
pub(crate) struct Role {
    rules: Arc<[Rule]>,
    aggregation: Option<Aggregation>,
}

/// An index and what it was made of.
pub(crate) struct Indexed {
    tables: Snapshot,
    pub(crate) index: Index,
    /// Keeps the readings alive, so that the next index need not make them again.
    _roles: Vec<Arc<Role>>,
}

impl Indexed {
    /// Whether it still tells the truth about `now`.
    pub(crate) fn is_of(&self, now: &Snapshot) -> bool {
        RBAC.iter().all(|resource| self.tables.same(now, resource))
    }
}

/// Claims by the hash of key and token; the older half is dropped when the younger is full.
#[derive(Default)]
struct Tokens {
    young: HashMap<[u8; 32], Arc<Claims>>,
    old: HashMap<[u8; 32], Arc<Claims>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Empty caches.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// From now on the servers that tenants name are reached by `outbound`. The first one stays.
    pub fn reach_by(&self, outbound: Arc<dyn Outbound>) {
        let _ = self.outbound.set(outbound);
    }

    pub(crate) fn outbound(&self) -> Option<&Arc<dyn Outbound>> {
        self.outbound.get()
    }

    /// The index of a state: another cluster's if it has the same roles and bindings, else a new one.
    pub(crate) fn indexed(&self, now: &Snapshot) -> Arc<Indexed> {
        let known = lock(&self.indexes)
            .iter()
            .rev()
            .filter_map(Weak::upgrade)
            .find(|known| known.is_of(now));
        if let Some(known) = known {
            return known;
        }
        let indexed = Arc::new(self.build(now));
        let mut indexes = lock(&self.indexes);
        indexes.retain(|known| known.strong_count() > 0);
        if indexes.len() >= INDEXES {
            indexes.remove(0);
        }
        indexes.push(Arc::downgrade(&indexed));
        indexed
    }

    /// The rules of a role (`namespace` is empty for cluster roles); `None` when there is no such role.
    pub(crate) fn rules(
        &self,
        now: &Snapshot,
        kind: RoleKind,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<[Rule]>> {
        RolesOf::new(now, self).rules(kind, namespace, name)
    }

    fn build(&self, now: &Snapshot) -> Indexed {
        let [_, cluster_bindings, _, bindings] = &*RBAC;
        let all = now.list(cluster_bindings, None).chain(now.list(bindings, None));
        let roles = RolesOf::new(now, self);
        let index = Index::new(
            all.filter_map(|object| self.bindings.of(object, Binding::parse)),
            &roles,
        );
        Indexed {
            tables: now.only(&*RBAC),
            index,
            _roles: roles.seen.into_inner(),
        }
    }

    fn role(&self, object: &Arc<Object>) -> Option<Arc<Role>> {
        let read = |value: &Value| Role {
            rules: Rule::of_role(value).into(),
            aggregation: Aggregation::of_role(value),
        };
        self.roles.of(object, |value| Some(read(value)))
    }

    /// The claims of a token whose signature holds; `check` is asked when it is not remembered.
    pub(crate) fn claims<E>(
        &self,
        key_id: &str,
        token: &str,
        check: impl FnOnce() -> Result<Claims, E>,
    ) -> Result<Arc<Claims>, E> {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(key_id)
            .chain_update([0])
            .chain_update(token)
            .finalize()
            .into();
        if let Some(claims) = lock(&self.tokens).get(&hash) {
            return Ok(claims);
        }
        let claims = Arc::new(check()?);
        lock(&self.tokens).insert(hash, Arc::clone(&claims));
        Ok(claims)
    }
}

impl Tokens {
    fn get(&mut self, hash: &[u8; 32]) -> Option<Arc<Claims>> {
        if let Some(claims) = self.young.get(hash) {
            return Some(Arc::clone(claims));
        }
        let claims = self.old.remove(hash)?;
        self.insert(*hash, Arc::clone(&claims));
        Some(claims)
    }

    fn insert(&mut self, hash: [u8; 32], claims: Arc<Claims>) {
        if self.young.len() >= TOKENS / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, claims);
    }
}

/// The roles of one state. Aggregating roles are resolved here too, so that a role counts as soon as its label says
/// so, whether or not a controller has written its rules into the aggregate yet.
struct RolesOf<'a> {
    now: &'a Snapshot,
    shared: &'a Shared,
    seen: RefCell<Vec<Arc<Role>>>,
}

impl<'a> RolesOf<'a> {
    fn new(now: &'a Snapshot, shared: &'a Shared) -> Self {
        Self {
            now,
            shared,
            seen: RefCell::default(),
        }
    }

    fn role(&self, object: &Arc<Object>) -> Option<Arc<Role>> {
        let role = self.shared.role(object)?;
        self.seen.borrow_mut().push(Arc::clone(&role));
        Some(role)
    }

    fn aggregated(&self, name: &str, role: &Role, aggregation: &Aggregation) -> Vec<Rule> {
        let [cluster_roles, ..] = &*RBAC;
        let selected: Vec<_> = self
            .now
            .list(cluster_roles, None)
            .filter(|other| aggregation.selects(&other.meta().labels))
            .filter_map(|other| Some((other.meta(), self.role(other)?)))
            .collect();
        let others = selected
            .iter()
            .map(|(meta, role)| (meta.name.as_str(), &*meta.labels, &*role.rules));
        let mut rules = aggregated_rules(aggregation, name, others);
        let own: Vec<Rule> = role
            .rules
            .iter()
            .filter(|rule| !rules.contains(rule))
            .cloned()
            .collect();
        rules.extend(own);
        rules
    }
}

impl Roles for RolesOf<'_> {
    fn rules(&self, kind: RoleKind, namespace: &str, name: &str) -> Option<Arc<[Rule]>> {
        let [cluster_roles, _, roles, _] = &*RBAC;
        let object = match kind {
            RoleKind::ClusterRole => self.now.get(cluster_roles, &ObjectKey::cluster(name)),
            RoleKind::Role => self.now.get(roles, &ObjectKey::namespaced(namespace, name)),
        }?;
        let role = self.role(object)?;
        match &role.aggregation {
            None => Some(Arc::clone(&role.rules)),
            Some(aggregation) => Some(self.aggregated(name, &role, aggregation).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::UserInfo;
    use warren_rbac::Attributes;

    use super::*;
    use crate::testing::{grant, snapshot, user};

    fn may(shared: &Shared, now: &Snapshot, who: &UserInfo, verb: &str) -> bool {
        let asked = Attributes {
            verb,
            resource: "pods",
            ..Attributes::default()
        };
        shared.indexed(now).index.decide(who, &asked).allowed()
    }

    #[test]
    fn clusters_with_the_same_roles_share_an_index() {
        let shared = Shared::new();
        let now = snapshot(&grant(
            "a",
            "jane",
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}),
        ));
        let one = shared.indexed(&now);
        assert!(Arc::ptr_eq(&one, &shared.indexed(&now.clone())));
        assert!(!Arc::ptr_eq(&one, &shared.indexed(&snapshot(&[]))));
        assert!(may(&shared, &now, &user("jane", &[]), "get"));
    }

    #[test]
    fn aggregating_roles_count_without_a_controller() {
        let mut objects = grant("view", "jane", json!({}));
        objects[0].1["aggregationRule"] =
            json!({"clusterRoleSelectors": [{"matchLabels": {"to-view": "true"}}]});
        objects.push((
            "clusterroles.rbac.authorization.k8s.io",
            json!({"metadata": {"name": "crd-view", "labels": {"to-view": "true"}},
                "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
        ));
        assert!(may(
            &Shared::new(),
            &snapshot(&objects),
            &user("jane", &[]),
            "get"
        ));
    }

    #[test]
    fn remembered_tokens_are_bounded() {
        let shared = Shared::new();
        for n in 0..TOKENS * 2 {
            let _ = shared.claims("k", &n.to_string(), || Ok::<_, ()>(Claims::default()));
        }
        let tokens = lock(&shared.tokens);
        assert!(tokens.young.len() + tokens.old.len() <= TOKENS);
    }
}
