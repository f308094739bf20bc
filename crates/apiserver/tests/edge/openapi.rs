//! OpenAPI over the edge.

use http::{Request, header};
use warren_apiserver::Body;

use crate::client::Client;

#[tokio::test]
async fn every_group_and_version_has_a_document() {
    let client = Client::new();
    let index = client.get("/openapi/v3").await.json();
    let paths = index["paths"].as_object().unwrap();
    assert!(paths.contains_key("api/v1") && paths.contains_key("apis/apps/v1"));
    for (path, entry) in paths {
        let url = entry["serverRelativeURL"].as_str().unwrap();
        let document = client.get(url).await;
        assert_eq!(document.status.as_u16(), 200, "{path}");
        assert_eq!(document.json()["openapi"], "3.0.0", "{path}");
    }
    assert_eq!(client.get("/openapi/v3/apis/none/v1").await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_document_that_is_known_is_not_sent_again() {
    let client = Client::new();
    let first = client.get("/openapi/v3/apis/apps/v1").await;
    let request =
        Request::get("/openapi/v3/apis/apps/v1").header(header::IF_NONE_MATCH, first.header("etag"));
    let again = client.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
}

#[tokio::test]
async fn version_two_is_served_as_json_alone() {
    let client = Client::new();
    let json = client.get("/openapi/v2").await.json();
    assert_eq!(json["swagger"], "2.0");
    let pod = &json["definitions"]["io.k8s.api.core.v1.Pod"];
    assert_eq!(pod["x-kubernetes-group-version-kind"][0]["kind"], "Pod");
    let protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    assert_eq!(client.read_as("/openapi/v2", protobuf).await.status.as_u16(), 406);
}
