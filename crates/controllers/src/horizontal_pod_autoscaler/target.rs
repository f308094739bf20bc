//! What an autoscaler scales: one of the built-in kinds, or a custom resource whose definition says that it can be.

use std::sync::Arc;

use k8s_openapi::api::autoscaling::v2::CrossVersionObjectReference;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{LabelSelector, Object, ObjectKey, Resource, Status};
use warren_reconciler::{Cluster, Next, Part};

use super::{AGAIN, SCALABLE};
use crate::custom_scale::CustomScale;

/// A target that was found.
pub(super) struct Target {
    of: Of,
    object: Arc<Object>,
    /// How many it asks for.
    pub(super) replicas: i64,
    /// Its pods.
    pub(super) selector: Result<LabelSelector, Invalid>,
}

enum Of {
    Builtin(&'static Resource),
    Custom(CustomScale),
}

/// What keeps its pods from being found.
pub(super) struct Invalid {
    /// The event's reason.
    pub(super) event: &'static str,
    /// The event's message.
    pub(super) message: String,
    /// The condition's message.
    pub(super) condition: String,
}

/// Why there is no target, and when it is looked for again.
pub(super) struct Missing {
    pub(super) why: String,
    pub(super) next: Next,
}

impl Target {
    pub(super) fn find(
        cluster: &dyn Cluster,
        namespace: &SmolStr,
        wanted: &CrossVersionObjectReference,
    ) -> Result<Self, Missing> {
        let key = ObjectKey::namespaced(namespace.clone(), wanted.name.as_str());
        let version = wanted.api_version.as_deref().unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let builtin = SCALABLE
            .into_iter()
            .find(|resource| resource.kind == wanted.kind && is_group(resource, group));
        match builtin {
            Some(resource) => Self::builtin(cluster, resource, &key).ok_or_else(|| Missing {
                why: not_found(resource, &wanted.name),
                next: Next::Wait,
            }),
            // Changes of custom resources are not watched for the few autoscalers that want them.
            None => Self::custom(cluster, group, &wanted.kind, &key).map_err(|why| Missing {
                why,
                next: Next::After(AGAIN),
            }),
        }
    }

    fn builtin(cluster: &dyn Cluster, resource: &'static Resource, key: &ObjectKey) -> Option<Self> {
        let object = cluster.get(resource, key)?;
        let value = object.to_value();
        let selector = LabelSelector::from_json(value.at("/spec/selector"));
        Some(Self {
            of: Of::Builtin(resource),
            replicas: value.int("/spec/replicas").unwrap_or(1),
            selector: Ok(selector.unwrap_or_else(|_| LabelSelector::nothing())),
            object,
        })
    }

    fn custom(cluster: &dyn Cluster, group: &str, kind: &str, key: &ObjectKey) -> Result<Self, String> {
        let scale = CustomScale::of(cluster, group, kind)?;
        let object = cluster
            .find_any(&scale.resource, key)
            .ok_or_else(|| format!("{} {:?} not found", scale.resource, key.name))?;
        let value = object.to_value();
        let replicas = scale.replicas(&value).ok_or_else(|| {
            let path = &scale.replicas_path;
            format!("Internal error occurred: the spec replicas field {path:?} does not exist")
        })?;
        Ok(Self {
            replicas,
            selector: selector(scale.selector(&value)),
            of: Of::Custom(scale),
            object,
        })
    }

    /// Asks it for so many.
    pub(super) async fn scale(&self, cluster: &dyn Cluster, replicas: i64) -> Result<(), Status> {
        let key = self.object.key();
        let patched = match &self.of {
            Of::Builtin(resource) => {
                let patch: Value = json!({"spec": {"replicas": replicas}});
                cluster.merge_patch(resource, &key, Part::Main, patch).await
            }
            Of::Custom(scale) => {
                cluster
                    .patch_any(&scale.resource, &key, scale.patch(replicas))
                    .await
            }
        };
        patched.map(drop)
    }

    /// When it is looked at again, though nothing is known to have changed.
    pub(super) fn next(&self) -> Next {
        match self.of {
            Of::Builtin(_) => Next::Wait,
            Of::Custom(_) => Next::After(AGAIN),
        }
    }
}

fn selector(text: &str) -> Result<LabelSelector, Invalid> {
    if text.is_empty() {
        return Err(Invalid {
            event: "SelectorRequired",
            message: "selector is required".to_owned(),
            condition: "the HPA target's scale is missing a selector".to_owned(),
        });
    }
    LabelSelector::parse(text).map_err(|why| {
        let message =
            format!("couldn't convert selector into a corresponding internal selector object: {why}");
        Invalid {
            event: "InvalidSelector",
            condition: message.clone(),
            message,
        }
    })
}

/// Old autoscalers name no version.
fn is_group(resource: &Resource, group: &str) -> bool {
    group.is_empty() || resource.group == group
}

fn not_found(resource: &Resource, name: &str) -> String {
    if resource.group.is_empty() {
        return format!("{}/scale {name:?} not found", resource.plural);
    }
    format!("{}/scale.{} {name:?} not found", resource.plural, resource.group)
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::resource::{CUSTOM_RESOURCE_DEFINITIONS, HORIZONTAL_POD_AUTOSCALERS, Scope};

    use super::*;
    use crate::fake::{FakeCluster, NOW};
    use crate::horizontal_pod_autoscaler::HorizontalPodAutoscalers;
    use crate::resource_metrics::NoMetrics;

    const WIDGETS: Resource = Resource {
        group: "ex.io",
        version: "v1",
        kind: "Widget",
        plural: "widgets",
        scope: Scope::Namespaced,
    };

    /// The conditions of an autoscaler of 2 to 5 widgets after it settled.
    async fn settle(scale: Value, widget: Value) -> (Vec<String>, Arc<FakeCluster>) {
        let cluster = FakeCluster::new();
        cluster.serve(&WIDGETS);
        cluster.put(
            &CUSTOM_RESOURCE_DEFINITIONS,
            json!({"metadata": {"name": "widgets.ex.io"}, "spec": {"versions": [
                {"name": "v1alpha1", "storage": false}, {"name": "v1", "storage": true, "subresources": scale}]}}),
        );
        cluster.put(
            &HORIZONTAL_POD_AUTOSCALERS,
            json!({"metadata": {"name": "web"}, "spec": {"minReplicas": 2, "maxReplicas": 5,
                "scaleTargetRef": {"apiVersion": "ex.io/v1", "kind": "Widget", "name": "web"}}}),
        );
        cluster.put(&WIDGETS, widget);
        let controller = HorizontalPodAutoscalers::new(Arc::new(NoMetrics));
        cluster.settle(&[&controller], NOW).await;
        let told = cluster.value(&HORIZONTAL_POD_AUTOSCALERS, "default/web");
        let conditions = told.items("/status/conditions").iter();
        let said: Vec<String> = conditions
            .map(|c| format!("{} {}", c.text("/reason"), c.text("/message")))
            .collect();
        (said, cluster)
    }

    fn scaled_by_size() -> Value {
        json!({"scale": {"specReplicasPath": ".spec.pool.size", "statusReplicasPath": ".status.size"}})
    }

    #[tokio::test]
    async fn a_custom_resource_is_scaled_where_its_definition_says() {
        let widget = json!({"metadata": {"name": "web"}, "spec": {"pool": {"size": 9, "kept": true}}});
        let (_, cluster) = settle(scaled_by_size(), widget).await;
        let widget = cluster.value(&WIDGETS, "default/web");
        assert_eq!(*widget.at("/spec/pool"), json!({"size": 5, "kept": true}));
        let why = "SuccessfulRescale New size: 5; reason: Current number of replicas above Spec.MaxReplicas";
        assert_eq!(cluster.events()[0], why);
    }

    #[tokio::test]
    async fn a_custom_resource_without_a_selector_is_not_measured() {
        let widget = json!({"metadata": {"name": "web"}, "spec": {"pool": {"size": 3}}});
        let (said, _) = settle(scaled_by_size(), widget).await;
        assert_eq!(
            said,
            [
                "SucceededGetScale the HPA controller was able to get the target's current scale",
                "InvalidSelector the HPA target's scale is missing a selector"
            ]
        );
    }

    #[tokio::test]
    async fn what_cannot_be_scaled_is_said_in_the_status() {
        let start = "FailedGetScale the HPA controller was unable to get the target's current scale:";
        let check = async |scale: Value, widget: Value, expect: &str| {
            assert_eq!(settle(scale, widget).await.0, [format!("{start} {expect}")]);
        };
        let widget = json!({"metadata": {"name": "web"}});
        check(
            json!({}),
            widget.clone(),
            "the server could not find the requested resource",
        )
        .await;
        let missing = "Internal error occurred: the spec replicas field \".spec.pool.size\" does not exist";
        check(scaled_by_size(), widget, missing).await;
        let other = json!({"metadata": {"name": "other"}});
        check(scaled_by_size(), other, "widgets.ex.io \"web\" not found").await;
    }
}
