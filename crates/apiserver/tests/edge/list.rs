//! Lists: selectors, pages of one revision, revisions that are too old or too new.

use http::Method;
use serde_json::{Value, json};

use crate::client::Client;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn with_maps(count: usize) -> Client {
    let client = Client::new();
    for at in 0..count {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("m{at}"), "labels": {"parity": if at % 2 == 0 { "even" } else { "odd" }}}});
        let reply = client.post(MAPS, &map).await;
        assert_eq!(reply.status.as_u16(), 201, "{}", reply.text());
    }
    client
}

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn lists_are_selected_by_labels_and_fields() {
    let client = with_maps(4).await;
    let all = client.get(MAPS).await.json();
    assert_eq!(
        (&all["kind"], &all["apiVersion"]),
        (&json!("ConfigMapList"), &json!("v1"))
    );
    assert_eq!(names(&all), ["m0", "m1", "m2", "m3"]);
    let even = client
        .get(&format!("{MAPS}?labelSelector=parity%3Deven"))
        .await
        .json();
    assert_eq!(names(&even), ["m0", "m2"]);
    let one = client
        .get(&format!("{MAPS}?fieldSelector=metadata.name%3Dm3"))
        .await
        .json();
    assert_eq!(names(&one), ["m3"]);
    let others = client
        .get(&format!("{MAPS}?fieldSelector=metadata.name%21%3Dm3"))
        .await
        .json();
    assert_eq!(names(&others), ["m0", "m1", "m2"]);
    let everywhere = client.get("/api/v1/configmaps").await.json();
    assert_eq!(names(&everywhere).len(), 4);
}

#[tokio::test]
async fn pages_are_of_one_revision_although_objects_change() {
    let client = with_maps(5).await;
    let first = client.get(&format!("{MAPS}?limit=2")).await.json();
    assert_eq!(names(&first), ["m0", "m1"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    client
        .call(Method::DELETE, &format!("{MAPS}/m3"), "application/json", "")
        .await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = client
        .get(&format!("{MAPS}?limit=2&continue={token}"))
        .await
        .json();
    assert_eq!(names(&second), ["m2", "m3"]);
    assert_eq!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    let token = second["metadata"]["continue"].as_str().unwrap();
    let last = client
        .get(&format!("{MAPS}?limit=2&continue={token}"))
        .await
        .json();
    assert_eq!(names(&last), ["m4"]);
    assert!(last["metadata"].get("continue").is_none());
}

#[tokio::test]
async fn a_list_of_an_exact_revision_is_made_of_what_changed_since() {
    let client = with_maps(2).await;
    let then = client.get(MAPS).await.json();
    let revision = then["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let map = |name: &str, value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": value}});
    client.post(MAPS, &map("new", "1")).await;
    let changed = map("m0", "2").to_string();
    client
        .call(
            http::Method::PUT,
            &format!("{MAPS}/m0"),
            "application/json",
            changed,
        )
        .await;
    client
        .call(
            http::Method::DELETE,
            &format!("{MAPS}/m1"),
            "application/json",
            "",
        )
        .await;
    let path = format!("{MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact");
    assert_eq!(client.get(&path).await.json(), then);
}

#[tokio::test]
async fn a_token_whose_revision_is_gone_comes_with_one_that_goes_on() {
    let client = with_maps(3).await;
    let first = client.get("/api/v1/configmaps?limit=1").await.json();
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    // More pages of other revisions than are kept, and more changes than the resource remembers.
    for at in 0..130 {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("x{at}")}});
        client.post(MAPS, &map).await;
        client.get(&format!("{MAPS}?limit=1")).await;
    }
    let gone = client
        .get(&format!("/api/v1/configmaps?limit=1&continue={token}"))
        .await;
    assert_eq!(
        (gone.status.as_u16(), gone.json()["reason"].clone()),
        (410, json!("Expired"))
    );
    let token = gone.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = client
        .get(&format!("/api/v1/configmaps?continue={token}"))
        .await
        .json();
    assert_eq!(names(&rest)[..2], ["m1", "m2"]);
}

#[tokio::test]
async fn revisions_to_come_are_too_large() {
    let client = with_maps(1).await;
    for path in [MAPS.to_owned(), format!("{MAPS}/m0")] {
        let reply = client.get(&format!("{path}?resourceVersion=99999999")).await;
        assert_eq!(reply.status.as_u16(), 504, "{path}");
        assert_eq!(
            reply.json()["details"]["causes"][0]["reason"],
            "ResourceVersionTooLarge"
        );
    }
    let now = client.get(MAPS).await.json()["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let exact = client
        .get(&format!(
            "{MAPS}?resourceVersionMatch=Exact&resourceVersion={now}"
        ))
        .await;
    assert_eq!(exact.status.as_u16(), 200);
    let old = client
        .get(&format!("{MAPS}?resourceVersionMatch=Exact&resourceVersion=1"))
        .await;
    assert_eq!(old.status.as_u16(), 410);
}

#[tokio::test]
async fn lists_come_as_tables_and_as_metadata() {
    let client = with_maps(2).await;
    let table = client
        .read_as(MAPS, "application/json;as=Table;v=v1;g=meta.k8s.io")
        .await
        .json();
    assert_eq!(table["rows"].as_array().unwrap().len(), 2);
    assert_eq!(table["rows"][1]["cells"][0], "m1");
    let bare = client
        .read_as(
            &format!("{MAPS}?includeObject=None"),
            "application/json;as=Table;v=v1;g=meta.k8s.io",
        )
        .await
        .json();
    assert_eq!(bare["rows"][0].get("object"), Some(&json!(null)));
    let metadata = client
        .read_as(
            MAPS,
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        )
        .await
        .json();
    assert_eq!(metadata["kind"], "PartialObjectMetadataList");
    assert_eq!(names(&metadata), ["m0", "m1"]);
    assert!(metadata["items"][0].get("data").is_none());
}

#[tokio::test]
async fn collections_are_deleted_by_selector() {
    let client = with_maps(4).await;
    let path = format!("{MAPS}?labelSelector=parity%3Dodd");
    let reply = client.call(Method::DELETE, &path, "application/json", "").await;
    assert_eq!(
        (reply.status.as_u16(), reply.json()["kind"].clone()),
        (200, json!("ConfigMapList"))
    );
    assert_eq!(names(&client.get(MAPS).await.json()), ["m0", "m2"]);
}
