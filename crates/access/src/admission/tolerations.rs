//! Tolerations, compared as upstream compares them.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

const FIELDS: [&str; 4] = ["/key", "/operator", "/value", "/effect"];

/// Whether two say the same in every field.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    FIELDS.iter().all(|field| one.text(field) == other.text(field))
        && one.int("/tolerationSeconds") == other.int("/tolerationSeconds")
}

/// Whether two are about the same taints; how long they tolerate them does not count.
pub(super) fn matches(one: &Value, other: &Value) -> bool {
    FIELDS.iter().all(|field| one.text(field) == other.text(field))
}

/// Whether what `narrow` tolerates is tolerated by `wide`, too.
pub(super) fn covers(wide: &Value, narrow: &Value) -> bool {
    if is_same(wide, narrow) {
        return true;
    }
    let exists = wide.text("/operator") == "Exists";
    if narrow.text("/key") != wide.text("/key") && !(wide.text("/key").is_empty() && exists) {
        return false;
    }
    let effect = wide.text("/effect");
    if narrow.text("/effect") != effect && !effect.is_empty() {
        return false;
    }
    if effect == "NoExecute"
        && let Some(most) = wide.int("/tolerationSeconds")
        && narrow
            .int("/tolerationSeconds")
            .is_none_or(|seconds| seconds > most)
    {
        return false;
    }
    match wide.text("/operator") {
        "" | "Equal" => narrow.text("/operator") == "Equal" && narrow.text("/value") == wide.text("/value"),
        "Exists" => true,
        _ => false,
    }
}

/// Both together, without what others cover.
pub(super) fn merge(first: &[Value], second: &[Value]) -> Vec<Value> {
    let all: Vec<&Value> = first.iter().chain(second).collect();
    let mut merged: Vec<Value> = Vec::new();
    for (at, toleration) in all.iter().enumerate() {
        let later = all.get(at + 1..).unwrap_or_default();
        let is_covered = merged.iter().any(|kept| covers(kept, toleration))
            || later
                .iter()
                .any(|other| !is_same(other, toleration) && covers(other, toleration));
        if !is_covered {
            merged.push((*toleration).clone());
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_wider_one_covers_is_left_out() {
        let key = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoSchedule"});
        let all = json!({"operator": "Exists"});
        let equal = json!({"key": "a", "operator": "Equal", "value": "x", "effect": "NoSchedule"});
        assert_eq!(merge(std::slice::from_ref(&equal), &[key("a")]), [key("a")]);
        assert_eq!(merge(&[key("a"), key("b")], std::slice::from_ref(&all)), [all]);
        assert_eq!(merge(&[key("a")], &[key("a"), key("b")]), [key("a"), key("b")]);
        assert!(!covers(&equal, &key("a")));
    }

    #[test]
    fn who_stays_longer_is_not_covered() {
        let stays = |seconds: Value| json!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds});
        assert!(covers(&stays(json!(60)), &stays(json!(30))));
        assert!(!covers(&stays(json!(60)), &stays(json!(90))));
        assert!(!covers(&stays(json!(60)), &stays(Value::Null)));
        assert!(covers(&stays(Value::Null), &stays(json!(90))));
    }
}
