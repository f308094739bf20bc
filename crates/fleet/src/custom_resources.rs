//! Custom resources: what a cluster's CustomResourceDefinitions say is served by its registry.

use std::sync::Weak;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Object, ObjectKey, Resource, Status, StatusReason, resource, time};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Part, ReconcileError, Reconciler, Triggers,
};
use warren_resources::custom::{CLEANUP, Known, shared};

use crate::custom_resource_names::{self, Names};
use crate::fleet::Fleet;
use crate::tenant::Tenant;

/// Keeps each cluster's catalogue in step with its definitions, and says in their status that they are served.
pub(crate) struct CustomResources {
    pub(crate) fleet: Weak<Fleet>,
}

/// Serves what the definitions of a cluster say.
pub(crate) fn serve(tenant: &Tenant) {
    tenant.definitions().serve(tenant.registry());
}

/// The group of a definition: its name is the plural name and the group.
fn group_of(name: &str) -> &str {
    name.split_once('.').map_or("", |(_, group)| group)
}

#[async_trait]
impl Reconciler for CustomResources {
    fn name(&self) -> &'static str {
        "custom-resources"
    }

    fn actor(&self) -> &'static str {
        "kube-apiserver"
    }

    fn watches(&self) -> &'static [Resource] {
        const WATCHES: &[Resource] = &[resource::CUSTOM_RESOURCE_DEFINITIONS];
        WATCHES
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        out.add(change.object.key());
        if change.deleted {
            // Its names are free for others.
            let group = group_of(&change.object.meta().name);
            let all = cluster.list(&resource::CUSTOM_RESOURCE_DEFINITIONS, None);
            let rivals = all.iter().filter(|crd| group_of(&crd.meta().name) == group);
            rivals.for_each(|crd| out.add(crd.key()));
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(tenant) = self
            .fleet
            .upgrade()
            .and_then(|fleet| fleet.tenant(cx.cluster.id()))
        else {
            return Ok(Next::Wait);
        };
        serve(&tenant);
        let Some(object) = cx.cluster.get(&resource::CUSTOM_RESOURCE_DEFINITIONS, key) else {
            return Ok(Next::Wait);
        };
        if object.meta().deleting {
            return terminate(cx, &object, &object.to_value()).await;
        }
        establish(cx.cluster.as_ref(), &tenant, &object, cx.now).await?;
        Ok(Next::Wait)
    }
}

/// Settles the names of a definition, says in its status what became of it, and then serves it.
///
/// # Errors
/// Why the status could not be written.
pub(crate) async fn establish(
    cluster: &dyn Cluster,
    tenant: &Tenant,
    object: &Object,
    now: Timestamp,
) -> Result<(), Status> {
    let crd = object.to_value();
    let all = cluster.list(&resource::CUSTOM_RESOURCE_DEFINITIONS, None);
    let group = crd.text("/spec/group");
    let rivals = all.iter().filter(|object| group_of(&object.meta().name) == group);
    let rivals: Vec<Value> = rivals.map(|object| rival(object)).collect();
    let names = custom_resource_names::settle(&crd, &rivals);
    let status = status(&crd, names, &shared(object), &time::format(now));
    if status != *crd.at("/status") {
        let patch = json!({"status": status});
        let key = object.key();
        cluster
            .merge_patch(&resource::CUSTOM_RESOURCE_DEFINITIONS, &key, Part::Status, patch)
            .await?;
        serve(tenant);
    }
    Ok(())
}

/// What is asked of a definition that may have the same names. Not its schemas, which are nearly all of it.
fn rival(object: &Object) -> Value {
    let name = &object.meta().name;
    let status = object.field("status").unwrap_or_default();
    let status: Value = serde_json::from_slice(&status).unwrap_or_default();
    json!({"metadata": {"name": name}, "spec": {"group": group_of(name)}, "status": status})
}

/// How soon the instances of a definition that goes are counted again, while something holds them.
const COUNT_AGAIN: Duration = Duration::from_millis(500);

/// Removes the instances of a definition that goes, then lets it go: as upstream's finaliser of definitions.
async fn terminate(cx: &Context, object: &Object, crd: &Value) -> Result<Next, ReconcileError> {
    if !object
        .meta()
        .finalizers
        .iter()
        .any(|finalizer| finalizer == CLEANUP)
    {
        return Ok(Next::Wait);
    }
    let progress = [
        "True",
        "InstanceDeletionInProgress",
        "CustomResource deletion is in progress",
    ];
    let established =
        |condition: &Value| condition.text("/type") == "Established" && condition.text("/status") == "True";
    let end = if crd.items("/status/conditions").iter().any(established) {
        say_terminating(cx, object, crd, progress).await?;
        let resource = GroupResource::new(crd.text("/spec/group"), crd.text("/spec/names/plural"));
        for instance in cx.cluster.list_any(&resource, None) {
            match cx
                .cluster
                .delete_any(&resource, &instance.key(), DeleteOptions::default())
                .await
            {
                Err(status) if !status.is(StatusReason::NotFound) => return Err(status.into()),
                _ => {}
            }
        }
        if !cx.cluster.list_any(&resource, None).is_empty() {
            return Ok(Next::After(COUNT_AGAIN));
        }
        ["False", "InstanceDeletionCompleted", "removed all instances"]
    } else {
        ["False", "NeverEstablished", "resource was never established"]
    };
    say_terminating(cx, object, crd, end).await?;
    let finalizers = object.meta().finalizers.iter();
    let left: Vec<&str> = finalizers
        .map(|finalizer| finalizer.as_str())
        .filter(|finalizer| *finalizer != CLEANUP)
        .collect();
    let patch = json!({"metadata": {"uid": object.meta().uid, "finalizers": left}});
    let key = object.key();
    let patched = cx
        .cluster
        .merge_patch(&resource::CUSTOM_RESOURCE_DEFINITIONS, &key, Part::Main, patch);
    match patched.await {
        Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
        _ => Ok(Next::Wait),
    }
}

async fn say_terminating(
    cx: &Context,
    object: &Object,
    crd: &Value,
    [status, reason, message]: [&str; 3],
) -> Result<(), ReconcileError> {
    let mut conditions = crd.items("/status/conditions").to_vec();
    let said = conditions
        .iter()
        .find(|condition| condition.text("/type") == "Terminating");
    if said.is_some_and(|said| said.text("/reason") == reason) {
        return Ok(());
    }
    conditions.retain(|condition| condition.text("/type") != "Terminating");
    conditions.push(
        json!({"type": "Terminating", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": time::format(cx.now)}),
    );
    let patch = json!({"status": {"conditions": conditions}});
    let key = object.key();
    let patched = cx
        .cluster
        .merge_patch(&resource::CUSTOM_RESOURCE_DEFINITIONS, &key, Part::Status, patch);
    match patched.await {
        Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
        _ => Ok(()),
    }
}

fn status(crd: &Value, names: Names, known: &Known, now: &str) -> Value {
    let mut status = crd.at("/status").clone();
    status.set("/acceptedNames", names.accepted);
    let stored = crd
        .items("/spec/versions")
        .iter()
        .find(|version| version.at("/storage") == &json!(true));
    if let Some(name) = stored.map(|version| version.text("/name")) {
        let mut versions = status.items("/storedVersions").to_vec();
        if !versions.contains(&json!(name)) {
            versions.push(json!(name));
        }
        status.set("/storedVersions", versions);
    }
    let wrong = known.as_ref().err().cloned();
    let was_established = holds(crd, "Established");
    let names_accepted = match names.conflict {
        None => ("True", "NoConflicts", "no conflicts found".to_owned()),
        Some((reason, message)) => ("False", reason, message),
    };
    let established = match &wrong {
        _ if was_established => None,
        Some(why) => Some(("False", "Installing", why.clone())),
        None if names_accepted.0 == "False" => {
            Some(("False", "NotAccepted", "not all names are accepted".to_owned()))
        }
        None => Some((
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted".to_owned(),
        )),
    };
    let mut conditions = crd.items("/status/conditions").to_vec();
    let approval = warren_resources::custom::conformance(crd);
    for (name, said) in [
        ("KubernetesAPIApprovalPolicyConformant", approval),
        ("NamesAccepted", Some(names_accepted)),
        ("Established", established),
    ] {
        if let Some(said) = said {
            say(&mut conditions, name, said, now);
        }
    }
    status.set("/conditions", conditions);
    status
}

/// Puts a condition among others; its time stays as long as its status does.
fn say(conditions: &mut Vec<Value>, name: &str, (holds, reason, message): (&str, &str, String), now: &str) {
    let said = conditions.iter_mut().find(|known| known.text("/type") == name);
    let before = said.as_ref().filter(|before| before.text("/status") == holds);
    let since = before.map_or_else(|| json!(now), |before| before.at("/lastTransitionTime").clone());
    let condition = json!({"type": name, "status": holds, "reason": reason, "message": message, "lastTransitionTime": since});
    match said {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
}

/// Whether a condition is true.
fn holds(crd: &Value, name: &str) -> bool {
    let mut conditions = crd.items("/status/conditions").iter();
    conditions.any(|condition| condition.text("/type") == name && condition.text("/status") == "True")
}
