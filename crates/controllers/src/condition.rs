//! Conditions in the form most kinds share: a transition time that changes with the status alone.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use crate::timestamp;

/// What a condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said<'a> {
    pub(crate) kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: String,
}

/// Says it: in place if the condition is there, else at the end.
pub(crate) fn set(conditions: &mut Vec<Value>, said: &Said<'_>, now: Timestamp) {
    let since = conditions
        .iter()
        .find(|old| old.text("/type") == said.kind && old.text("/status") == said.status)
        .map(|old| old.text("/lastTransitionTime").to_owned());
    let new = json!({
        "type": said.kind,
        "status": said.status,
        "lastTransitionTime": since.unwrap_or_else(|| timestamp::text(now)),
        "reason": said.reason,
        "message": said.message,
    });
    match conditions.iter_mut().find(|old| old.text("/type") == said.kind) {
        Some(old) => {
            if let (Some(old), Value::Object(new)) = (old.as_object_mut(), new) {
                old.extend(new);
            }
        }
        None => conditions.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_follows_the_status() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let said = |status, reason| Said {
            kind: "Ready",
            status,
            reason,
            message: String::new(),
        };
        let mut all = Vec::new();
        set(&mut all, &said("True", "A"), time("2026-01-01T00:00:00Z"));
        set(&mut all, &said("True", "B"), time("2026-01-02T00:00:00Z"));
        assert_eq!(all[0].text("/reason"), "B");
        assert_eq!(all[0].text("/lastTransitionTime"), "2026-01-01T00:00:00Z");
        set(&mut all, &said("False", "C"), time("2026-01-03T00:00:00Z"));
        assert_eq!(all[0].text("/lastTransitionTime"), "2026-01-03T00:00:00Z");
        assert_eq!(all.len(), 1);
    }
}
