//! How two values differ, one line for each place.

use serde_json::Value;

/// How much of a value is shown.
const LONG: usize = 400;
/// How much is shown before the first difference.
const BEFORE: usize = 80;

/// Collects `pointer: left …, right …`, where `sides` are the words for left and right.
pub(crate) fn differences(left: &Value, right: &Value, sides: [&str; 2]) -> Vec<String> {
    let mut found = Vec::new();
    walk("", Some(left), Some(right), &mut |at, left, right| {
        let [one, other] = sides;
        let (left, right) = shown(left, right);
        found.push(format!("{at}\n      {one}: {left}\n      {other}: {right}"));
    });
    found
}

/// Both sides as text; of long ones only what is around the first place where they part.
fn shown(left: Option<&Value>, right: Option<&Value>) -> (String, String) {
    let text = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let (left, right) = (text(left), text(right));
    let common = left
        .chars()
        .zip(right.chars())
        .take_while(|(one, other)| one == other)
        .count();
    let cut = |text: &str| {
        if text.len() <= LONG {
            return text.to_owned();
        }
        let from = common.saturating_sub(BEFORE);
        let part: String = text.chars().skip(from).take(LONG).collect();
        format!("{}{part}…", if from > 0 { "…" } else { "" })
    };
    (cut(&left), cut(&right))
}

fn walk(
    at: &str,
    left: Option<&Value>,
    right: Option<&Value>,
    tell: &mut impl FnMut(&str, Option<&Value>, Option<&Value>),
) {
    match (left, right) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                walk(&format!("{at}/{escaped}"), one.get(key), other.get(key), tell);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for index in 0..one.len().max(other.len()) {
                walk(&format!("{at}/{index}"), one.get(index), other.get(index), tell);
            }
        }
        (left, right) if left != right => tell(at, left, right),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_that_differs_is_named_once() {
        let left = json!({"a": {"b": [1, 2]}, "same": true});
        let right = json!({"a": {"b": [1, 3, 4]}, "same": true, "more": null});
        let found = differences(&left, &right, ["recorded", "Warren"]);
        assert_eq!(
            found,
            [
                "/a/b/1\n      recorded: 2\n      Warren: 3",
                "/a/b/2\n      recorded: nothing\n      Warren: 4",
                "/more\n      recorded: nothing\n      Warren: null",
            ]
        );
    }
}
