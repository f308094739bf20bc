//! What the kinds of the group share: a selector that selects the template's labels, counts, percentages.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::go_literal::go_literal;
use crate::pod_template::{always_restarted, template};

/// How a kind's name appears in what is wrong with its selector and its template.
#[derive(Clone, Copy)]
pub(super) struct Words {
    /// `empty selector is invalid for …`.
    pub(super) selector: &'static str,
    /// `activeDeadlineSeconds in … is not Supported`.
    pub(super) template: &'static str,
}

/// Checks `selector` by itself.
pub(super) fn selector(errors: &mut Errors, path: &Path, spec: &Value, words: Words) {
    let (value, path) = (spec.field("selector"), path.child("selector"));
    if value.is_null() {
        errors.push(Error::required(&path, ""));
        return;
    }
    check::label_selector(errors, &path, value);
    empty_selector(errors, &path, value, words);
}

/// A selector that selects everything is a mistake.
pub(super) fn empty_selector(errors: &mut Errors, path: &Path, value: &Value, words: Words) {
    let no_labels = check::same(value.field("matchLabels"), &Value::Null);
    if no_labels && value.items("/matchExpressions").is_empty() {
        errors.push(Error::invalid(
            path,
            value.clone(),
            format!("empty selector is invalid for {}", words.selector),
        ));
    }
}

/// Checks `template`, and that `selector` selects its labels.
pub(super) fn selected_template(errors: &mut Errors, path: &Path, spec: &Value, words: Words) {
    if LabelSelector::from_json(spec.field("selector")).is_err() {
        errors.push(invalid_selector(path, spec, "invalid label selector"));
        return;
    }
    let (value, path) = (spec.field("template"), path.child("template"));
    selects(errors, &path, spec);
    template(errors, &path, value);
    always_restarted(errors, &path, value, words.template);
}

/// What is wrong with a selector as a whole.
pub(super) fn invalid_selector(path: &Path, spec: &Value, problem: &str) -> Error {
    let selector = spec.field("selector");
    Error::invalid(&path.child("selector"), selector.clone(), problem)
        .shown_as(go_literal("selector", selector))
}

/// The selector selects the template's labels.
pub(super) fn selects(errors: &mut Errors, template_path: &Path, spec: &Value) {
    let labels = spec.at("/template/metadata/labels");
    let Ok(selector) = LabelSelector::from_json(spec.field("selector")) else {
        return;
    };
    if !selector.matches_map(labels) {
        errors.push(Error::invalid(
            &template_path.child("metadata.labels"),
            labels.clone(),
            "`selector` does not match template `labels`",
        ));
    }
}

/// Counts that, when there, are not below zero.
pub(crate) fn counts(errors: &mut Errors, path: &Path, value: &Value, fields: &[&str]) {
    for field in fields {
        check::not_negative(errors, &path.child(field), value.field(field));
    }
}

/// A count, or a share from 0% on.
pub(crate) fn count_or_percent(errors: &mut Errors, path: &Path, value: &Value) {
    match value.as_str() {
        Some(text) => check::text(errors, path, text, name::percent(text)),
        None => check::not_negative(errors, path, value),
    }
}

/// A share of at most everything.
pub(crate) fn at_most_all(errors: &mut Errors, path: &Path, value: &Value) {
    let percent = value.as_str().and_then(|text| text.strip_suffix('%'));
    if percent
        .and_then(|number| number.parse::<i64>().ok())
        .is_some_and(|percent| percent > 100)
    {
        errors.push(Error::invalid(
            path,
            value.clone(),
            "must not be greater than 100%",
        ));
    }
}

/// Whether a count or a share is nothing.
pub(crate) fn is_zero(value: &Value) -> bool {
    match value.as_str() {
        Some(text) => {
            // What is no number at all counts for nothing.
            let number = text.strip_suffix('%').unwrap_or(text);
            number.parse::<i64>().unwrap_or_default() == 0
        }
        None => value.as_i64().unwrap_or_default() == 0,
    }
}

/// Counters of a status that may not exceed one another, each as field, bound and words.
pub(super) fn bounded(errors: &mut Errors, path: &Path, status: &Value, bounds: &[(&str, &str, &str)]) {
    let count = |field: &str| status.field(field).as_i64().unwrap_or_default();
    for (field, by, words) in bounds {
        if count(field) > count(by) {
            errors.push(Error::invalid(&path.child(field), count(field), *words));
        }
    }
}

/// Upstream counts hash collisions up only.
pub(super) fn collisions_only_rise(errors: &mut Errors, new: &Value, old: &Value) {
    const FIELD: &str = "/status/collisionCount";
    if let Some(was) = old.int(FIELD)
        && new.int(FIELD).is_none_or(|now| now < was)
    {
        errors.push(Error::invalid(
            &Path::new("status.collisionCount"),
            new.at(FIELD).clone(),
            "cannot be decremented",
        ));
    }
}
