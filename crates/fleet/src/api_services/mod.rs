//! `APIService`s: those of custom resources come and go with their definitions, and those that name a Service are asked
//! whether they answer, which their condition and discovery tell.

mod definitions;
mod extension;
mod remote;

pub(crate) use extension::FRONT_PROXY;

use std::sync::Weak;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_access::Place;
use warren_access::bootstrap::{AUTOMANAGED, api_service_of_custom, local};
use warren_apimachinery::resource::{
    API_SERVICES, CUSTOM_RESOURCE_DEFINITIONS, ENDPOINT_SLICES, NAMESPACES, SERVICES,
};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, StatusReason, time};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Part, ReconcileError, Reconciler, Triggers,
};

use crate::fleet::Fleet;
use definitions::{Definitions, Served};

/// See the module.
pub(crate) struct ApiServices {
    fleet: Weak<Fleet>,
    definitions: Definitions,
}

impl ApiServices {
    pub(crate) fn new(fleet: Weak<Fleet>) -> Self {
        Self {
            fleet,
            definitions: Definitions::default(),
        }
    }
}

#[async_trait]
impl Reconciler for ApiServices {
    fn name(&self) -> &'static str {
        "api-services"
    }

    fn actor(&self) -> &'static str {
        "kube-aggregator"
    }

    fn watches(&self) -> &'static [Resource] {
        const WATCHES: &[Resource] = &[
            API_SERVICES,
            CUSTOM_RESOURCE_DEFINITIONS,
            SERVICES,
            ENDPOINT_SLICES,
            NAMESPACES,
        ];
        WATCHES
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if API_SERVICES.is(&change.resource) {
            return out.add(change.object.key());
        }
        if CUSTOM_RESOURCE_DEFINITIONS.is(&change.resource) {
            return versions_of(change).for_each(|name| out.add(ObjectKey::cluster(name)));
        }
        if NAMESPACES.is(&change.resource) {
            let is_new = change.previous.is_none() && !change.deleted;
            if is_new && change.object.meta().name == extension::NAMESPACE {
                out.add(extension::key());
            }
            return;
        }
        self.behind(change)
            .for_each(|name| out.add(ObjectKey::cluster(name)));
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let fleet = self.fleet.upgrade();
        let Some(tenant) = fleet.as_ref().and_then(|fleet| fleet.tenant(cx.cluster.id())) else {
            return Ok(Next::Wait);
        };
        if *key == extension::key() {
            return extension::ensure(cx, &tenant).await;
        }
        let Some((version, group)) = key.name.split_once('.') else {
            return Ok(Next::Wait);
        };
        let object = cx.cluster.get(&API_SERVICES, key).map(|object| object.to_value());
        let aggregation = tenant.api().aggregation();
        let object = keep_in_step(cx, (group, version), &self.definitions, object).await?;
        let Some(object) = object else {
            aggregation.set(group, version, None);
            return Ok(Next::Wait);
        };
        if object.at("/spec/service").is_null() {
            aggregation.set(group, version, None);
            say(cx, &object, local()).await?;
            return Ok(Next::Wait);
        }
        let Some(calls) = fleet.and_then(|fleet| fleet.calls()) else {
            return Ok(Next::Wait);
        };
        let before = aggregation.find(group, version);
        let found = remote::look(cx, calls.as_ref(), &object, before.as_deref()).await;
        let failures = found.version.failures;
        aggregation.set(group, version, Some(found.version));
        say(cx, &object, found.condition).await?;
        Ok(Next::After(remote::again(failures)))
    }
}

impl ApiServices {
    /// The `APIService`s that a Service, or a slice of one, stands behind. Mostly there are none at all.
    fn behind(&self, change: &Change) -> impl Iterator<Item = String> + use<> {
        let fleet = self.fleet.upgrade();
        let tenant = fleet.and_then(|fleet| fleet.tenant(&change.cluster));
        let all = tenant
            .map(|tenant| tenant.api().aggregation().all())
            .unwrap_or_default();
        let meta = change.object.meta();
        let service = match SERVICES.is(&change.resource) {
            true => meta.name.to_string(),
            false => meta
                .label("kubernetes.io/service-name")
                .unwrap_or_default()
                .to_owned(),
        };
        let in_namespace = meta.namespace.to_string();
        let mut names = Vec::new();
        for known in all.iter() {
            if let Place::Service { namespace, name, .. } = &known.destination.place
                && *namespace == in_namespace
                && *name == service
            {
                names.push(format!("{}.{}", known.version, known.group));
            }
        }
        names.into_iter()
    }
}

/// The names of the `APIService`s that a definition's versions have, or had.
fn versions_of(change: &Change) -> impl Iterator<Item = String> + use<> {
    let before = change.previous.as_ref().map(|object| Served::of(object));
    let now = Served::of(&change.object);
    // Its status is written often, and is nothing to them.
    let is_settled = before.as_ref() == Some(&now) && !change.deleted;
    let both = [Some(now), before].into_iter().flatten();
    let names: Vec<String> = both
        .filter(|_| !is_settled)
        .flat_map(|served| served.names().collect::<Vec<_>>())
        .collect();
    names.into_iter()
}

/// Makes, corrects or removes the `APIService` of custom resources. Answers with what is there then.
async fn keep_in_step(
    cx: &Context,
    (group, version): (&str, &str),
    definitions: &Definitions,
    object: Option<Value>,
) -> Result<Option<Value>, ReconcileError> {
    let managed = object
        .as_ref()
        .map(|object| object.at("/metadata/labels").field(AUTOMANAGED) == "true");
    if managed == Some(false) {
        // Somebody else's, or that of a built-in group, which is only made with the cluster.
        return Ok(object);
    }
    let wanted = is_served(cx, (group, version), definitions).then(|| api_service_of_custom(group, version));
    match (object, wanted) {
        (None, None) => Ok(None),
        (None, Some(wanted)) => match cx.cluster.create(&API_SERVICES, wanted).await {
            Err(status) if status.is(StatusReason::AlreadyExists) => Ok(None),
            made => Ok(Some(made?.to_value())),
        },
        (Some(object), None) => {
            let options = DeleteOptions {
                uid: Some(object.text("/metadata/uid").to_owned()),
                ..DeleteOptions::default()
            };
            let key = ObjectKey::cluster(object.text("/metadata/name"));
            match cx.cluster.delete(&API_SERVICES, &key, options).await {
                Err(status) if status.is(StatusReason::NotFound) || status.is(StatusReason::Conflict) => {
                    Ok(None)
                }
                gone => Ok(gone.map(|()| None)?),
            }
        }
        (Some(object), Some(wanted)) if object.at("/spec") == wanted.at("/spec") => Ok(Some(object)),
        (Some(mut object), Some(wanted)) => {
            object.set("/spec", wanted.at("/spec").clone());
            let updated = cx.cluster.update(&API_SERVICES, Part::Main, object).await?;
            Ok(Some(updated.to_value()))
        }
    }
}

fn is_served(cx: &Context, (group, version): (&str, &str), definitions: &Definitions) -> bool {
    let all = cx.cluster.list(&CUSTOM_RESOURCE_DEFINITIONS, None);
    // A definition's name ends with its group: only those need to be read.
    let mut of_group = all.iter().filter(|crd| crd.meta().name.ends_with(group));
    of_group.any(|crd| {
        let served = definitions.served(crd);
        served.group == group && served.versions.iter().any(|name| name == version)
    })
}

/// Writes the condition `Available`, if it says anything new.
async fn say(cx: &Context, object: &Value, mut condition: Value) -> Result<(), ReconcileError> {
    let mut conditions = object.items("/status/conditions").to_vec();
    let at = conditions.iter().position(|old| old.text("/type") == "Available");
    let old = at.and_then(|at| conditions.get(at)).cloned().unwrap_or_default();
    let since = match old.text("/status") == condition.text("/status") {
        true => old.at("/lastTransitionTime").clone(),
        false => time::format(cx.now).into(),
    };
    condition.set("/lastTransitionTime", since);
    if condition == old {
        return Ok(());
    }
    match at.and_then(|at| conditions.get_mut(at)) {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
    let key = ObjectKey::cluster(object.text("/metadata/name"));
    let patch = json!({"status": {"conditions": conditions}});
    match cx
        .cluster
        .merge_patch(&API_SERVICES, &key, Part::Status, patch)
        .await
    {
        Err(status) if status.is(StatusReason::NotFound) => Ok(()),
        written => Ok(written.map(|_| ())?),
    }
}
