use serde_json::json;

use super::*;

fn refused(spec: &Value) -> Vec<String> {
    check(spec).of(Class::Refused).map(ToString::to_string).collect()
}

fn ignored(spec: &Value) -> Vec<String> {
    check(spec)
        .of(Class::Ignored)
        .map(|finding| finding.path.clone())
        .collect()
}

#[test]
fn what_is_switched_off_or_empty_is_taken_without_a_word() {
    let spec = json!({
        "controlPlane": {"backingStore": {"database": {"external": {"enabled": false, "dataSource": ""}}},
            "statefulSet": {"env": [], "resources": null}},
        "privateNodes": {"enabled": false}, "plugins": {}, "integrations": {"istio": {"enabled": false}},
        "sync": {"toHost": null},
    });
    let checked = check(&spec);
    assert_eq!(checked.findings, []);
    assert_eq!(checked.into_spec().unwrap(), VirtualClusterSpec::default());
}

#[test]
fn a_section_of_no_use_is_named_once_and_what_matters_in_it_by_itself() {
    let spec = json!({"controlPlane": {"statefulSet": {
        "resources": {"limits": {"memory": "2Gi"}}, "image": {"tag": "0.30.0"},
        "highAvailability": {"replicas": 3}, "sidecarContainers": [{"name": "backup"}]}}});
    assert_eq!(ignored(&spec), ["controlPlane.statefulSet"]);
    assert_eq!(
        refused(&spec),
        ["controlPlane.statefulSet.sidecarContainers: a virtual cluster has no pod of its own"]
    );
}

#[test]
fn whatever_is_wrong_with_a_field_is_said_with_its_path() {
    for (spec, expect) in [
        (
            json!({"sync": {"toHost": {"pod": {}}}}),
            "sync.toHost.pod: unknown field; did you mean pods?",
        ),
        (json!({"snyc": {}}), "snyc: unknown field; did you mean sync?"),
        (json!({"somethingElse": {}}), "somethingElse: unknown field"),
        (
            json!({"controlPlane": {"advanced": {"virtualScheduler": {"enabled": true}}}}),
            "controlPlane.advanced.virtualScheduler.enabled: the host's scheduler places the pods",
        ),
        (
            json!({"sync": {"fromHost": {"csiNodes": {"enabled": "sometimes"}}}}),
            "sync.fromHost.csiNodes.enabled: \"sometimes\" is none of true, false, auto",
        ),
        (
            json!({"sync": {"toHost": {"services": true}}}),
            "sync.toHost.services: must be a map, not true",
        ),
        (
            json!({"controlPlane": {"proxy": {"port": 70000}}}),
            "controlPlane.proxy.port: must be between 0 and 65535, not 70000",
        ),
        (
            json!({"policies": {"podSecurityStandard": "strict"}}),
            "policies.podSecurityStandard: \"strict\" is none of privileged, baseline, restricted",
        ),
        (
            json!({"sync": {"toHost": {"pods": {"enforceTolerations": ["a=b:Now"]}}}}),
            "sync.toHost.pods.enforceTolerations[0]: \"a=b:Now\": the effect is none of NoSchedule, PreferNoSchedule, NoExecute",
        ),
        (
            json!({"sync": {"toHost": {"ingresses": {"patches": [{"path": "a", "expression": "value === 1"}]}}}}),
            "sync.toHost.ingresses.patches[0].expression: \"===\" is JavaScript; Warren reads CEL, such as value.startsWith(\"a\") ? \"b\" : value",
        ),
        (
            json!({"sync": {"toHost": {"ingresses": {"patches": [{"path": "a", "expression": "nothing"}]}}}}),
            "sync.toHost.ingresses.patches[0].expression: is not CEL: ERROR: <input>:1:1: undeclared reference to 'nothing' (in container '')",
        ),
        (
            json!({"sync": {"toHost": {"ingresses": {"patches": [{"path": "a"}]}}}}),
            "sync.toHost.ingresses.patches[0]: needs exactly one of expression (or reverseExpression), reference, labels",
        ),
        (
            json!({"sync": {"fromHost": {"secrets": {"enabled": true, "mappings": {"byName": {"a/*": "b/c"}}}}}}),
            "sync.fromHost.secrets.mappings.byName[\"a/*\"]: must lead from NAMESPACE/NAME, NAMESPACE/*, /NAME or \"\" to NAMESPACE/NAME or, for all, NAMESPACE/*",
        ),
        (
            json!({"sync": {"fromHost": {"configMaps": {"enabled": true}}}}),
            "sync.fromHost.configMaps.mappings.byName: must name what to show, such as \"host-namespace/*\": \"virtual-namespace/*\"",
        ),
        (
            json!({"sync": {"toHost": {"namespaces": {"enabled": true, "mappings": {"byName": {"a-*": "b"}}}}}}),
            "sync.toHost.namespaces.mappings.byName[\"a-*\"]: a pattern with * must lead to a pattern with *",
        ),
        (
            json!({"sync": {"toHost": {"namespaces": {"enabled": true, "mappings": {"byName": {"*": "${name}-${id}-*"}}}}}}),
            "sync.toHost.namespaces.mappings.byName[\"*\"]: \"${name}-${id}-*\": only one ${name} may stand in it",
        ),
        (
            json!({"sync": {"toHost": {"customResources": {"certificates": {"enabled": true}}}}}),
            "sync.toHost.customResources.certificates: must be called plural.group or plural.group/version, as its CustomResourceDefinition",
        ),
        (
            json!({"sync": {"toHost": {"storageClasses": {"enabled": true}}, "fromHost": {"storageClasses": {"enabled": "true"}}}}),
            "sync.toHost.storageClasses.enabled: storage classes are shown from the host (sync.fromHost.storageClasses) or carried to it, not both",
        ),
        (
            json!({"exportKubeConfig": {"server": "here"}}),
            "exportKubeConfig.server: \"here\" is no URL that begins with https:// or http://",
        ),
        (
            json!({"networking": {"resolveDNS": [{"hostname": "a.b", "target": {"ip": "x"}}]}}),
            "networking.resolveDNS[0].target.ip: \"x\" is no address",
        ),
        (
            json!({"policies": {"resourceQuota": {"quota": {"requests.cpu": "much"}}}}),
            "policies.resourceQuota.quota[\"requests.cpu\"]: \"much\" is no quantity",
        ),
        (
            json!({"experimental": {"denyProxyRequests": [{"name": "x"}]}}),
            "experimental.denyProxyRequests: write a ValidatingAdmissionPolicy in the virtual cluster",
        ),
    ] {
        assert_eq!(refused(&spec), [expect], "{spec}");
    }
}

#[test]
fn every_finding_has_the_line_of_its_field_in_a_file_and_in_an_object() {
    let text = "sync:\n  toHost:\n    pods:\n      enforceTolerations:\n      - fine\n      - 'not: fine'\n    ingreses: {}\n";
    let (_, checked) = check_text(text.as_bytes()).unwrap();
    let lines: Vec<_> = checked
        .findings
        .iter()
        .map(|finding| (finding.class, finding.line))
        .collect();
    let supported = (Class::Supported, Some(4));
    assert_eq!(
        lines,
        [
            supported,
            supported,
            (Class::Refused, Some(4)),
            (Class::Refused, Some(7))
        ]
    );
    let object = format!(
        "kind: VirtualCluster\nspec:\n{}",
        text.lines().map(|line| format!("  {line}\n")).collect::<String>()
    );
    let (_, checked) = check_text(object.as_bytes()).unwrap();
    assert_eq!(
        checked.of(Class::Refused).last().and_then(|finding| finding.line),
        Some(9)
    );
}

#[test]
fn amounts_are_laid_over_the_defaults_and_null_takes_one_away() {
    let spec = json!({"policies": {"resourceQuota": {"enabled": true, "quota": {"count/pods": 7, "requests.cpu": null}}}});
    let quota = check(&spec).into_spec().unwrap().policies.resource_quota.quota;
    assert_eq!(quota.get("count/pods"), Some(&json!(7)));
    assert_eq!(quota.get("count/services"), Some(&json!(20)));
    assert_eq!(quota.get("requests.cpu"), None);
}
