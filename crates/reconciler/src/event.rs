//! Events about objects: what `kubectl describe` shows at its end.
//!
//! An event's name is a hash of what it says, so that a repetition finds the first one and counts up: the recorder
//! keeps no state. Past `BURST` repetitions it is written at most every `REFILL_SECONDS`, as upstream's spam filter.

use serde_json::{Value, json};
use warren_apimachinery::resource::{EVENTS, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, time};

use crate::cluster::Part;
use crate::reconcile::Context;

const BURST: i64 = 25;
const REFILL_SECONDS: i64 = 300;
const LONGEST_NAME: usize = 253;

/// Writes events in the name of one controller.
#[derive(Clone, Copy, Debug)]
pub struct Recorder {
    /// Such as `deployment-controller`: `source.component` and `reportingComponent`.
    pub component: &'static str,
}

/// A recorder that is bent over one object.
pub struct About<'a> {
    cx: &'a Context,
    component: &'static str,
    host: String,
    involved: Value,
    namespace: String,
}

impl Recorder {
    /// Events about `object`.
    pub fn about<'a>(&self, cx: &'a Context, resource: &Resource, object: &Object) -> About<'a> {
        let meta = object.meta();
        let mut involved = json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind,
            "name": meta.name,
            "uid": meta.uid,
            "resourceVersion": meta.revision.to_string(),
        });
        if resource.scope == Scope::Namespaced {
            involved.set("/namespace", meta.namespace.as_str());
        }
        self.about_reference(cx, involved)
    }

    /// Events about what an `ObjectReference` names.
    pub fn about_reference<'a>(&self, cx: &'a Context, involved: Value) -> About<'a> {
        let namespace = match involved.text("/namespace") {
            "" => "default".to_owned(),
            namespace => namespace.to_owned(),
        };
        About {
            cx,
            component: self.component,
            host: String::new(),
            involved,
            namespace,
        }
    }
}

impl About<'_> {
    /// Names the node that the events come from.
    #[must_use]
    pub fn from_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Something that went as it should.
    pub async fn normal(&self, reason: &str, message: impl Into<String>) {
        self.record("Normal", reason, message.into()).await;
    }

    /// Something that a person should look at.
    pub async fn warning(&self, reason: &str, message: impl Into<String>) {
        self.record("Warning", reason, message.into()).await;
    }

    /// An event that cannot be written is logged and lost: it must not hold up what it tells of.
    async fn record(&self, class: &str, reason: &str, message: String) {
        let key = ObjectKey::namespaced(self.namespace.as_str(), self.name(class, reason, &message));
        let now = time::format(self.cx.now);
        let cluster = &self.cx.cluster;
        let written = match cluster.get(&EVENTS, &key).map(|event| event.to_value()) {
            Some(event) if !self.may_repeat(&event) => return,
            Some(event) => {
                let count = event.int("/count").unwrap_or(1) + 1;
                let patch = json!({"count": count, "lastTimestamp": now});
                cluster.merge_patch(&EVENTS, &key, Part::Main, patch).await
            }
            None => {
                let event = self.event(&key, class, reason, &message, &now);
                cluster.create(&EVENTS, event).await
            }
        };
        if let Err(status) = written {
            tracing::debug!(cluster = %cluster.id(), %reason, %message, error = %status, "event lost");
        }
    }

    fn event(&self, key: &ObjectKey, class: &str, reason: &str, message: &str, now: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": key.name, "namespace": key.namespace},
            "involvedObject": self.involved,
            "reason": reason,
            "message": message,
            "source": self.source(),
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": class,
            "eventTime": null,
            "reportingComponent": self.component,
            "reportingInstance": self.host,
        })
    }

    fn source(&self) -> Value {
        if self.host.is_empty() {
            json!({"component": self.component})
        } else {
            json!({"component": self.component, "host": self.host})
        }
    }

    fn may_repeat(&self, event: &Value) -> bool {
        let recent = time::parse(event.text("/lastTimestamp"))
            .is_ok_and(|last| self.cx.now.as_second() - last.as_second() < REFILL_SECONDS);
        event.int("/count").unwrap_or(1) < BURST || !recent
    }

    fn name(&self, class: &str, reason: &str, message: &str) -> String {
        let parts = [
            self.component,
            self.involved.text("/uid"),
            self.involved.text("/fieldPath"),
            class,
            reason,
            message,
        ];
        let hash = fnv64a(parts.into_iter());
        let name = self.involved.text("/name");
        let cut = name
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .take_while(|end| *end <= LONGEST_NAME - 17)
            .last()
            .unwrap_or_default();
        format!("{}.{hash:016x}", name.get(..cut).unwrap_or_default())
    }
}

fn fnv64a<'a>(parts: impl Iterator<Item = &'a str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}
