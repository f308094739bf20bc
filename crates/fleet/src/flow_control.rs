//! Flow control objects: what every cluster needs of them comes back when it is deleted or changed, and each flow
//! schema's status says whether its priority level is there.

use std::sync::{LazyLock, Weak};

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_access::bootstrap::{self, BootstrapObject, FLOW_SCHEMAS, PRIORITY_LEVELS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, time};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::fleet::Fleet;
use crate::virtual_cluster::correct;

/// What every cluster should have; read once for all of them.
static WANTED: LazyLock<Vec<BootstrapObject>> =
    LazyLock::new(|| bootstrap::recorded(&[FLOW_SCHEMAS, PRIORITY_LEVELS]).collect());

/// See the module. Works on names: a flow schema and a priority level of one name are looked at together.
pub(crate) struct FlowControl {
    pub(crate) fleet: Weak<Fleet>,
}

#[async_trait]
impl Reconciler for FlowControl {
    fn name(&self) -> &'static str {
        "flow-control"
    }

    fn actor(&self) -> &'static str {
        "api-priority-and-fairness-config-consumer-v1"
    }

    fn watches(&self) -> &'static [Resource] {
        const WATCHES: &[Resource] = &[FLOW_SCHEMAS, PRIORITY_LEVELS];
        WATCHES
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        out.add(change.object.key());
        // A level that comes or goes changes what is said of the schemas that name it.
        if PRIORITY_LEVELS.is(&change.resource) && (change.deleted || change.previous.is_none()) {
            for schema in cluster.list(&FLOW_SCHEMAS, None) {
                if level_of(&schema.to_value()) == change.object.meta().name {
                    out.add(schema.key());
                }
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(fleet) = self.fleet.upgrade() else {
            return Ok(Next::Wait);
        };
        let Some(tenant) = fleet.tenant(cx.cluster.id()) else {
            return Ok(Next::Wait);
        };
        // So it is with nearly all clusters: nothing is read then.
        if fleet.is_untouched(&tenant, &[FLOW_SCHEMAS, PRIORITY_LEVELS]) {
            return Ok(Next::Wait);
        }
        let wanted = WANTED
            .iter()
            .filter(|object| object.value.text("/metadata/name") == key.name)
            .cloned();
        for correction in bootstrap::reconcile(wanted, &tenant.store().snapshot()) {
            correct(cx.cluster.as_ref(), correction).await?;
        }
        if let Some(schema) = cx.cluster.get(&FLOW_SCHEMAS, key) {
            let schema = schema.to_value();
            let level = ObjectKey::cluster(level_of(&schema));
            let is_there = cx.cluster.get(&PRIORITY_LEVELS, &level).is_some();
            if let Some(patch) = dangling(&schema, is_there, &time::format(cx.now)) {
                cx.cluster
                    .merge_patch(&FLOW_SCHEMAS, key, Part::Status, patch)
                    .await?;
            }
        }
        Ok(Next::Wait)
    }
}

fn level_of(schema: &Value) -> &str {
    schema.text("/spec/priorityLevelConfiguration/name")
}

/// What to write into the status of a schema whose level is there or not; `None` when it says so already.
fn dangling(schema: &Value, is_there: bool, now: &str) -> Option<Value> {
    let level = level_of(schema);
    let (status, reason, but) = match is_there {
        true => ("False", "Found", "and it exists"),
        false => ("True", "NotFound", "but there is no such object"),
    };
    let message =
        format!("This FlowSchema references the PriorityLevelConfiguration object named {level:?} {but}");
    let conditions = schema.items("/status/conditions");
    let old = conditions
        .iter()
        .find(|condition| condition.text("/type") == "Dangling");
    let says_so = old.is_some_and(|old| {
        (old.text("/status"), old.text("/reason"), old.text("/message")) == (status, reason, &message)
    });
    if says_so {
        return None;
    }
    let mut conditions: Vec<Value> = conditions
        .iter()
        .filter(|condition| condition.text("/type") != "Dangling")
        .cloned()
        .collect();
    conditions.push(
        json!({"type": "Dangling", "status": status, "lastTransitionTime": now,
        "reason": reason, "message": message}),
    );
    Some(json!({"status": {"conditions": conditions}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_tells_whether_its_level_is_there() {
        let mut schema = json!({"spec": {"priorityLevelConfiguration": {"name": "a"}}});
        let found = dangling(&schema, false, "t").unwrap();
        let condition = &found["status"]["conditions"][0];
        assert_eq!(
            condition["message"],
            "This FlowSchema references the PriorityLevelConfiguration object named \"a\" but there is no such object"
        );
        assert_eq!(
            (condition.text("/status"), condition.text("/reason")),
            ("True", "NotFound")
        );
        schema.set("/status", found["status"].clone());
        assert_eq!(dangling(&schema, false, "later"), None);
        assert!(dangling(&schema, true, "later").is_some());
    }

    #[test]
    fn what_every_cluster_starts_with_needs_no_word_about_it() {
        for object in WANTED.iter().filter(|object| object.resource == FLOW_SCHEMAS) {
            assert_eq!(dangling(&object.value, true, "t"), None, "{}", object.value);
        }
    }
}
