//! Discovery compared with what kube-apiserver 1.36.2 answered.

use http::{Request, header};
use serde_json::Value;
use warren_apiserver::Body;

use crate::client::Client;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

fn golden(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Leaves out what is Warren's own: the `warren.dev` group.
fn without_own(mut value: Value) -> Value {
    if let Some(items) = value["items"].as_array_mut() {
        items.retain(|group| group["metadata"]["name"] != "warren.dev");
    }
    value
}

#[tokio::test]
async fn aggregated_discovery_is_upstreams() {
    let client = Client::new();
    let api = client.read_as("/api", AGGREGATED).await;
    assert_eq!(
        api.header("content-type"),
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    pretty(
        &api.json(),
        &golden(include_str!("../golden/discovery-api-v2.json")),
    );
    let apis = client.read_as("/apis", AGGREGATED).await;
    pretty(
        &without_own(apis.json()),
        &golden(include_str!("../golden/discovery-apis-v2.json")),
    );
}

/// Compares as text, so that a difference is found by reading.
fn pretty(got: &Value, expect: &Value) {
    assert!(got == expect, "{}", differences("", got, expect).join("\n"));
}

fn differences(at: &str, got: &Value, expect: &Value) -> Vec<String> {
    match (got, expect) {
        (Value::Object(a), Value::Object(b)) => a
            .keys()
            .chain(b.keys().filter(|key| !a.contains_key(*key)))
            .flat_map(|key| differences(&format!("{at}.{key}"), &got[key], &expect[key]))
            .collect(),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .flat_map(|(n, (a, b))| differences(&format!("{at}[{n}]"), a, b))
            .collect(),
        _ if got == expect => Vec::new(),
        _ => vec![format!("{at}: {got} instead of {expect}")],
    }
}

#[tokio::test]
async fn known_discovery_is_not_sent_again() {
    let client = Client::new();
    let first = client.read_as("/apis", AGGREGATED).await;
    let request = Request::get("/apis")
        .header(header::ACCEPT, AGGREGATED)
        .header(header::IF_NONE_MATCH, first.header("etag"));
    let again = client.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
}

#[tokio::test]
async fn legacy_discovery_tells_the_same() {
    let client = Client::new();
    let versions = client.get("/api").await.json();
    assert_eq!(
        (&versions["kind"], &versions["versions"][0]),
        (&"APIVersions".into(), &"v1".into())
    );
    let groups = client.get("/apis").await.json();
    let autoscaling = groups["groups"]
        .as_array()
        .unwrap()
        .iter()
        .find(|g| g["name"] == "autoscaling")
        .unwrap();
    assert_eq!(autoscaling["preferredVersion"]["groupVersion"], "autoscaling/v2");
    let apps = client.get("/apis/apps/v1").await.json();
    let scale = apps["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["name"] == "deployments/scale")
        .unwrap();
    assert_eq!(
        (&scale["kind"], &scale["group"], &scale["version"]),
        (&"Scale".into(), &"autoscaling".into(), &"v1".into())
    );
    assert_eq!(client.get("/apis/apps").await.json()["kind"], "APIGroup");
    assert_eq!(client.get("/apis/none/v1").await.text(), "404 page not found\n");
}

#[tokio::test]
async fn the_root_lists_upstreams_paths() {
    let client = Client::new();
    let got = client.get("/").await.json();
    let expect = golden(include_str!("../golden/paths.json"));
    let expect: Vec<&str> = expect["paths"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let got: Vec<&str> = got["paths"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|path| !path.contains("warren.dev"))
        .collect();
    assert_eq!(got, expect);
}

#[tokio::test]
async fn the_version_is_upstreams() {
    let client = Client::new();
    let got = client.get("/version").await.json();
    let expect = golden(include_str!("../golden/version.json"));
    for field in [
        "major",
        "minor",
        "gitVersion",
        "emulationMinor",
        "minCompatibilityMinor",
        "gitTreeState",
    ] {
        assert_eq!(got[field], expect[field], "{field}");
    }
}
