//! CSI drivers.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const TOKEN_SECONDS_MIN: i64 = 600;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;
const UPDATE_SECONDS_MIN: i64 = 10;

/// The strategy of CSI drivers.
pub(crate) struct CsiDriver;

impl Strategy for CsiDriver {
    fn traits(&self) -> Traits {
        Traits {
            unconditional_update: false,
            ..Traits::default()
        }
    }

    /// Upstream counts changes, but starts at none.
    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        if !check::same(new.field("spec"), old.field("spec")) {
            let generation = old.int("/metadata/generation").unwrap_or_default();
            new.set("/metadata/generation", generation + 1);
        }
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        const REQUESTS: &str = "/spec/tokenRequests";
        let kept = old.is_some_and(|old| check::same(new.at(REQUESTS), old.at(REQUESTS)));
        if kept || new.items(REQUESTS).is_empty() || !new.at("/spec/serviceAccountTokenInSecrets").is_null() {
            return Vec::new();
        }
        vec![
            "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes"
                .to_owned(),
        ]
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        if let Some(policy) = spec.field("fsGroupPolicy").as_str() {
            check::one_of(
                &mut errors,
                &path.child("fsGroupPolicy"),
                policy,
                &["File", "None", "ReadWriteOnceWithFSType"],
            );
        }
        tokens(
            &mut errors,
            &path.child("tokenRequests"),
            spec.items("/tokenRequests"),
        );
        for mode in spec.items("/volumeLifecycleModes") {
            check::one_of(
                &mut errors,
                &path.child("volumeLifecycleModes"),
                mode.as_str().unwrap_or_default(),
                &["Persistent", "Ephemeral"],
            );
        }
        let in_secrets = spec.field("serviceAccountTokenInSecrets");
        if !in_secrets.is_null() && spec.items("/tokenRequests").is_empty() {
            errors.push(Error::invalid(
                &path.child("serviceAccountTokenInSecrets"),
                in_secrets.clone(),
                "serviceAccountTokenInSecrets is set but no tokenRequests are specified",
            ));
        }
        let field = "nodeAllocatableUpdatePeriodSeconds";
        if let Some(seconds) = spec
            .field(field)
            .as_i64()
            .filter(|seconds| *seconds < UPDATE_SECONDS_MIN)
        {
            errors.push(Error::invalid(
                &path.child(field),
                seconds,
                "must be greater than or equal to 10 seconds",
            ));
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let path = Path::new("spec");
        // The first path is misspelt upstream.
        for (field, shown) in [
            ("attachRequired", "attachedRequired"),
            ("volumeLifecycleModes", "volumeLifecycleModes"),
        ] {
            check::immutable(
                &mut errors,
                &path.child(shown),
                new.field("spec").field(field),
                old.field("spec").field(field),
            );
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("csidrivers.storage.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let spec = object.field("spec");
        let flag =
            |field: &str, unset: bool| -> Value { spec.field(field).as_bool().unwrap_or(unset).into() };
        let modes = spec.items("/volumeLifecycleModes").iter();
        let modes: Vec<&str> = modes.filter_map(Value::as_str).collect();
        let audiences = spec.items("/tokenRequests").iter();
        let audiences: Vec<&str> = audiences.map(|request| request.text("/audience")).collect();
        let tokens = if spec.field("tokenRequests").is_null() {
            "<unset>".to_owned()
        } else {
            audiences.join(",")
        };
        vec![
            name(object),
            flag("attachRequired", true),
            flag("podInfoOnMount", false),
            flag("storageCapacity", false),
            tokens.into(),
            flag("requiresRepublish", false),
            if modes.is_empty() {
                "<none>".into()
            } else {
                modes.join(",").into()
            },
            age(object, now),
        ]
    }
}

fn tokens(errors: &mut Errors, path: &Path, requests: &[Value]) {
    let mut audiences = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        let path = path.index(at);
        let audience = request.text("/audience");
        if audiences.contains(&audience) {
            errors.push(Error::duplicate(&path.child("audience"), audience));
        }
        audiences.push(audience);
        let Some(seconds) = request.int("/expirationSeconds") else {
            continue;
        };
        let path = path.child("expirationSeconds");
        if seconds < TOKEN_SECONDS_MIN {
            errors.push(Error::invalid(
                &path,
                seconds,
                "may not specify a duration less than 10 minutes",
            ));
        }
        if seconds > TOKEN_SECONDS_MAX {
            errors.push(Error::invalid(
                &path,
                seconds,
                "may not specify a duration larger than 2^32 seconds",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_modes_and_tokens_are_checked() {
        let errors = CsiDriver.validate(
            &json!({"spec": {"fsGroupPolicy": "All", "volumeLifecycleModes": ["Once"],
            "tokenRequests": [{"audience": "a", "expirationSeconds": 60}, {"audience": "a"}]}}),
        );
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "spec.fsGroupPolicy: Unsupported value: \"All\": supported values: \"File\", \"None\", \"ReadWriteOnceWithFSType\"",
                "spec.tokenRequests[0].expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes",
                "spec.tokenRequests[1].audience: Duplicate value: \"a\"",
                "spec.volumeLifecycleModes: Unsupported value: \"Once\": supported values: \"Persistent\", \"Ephemeral\"",
            ]
        );
    }
}
