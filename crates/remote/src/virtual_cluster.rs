//! A `VirtualCluster` object as it came from a host.

use warren_apimachinery::ObjectKey;
use warren_apimachinery::Value;
use warren_apimachinery::value::ValueExt;
use warren_config::{Phase, VirtualClusterStatus};

/// As it came: whatever its spec says, it can be listed and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualClusterObject(pub Value);

impl VirtualClusterObject {
    /// Its namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::namespaced(self.0.text("/metadata/namespace"), self.0.text("/metadata/name"))
    }

    /// Its name, which is the virtual cluster's.
    pub fn name(&self) -> &str {
        self.0.text("/metadata/name")
    }

    /// Its namespace on the host.
    pub fn namespace(&self) -> &str {
        self.0.text("/metadata/namespace")
    }

    /// What the fleet reports. A status of a shape that we do not know reads as empty.
    pub fn status(&self) -> VirtualClusterStatus {
        serde_json::from_value(self.0.at("/status").clone()).unwrap_or_default()
    }

    /// In one word; an object that is being deleted is `Terminating`, one that no fleet has seen `Pending`.
    pub fn phase(&self) -> Phase {
        if self.is_deleting() {
            return Phase::Terminating;
        }
        self.status().phase.unwrap_or(Phase::Pending)
    }

    /// Whether it is being deleted.
    pub fn is_deleting(&self) -> bool {
        !self.0.at("/metadata/deletionTimestamp").is_null()
    }

    /// Whether its API answers as its spec wants it now; it may rest.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase(), Phase::Ready | Phase::Paused) && self.is_observed()
    }

    /// Whether it rests, as its spec wants it now.
    pub fn is_paused(&self) -> bool {
        self.phase() == Phase::Paused && self.is_observed()
    }

    /// Whether it works, as its spec wants it now: ready, and nothing is left of a pause.
    pub fn is_working(&self) -> bool {
        let told = self
            .status()
            .conditions
            .iter()
            .any(|condition| condition.r#type == "Paused");
        self.phase() == Phase::Ready && self.is_observed() && !told
    }

    /// Whether it cannot be made as its spec wants it now.
    pub fn is_failed(&self) -> bool {
        self.phase() == Phase::Failed && self.is_observed()
    }

    /// What the conditions that do not hold say; empty when all hold.
    pub fn complaint(&self) -> String {
        let status = self.status();
        let bad = status
            .conditions
            .iter()
            .filter(|condition| condition.status == "False");
        let said: Vec<&str> = bad
            .map(|condition| condition.message.as_str())
            .filter(|message| !message.is_empty())
            .collect();
        said.join("; ")
    }

    fn is_observed(&self) -> bool {
        let generation = self.0.int("/metadata/generation").unwrap_or_default();
        self.status().observed_generation >= generation
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_about_an_older_generation_is_not_ready() {
        let object = |observed: i64| {
            VirtualClusterObject(
                json!({"metadata": {"name": "a", "namespace": "b", "generation": 2},
                "status": {"phase": "Ready", "observedGeneration": observed}}),
            )
        };
        assert!(object(2).is_ready() && !object(1).is_ready());
    }

    #[test]
    fn a_cluster_works_again_when_nothing_is_left_of_its_pause() {
        let object = |phase: &str, conditions: Value| {
            VirtualClusterObject(json!({"status": {"phase": phase, "conditions": conditions}}))
        };
        let resuming = object("Ready", json!([{"type": "Paused", "status": "False"}]));
        assert!(resuming.is_ready() && !resuming.is_working() && !resuming.is_paused());
        assert!(object("Ready", json!([])).is_working());
        let paused = object("Paused", json!([{"type": "Paused", "status": "True"}]));
        assert!(paused.is_paused() && paused.is_ready() && !paused.is_working());
    }

    #[test]
    fn what_is_being_deleted_is_terminating_and_what_nobody_saw_pending() {
        let deleting = json!({"metadata": {"deletionTimestamp": "t"}, "status": {"phase": "Ready"}});
        assert_eq!(VirtualClusterObject(deleting).phase(), Phase::Terminating);
        assert_eq!(VirtualClusterObject(json!({})).phase(), Phase::Pending);
    }

    #[test]
    fn conditions_that_do_not_hold_say_why() {
        let object = VirtualClusterObject(json!({"status": {"conditions": [
            {"type": "ConfigValid", "status": "False", "message": "unknown field"},
            {"type": "Ready", "status": "True", "message": "fine"}]}}));
        assert_eq!(object.complaint(), "unknown field");
    }
}
