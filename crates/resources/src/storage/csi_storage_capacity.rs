//! How much storage a driver has for a class.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Strategy, Traits};

use crate::check::{self, Errors};

/// The strategy of storage capacities.
pub(crate) struct CsiStorageCapacity;

impl Strategy for CsiStorageCapacity {
    fn traits(&self) -> Traits {
        Traits {
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        check::label_selector(
            &mut errors,
            &Path::new("nodeTopology"),
            object.field("nodeTopology"),
        );
        check::dns_subdomain(
            &mut errors,
            &Path::new("storageClassName"),
            object.text("/storageClassName"),
        );
        let capacity = object.field("capacity");
        if Quantity::from_json(capacity).is_ok_and(|quantity| quantity.sign() < 0) {
            errors.push(Error::invalid(
                &Path::new("capacity"),
                capacity.clone(),
                check::NOT_NEGATIVE,
            ));
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        for field in ["nodeTopology", "storageClassName"] {
            check::immutable(&mut errors, &Path::new(field), new.field(field), old.field(field));
        }
        errors
    }

    /// Upstream does not look at the rest again.
    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        self.validate_update(new, old)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn capacities_are_for_a_class_and_not_negative() {
        let errors = CsiStorageCapacity.validate(&json!({"storageClassName": "c", "capacity": "-1Gi"}));
        assert_eq!(
            errors[0].to_string(),
            "capacity: Invalid value: \"-1Gi\": must be greater than or equal to 0"
        );
        let (new, old) = (json!({"storageClassName": "b"}), json!({"storageClassName": "a"}));
        assert_eq!(CsiStorageCapacity.validate_update(&new, &old).len(), 1);
    }
}
