//! Custom resources, both ways, and patches.

use serde_json::{Value, json};
use warren_apimachinery::resource::{
    CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, EVENTS, INGRESSES, SERVICES, Scope,
};
use warren_apimachinery::{ObjectKey, Resource};
use warren_config::{FromHostCustomResource, Patch, PatchReference, ToHostCustomResource};
use warren_reconciler::Part;

use crate::world::{World, data, definition, holds, on_host, shop};

const CERTIFICATES: Resource = Resource {
    group: "cert.example.com",
    version: "v1",
    kind: "Certificate",
    plural: "certificates",
    scope: Scope::Namespaced,
};
const ISSUERS: Resource = Resource {
    kind: "Issuer",
    plural: "issuers",
    scope: Scope::Cluster,
    ..CERTIFICATES
};

fn expression(path: &str, to_host: &str, back: &str) -> Patch {
    Patch {
        path: path.to_owned(),
        expression: to_host.to_owned(),
        reverse_expression: back.to_owned(),
        ..Patch::default()
    }
}

fn reference(path: &str, kind: &str) -> Patch {
    Patch {
        path: path.to_owned(),
        reference: Some(PatchReference {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            ..PatchReference::default()
        }),
        ..Patch::default()
    }
}

async fn with_certificates(patches: Vec<Patch>) -> World {
    let world = World::with(|spec| {
        let custom = ToHostCustomResource {
            enabled: true,
            patches: patches.clone(),
            ..ToHostCustomResource::default()
        };
        spec.sync
            .to_host
            .custom_resources
            .insert("certificates.cert.example.com".to_owned(), custom);
        let shown = FromHostCustomResource {
            enabled: true,
            scope: warren_config::Scope::Cluster,
            ..FromHostCustomResource::default()
        };
        spec.sync
            .from_host
            .custom_resources
            .insert("issuers.cert.example.com".to_owned(), shown);
    })
    .await;
    for resource in [CERTIFICATES, ISSUERS] {
        world
            .host
            .create(&CUSTOM_RESOURCE_DEFINITIONS, definition(&resource))
            .await;
    }
    world.settle().await;
    world
        .until("the definitions are served", |world| {
            world.tenant.list(&CUSTOM_RESOURCE_DEFINITIONS).len() == 2
        })
        .await;
    world.settle().await;
    world
}

fn certificate(spec: Value) -> Value {
    json!({"apiVersion": "cert.example.com/v1", "kind": "Certificate",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
}

#[tokio::test]
async fn a_custom_resource_goes_to_the_host_and_its_status_comes_back() {
    let patches = vec![
        reference("spec.secretName", "Secret"),
        Patch {
            path: "spec.podLabels".to_owned(),
            labels: Some(warren_config::PatchLabels {}),
            ..Patch::default()
        },
        expression("spec.dnsNames[*]", "value + '.tenant.example.com'", ""),
        expression("status.names[*]", "", "value.replace('.tenant.example.com', '')"),
    ];
    let world = with_certificates(patches).await;
    let spec = json!({"secretName": "tls", "podLabels": {"app": "web"}, "dnsNames": ["a", "b"], "days": 90});
    world.tenant.create(&CERTIFICATES, certificate(spec)).await;
    world.settle().await;
    let key = on_host("web-x-shop-x-demo");
    let host = world.host.value(&CERTIFICATES, &key);
    let expect = json!({"spec": {"secretName": "tls-x-shop-x-demo", "days": 90,
        "podLabels": {"app": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"},
        "dnsNames": ["a.tenant.example.com", "b.tenant.example.com"]}});
    assert!(holds(&host, &expect), "{host:#}");
    world.nothing_left_to_write().await;

    // What a controller of the host writes into another field stays when the tenant changes one.
    world
        .host
        .patch(&CERTIFICATES, &key, Part::Main, json!({"spec": {"serial": 7}}))
        .await;
    world
        .tenant
        .patch(
            &CERTIFICATES,
            &shop("web"),
            Part::Main,
            json!({"spec": {"days": 30}}),
        )
        .await;
    world.settle().await;
    let host = world.host.value(&CERTIFICATES, &key);
    assert!(
        holds(&host, &json!({"spec": {"days": 30, "serial": 7}})),
        "{host:#}"
    );

    let status = json!({"status": {"ready": true, "names": ["a.tenant.example.com"]}});
    world.host.patch(&CERTIFICATES, &key, Part::Status, status).await;
    world.settle().await;
    let seen = world.tenant.value(&CERTIFICATES, &shop("web"));
    assert!(
        holds(&seen, &json!({"status": {"ready": true, "names": ["a"]}})),
        "{seen:#}"
    );
    world.nothing_left_to_write().await;

    world.tenant.delete(&CERTIFICATES, &shop("web"), None).await;
    world.settle().await;
    assert!(world.host.list(&CERTIFICATES).is_empty());
}

#[tokio::test]
async fn a_reverse_expression_carries_a_field_of_the_host_back() {
    let world = with_certificates(vec![expression("spec.serial", "value", "value")]).await;
    world
        .tenant
        .create(&CERTIFICATES, certificate(json!({"serial": 1})))
        .await;
    world.settle().await;
    let key = on_host("web-x-shop-x-demo");
    world
        .host
        .patch(&CERTIFICATES, &key, Part::Main, json!({"spec": {"serial": 8}}))
        .await;
    world.settle().await;
    let seen = world.tenant.value(&CERTIFICATES, &shop("web"));
    assert_eq!(seen["spec"]["serial"], 8);
    assert_eq!(world.host.value(&CERTIFICATES, &key)["spec"]["serial"], 8);
    world
        .tenant
        .patch(
            &CERTIFICATES,
            &shop("web"),
            Part::Main,
            json!({"spec": {"serial": 9}}),
        )
        .await;
    world.settle().await;
    assert_eq!(world.host.value(&CERTIFICATES, &key)["spec"]["serial"], 9);
    assert_eq!(
        world.tenant.value(&CERTIFICATES, &shop("web"))["spec"]["serial"],
        9
    );
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn cluster_scoped_custom_resources_of_the_host_are_shown() {
    let world = with_certificates(Vec::new()).await;
    let issuer = json!({"apiVersion": "cert.example.com/v1", "kind": "Issuer", "metadata": {"name": "public"},
        "spec": {"url": "https://acme.example.com"}});
    world.host.create(&ISSUERS, issuer).await;
    world.settle().await;
    let key = ObjectKey::cluster("public");
    let seen = world.tenant.value(&ISSUERS, &key);
    assert_eq!(seen["spec"]["url"], "https://acme.example.com");
    world
        .tenant
        .patch(&ISSUERS, &key, Part::Main, json!({"spec": {"url": "forged"}}))
        .await;
    world.settle().await;
    assert_eq!(
        world.tenant.value(&ISSUERS, &key)["spec"]["url"],
        "https://acme.example.com"
    );
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_patch_sees_both_objects_and_never_the_marks() {
    let world = World::with(|spec| {
        spec.sync.to_host.ingresses.enabled = true;
        spec.sync.to_host.ingresses.patches = vec![
            expression(
                "spec.rules[*].host",
                "context.virtualObject.metadata.name + '.' + context.vcluster.name + '.example.com'",
                "",
            ),
            expression("metadata.labels[\"warren.dev/managed-by\"]", "'forged'", ""),
            expression("metadata.annotations[\"drop\"]", "null", ""),
        ];
        spec.sync.to_host.config_maps.patches =
            vec![expression("data.mode", "value == 'dev' ? 'prod' : value", "")];
    })
    .await;
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop", "annotations": {"drop": "me", "keep": "me"}},
        "spec": {"rules": [{"host": "any"}]}});
    world.tenant.create(&INGRESSES, ingress).await;
    let mut config = data("ConfigMap", "conf", json!({"mode": "dev"}));
    config["metadata"]["annotations"] = json!({"vcluster.loft.sh/force-sync": "true"});
    world.tenant.create(&CONFIG_MAPS, config).await;
    world.settle().await;
    let host = world.host.value(&INGRESSES, &on_host("web-x-shop-x-demo"));
    let expect = json!({"spec": {"rules": [{"host": "web.demo.example.com"}]},
        "metadata": {"labels": {"warren.dev/managed-by": "demo"}, "annotations": {"drop": null, "keep": "me"}}});
    assert!(holds(&host, &expect), "{host:#}");
    let host = world.host.value(&CONFIG_MAPS, &on_host("conf-x-shop-x-demo"));
    assert_eq!(host["data"]["mode"], "prod");
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_patch_that_fails_is_told_and_nothing_is_sent() {
    let world = World::with(|spec| {
        spec.sync.to_host.ingresses.enabled = true;
        spec.sync.to_host.ingresses.patches = vec![expression("spec.rules[*].host", "value + 1", "")];
    })
    .await;
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"rules": [{"host": "any"}]}});
    world.tenant.create(&INGRESSES, ingress).await;
    world.settle().await;
    assert!(world.host.list(&INGRESSES).is_empty());
    let warnings = world.tenant.warnings("web");
    let first = warnings.first().unwrap();
    assert!(
        first.starts_with("the patch of spec.rules[*].host fails: "),
        "{first}"
    );
}

#[tokio::test]
async fn services_and_events_are_patched_too() {
    let world = World::with(|spec| {
        spec.sync.to_host.services.patches = vec![
            expression("spec.ports[*].name", "value + '-of-' + context.vcluster.name", ""),
            expression("status.loadBalancer.ingress[*].ip", "", "'198.51.100.7'"),
        ];
        spec.sync.from_host.events.patches = vec![expression("message", "'host: ' + value", "")];
    })
    .await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]}});
    world.tenant.create(&SERVICES, service).await;
    world.settle().await;
    let key = on_host("web-x-shop-x-demo");
    let host = world.host.value(&SERVICES, &key);
    assert_eq!(host["spec"]["ports"][0]["name"], "http-of-demo");
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.9"}]}}});
    world.host.patch(&SERVICES, &key, Part::Status, status).await;
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "web.1", "namespace": "team-a"},
        "involvedObject": {"kind": "Service", "namespace": "team-a", "name": key.name, "uid": host["metadata"]["uid"]},
        "reason": "EnsuredLoadBalancer", "message": "ready", "type": "Normal"});
    world.host.create(&EVENTS, event).await;
    world.settle().await;
    let seen = world.tenant.value(&SERVICES, &shop("web"));
    assert_eq!(seen["spec"]["ports"][0]["name"], "http");
    assert_eq!(seen["status"]["loadBalancer"]["ingress"][0]["ip"], "198.51.100.7");
    let seen = world.tenant.value(&EVENTS, &shop("web.1"));
    assert_eq!(seen["message"], "host: ready");
    world.nothing_left_to_write().await;
}
