//! Daemon sets.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::workload::{self, Words};
use crate::check::{self, Errors};
use crate::go_literal::go_literal;
use crate::pod_template::{
    always_restarted, default_template, drop_disabled_of_template, template, template_warnings,
};
use crate::table::{age, columns, containers_and_images, map_text, name, selector_text};

const WORDS: Words = Words {
    selector: "daemonset",
    template: "DaemonSet",
};
/// Counts the template's changes, for those who knew daemon sets before apps/v1.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// The strategy of daemon sets.
pub(crate) struct DaemonSet;

impl Strategy for DaemonSet {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        default_template(object, "/spec/template");
        // Upstream's encoder always writes this counter, so whoever creates the set owns it.
        if object
            .at("/metadata/annotations")
            .field(TEMPLATE_GENERATION)
            .is_null()
        {
            set_template_generation(object, 0);
        }
        if object.text("/spec/updateStrategy/type") == "RollingUpdate" {
            const ROLLING: &str = "/spec/updateStrategy/rollingUpdate";
            for (field, value) in [("maxUnavailable", 1), ("maxSurge", 0)] {
                let pointer = format!("{ROLLING}/{field}");
                if object.at(&pointer).is_null() {
                    object.set(&pointer, value);
                }
            }
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        drop_disabled_of_template(object, "/spec/template");
        object.set(
            "/status",
            json!({"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0,
                "numberReady": 0}),
        );
        if template_generation(object) < 1 {
            set_template_generation(object, 1);
        }
    }

    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        drop_disabled_of_template(new, "/spec/template");
        let mut generation = template_generation(old);
        if !check::same(new.at("/spec/template"), old.at("/spec/template")) {
            generation += 1;
        }
        if generation > 0 {
            set_template_generation(new, generation);
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        let (selector, selector_path) = (spec.field("selector"), path.child("selector"));
        check::label_selector(&mut errors, &selector_path, selector);
        let (value, template_path) = (spec.field("template"), path.child("template"));
        workload::selects(&mut errors, &template_path, spec);
        if !selector.is_null() {
            workload::empty_selector(&mut errors, &selector_path, selector, WORDS);
        }
        template(&mut errors, &template_path, value);
        always_restarted(&mut errors, &template_path, value, WORDS.template);
        workload::counts(&mut errors, &path, spec, &["minReadySeconds"]);
        update_strategy(
            &mut errors,
            &path.child("updateStrategy"),
            spec.field("updateStrategy"),
        );
        workload::counts(&mut errors, &path, spec, &["revisionHistoryLimit"]);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        check::immutable_field("spec.selector", new, old)
    }

    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = self.validate_update(new, old);
        errors.extend(self.validate(new));
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        workload::counts(
            &mut errors,
            &Path::new("status"),
            new.field("status"),
            &[
                "currentNumberScheduled",
                "numberMisscheduled",
                "desiredNumberScheduled",
                "numberReady",
                "observedGeneration",
                "updatedNumberScheduled",
                "numberAvailable",
                "numberUnavailable",
                "collisionCount",
            ],
        );
        workload::collisions_only_rise(&mut errors, new, old);
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        template_warnings(&Path::new("spec.template"), new.at("/spec/template"))
    }

    fn columns(&self) -> &'static [Column] {
        columns("daemonsets.apps")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let count = |field: &str| {
            object
                .field("status")
                .field(field)
                .as_i64()
                .unwrap_or_default()
                .into()
        };
        let (containers, images) = containers_and_images(object.at("/spec/template/spec"));
        vec![
            name(object),
            count("desiredNumberScheduled"),
            count("currentNumberScheduled"),
            count("numberReady"),
            count("updatedNumberScheduled"),
            count("numberAvailable"),
            map_text(object.at("/spec/template/spec/nodeSelector")).into(),
            age(object, now),
            containers.into(),
            images.into(),
            selector_text(object.at("/spec/selector")).into(),
        ]
    }
}

fn template_generation(object: &Value) -> i64 {
    object
        .at("/metadata/annotations")
        .field(TEMPLATE_GENERATION)
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

fn set_template_generation(object: &mut Value, generation: i64) {
    if let Some(annotations) = object.object_at("/metadata/annotations") {
        annotations.insert(TEMPLATE_GENERATION.to_owned(), generation.to_string().into());
    }
}

fn update_strategy(errors: &mut Errors, path: &Path, strategy: &Value) {
    let (rolling, rolling_path) = (strategy.field("rollingUpdate"), path.child("rollingUpdate"));
    match strategy.text("/type") {
        "OnDelete" => {}
        "RollingUpdate" if rolling.is_null() => errors.push(Error::required(&rolling_path, "")),
        "RollingUpdate" => rolling_update(errors, &rolling_path, rolling),
        _ => errors.push(
            Error::not_supported(path, strategy.clone(), &["RollingUpdate", "OnDelete"])
                .shown_as(go_literal("DaemonSetUpdateStrategy", strategy)),
        ),
    }
}

fn rolling_update(errors: &mut Errors, path: &Path, rolling: &Value) {
    let (unavailable, surge) = (rolling.field("maxUnavailable"), rolling.field("maxSurge"));
    let (unavailable_path, surge_path) = (path.child("maxUnavailable"), path.child("maxSurge"));
    for (path, value) in [(&unavailable_path, unavailable), (&surge_path, surge)] {
        workload::count_or_percent(errors, path, value);
    }
    for (path, value) in [(&unavailable_path, unavailable), (&surge_path, surge)] {
        workload::at_most_all(errors, path, value);
    }
    match (workload::is_zero(unavailable), workload::is_zero(surge)) {
        (false, false) => errors.push(Error::invalid(
            &surge_path,
            surge.clone(),
            "may not be set when maxUnavailable is non-zero",
        )),
        (true, true) => errors.push(Error::required(
            &unavailable_path,
            "cannot be 0 when maxSurge is 0",
        )),
        _ => {}
    }
}
