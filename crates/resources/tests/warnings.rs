//! What is accepted with a warning, in upstream's words; and facts of pods that others rely on.

#![expect(
    clippy::unwrap_used,
    reason = "a test that does not find its resource has failed"
)]

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::Strategy;

fn strategy(group: &str, plural: &str) -> Arc<dyn Strategy> {
    let definitions = warren_resources::definitions();
    let found = definitions
        .iter()
        .find(|known| known.group == group && known.plural == plural);
    Arc::clone(&found.unwrap().strategy)
}

fn check(group: &str, plural: &str, object: Value, expected: &[&str]) {
    let strategy = strategy(group, plural);
    assert_eq!(strategy.warnings(&object, None), expected, "{object}");
    assert_eq!(
        strategy
            .warnings(&object, Some(&object))
            .iter()
            .filter(|warning| warning.contains("spec.template"))
            .count(),
        0,
        "an update that leaves the template alone does not warn of it"
    );
}

#[test]
fn pods_and_their_templates_are_warned_of() {
    let spec = json!({
        "nodeSelector": {"beta.kubernetes.io/os": "linux"},
        "volumes": [{"name": "v", "gitRepo": {"repository": "r"}}],
        "imagePullSecrets": [{"name": "a"}, {"name": "a"}],
        "containers": [
            {"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "X", "value": "2"}],
             "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            {"name": "b", "ports": [{"containerPort": 80, "protocol": "TCP"}],
             "resources": {"limits": {"memory": "100m"}}}]});
    check(
        "",
        "pods",
        json!({"metadata": {"name": "p"}, "spec": spec}),
        &[
            "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead",
            "spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+",
            "spec.imagePullSecrets[1].name: duplicate name \"a\"",
            "spec.containers[0].env[1]: hides previous definition of \"X\", which may be dropped when using apply",
            "spec.containers[1].resources.limits[memory]: fractional byte value \"100m\" is invalid, must be an integer",
            "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
        ],
    );
    check(
        "apps",
        "deployments",
        json!({"metadata": {"name": "a.b"}, "spec": {"template": {"spec": {
            "topologySpreadConstraints": [{"topologyKey": "z"}]}}}}),
        &[
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
            "spec.template.spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
        ],
    );
}

#[test]
fn services_and_volumes_are_warned_of() {
    check(
        "",
        "services",
        json!({"spec": {"type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"],
            "sessionAffinity": "ClientIP"}}),
        &["spec.SessionAffinity is ignored for headless services"],
    );
    check(
        "",
        "services",
        json!({"spec": {"type": "ClusterIP", "sessionAffinity": "None", "externalIPs": ["2001:DB8::1"]}}),
        &[
            "spec.externalIPs[0]: IPv6 address \"2001:DB8::1\" should be in RFC 5952 canonical format (\"2001:db8::1\")",
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
        ],
    );
    check(
        "",
        "persistentvolumes",
        json!({"spec": {"persistentVolumeReclaimPolicy": "Recycle", "glusterfs": {}}}),
        &[
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
            "spec.glusterfs: deprecated in v1.25, non-functional in v1.26+",
        ],
    );
}

#[test]
fn pods_are_granted_what_they_or_their_client_ask_for() {
    let pods = strategy("", "pods");
    let pod = |node: &str, phase: &str| json!({"spec": {"nodeName": node, "terminationGracePeriodSeconds": 30}, "status": {"phase": phase}});
    let cases = [
        (pod("n", "Running"), None, 30),
        (pod("n", "Running"), Some(5), 5),
        (pod("n", "Running"), Some(0), 0),
        (pod("", "Pending"), Some(5), 0),
        (pod("n", "Succeeded"), None, 0),
    ];
    for (pod, requested, expected) in cases {
        assert_eq!(pods.grace_period(&pod, requested), Some(expected), "{pod}");
    }
    assert_eq!(strategy("", "configmaps").grace_period(&json!({}), Some(5)), None);
}

#[test]
fn the_set_of_selectable_fields_does_not_depend_on_the_object() {
    for definition in warren_resources::definitions() {
        let paths = |object: &Value| -> Vec<String> {
            let fields = definition.strategy.fields(object);
            fields.iter().map(|(path, _)| path.to_string()).collect()
        };
        let full = json!({"spec": {"nodeName": "n", "hostNetwork": true}, "status": {"phase": "x"}});
        assert_eq!(paths(&json!({})), paths(&full), "{}", definition.plural);
    }
    let pods = strategy("", "pods");
    let mut pod = json!({});
    pod.set("/status/podIPs", json!([{"ip": "10.0.0.1"}]));
    let fields = pods.fields(&pod);
    assert!(
        fields
            .iter()
            .any(|(path, value)| path == "status.podIP" && value == "10.0.0.1")
    );
    assert!(
        fields
            .iter()
            .any(|(path, value)| path == "spec.hostNetwork" && value == "false")
    );
}

#[test]
fn every_row_has_a_cell_for_every_column() {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    for definition in warren_resources::definitions() {
        let strategy = &definition.strategy;
        let cells = strategy.cells(&json!({"metadata": {"name": "x"}}), now);
        // Upstream gives an address its age without a column for it.
        let more = usize::from(definition.plural == "ipaddresses");
        assert_eq!(
            cells.len(),
            strategy.columns().len() + more,
            "{}",
            definition.plural
        );
    }
}
