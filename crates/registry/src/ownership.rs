//! `metadata.managedFields` along the way of a write: who owns what, in the version that each of them speaks.
//!
//! The rules are `warren_patch`'s, which are functions of objects. Where only a webhook knows what an object is in another
//! version, they are tried until it is known what they need.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::resource::GroupVersion;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, time};
use warren_patch::OwnershipUpdate;
use warren_patch::managed::InVersion;
use warren_schema::Schema;

use crate::conversion::{Conversion, ConvertedBy};
use crate::operation::Operation;
use crate::request::Keeps;
use crate::subresource::reset_fields;

const OWNERS: &str = "/metadata/managedFields";

/// How often a rule is tried anew because it needs another object in another version: more than managers have versions.
const ROUNDS: usize = 64;

/// An object in another version.
struct Seen {
    api_version: String,
    object: Value,
    converted: Value,
}

/// What was converted for a rule, and what it still needs.
#[derive(Default)]
struct Versions {
    seen: Vec<Seen>,
    wanted: RefCell<Vec<(String, Value)>>,
}

impl Versions {
    /// `None` where it has to be converted first, which is noted.
    fn find(&self, api_version: &str, object: &Value) -> Option<Value> {
        let mut seen = self.seen.iter();
        let found = seen.find(|seen| seen.api_version == api_version && seen.object == *object);
        if found.is_none() {
            self.wanted
                .borrow_mut()
                .push((api_version.to_owned(), object.clone()));
        }
        Some(found?.converted.clone())
    }
}

impl Operation<'_> {
    /// Brings `metadata.managedFields` up to date: who now owns what. `old` is `None` on create.
    ///
    /// Nobody owns the status by a create or an update of the main part.
    pub(crate) async fn own(&self, object: &mut Value, old: Option<&Value>) {
        let Some(schema) = self.registry.schema(self.definition, self.cx.version) else {
            return;
        };
        if self.asks_webhook().is_some() {
            if self.cx.keeps == Keeps::Version {
                // Ours takes away what it holds, and asks nobody for that.
                return;
            }
            return self.own_by_webhook(&schema, object, old).await;
        }
        if self.definition.is_stored_as(self.cx.version) {
            let in_version =
                |api_version: &str, before: &Value, after: &Value| self.as_in(api_version, [before, after]);
            return self.own_as(&schema, object, old, &in_version);
        }
        // Fields are owned as the client's version calls them.
        let convert = |object: &Value| self.registry.in_version(self.cx.version, self.definition, object);
        let mut seen = convert(object);
        let in_version =
            |api_version: &str, before: &Value, after: &Value| self.as_in(api_version, [before, after]);
        self.own_as(&schema, &mut seen, old.map(convert).as_ref(), &in_version);
        take_owners(object, seen);
    }

    /// The same, where other managers speak versions that only a webhook knows. As upstream, nobody owns anything where
    /// it fails.
    async fn own_by_webhook(&self, schema: &Schema, object: &mut Value, old: Option<&Value>) {
        let tried = self.with_versions(|in_version| {
            let mut tried = object.clone();
            self.own_as(schema, &mut tried, old, in_version);
            tried
        });
        match tried.await {
            Ok(owned) => take_owners(object, owned),
            Err(_) => {
                object.take_at(OWNERS);
            }
        }
    }

    fn own_as(&self, schema: &Schema, object: &mut Value, old: Option<&Value>, in_version: &InVersion<'_>) {
        warren_patch::update(OwnershipUpdate {
            schema,
            before: old,
            after: object,
            manager: self.cx.field_manager,
            api_version: &self.definition.api_version(self.cx.version),
            subresource: self.subresource().unwrap_or_default(),
            now: &time::format(self.registry.now()),
            reset: self.reset_fields(),
            in_version,
        });
    }

    /// Runs a rule with what it needs of other versions; until it needs nothing more, where a webhook is asked.
    ///
    /// # Errors
    /// What the conversion says.
    pub(crate) async fn with_versions<T>(
        &self,
        mut rule: impl FnMut(&InVersion<'_>) -> T,
    ) -> Result<T, Status> {
        let Some(conversion) = self.asks_webhook() else {
            return Ok(rule(&|api_version, before, after| {
                self.as_in(api_version, [before, after])
            }));
        };
        let mut versions = Versions::default();
        for _ in 0..ROUNDS {
            let outcome = rule(&|api_version, before, after| {
                let schema = conversion.schema(api_version)?;
                let (before, after) = (
                    versions.find(api_version, before),
                    versions.find(api_version, after),
                );
                Some((schema, [before?, after?]))
            });
            let wanted = std::mem::take(versions.wanted.get_mut());
            if wanted.is_empty() {
                return Ok(outcome);
            }
            drop(outcome);
            for (api_version, object) in wanted {
                let one = vec![object.clone()];
                let mut converted = self
                    .registry
                    .convert_others(conversion, one, &api_version)
                    .await?;
                versions.seen.push(Seen {
                    api_version,
                    object,
                    converted: converted.pop().unwrap_or_default(),
                });
            }
        }
        Err(Status::internal("managed fields have too many versions"))
    }

    fn asks_webhook(&self) -> Option<&Conversion> {
        let conversion = self.definition.conversion.as_deref()?;
        matches!(conversion.converter, ConvertedBy::Webhook(_)).then_some(conversion)
    }

    /// What nobody comes to own by a write to this part.
    pub(crate) fn reset_fields(&self) -> &'static [&'static [&'static str]] {
        reset_fields(
            self.definition,
            self.part,
            self.registry.is_builtin(self.definition),
        )
    }

    /// Objects of the client's version as another one has them, and its schema; `None` where it is not served.
    fn as_in(&self, api_version: &str, objects: [&Value; 2]) -> Option<(Arc<Schema>, [Value; 2])> {
        if let Some(conversion) = &self.definition.conversion {
            let renamed = |object: &Value| {
                let mut object = object.clone();
                object.set("/apiVersion", api_version);
                object
            };
            return Some((conversion.schema(api_version)?, objects.map(renamed)));
        }
        let wanted = GroupVersion::parse(api_version)?;
        let catalogue = self.registry.catalogue();
        let target = if wanted.group == self.definition.group {
            self.definition
        } else {
            let found = catalogue.kind(&wanted.group, &self.definition.kind)?;
            (found.storage == self.definition.storage).then_some(found)?
        };
        let schema = self.registry.schema(target, &wanted.version)?;
        let convert = |object: &Value| {
            let mut object = object.clone();
            let own = self.definition;
            if !own.is_stored_as(self.cx.version) {
                own.strategy.convert_to_storage(self.cx.version, &mut object);
            }
            self.registry.in_version(&wanted.version, target, &object)
        };
        Some((schema, objects.map(convert)))
    }
}

fn take_owners(object: &mut Value, mut owned: Value) {
    match owned.take_at(OWNERS) {
        Some(fields) => object.set(OWNERS, fields),
        None => {
            object.take_at(OWNERS);
        }
    }
}
