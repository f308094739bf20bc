//! Deployments.

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::workload::{self, Words};
use crate::check::{self, Errors};
use crate::go_literal::go_literal;
use crate::pod_template::{default_template, drop_disabled_of_template, workload_warnings};
use crate::table::{age, columns, containers_and_images, name, selector_text};

const WORDS: Words = Words {
    selector: "deployment",
    template: "ReplicaSet",
};

/// The strategy of deployments.
pub(crate) struct Deployment;

impl Strategy for Deployment {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        default_template(object, "/spec/template");
        if object.text("/spec/strategy/type") == "RollingUpdate" {
            for field in ["maxSurge", "maxUnavailable"] {
                let pointer = format!("/spec/strategy/rollingUpdate/{field}");
                if object.at(&pointer).is_null() {
                    object.set(&pointer, "25%");
                }
            }
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        drop_disabled_of_template(object, "/spec/template");
        object.set("/status", Map::new());
    }

    fn prepare_for_update(&self, new: &mut Value, _old: &Value) {
        drop_disabled_of_template(new, "/spec/template");
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        workload::counts(&mut errors, &path, spec, &["replicas"]);
        workload::selector(&mut errors, &path, spec, WORDS);
        workload::selected_template(&mut errors, &path, spec, WORDS);
        strategy(&mut errors, &path.child("strategy"), spec.field("strategy"));
        workload::counts(
            &mut errors,
            &path,
            spec,
            &[
                "minReadySeconds",
                "revisionHistoryLimit",
                "progressDeadlineSeconds",
            ],
        );
        let ready = spec.int("/minReadySeconds").unwrap_or_default();
        if let Some(deadline) = spec
            .int("/progressDeadlineSeconds")
            .filter(|deadline| *deadline <= ready)
        {
            errors.push(Error::invalid(
                &path.child("progressDeadlineSeconds"),
                deadline,
                "must be greater than minReadySeconds",
            ));
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        check::immutable_field("spec.selector", new, old)
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, status) = (Path::new("status"), new.field("status"));
        workload::counts(
            &mut errors,
            &path,
            status,
            &[
                "observedGeneration",
                "replicas",
                "updatedReplicas",
                "readyReplicas",
                "availableReplicas",
                "unavailableReplicas",
                "terminatingReplicas",
                "collisionCount",
            ],
        );
        let more = "cannot be greater than status.replicas";
        workload::bounded(
            &mut errors,
            &path,
            status,
            &[
                ("updatedReplicas", "replicas", more),
                ("readyReplicas", "replicas", more),
                ("availableReplicas", "replicas", more),
                (
                    "availableReplicas",
                    "readyReplicas",
                    "cannot be greater than readyReplicas",
                ),
            ],
        );
        workload::collisions_only_rise(&mut errors, new, old);
        errors
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        workload_warnings("spec.template", new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("deployments.apps")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let count = |pointer: &str| object.int(pointer).unwrap_or_default();
        let (containers, images) = containers_and_images(object.at("/spec/template/spec"));
        vec![
            name(object),
            format!("{}/{}", count("/status/readyReplicas"), count("/spec/replicas")).into(),
            count("/status/updatedReplicas").into(),
            count("/status/availableReplicas").into(),
            age(object, now),
            containers.into(),
            images.into(),
            selector_text(object.at("/spec/selector")).into(),
        ]
    }
}

fn strategy(errors: &mut Errors, path: &Path, strategy: &Value) {
    let rolling = strategy.field("rollingUpdate");
    let rolling_path = path.child("rollingUpdate");
    match strategy.text("/type") {
        "Recreate" if rolling.is_null() => {}
        "Recreate" => errors.push(Error::forbidden(
            &rolling_path,
            "may not be specified when strategy `type` is 'Recreate'",
        )),
        "RollingUpdate" if rolling.is_null() => errors.push(Error::required(
            &rolling_path,
            "this should be defaulted and never be nil",
        )),
        "RollingUpdate" => rolling_update(errors, &rolling_path, rolling),
        _ => errors.push(
            Error::not_supported(path, strategy.clone(), &["Recreate", "RollingUpdate"])
                .shown_as(go_literal("DeploymentStrategy", strategy)),
        ),
    }
}

fn rolling_update(errors: &mut Errors, path: &Path, rolling: &Value) {
    let (unavailable, surge) = (rolling.field("maxUnavailable"), rolling.field("maxSurge"));
    let unavailable_path = path.child("maxUnavailable");
    workload::count_or_percent(errors, &unavailable_path, unavailable);
    workload::count_or_percent(errors, &path.child("maxSurge"), surge);
    if workload::is_zero(unavailable) && workload::is_zero(surge) {
        errors.push(Error::invalid(
            &unavailable_path,
            unavailable.clone(),
            "may not be 0 when `maxSurge` is 0",
        ));
    }
    workload::at_most_all(errors, &unavailable_path, unavailable);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(strategy_value: Value, expected: &[&str]) {
        let mut errors = Errors::new();
        strategy(&mut errors, &Path::new("s"), &strategy_value);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{strategy_value}");
    }

    #[test]
    fn rollouts_must_be_able_to_move() {
        check(json!({"type": "Recreate"}), &[]);
        check(
            json!({"type": "Recreate", "rollingUpdate": {}}),
            &["s.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
        );
        check(
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}}),
            &["s.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
        );
        check(
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "101%", "maxSurge": 0}}),
            &["s.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"],
        );
        check(
            json!({"type": "Slow"}),
            &[
                r#"s: Unsupported value: {"Type":"Slow","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate""#,
            ],
        );
    }
}
