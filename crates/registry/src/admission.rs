//! The `Admission` port: what may change or refuse a write between decoding and commit.

use std::time::Instant;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::{ObjectKey, Status, UserInfo};

use crate::Registry;
use crate::definition::Definition;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new object.
    Create,
    /// A change, patches included.
    Update,
    /// A deletion.
    Delete,
    /// exec, attach, port-forward, proxy.
    Connect,
}

/// The write that is asked for.
pub struct AdmissionRequest<'a> {
    /// What is being done.
    pub operation: Operation,
    /// By whom.
    pub user: &'a UserInfo,
    /// To which resource.
    pub definition: &'a Definition,
    /// In which served version.
    pub version: &'a str,
    /// To which object; the name is empty while `generateName` has not made one.
    pub key: &'a ObjectKey,
    /// Such as `status`; `None` for the object itself.
    pub subresource: Option<&'a str>,
    /// The object before, in the storage version.
    pub old: Option<&'a Value>,
    /// Nothing will be kept.
    pub dry_run: bool,
    /// In whose name fields are owned; empty where that means nothing.
    pub field_manager: &'a str,
    /// `CreateOptions`, `UpdateOptions` or `DeleteOptions` as the client gave them; null for a write of our own and for
    /// connects.
    pub options: &'a Value,
    /// When the client stops waiting.
    pub deadline: Instant,
    /// The cluster: what steps look up.
    pub registry: &'a Registry,
    /// Where warnings go.
    pub warnings: &'a crate::Warnings,
}

/// What an admitted write holds until it is committed, so that what was decided about it stays true: a turn in which
/// nobody else spends the same quota. Most writes hold nothing.
#[derive(Default)]
pub struct Permit(Option<Box<dyn std::any::Any + Send>>);

impl Permit {
    /// A permit that keeps `held` until it is dropped.
    pub fn holding(held: impl std::any::Any + Send) -> Self {
        Self(Some(Box::new(held)))
    }

    /// Whether anything is held.
    pub fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

/// The chain of admission steps of a cluster; `access` implements it.
#[async_trait]
pub trait Admission: Send + Sync + 'static {
    /// Runs after decoding, defaulting and the bookkeeping of field owners, before the strategy prepares and
    /// validates; may change `object` (storage version). On an update, what the part may not change is already
    /// the old object's. On a create, uid, times and a generated name are not there yet. For
    /// `binding`, `eviction` and `token` it is what was posted, for `scale` a `Scale`, whose replicas count. Not called
    /// for deletions and connects.
    ///
    /// # Errors
    /// The refusal, as the client reads it.
    async fn mutate(&self, request: &AdmissionRequest<'_>, object: &mut Value) -> Result<(), Status>;

    /// Runs after validation, right before the commit, which happens before what it answers is dropped; `object` is
    /// `None` for deletions. For `binding`, `eviction` and `token` it is what was posted, and the operation is
    /// `Create`; for `scale` it is a `Scale`; for connects the options (`PodExecOptions` and its like).
    ///
    /// # Errors
    /// The refusal, as the client reads it.
    async fn validate(
        &self,
        request: &AdmissionRequest<'_>,
        object: Option<&Value>,
    ) -> Result<Permit, Status>;
}

/// Admits everything: for tests and bootstrap.
pub struct AdmitAll;

#[async_trait]
impl Admission for AdmitAll {
    async fn mutate(&self, _: &AdmissionRequest<'_>, _: &mut Value) -> Result<(), Status> {
        Ok(())
    }

    async fn validate(&self, _: &AdmissionRequest<'_>, _: Option<&Value>) -> Result<Permit, Status> {
        Ok(Permit::default())
    }
}
