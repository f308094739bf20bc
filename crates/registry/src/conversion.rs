//! Custom resources of several versions: what stands between the version that an object is kept in and the one that a
//! client speaks.
//!
//! Owns the facts of a definition, the steps that need nobody else, and the port `Converter` to those who do. When an
//! object is converted is `convert`'s; how a webhook is asked is the adapter's.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, Status};
use warren_schema::Schema;

use crate::definition::Version;
use crate::strategy::Strategy;

/// How the objects of a custom resource go from one of its versions to another. Shared by the views of a definition.
pub struct Conversion {
    /// The group.
    pub group: SmolStr,
    /// The kind.
    pub kind: SmolStr,
    /// The version that objects are written in.
    pub kept: SmolStr,
    /// The strategy of that version: by its fields objects are indexed.
    pub keeper: Arc<dyn Strategy>,
    /// All versions that the definition knows, served or not, with the shape of their objects.
    pub versions: Box<[Version]>,
    /// Who converts.
    pub converter: ConvertedBy,
    /// Differs between definitions that convert in different ways: what was converted by another is not theirs.
    pub fingerprint: u64,
}

/// Who converts.
pub enum ConvertedBy {
    /// Nobody: versions differ by their name.
    Name,
    /// A server that the tenant names.
    Webhook(Webhook),
}

/// `spec.conversion.webhook` of a definition.
pub struct Webhook {
    /// `clientConfig`
    pub client_config: Value,
    /// `conversionReviewVersions`, in the order of preference.
    pub review_versions: Vec<String>,
}

/// Asks the webhooks of conversions.
#[async_trait]
pub trait Converter: Send + Sync + 'static {
    /// Converts objects of one kind, none of which is of `api_version`, in the name of a cluster. Answers as many, in
    /// their order, with the metadata that they had but for labels and annotations.
    ///
    /// # Errors
    /// In upstream's words: `conversion webhook for …, Kind=… failed: …`.
    async fn convert(
        &self,
        cluster: &ClusterId,
        webhook: &Webhook,
        objects: &[Value],
        api_version: &str,
    ) -> Result<Vec<Value>, String>;
}

/// Converts nothing: for tests and bootstrap.
pub struct NoConverter;

#[async_trait]
impl Converter for NoConverter {
    async fn convert(
        &self,
        _: &ClusterId,
        _: &Webhook,
        _: &[Value],
        api_version: &str,
    ) -> Result<Vec<Value>, String> {
        Err(format!("nobody converts to {api_version} here"))
    }
}

impl Conversion {
    /// `group/version`
    pub(crate) fn api_version(&self, version: &str) -> String {
        format!("{}/{version}", self.group)
    }

    /// The version of this name, served or not.
    pub(crate) fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// The shape of objects that say this `apiVersion`; `None` where the definition has no such version.
    pub(crate) fn schema(&self, api_version: &str) -> Option<Arc<Schema>> {
        let version = api_version.strip_prefix(self.group.as_str())?.strip_prefix('/')?;
        Some(self.version(version)?.schema.get())
    }

    /// Brings an object as it was kept to what its version says today: what is unknown is left out, what is missing
    /// has its default.
    pub(crate) fn refresh(&self, object: &mut Value) -> Result<(), Status> {
        self.prune(object)?;
        if let Some(schema) = self.schema(object.text("/apiVersion")) {
            schema.default(object);
        }
        Ok(())
    }

    /// Leaves out what the object's version does not know.
    pub(crate) fn prune(&self, object: &mut Value) -> Result<(), Status> {
        let Some(schema) = self.schema(object.text("/apiVersion")) else {
            return Ok(());
        };
        match schema.check(object).type_error {
            Some(why) => Err(Status::unclassified(why)),
            None => Ok(()),
        }
    }

    /// Both versions must be the definition's.
    pub(crate) fn check(&self, object: &Value, api_version: &str) -> Result<(), Status> {
        let sides = [("to", api_version), ("from", object.text("/apiVersion"))];
        match sides.into_iter().find(|(_, side)| self.schema(side).is_none()) {
            None => Ok(()),
            Some((side, version)) => Err(Status::unclassified(format!(
                "request to convert CR {side} an invalid group/version: {version}"
            ))),
        }
    }
}

/// Whether an object says no more than its kind: such are converted by name alone.
pub(crate) fn is_blank(object: &Value) -> bool {
    let kind = |key: &String| key == "apiVersion" || key == "kind";
    object.as_object().is_none_or(|map| map.keys().all(kind))
}
