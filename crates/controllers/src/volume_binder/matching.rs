//! Which volume suits a claim: pure.

use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Meta, Value};

/// What a claim asks for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) class: String,
    pub(super) storage: Quantity,
    access_modes: Vec<String>,
    volume_mode: String,
    selector: Option<LabelSelector>,
}

fn texts(value: &Value, pointer: &str) -> Vec<String> {
    value
        .items(pointer)
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn volume_mode(spec: &Value) -> String {
    match spec.text("/volumeMode") {
        "" => "Filesystem".to_owned(),
        mode => mode.to_owned(),
    }
}

/// The class of a claim or volume, by field or by the annotation of old.
pub(super) fn class(value: &Value) -> String {
    match value.text("/metadata/annotations/volume.beta.kubernetes.io~1storage-class") {
        "" => value.text("/spec/storageClassName").to_owned(),
        class => class.to_owned(),
    }
}

impl Request {
    pub(super) fn of(claim: &Value) -> Self {
        let selector = claim.at("/spec/selector");
        Self {
            namespace: claim.text("/metadata/namespace").to_owned(),
            name: claim.text("/metadata/name").to_owned(),
            uid: claim.text("/metadata/uid").to_owned(),
            class: class(claim),
            storage: Quantity::from_json(claim.at("/spec/resources/requests/storage"))
                .unwrap_or(Quantity::ZERO),
            access_modes: texts(claim, "/spec/accessModes"),
            volume_mode: volume_mode(claim.at("/spec")),
            selector: (!selector.is_null())
                .then(|| LabelSelector::from_json(selector).unwrap_or_else(|_| LabelSelector::nothing())),
        }
    }

    /// Whether a volume's `claimRef` names this claim, with its uid or before it had one.
    pub(super) fn is_reserved_for(&self, volume: &Value) -> bool {
        let reference = volume.at("/spec/claimRef");
        reference.text("/namespace") == self.namespace
            && reference.text("/name") == self.name
            && matches!(reference.text("/uid"), uid if uid.is_empty() || uid == self.uid)
    }

    /// Whether a volume that is free has all that is asked for.
    fn is_met_by(&self, volume: &Value) -> bool {
        let modes = texts(volume, "/spec/accessModes");
        let capacity = capacity(volume);
        let selected = self
            .selector
            .as_ref()
            .is_none_or(|selector| selector.matches(&Meta::of(volume)));
        volume.at("/metadata/deletionTimestamp").is_null()
            && volume.at("/spec/claimRef").is_null()
            && volume.text("/status/phase") == "Available"
            && class(volume) == self.class
            && volume_mode(volume.at("/spec")) == self.volume_mode
            && self.access_modes.iter().all(|mode| modes.contains(mode))
            && capacity >= self.storage
            && selected
    }
}

/// A volume's size.
pub(super) fn capacity(volume: &Value) -> Quantity {
    Quantity::from_json(volume.at("/spec/capacity/storage")).unwrap_or(Quantity::ZERO)
}

/// The volume that is reserved for the claim, or the smallest that meets it.
pub(super) fn best<'a>(request: &Request, volumes: &'a [Value]) -> Option<&'a Value> {
    let reserved = volumes.iter().find(|volume| request.is_reserved_for(volume));
    reserved.or_else(|| {
        let fitting = volumes.iter().filter(|volume| request.is_met_by(volume));
        fitting.min_by_key(|volume| (capacity(volume), volume.text("/metadata/name").to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn volume(name: &str, size: &str, extra: Value) -> Value {
        let mut volume = json!({"metadata": {"name": name}, "spec": {"capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"], "storageClassName": "fast"}, "status": {"phase": "Available"}});
        for (path, value) in extra.as_object().unwrap() {
            volume.set(path, value.clone());
        }
        volume
    }

    fn check(volumes: &[Value], expect: Option<&str>) {
        let claim = json!({"metadata": {"name": "c", "namespace": "n", "uid": "u"}, "spec": {
            "storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "5Gi"}}}});
        let best = best(&Request::of(&claim), volumes);
        assert_eq!(best.map(|volume| volume.text("/metadata/name")), expect);
    }

    #[test]
    fn the_smallest_volume_that_suffices_is_taken() {
        let sizes = [
            volume("big", "100Gi", json!({})),
            volume("fit", "10Gi", json!({})),
            volume("small", "1Gi", json!({})),
        ];
        check(&sizes, Some("fit"));
        check(&[volume("small", "1Gi", json!({}))], None);
        check(
            &[volume("x", "10Gi", json!({"/spec/storageClassName": "slow"}))],
            None,
        );
        check(
            &[volume(
                "x",
                "10Gi",
                json!({"/spec/accessModes": ["ReadOnlyMany"]}),
            )],
            None,
        );
        check(&[volume("x", "10Gi", json!({"/status/phase": "Released"}))], None);
        check(&[volume("x", "10Gi", json!({"/spec/volumeMode": "Block"}))], None);
    }

    #[test]
    fn a_reserved_volume_comes_before_any_other() {
        let mine = json!({"/spec/claimRef": {"namespace": "n", "name": "c"}});
        let other = json!({"/spec/claimRef": {"namespace": "n", "name": "d", "uid": "x"}});
        check(
            &[volume("fit", "5Gi", json!({})), volume("mine", "100Gi", mine)],
            Some("mine"),
        );
        check(&[volume("other", "5Gi", other)], None);
    }
}
