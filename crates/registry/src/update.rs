//! PUT: the object as it shall be.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, StatusReason, status};
use warren_reconciler::Part;

use crate::change::Current;
use crate::commit::Refusal;
use crate::create::Ownership;
use crate::definition::Definition;
use crate::operation::Operation;
use crate::{Registry, Request, Written, metadata};

/// How often an update without a `resourceVersion` starts over because others were quicker. Each round means
/// that another writer got through, so this is reached by a starved writer only.
const ROUNDS: usize = 64;

impl Registry {
    /// Replaces an object or a part of it. `Part::Sub("scale")` takes and answers a `Scale`.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn update(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        part: Part,
        key: &ObjectKey,
        object: Value,
    ) -> Result<Written, Status> {
        let operation = self.operation(cx, definition, part, key);
        if part == Part::Sub("scale") {
            return operation.update_scale(object).await;
        }
        let mut object = self.decode(cx, definition, part, object)?;
        metadata::settle_namespace(&mut object, definition, &key.namespace)?;
        operation.check_name(&object)?;
        let written = operation.update(object).await?;
        operation.shown(written).await
    }

    /// Replaces the status of an object.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn update_status(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        key: &ObjectKey,
        object: Value,
    ) -> Result<Written, Status> {
        self.update(cx, definition, Part::Status, key, object).await
    }
}

impl Operation<'_> {
    /// The object must be the one that the path names.
    pub(crate) fn check_name(&self, object: &Value) -> Result<(), Status> {
        let path = &self.key.name;
        let name = object.text("/metadata/name");
        if name.is_empty() {
            return Err(Status::bad_request(format!(
                "the name of the object ({path} based on URL) was undeterminable: name must be provided"
            )));
        }
        if name != path {
            return Err(Status::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({path})"
            )));
        }
        Ok(())
    }

    /// The loop around one change: conditional on the `resourceVersion` that the client sent, or tried again
    /// until it is applied to the latest object.
    async fn update(&self, object: Value) -> Result<Written, Status> {
        let asked = object.text("/metadata/resourceVersion").to_owned();
        let mut next = Some(object);
        for _ in 0..ROUNDS {
            let Some(object) = next.take() else { break };
            let Some(current) = self.current().await? else {
                return self.create_on_update(object).await;
            };
            self.check_uid(&object, &current)?;
            self.check_revision(&asked, &current)?;
            if asked.is_empty() || asked == "0" {
                next = Some(object.clone());
            }
            let changed = self.change(&current, object, Ownership::Update).await;
            if let Some(object) = Refusal::unless_outrun(changed)? {
                return Ok(Written {
                    object,
                    created: false,
                });
            }
        }
        Err(self.modified())
    }

    async fn create_on_update(&self, object: Value) -> Result<Written, Status> {
        if self.part != Part::Main || !self.definition.strategy.traits().create_on_update {
            return Err(self.not_found());
        }
        if !object.text("/metadata/uid").is_empty() {
            let why = format!(
                "{}Precondition failed: UID in precondition: {}, UID in object meta: ",
                self.storage_error(),
                object.text("/metadata/uid")
            );
            let resource = self.definition.group_resource();
            return Err(Status::conflict(&resource, &self.key.name, &why));
        }
        self.create_missing(object, Ownership::Update).await
    }

    /// Creates what a PUT or an apply found missing.
    pub(crate) async fn create_missing(
        &self,
        mut object: Value,
        ownership: Ownership,
    ) -> Result<Written, Status> {
        metadata::wipe(&mut object)?;
        object.take_at("/metadata/resourceVersion");
        let object = self
            .create(object, ownership)
            .await
            .map_err(|refusal| refusal.into_status(self.definition, &self.key.name))?;
        Ok(Written {
            object,
            created: true,
        })
    }

    pub(crate) fn storage_error(&self) -> String {
        let group = &self.definition.group;
        let prefix = if self.registry.is_builtin(self.definition) {
            String::new()
        } else {
            format!("{group}/")
        };
        format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{prefix}{}/{}, ResourceVersion: 0, AdditionalErrorMsg: ",
            self.definition.plural, self.key
        )
    }

    /// An object that names another uid is not the one that the client means.
    pub(crate) fn check_uid(&self, object: &Value, current: &Current) -> Result<(), Status> {
        let asked = object.text("/metadata/uid");
        let uid = &current.object.meta().uid;
        if asked.is_empty() || asked == uid {
            return Ok(());
        }
        let why = format!(
            "{}Precondition failed: UID in precondition: {asked}, UID in object meta: {uid}",
            self.storage_error()
        );
        Err(Status::conflict(
            &self.definition.group_resource(),
            &self.key.name,
            &why,
        ))
    }

    /// Whether the revision that a client pins is the object's; 409 where it is another.
    pub(crate) fn check_revision(&self, asked: &str, current: &Current) -> Result<(), Status> {
        if asked.is_empty() || asked == "0" {
            if self.definition.strategy.traits().unconditional_update {
                return Ok(());
            }
            return Err(revision_required(self.definition, &self.key.name));
        }
        if asked.parse::<u64>().is_err() {
            return Err(Status::unclassified(format!(
                "strconv.ParseUint: parsing {asked:?}: invalid syntax"
            )));
        }
        if current.object.meta().revision.to_string() == asked {
            return Ok(());
        }
        Err(self.modified())
    }
}

/// Upstream names the resource where other errors of this kind name the kind.
fn revision_required(definition: &Definition, name: &str) -> Status {
    const WHY: &str = "Invalid value: 0: must be specified for an update";
    let resource = definition.group_resource();
    Status::new(
        StatusReason::Invalid,
        format!("{resource} {name:?} is invalid: metadata.resourceVersion: {WHY}"),
    )
    .with_details(status::Details {
        name: name.to_owned(),
        group: definition.group.to_string(),
        kind: definition.plural.to_string(),
        causes: vec![status::Cause {
            reason: "FieldValueInvalid".to_owned(),
            message: WHY.to_owned(),
            field: "metadata.resourceVersion".to_owned(),
        }],
        ..status::Details::default()
    })
}
