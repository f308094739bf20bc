//! What CSI drivers tell of the nodes they run on.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::parameters::driver;
use crate::check::{self, Errors};
use crate::go_literal::go_literal;
use crate::table::{age, columns, name};

const NODE_ID_MAX: usize = 256;

/// The strategy of CSI nodes.
pub(crate) struct CsiNode;

impl Strategy for CsiNode {
    fn traits(&self) -> Traits {
        Traits {
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let mut seen = Vec::new();
        for (at, value) in object.items("/spec/drivers").iter().enumerate() {
            let path = Path::new("spec.drivers").index(at);
            let own_name = value.text("/name");
            driver(&mut errors, &path.child("name"), own_name);
            node_id(&mut errors, &path.child("nodeID"), value.text("/nodeID"));
            check::not_negative(
                &mut errors,
                &path.child("allocatable.count"),
                value.at("/allocatable/count"),
            );
            if seen.contains(&own_name) {
                errors.push(Error::duplicate(&path.child("name"), own_name));
            }
            seen.push(own_name);
            topology_keys(&mut errors, &path, value.items("/topologyKeys"));
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let fixed = |driver: &Value| {
            let mut driver = driver.clone();
            driver.take_at("/allocatable");
            driver
        };
        for before in old.items("/spec/drivers") {
            let same_name = |driver: &&Value| driver.text("/name") == before.text("/name");
            if let Some(now) = new.items("/spec/drivers").iter().find(same_name) {
                let (now, before) = (fixed(now), fixed(before));
                if !check::same(&now, &before) {
                    errors.push(
                        Error::invalid(&Path::new("spec.drivers"), Value::Null, check::IMMUTABLE)
                            .shown_as(go_literal("CSINodeDriver", &now)),
                    );
                }
            }
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("csinodes.storage.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name(object),
            object.items("/spec/drivers").len().into(),
            age(object, now),
        ]
    }
}

fn node_id(errors: &mut Errors, path: &Path, id: &str) {
    check::required(errors, path, id);
    if id.len() > NODE_ID_MAX {
        errors.push(Error::invalid(
            path,
            id,
            format!("must be {NODE_ID_MAX} characters or less"),
        ));
    }
}

fn topology_keys(errors: &mut Errors, path: &Path, keys: &[Value]) {
    for (at, key) in keys.iter().enumerate() {
        if keys.iter().take(at).any(|before| before == key) {
            errors.push(Error::duplicate(path, key.clone()));
        }
        let key = key.as_str().unwrap_or_default();
        check::required(errors, path, key);
        check::qualified_name(errors, path, key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_driver_is_told_of_once_and_stays() {
        let node = |id: &str| json!({"spec": {"drivers": [{"name": "a.b", "nodeID": id}]}});
        assert!(CsiNode.validate(&node("x")).is_empty());
        assert_eq!(
            CsiNode.validate(&node(""))[0].to_string(),
            "spec.drivers[0].nodeID: Required value"
        );
        assert_eq!(CsiNode.validate_update(&node("y"), &node("x")).len(), 1);
    }
}
