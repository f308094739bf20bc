//! When objects of custom resources with several versions are converted: as they are read from the store, and as they
//! are written to it. In between everything sees them in the version of the request.
//!
//! Kinds of one version never come here.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::object::{json_prefix, to_json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupVersionResource, Meta, Object, ObjectKey, Status};

use crate::Registry;
use crate::conversion::{Conversion, ConvertedBy, is_blank};
use crate::converted::{Key, Others};
use crate::definition::Definition;

/// How many objects a webhook is asked to convert at a time.
const BATCH: usize = 100;

impl Registry {
    /// One object, in the version of the definition.
    ///
    /// # Errors
    /// 404 when it is not there; what the conversion says.
    pub async fn read(&self, definition: &Definition, key: &ObjectKey) -> Result<Arc<Object>, Status> {
        let object = self.get(definition, key)?;
        self.opened(definition, object).await
    }

    /// An object of the store in the version of the definition: itself, unless it is kept in another.
    ///
    /// # Errors
    /// What the conversion says.
    pub async fn opened(&self, definition: &Definition, object: Arc<Object>) -> Result<Arc<Object>, Status> {
        if definition.conversion.is_none() {
            return Ok(object);
        }
        let mut opened = self.opened_each(definition, vec![object]).await?;
        opened.pop().ok_or_else(lost)
    }

    /// The same of many, in their order.
    ///
    /// # Errors
    /// What the conversion of any of them says.
    pub async fn opened_each(
        &self,
        definition: &Definition,
        mut objects: Vec<Arc<Object>>,
    ) -> Result<Vec<Arc<Object>>, Status> {
        let Some(conversion) = &definition.conversion else {
            return Ok(objects);
        };
        let version = &definition.storage_version.version;
        let has_defaults = conversion
            .version(version)
            .is_some_and(|version| version.defaults_on_read);
        let prefix = prefix(definition, version);
        let is_other = |object: &Arc<Object>| has_defaults || !object.bytes().starts_with(prefix.as_bytes());
        let places = objects.iter().enumerate().filter(|(_, object)| is_other(object));
        let places: Vec<usize> = places.map(|(at, _)| at).collect();
        for places in places.chunks(BATCH) {
            let batch: Vec<Arc<Object>> = places.iter().filter_map(|at| objects.get(*at).cloned()).collect();
            let made = self.open_batch(definition, conversion, &batch).await?;
            for (at, made) in places.iter().zip(made) {
                if let Some(place) = objects.get_mut(*at) {
                    *place = made;
                }
            }
        }
        Ok(objects)
    }

    /// Finds what is known, converts what nobody converts yet, and waits for the rest.
    async fn open_batch(
        &self,
        definition: &Definition,
        conversion: &Conversion,
        objects: &[Arc<Object>],
    ) -> Result<Vec<Arc<Object>>, Status> {
        let version = &definition.storage_version.version;
        let key = |object: &Arc<Object>| Key::new(object, version, conversion.fingerprint);
        let keys: Vec<Key> = objects.iter().map(key).collect();
        let mut others = Others::Wait;
        loop {
            let mut news = std::pin::pin!(self.converted.news());
            news.as_mut().enable();
            let (mut found, claim) = self.converted.take(&keys, others);
            let mine: Vec<&Arc<Object>> = claim.places.iter().filter_map(|at| objects.get(*at)).collect();
            let made = self.open_each(definition, conversion, &mine).await?;
            for ((at, of), made) in claim.places.iter().zip(mine).zip(made) {
                if let (Some(place), Some(key)) = (found.get_mut(*at), keys.get(*at)) {
                    self.converted.put(key.clone(), of, &made);
                    *place = Some(made);
                }
            }
            drop(claim);
            if let Some(all) = found.into_iter().collect() {
                return Ok(all);
            }
            news.await;
            others = Others::Ignore;
        }
    }

    async fn open_each(
        &self,
        definition: &Definition,
        conversion: &Conversion,
        objects: &[&Arc<Object>],
    ) -> Result<Vec<Arc<Object>>, Status> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let read = |object: &&Arc<Object>| {
            let mut value = object.to_value();
            conversion.refresh(&mut value)?;
            Ok(value)
        };
        let values = objects.iter().map(read).collect::<Result<Vec<_>, Status>>()?;
        let wanted = conversion.api_version(&definition.storage_version.version);
        let converted = self.convert(conversion, values, &wanted).await?;
        let made = objects.iter().zip(&converted);
        Ok(made
            .map(|(object, value)| same(definition, object, value))
            .collect())
    }

    /// An object of the store in the version of the definition, where that takes no webhook.
    pub(crate) fn opened_by_name(
        &self,
        definition: &Definition,
        conversion: &Conversion,
        object: &Arc<Object>,
    ) -> Option<Arc<Object>> {
        let version = &definition.storage_version.version;
        if object.bytes().starts_with(prefix(definition, version).as_bytes()) {
            return Some(Arc::clone(object));
        }
        if matches!(conversion.converter, ConvertedBy::Webhook(_)) {
            return None;
        }
        let mut value = object.to_value();
        conversion.refresh(&mut value).ok()?;
        value.set("/apiVersion", conversion.api_version(version));
        conversion.prune(&mut value).ok()?;
        Some(same(definition, object, &value))
    }

    /// An object of the definition's version as it is to be kept.
    pub(crate) async fn sealed(&self, definition: &Definition, object: Value) -> Result<Value, Status> {
        let Some(conversion) = &definition.conversion else {
            return Ok(object);
        };
        let kept = conversion.api_version(&conversion.kept);
        let mut converted = self.convert(conversion, vec![object], &kept).await?;
        converted.pop().ok_or_else(lost)
    }

    /// Brings objects to a version; those that are of it already stay as they are.
    async fn convert(
        &self,
        conversion: &Conversion,
        mut objects: Vec<Value>,
        wanted: &str,
    ) -> Result<Vec<Value>, Status> {
        let mut places = Vec::new();
        for (at, object) in objects.iter().enumerate() {
            if object.text("/apiVersion") != wanted {
                conversion.check(object, wanted)?;
                places.push(at);
            }
        }
        let others = places.iter().filter_map(|at| objects.get(*at).cloned()).collect();
        let converted = self.convert_others(conversion, others, wanted).await?;
        for (at, mut object) in places.into_iter().zip(converted) {
            conversion.prune(&mut object)?;
            if let Some(place) = objects.get_mut(at) {
                *place = object;
            }
        }
        Ok(objects)
    }

    /// Converts objects of other versions, and no more: what the version does not know stays in them.
    pub(crate) async fn convert_others(
        &self,
        conversion: &Conversion,
        mut objects: Vec<Value>,
        wanted: &str,
    ) -> Result<Vec<Value>, Status> {
        match &conversion.converter {
            ConvertedBy::Webhook(webhook) if !objects.iter().all(is_blank) => {
                let cluster = self.store.cluster();
                let converted = self.converter.convert(cluster, webhook, &objects, wanted).await;
                converted.map_err(Status::unclassified)
            }
            _ => {
                for object in &mut objects {
                    object.set("/apiVersion", wanted);
                }
                Ok(objects)
            }
        }
    }

    /// What others made of an object, in the version of the definition that the request is about.
    ///
    /// # Errors
    /// What the conversion says.
    pub async fn converted_back(&self, definition: &Definition, object: Value) -> Result<Value, Status> {
        let Some(conversion) = &definition.conversion else {
            return Ok(object);
        };
        let wanted = conversion.api_version(&definition.storage_version.version);
        if object.text("/apiVersion") == wanted {
            return Ok(object);
        }
        let mut converted = self.convert_others(conversion, vec![object], &wanted).await?;
        converted.pop().ok_or_else(lost)
    }

    /// An object as `resource`'s clients see it, for admission by others: asks a webhook where only that can tell.
    ///
    /// # Errors
    /// What the conversion says.
    pub async fn show_converted(
        &self,
        resource: &GroupVersionResource,
        object: &Value,
    ) -> Result<Value, Status> {
        let catalogue = self.catalogue();
        let served = catalogue.served(&resource.group, &resource.version, &resource.resource);
        let conversion = served.and_then(|(definition, _)| definition.conversion.as_ref());
        let wanted = format!("{}/{}", resource.group, resource.version);
        match conversion {
            Some(conversion) if object.text("/apiVersion") != wanted => {
                let mut shown = self
                    .convert_others(conversion, vec![object.clone()], &wanted)
                    .await?;
                Ok(shown.pop().unwrap_or_default())
            }
            _ => Ok(self.show(resource, object)),
        }
    }
}

/// An object of the store as another version has it.
fn same(definition: &Definition, object: &Object, value: &Value) -> Arc<Object> {
    let mut meta = Meta::of(value);
    meta.revision = object.meta().revision;
    meta.fields = definition.strategy.fields(value);
    Arc::new(Object::new(to_json(value).into(), meta))
}

/// How the bytes of objects begin that are kept in this version.
fn prefix(definition: &Definition, version: &str) -> String {
    json_prefix(&definition.kind, &definition.api_version(version))
}

/// The view of the version that an object of the store is kept in, found without parsing it.
pub(crate) fn kept_as<'d>(definition: &'d Definition, object: &Object) -> Option<&'d Arc<Definition>> {
    let is_its = |view: &&Arc<Definition>| {
        let prefix = prefix(view, &view.storage_version.version);
        object.bytes().starts_with(prefix.as_bytes())
    };
    definition.views.iter().find(is_its)
}

fn lost() -> Status {
    Status::internal("an object was lost in conversion")
}
