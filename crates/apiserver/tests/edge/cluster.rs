//! A whole cluster in the process: memory journal, the built-in kinds, and an administrator's token.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_access::{Access, Guard, Keys, Shared};
use warren_apimachinery::{ClusterId, GroupResource, Object, Revision, UserInfo};
use warren_apiserver::{Backends, ClusterApi, ClusterParts, Tunnel};
use warren_pki::{Authority, TokenSigner};
use warren_registry::reserve::{Cidr, LocalAddresses};
use warren_registry::{Catalogue, Parts, Registry};
use warren_storage::{Journal, MemoryJournal, Silent, Store};

/// The bearer token of a member of `system:masters`.
pub(crate) const TOKEN: &str = "s3cret";

/// A cluster, and what made it.
pub(crate) struct TestCluster {
    pub(crate) api: Arc<ClusterApi>,
    pub(crate) authority: Arc<Authority>,
}

impl TestCluster {
    /// A cluster with the namespaces and service accounts that requests need.
    pub(crate) fn new(
        shared: Arc<Shared>,
        tunnel: Arc<dyn Tunnel>,
        backends: Option<Arc<dyn Backends>>,
    ) -> Self {
        let id = ClusterId::new("test");
        let journal = MemoryJournal::new();
        journal.create(&id, None).unwrap();
        let mut opened = journal.open(&id).unwrap();
        opened.objects = bootstrap();
        // So that the revisions that recorded requests name are in the past.
        opened.revision = Revision(400);
        let store = Store::open(id.clone(), Arc::new(journal), opened, Arc::new(Silent));
        let authority = Arc::new(Authority::generate("test-ca", Timestamp::now()).unwrap());
        let guard = Guard::new(
            shared,
            Keys {
                authority: Arc::clone(&authority),
                tokens: Arc::new(TokenSigner::generate().unwrap()),
                fixed_tokens: vec![(TOKEN.to_owned(), administrator())],
            },
        );
        let registry = Registry::new(Parts {
            store,
            catalogue: Arc::new(Catalogue::new(warren_resources::definitions())),
            admission: Arc::clone(&guard) as _,
            reserve: Arc::new(LocalAddresses::new(Cidr::new([10, 96, 0, 0], 16))),
            reviews: Arc::clone(&guard) as _,
            tokens: Arc::clone(&guard) as _,
            converter: Arc::new(warren_registry::NoConverter),
            clock: Arc::new(Timestamp::now),
        });
        let api = ClusterApi::new(ClusterParts {
            id,
            access: Arc::new(Access::new(Arc::clone(&registry), guard)),
            registry,
            tunnel,
            shows_process_metrics: true,
            auditor: None,
            backends,
        });
        Self { api, authority }
    }
}

fn administrator() -> UserInfo {
    UserInfo {
        name: "admin".to_owned(),
        groups: vec!["system:masters".to_owned()],
        ..UserInfo::default()
    }
}

fn bootstrap() -> Vec<(GroupResource, Arc<Object>)> {
    let mut objects = Vec::new();
    let mut add = |resource: &str, value: Value| {
        objects.push((
            GroupResource::parse(resource),
            Arc::new(Object::from_value(&value)),
        ));
    };
    let metadata = |name: &str| {
        json!({"name": name, "uid": format!("00000000-0000-4000-8000-{name:0>12}"), "resourceVersion": "1",
            "creationTimestamp": "2026-11-22T09:59:32Z", "labels": {"kubernetes.io/metadata.name": name}})
    };
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        add(
            "namespaces",
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name),
                "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}),
        );
        let mut account = metadata("default");
        account["namespace"] = json!(name);
        add(
            "serviceaccounts",
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}),
        );
    }
    objects
}
