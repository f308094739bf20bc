//! Events of both groups: kept as core/v1, shown as events.k8s.io/v1 where that is asked for.

mod validate;

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::Error;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, NameRule, Strategy, Traits};

use crate::table::{columns, since};

/// Fields with other names in events.k8s.io: there, and in the core group.
const RENAMED: &[(&str, &str)] = &[
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// The group whose view of events a strategy serves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// The core group: objects as they are kept.
    Core,
    /// events.k8s.io.
    Events,
}

/// The strategy of events.
pub(crate) struct Event(pub(crate) View);

impl Strategy for Event {
    fn traits(&self) -> Traits {
        Traits {
            create_on_update: true,
            name: match self.0 {
                View::Core => NameRule::PathSegment,
                View::Events => NameRule::DnsSubdomain,
            },
            ..Traits::default()
        }
    }

    fn convert_to_storage(&self, _version: &str, object: &mut Value) {
        if self.0 == View::Events {
            rename(object, |(events, core)| (events, core));
        }
    }

    fn convert_from_storage(&self, _version: &str, object: &mut Value) {
        if self.0 == View::Events {
            rename(object, |(events, core)| (core, events));
            // Shown in the core group also where they are empty.
            for field in ["/reportingController", "/reportingInstance"] {
                if object.text(field).is_empty() {
                    object.take_at(field);
                }
            }
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        validate::legacy(object, self.0)
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        match self.0 {
            View::Core => Vec::new(),
            View::Events => validate::strict_create(object),
        }
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        match self.0 {
            View::Core => Vec::new(),
            View::Events => validate::strict_update(new, old),
        }
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        const FIELDS: &[&str] = &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "type",
        ];
        let source = match object.text("/source/component") {
            "" => object.text("/reportingComponent"),
            component => component,
        };
        FIELDS
            .iter()
            .map(|field| {
                let pointer = format!("/{}", field.replace('.', "/"));
                (SmolStr::new_static(field), SmolStr::new(object.text(&pointer)))
            })
            .chain([("source".into(), source.into())])
            .collect()
    }

    fn columns(&self) -> &'static [Column] {
        columns("events")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        if self.0 == View::Events {
            let mut object = object.clone();
            rename(&mut object, |(events, core)| (events, core));
            return cells(&object, now);
        }
        cells(object, now)
    }
}

fn rename(object: &mut Value, direction: fn((&'static str, &'static str)) -> (&'static str, &'static str)) {
    let Some(event) = object.as_object_mut() else {
        return;
    };
    for pair in RENAMED {
        let (from, to) = direction(*pair);
        if let Some(value) = event.remove(from) {
            event.insert(to.to_owned(), value);
        }
    }
}

fn cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let first_of = |a: &'static str, b: &'static str| {
        let value = event.at(a);
        if value.is_null() { event.at(b) } else { value }
    };
    let first = since(first_of("/firstTimestamp", "/eventTime"), now);
    let series = event.field("series");
    let last = if !series.is_null() {
        since(series.field("lastObservedTime"), now)
    } else if event.field("lastTimestamp").is_null() {
        first.clone()
    } else {
        since(event.field("lastTimestamp"), now)
    };
    let count = match series.int("/count").or(event.int("/count")) {
        None | Some(0) if series.is_null() => 1,
        count => count.unwrap_or_default(),
    };
    let kind = event.text("/involvedObject/kind").to_lowercase();
    let target = match event.text("/involvedObject/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        last.into(),
        event.text("/type").into(),
        event.text("/reason").into(),
        target.into(),
        event.text("/involvedObject/fieldPath").into(),
        source(event).into(),
        event.text("/message").trim().into(),
        first.into(),
        count.into(),
        event.text("/metadata/name").into(),
    ]
}

fn source(event: &Value) -> String {
    let either = |a: &'static str, b: &'static str| match event.text(a) {
        "" => event.text(b),
        text => text,
    };
    let component = either("/source/component", "/reportingComponent");
    match either("/source/host", "/reportingInstance") {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn views_differ_in_names_only() {
        let kept = json!({"involvedObject": {"name": "p"}, "message": "m", "count": 2,
            "firstTimestamp": null, "source": {}, "reportingComponent": "c", "reason": "R"});
        let mut shown = kept.clone();
        Event(View::Events).convert_from_storage("v1", &mut shown);
        assert_eq!(
            shown,
            json!({"regarding": {"name": "p"}, "note": "m", "deprecatedCount": 2,
                "deprecatedFirstTimestamp": null, "deprecatedSource": {}, "reportingController": "c", "reason": "R"})
        );
        Event(View::Events).convert_to_storage("v1", &mut shown);
        assert_eq!(shown, kept);
    }

    #[test]
    fn an_event_stands_beside_what_it_is_about() {
        let event = |namespace: &str, about: &str| json!({"metadata": {"namespace": namespace}, "involvedObject": {"namespace": about}});
        assert!(Event(View::Core).validate(&event("a", "a")).is_empty());
        assert!(Event(View::Core).validate(&event("default", "")).is_empty());
        assert_eq!(Event(View::Core).validate(&event("a", "b")).len(), 1);
        assert_eq!(Event(View::Core).validate(&event("a", "")).len(), 1);
    }
}
