//! A cluster of a few kinds, and short ways to write to it.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::resource::Scope;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{
    ClusterId, GroupResource, GroupVersionKind, Object, ObjectKey, Status, UserInfo, field,
};
use warren_reconciler::{DeleteOptions, Part};
use warren_registry::admission::{Admission, AdmissionRequest, Operation, Permit};
use warren_registry::definition::{Definition, ScalePaths, Subresource, Version};
use warren_registry::reserve::{Cidr, LocalAddresses};
use warren_registry::strategy::{Strategy, Traits};
use warren_registry::token::{IssuedToken, TokenClaims};
use warren_registry::{
    Catalogue, Deleted, FieldValidation, NoReviews, Parts, Patch, Registry, Request, TokenIssuer, Warnings,
    Written,
};
use warren_schema::{Ref, Schema, definition_for, from_json_schema};
use warren_storage::{Journal, MemoryJournal, Silent, Store};

/// What a kind does beyond the lifecycle, as far as the tests need it.
struct Toy {
    traits: Traits,
    grace: Option<i64>,
    schema: Option<Arc<Schema>>,
}

impl Strategy for Toy {
    fn traits(&self) -> Traits {
        self.traits
    }

    fn validate(&self, object: &Value) -> Vec<field::Error> {
        if let Some(schema) = &self.schema {
            return schema.validate(object, &field::Path::root());
        }
        match object.int("/spec/replicas") {
            Some(replicas) if replicas < 0 => vec![field::Error::invalid(
                &field::Path::new("spec.replicas"),
                replicas,
                "must be greater than or equal to 0",
            )],
            _ => Vec::new(),
        }
    }

    fn warnings(&self, new: &Value, _: Option<&Value>) -> Vec<String> {
        new.at("/metadata/annotations/warn")
            .as_str()
            .map(str::to_owned)
            .into_iter()
            .collect()
    }

    fn grace_period(&self, object: &Value, requested: Option<i64>) -> Option<i64> {
        let default = self.grace?;
        Some(if object.text("/spec/nodeName").is_empty() {
            0
        } else {
            requested.unwrap_or(default)
        })
    }
}

fn definition(group: &str, kind: &str, plural: &str, toy: Toy) -> Definition {
    let name = definition_for(group, "v1", kind).unwrap();
    Definition {
        group: group.into(),
        kind: kind.into(),
        plural: plural.into(),
        singular: kind.to_lowercase().into(),
        short_names: Box::default(),
        categories: Box::default(),
        scope: if kind == "Namespace" {
            Scope::Cluster
        } else {
            Scope::Namespaced
        },
        versions: Box::new([Version {
            name: "v1".into(),
            schema: Ref::Named(name.into()),
            deprecation: None,
            defaults_on_read: false,
        }]),
        storage_version: GroupVersionKind {
            group: group.into(),
            version: "v1".into(),
            kind: kind.into(),
        },
        storage: GroupResource::new(group, plural),
        verbs: ["create", "delete", "get", "list"].map(SmolStr::new).into(),
        subresources: Box::new([Subresource {
            name: "scale".into(),
            kind: None,
            verbs: Box::default(),
            scale: Some(ScalePaths {
                spec_replicas: "/spec/replicas".into(),
                status_replicas: "/status/replicas".into(),
                selector: Some("/spec/selector".into()),
            }),
        }]),
        strategy: Arc::new(toy),
        views: Box::default(),
        conversion: None,
    }
}

fn catalogue() -> Catalogue {
    let plain = |traits| Toy {
        traits,
        grace: None,
        schema: None,
    };
    let status = Traits {
        status: true,
        generation: true,
        ..Traits::default()
    };
    let pod = Toy {
        traits: status,
        grace: Some(30),
        schema: None,
    };
    let lease = Traits {
        create_on_update: true,
        unconditional_update: false,
        ..Traits::default()
    };
    Catalogue::new(
        [
            definition("", "ConfigMap", "configmaps", plain(Traits::default())),
            definition("", "Namespace", "namespaces", plain(status)),
            definition("", "Pod", "pods", pod),
            definition("", "Service", "services", plain(status)),
            definition("", "ServiceAccount", "serviceaccounts", plain(Traits::default())),
            definition("apps", "Deployment", "deployments", plain(status)),
            definition(
                "certificates.k8s.io",
                "CertificateSigningRequest",
                "certificatesigningrequests",
                plain(status),
            ),
            definition("coordination.k8s.io", "Lease", "leases", plain(lease)),
            definition(
                "policy",
                "PodDisruptionBudget",
                "poddisruptionbudgets",
                plain(status),
            ),
        ]
        .map(Arc::new)
        .into(),
    )
}

/// `foos.ex.io`: `spec.n` is a number, at most 5, 3 if not given.
pub(crate) fn foo() -> Arc<Definition> {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "default": {}, "properties": {
        "n": {"type": "integer", "maximum": 5, "default": 3}}}}});
    let schema = from_json_schema(&schema).unwrap();
    let toy = Toy {
        traits: Traits::default(),
        grace: None,
        schema: Some(Arc::clone(&schema)),
    };
    let mut made = definition("", "ConfigMap", "configmaps", toy);
    made.group = "ex.io".into();
    made.kind = "Foo".into();
    made.plural = "foos".into();
    made.storage = GroupResource::new("ex.io", "foos");
    made.storage_version.group = "ex.io".into();
    made.storage_version.kind = "Foo".into();
    made.versions[0].schema = Ref::Inline(schema);
    Arc::new(made)
}

/// Labels what is created, refuses what is called `forbidden`, and notes what it was asked.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) seen: Mutex<Vec<(Operation, Option<String>)>>,
}

#[async_trait::async_trait]
impl Admission for Gate {
    async fn mutate(&self, request: &AdmissionRequest<'_>, object: &mut Value) -> Result<(), Status> {
        if request.operation == Operation::Create && object.at("/metadata/labels/admit").is_string() {
            object.set("/metadata/labels/admit", "admitted");
        }
        Ok(())
    }

    async fn validate(&self, request: &AdmissionRequest<'_>, _: Option<&Value>) -> Result<Permit, Status> {
        let part = request.subresource.map(str::to_owned);
        self.seen.lock().unwrap().push((request.operation, part));
        if request.key.name == "forbidden" {
            let resource = request.definition.group_resource();
            return Err(Status::forbidden(&resource, &request.key.name, "by test"));
        }
        Ok(Permit::default())
    }
}

struct Issuer;

impl TokenIssuer for Issuer {
    fn issue(&self, claims: &TokenClaims<'_>) -> Result<IssuedToken, Status> {
        Ok(IssuedToken {
            token: format!(
                "{}/{}/{:?}",
                claims.namespace, claims.service_account, claims.bound
            ),
            expires: claims.now + jiff::SignedDuration::from_secs(claims.expiration_seconds),
            audiences: vec!["api".to_owned()],
        })
    }
}

/// The cluster under test. Its clock stands still until it is moved.
pub(crate) struct Cluster {
    pub(crate) registry: Arc<Registry>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) warnings: Warnings,
    pub(crate) dry_run: bool,
    pub(crate) validation: FieldValidation,
    pub(crate) manager: &'static str,
    clock: Arc<Mutex<Timestamp>>,
    user: UserInfo,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let id = ClusterId::new("test");
        journal.create(&id, None).unwrap();
        let opened = journal.open(&id).unwrap();
        let store = Store::open(id, journal, opened, Arc::new(Silent));
        let clock = Arc::new(Mutex::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let gate = Arc::new(Gate::default());
        let time = Arc::clone(&clock);
        let registry = Registry::new(Parts {
            store,
            catalogue: Arc::new(catalogue()),
            admission: Arc::<Gate>::clone(&gate),
            reserve: Arc::new(LocalAddresses::new(Cidr::new([10, 96, 0, 0], 16))),
            reviews: Arc::new(NoReviews),
            tokens: Arc::new(Issuer),
            converter: Arc::new(warren_registry::NoConverter),
            clock: Arc::new(move || *time.lock().unwrap()),
        });
        registry.set_custom(vec![foo()]);
        Self {
            registry,
            gate,
            warnings: Warnings::default(),
            dry_run: false,
            validation: FieldValidation::Warn,
            manager: "tester",
            clock,
            user: UserInfo::system("tester"),
        }
    }

    pub(crate) fn pass(&self, seconds: i64) {
        let mut clock = self.clock.lock().unwrap();
        *clock += jiff::SignedDuration::from_secs(seconds);
    }

    pub(crate) fn definition(&self, plural: &str) -> Arc<Definition> {
        let catalogue = self.registry.catalogue();
        let found = catalogue.iter().find(|definition| definition.plural == plural);
        Arc::clone(found.unwrap())
    }

    fn cx(&self) -> Request<'_> {
        Request {
            dry_run: self.dry_run,
            field_validation: self.validation,
            ..Request::new(&self.user, self.manager, "v1", &self.warnings)
        }
    }

    pub(crate) async fn create(&self, plural: &str, object: Value) -> Result<Value, Status> {
        let definition = self.definition(plural);
        let namespace = if plural == "namespaces" { "" } else { "default" };
        let made = self
            .registry
            .create(&self.cx(), &definition, namespace, object)
            .await?;
        Ok(made.to_value())
    }

    pub(crate) async fn update(&self, plural: &str, part: Part, object: Value) -> Result<Written, Status> {
        let key = key(plural, object.text("/metadata/name"));
        self.put(plural, part, &key, object).await
    }

    pub(crate) async fn put(
        &self,
        plural: &str,
        part: Part,
        key: &ObjectKey,
        object: Value,
    ) -> Result<Written, Status> {
        let definition = self.definition(plural);
        self.registry
            .update(&self.cx(), &definition, part, key, object)
            .await
    }

    pub(crate) async fn patch(
        &self,
        plural: &str,
        name: &str,
        part: Part,
        patch: Patch,
    ) -> Result<Written, Status> {
        let definition = self.definition(plural);
        let key = key(plural, name);
        self.registry
            .patch(&self.cx(), &definition, part, &key, patch)
            .await
    }

    pub(crate) async fn merge(&self, plural: &str, name: &str, patch: Value) -> Result<Value, Status> {
        let written = self.patch(plural, name, Part::Main, Patch::Merge(patch)).await?;
        Ok(written.object.to_value())
    }

    pub(crate) async fn delete(
        &self,
        plural: &str,
        name: &str,
        options: DeleteOptions,
    ) -> Result<Deleted, Status> {
        let definition = self.definition(plural);
        self.registry
            .delete(&self.cx(), &definition, &key(plural, name), options)
            .await
    }

    pub(crate) async fn post(
        &self,
        plural: &str,
        name: &str,
        part: &str,
        body: Value,
    ) -> Result<Value, Status> {
        let definition = self.definition(plural);
        self.registry
            .post(&self.cx(), &definition, &key(plural, name), part, body)
            .await
    }

    pub(crate) fn find(&self, plural: &str, name: &str) -> Option<Arc<Object>> {
        self.registry.find(&self.definition(plural), &key(plural, name))
    }

    pub(crate) fn value(&self, plural: &str, name: &str) -> Value {
        self.find(plural, name).unwrap().to_value()
    }
}

pub(crate) fn key(plural: &str, name: &str) -> ObjectKey {
    if plural == "namespaces" {
        ObjectKey::cluster(name)
    } else {
        ObjectKey::namespaced("default", name)
    }
}

pub(crate) fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}})
}

pub(crate) fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
}

pub(crate) fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]}})
}

/// Compares code and message of a refusal.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>, code: u16, message: &str) {
    let status = result.unwrap_err();
    assert_eq!((status.code(), status.message()), (code, message));
}
