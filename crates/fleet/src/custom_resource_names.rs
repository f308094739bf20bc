//! Which of the names that a definition claims are its own: a name in a group belongs to whoever was accepted with it
//! first. A function of definitions; who writes the outcome is next door.

use std::collections::HashSet;

use serde_json::{Map, Value};
use warren_apimachinery::value::ValueExt;

/// What became of the claimed names.
pub(crate) struct Names {
    /// `status.acceptedNames`.
    pub(crate) accepted: Value,
    /// Reason and message of the last conflict.
    pub(crate) conflict: Option<(&'static str, String)>,
}

/// What the accepted names of other definitions take.
#[derive(Default)]
struct Taken<'a> {
    resources: HashSet<&'a str>,
    kinds: HashSet<&'a str>,
}

/// Settles the names of `crd` beside the other definitions of a cluster.
pub(crate) fn settle(crd: &Value, others: &[Value]) -> Names {
    let mut taken = Taken::default();
    for other in others {
        let is_rival = other.text("/spec/group") == crd.text("/spec/group")
            && other.text("/metadata/name") != crd.text("/metadata/name");
        if is_rival {
            taken.add(other.at("/status/acceptedNames"));
        }
    }
    let (wanted, before) = (crd.at("/spec/names"), crd.at("/status/acceptedNames"));
    let mut accepted = Map::from_iter([("plural".to_owned(), "".into()), ("kind".to_owned(), "".into())]);
    accepted.extend(before.as_object().cloned().unwrap_or_default());
    let mut conflict = None;
    for (field, reason, is_kind) in [
        ("plural", "PluralConflict", false),
        ("singular", "SingularConflict", false),
        ("shortNames", "ShortNamesConflict", false),
        ("kind", "KindConflict", true),
        ("listKind", "ListKindConflict", true),
    ] {
        let used = if is_kind { &taken.kinds } else { &taken.resources };
        let in_use = rejected(wanted.field(field), before.field(field), used);
        if let Some(message) = in_use {
            conflict = Some((reason, message));
        } else {
            put(&mut accepted, field, wanted.field(field));
        }
    }
    put(&mut accepted, "categories", wanted.field("categories"));
    Names {
        accepted: Value::Object(accepted),
        conflict,
    }
}

impl<'a> Taken<'a> {
    fn add(&mut self, names: &'a Value) {
        let texts = |fields: [&str; 2]| fields.map(|field| names.field(field).as_str().unwrap_or_default());
        self.resources.extend(texts(["plural", "singular"]));
        self.resources
            .extend(names.items("/shortNames").iter().filter_map(Value::as_str));
        self.kinds.extend(texts(["kind", "listKind"]));
        self.resources.remove("");
        self.kinds.remove("");
    }
}

fn put(accepted: &mut Map<String, Value>, field: &str, value: &Value) {
    if value.is_null() {
        accepted.remove(field);
    } else {
        accepted.insert(field.to_owned(), value.clone());
    }
}

/// Upstream's words for names that others have; `None` where there are none among `wanted`.
fn rejected(wanted: &Value, before: &Value, used: &HashSet<&str>) -> Option<String> {
    let one = std::slice::from_ref(wanted);
    let names = wanted.as_array().map_or(one, Vec::as_slice);
    let had = |name: &str| {
        before == name
            || before
                .as_array()
                .is_some_and(|all| all.iter().any(|had| had == name))
    };
    let refused: Vec<String> = names
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| !had(name) && used.contains(name))
        .map(|name| format!("{name:?} is already in use"))
        .collect();
    match refused.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_belongs_to_whoever_was_accepted_with_it_first() {
        let first = json!({"metadata": {"name": "foos.ex.io"}, "spec": {"group": "ex.io"},
            "status": {"acceptedNames": {"plural": "foos", "singular": "foo", "shortNames": ["f"], "kind": "Foo"}}});
        let second = json!({"metadata": {"name": "bars.ex.io"}, "spec": {"group": "ex.io",
            "names": {"plural": "bars", "singular": "bar", "shortNames": ["f", "b"], "kind": "Foo", "listKind": "BarList"}}});
        let alone = settle(&second, &[]);
        assert!(alone.conflict.is_none());
        assert_eq!(&alone.accepted, second.at("/spec/names"));
        let names = settle(&second, &[first, second.clone()]);
        let (reason, message) = names.conflict.unwrap();
        assert_eq!(
            (reason, message.as_str()),
            ("KindConflict", "\"Foo\" is already in use")
        );
        assert_eq!(
            names.accepted,
            json!({"plural": "bars", "singular": "bar", "kind": "", "listKind": "BarList"})
        );
    }
}
