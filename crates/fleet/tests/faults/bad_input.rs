//! Input that makes no sense, and what upstream says to it. Afterwards the cluster answers as before.

use bytes::Bytes;
use serde_json::{Value, json};
use warren_fleet::{Embedded, Options};

use crate::client::{Client, Reply, tenant};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PODS: &str = "/api/v1/namespaces/default/pods";
const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";
const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// A request that is refused: method, path, media type and body; then code, reason and message. A message that ends
/// in `…` is only the beginning.
struct Row {
    request: (&'static str, String, &'static str, Bytes),
    expect: (u16, &'static str, String),
}

fn row(
    (method, path, media): (&'static str, &str, &'static str),
    body: impl AsRef<[u8]>,
    expect: (u16, &'static str, &str),
) -> Row {
    Row {
        request: (
            method,
            path.to_owned(),
            media,
            Bytes::copy_from_slice(body.as_ref()),
        ),
        expect: (expect.0, expect.1, expect.2.to_owned()),
    }
}

fn matches(reply: &Reply, expect: &(u16, &'static str, String)) -> bool {
    let (code, reason, message) = reply.refusal();
    let fits = match expect.2.strip_suffix('…') {
        Some(beginning) => message.starts_with(beginning),
        None => message == expect.2,
    };
    (code, reason.as_str(), fits) == (expect.0, expect.1, true)
}

async fn embedded() -> (Embedded, Client) {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    embedded.virtual_cluster("demo", None).await.unwrap();
    let client = Client::admin(&tenant(&embedded, "demo"));
    let there =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "there"}, "data": {"a": "1"}});
    client.create(MAPS, &there).await;
    (embedded, client)
}

/// Sends all rows; afterwards the object that stood before them stands as it did, and new ones are taken.
async fn refused(rows: Vec<Row>) {
    let (embedded, client) = embedded().await;
    let there = format!("{MAPS}/there");
    let before = client.get(&there).await.json();
    let mut wrong = String::new();
    for Row { request, expect } in rows {
        let (method, path, media, body) = request;
        let shown: String = String::from_utf8_lossy(&body).chars().take(80).collect();
        let reply = client.call(method, &path, media, body).await;
        if !matches(&reply, &expect) {
            wrong.push_str(&format!(
                "{method} {path} {media} {shown}\n   got {:?}\nexpect {expect:?}\n",
                reply.refusal()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(client.get(&there).await.json(), before);
    let after = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "after"}});
    client.create(MAPS, &after).await;
    assert_eq!(client.get("/readyz").await.text(), "ok");
    embedded.stop().await;
}

fn map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}).to_string()
}

fn unrecognized(why: &str) -> String {
    format!("the object provided is unrecognized (must be of type ConfigMap): {why}")
}

#[tokio::test]
async fn bodies_that_do_not_parse() {
    let json_error = |why: &str| unrecognized(&format!("couldn't get version/kind; json parse error: {why}"));
    let check = |media: &'static str, body: &[u8], why: &str| {
        row(("POST", MAPS, media), body, (400, "BadRequest", why))
    };
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    refused(vec![
        check(
            JSON,
            b"{not json",
            &json_error("invalid character 'n' looking for beginning of object key string ({not json)"),
        ),
        check(JSON, b"", &json_error("unexpected end of JSON input (<empty>)")),
        check(
            JSON,
            b"{\"kind\":",
            &json_error("unexpected end of JSON input ({\"kind\":)"),
        ),
        check(
            JSON,
            b"[]",
            &json_error("json: cannot unmarshal array into Go value of type…"),
        ),
        check(
            JSON,
            b"{\"a\":\"\x00\"}",
            &json_error("invalid character '\\x00' in string literal…"),
        ),
        check(
            JSON,
            b"\x00\x01",
            &json_error("invalid character '\\x00' looking for beginning of value (0001)"),
        ),
        check(
            JSON,
            deep.as_bytes(),
            &json_error("invalid character '[' exceeded max depth…"),
        ),
        check(YAML, b"a: [1, 2", &unrecognized("yaml: …")),
        check(YAML, b"a: b: c\n", &unrecognized("yaml: …")),
        check(YAML, b"a: \xff\xfe\n", &unrecognized("…")),
        check(
            YAML,
            b"- a\n",
            &json_error("json: cannot unmarshal array into Go value of type…"),
        ),
        check(YAML, deep.as_bytes(), &unrecognized("…")),
        check(YAML, laughs().as_bytes(), &unrecognized("…")),
        check(PROTOBUF, b"", &unrecognized("…")),
        check(PROTOBUF, b"k8s\0\x0a\xff\xff\xff\xff", &unrecognized("…")),
        check(PROTOBUF, map("a").as_bytes(), &unrecognized("…")),
    ])
    .await;
}

/// The billion laughs, in YAML.
fn laughs() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for at in 1..12 {
        let before = format!("*a{}", at - 1);
        text.push_str(&format!("a{at}: &a{at} [{}]\n", [before.as_str(); 9].join(", ")));
    }
    text
}

#[tokio::test]
async fn bodies_of_the_wrong_shape() {
    let pod = |spec: Value| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}).to_string()
    };
    let bad = |path: &str, body: String, why: &str| row(("POST", path, JSON), body, (400, "BadRequest", why));
    let data = |data: Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}).to_string()
    };
    let metadata =
        |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}).to_string();
    let unmarshal = |kind: &str, what: &str| {
        format!("{kind} in version \"v1\" cannot be handled as a {kind}: json: cannot unmarshal {what}")
    };
    refused(vec![
        bad(MAPS, data(json!([1])), &unmarshal("ConfigMap", "array into Go struct field ConfigMap.data of type map[string]string")),
        bad(MAPS, data(json!({"a": {}})), &unmarshal("ConfigMap", "object into Go struct field ConfigMap.data of type string")),
        bad(MAPS, metadata(json!("x")), &unmarshal("ConfigMap", "string into Go struct field ConfigMap.metadata of type v1.ObjectMeta")),
        bad(MAPS, metadata(json!({"name": 5})), &unmarshal("ConfigMap", "number into Go struct field ObjectMeta.metadata.name of type string")),
        bad(MAPS, metadata(json!({"name": "a", "labels": {"a": 1}})), &unmarshal("ConfigMap", "number into Go struct field ObjectMeta.metadata.labels of type string")),
        bad(PODS, pod(json!({"containers": {}})), &unmarshal("Pod", "object into Go struct field PodSpec.spec.containers of type []v1.Container")),
        bad(PODS, pod(json!({"hostNetwork": "yes"})), &unmarshal("Pod", "string into Go struct field PodSpec.spec.hostNetwork of type bool")),
        bad(PODS, map("a"), "ConfigMap in version \"v1\" cannot be handled as a Pod: converting (v1.ConfigMap) to (core.Pod): unknown conversion"),
        bad(MAPS, json!({"apiVersion": "v9", "kind": "ConfigMap"}).to_string(), "ConfigMap in version \"v9\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"v9\"…"),
        bad(MAPS, json!({"apiVersion": "v1", "kind": "Nonsense"}).to_string(), "Nonsense in version \"v1\" cannot be handled as a ConfigMap: no kind \"Nonsense\" is registered for version \"v1\"…"),
    ])
    .await;
}

#[tokio::test]
async fn unknown_and_repeated_fields() {
    let (embedded, client) = embedded().await;
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"f","bogus":1},"data":{"a":"1","a":"2"},"spec":{}}"#;
    let found = [
        "unknown field \"metadata.bogus\"",
        "duplicate field \"data.a\"",
        "unknown field \"spec\"",
    ];
    for (validation, code) in [
        ("Ignore", 201),
        ("Warn", 201),
        ("", 201),
        ("Strict", 400),
        ("Odd", 422),
    ] {
        let path = format!("{MAPS}?fieldValidation={validation}");
        let reply = client.call("POST", &path, JSON, body).await;
        assert_eq!(reply.code, code, "{validation}: {}", reply.text());
        let (_, _, message) = reply.refusal();
        for what in found {
            let warned = reply
                .warnings()
                .iter()
                .any(|text| text.contains(&what.replace('"', "\\\"")));
            assert_eq!(
                warned,
                code == 201 && validation != "Ignore",
                "{validation}: {what}: {:?}",
                reply.warnings()
            );
            assert_eq!(
                message.contains(what),
                validation == "Strict",
                "{validation}: {what}: {message}"
            );
        }
        client.delete(&format!("{MAPS}/f")).await;
    }
    assert_eq!(client.get(&format!("{MAPS}/f")).await.code, 404);
    embedded.stop().await;
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let mib = 1024 * 1024;
    let padded = |bytes: usize| {
        let value = "x".repeat(bytes);
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"a": value}})
            .to_string()
    };
    let limit = "Request entity too large: limit is 3145728";
    let too_long = "ConfigMap \"big\" is invalid: []: Too long: may not be more than 1048576 bytes";
    let there = format!("{MAPS}/there?fieldManager=m");
    refused(vec![
        row(
            ("POST", MAPS, JSON),
            padded(3 * mib),
            (413, "RequestEntityTooLarge", limit),
        ),
        row(
            ("POST", MAPS, YAML),
            padded(3 * mib),
            (413, "RequestEntityTooLarge", limit),
        ),
        row(
            ("PUT", &there, JSON),
            padded(8 * mib),
            (413, "RequestEntityTooLarge", limit),
        ),
        row(
            ("PATCH", &there, MERGE_PATCH),
            padded(4 * mib),
            (413, "RequestEntityTooLarge", limit),
        ),
        row(
            ("DELETE", &there, JSON),
            padded(4 * mib),
            (413, "RequestEntityTooLarge", limit),
        ),
        row(("POST", MAPS, JSON), padded(mib + 1), (422, "Invalid", too_long)),
    ])
    .await;
}

#[tokio::test]
async fn queries_that_make_no_sense() {
    let list = |query: &str, expect| row(("GET", &format!("{MAPS}?{query}"), ""), "", expect);
    let bad = |query: &str, why| list(query, (400, "BadRequest", why));
    let options = |why: &str| format!("ListOptions.meta.k8s.io \"\" is invalid: {why}");
    refused(vec![
        bad("labelSelector=a%3D%3D%3Db", "unable to parse requirement: found '=', expected: identifier"),
        bad("labelSelector=a%20in%20(", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        bad("labelSelector=%21", "unable to parse requirement: found '', expected: identifier"),
        bad("labelSelector=a%00", "…"),
        bad("labelSelector=-a%3Db", "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of…"),
        bad("fieldSelector=metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        bad("fieldSelector=data.a%3D1", "\"data.a\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
        bad("limit=ten", "strconv.ParseInt: parsing \"ten\": invalid syntax"),
        bad("limit=99999999999999999999", "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"),
        bad("timeoutSeconds=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        bad("continue=abc", "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value"),
        bad("continue=%25%25", "invalid continue token: continue key is not valid: illegal base64 data at input byte 0"),
        bad("resourceVersion=abc", "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax"),
        bad("resourceVersion=-1", "invalid resource version: resourceVersion: Invalid value: \"-1\": strconv.ParseUint: parsing \"-1\": invalid syntax"),
        bad("resourceVersion=99999999999999999999999", "invalid resource version: resourceVersion: Invalid value: \"99999999999999999999999\": strconv.ParseUint: parsing \"99999999999999999999999\": value out of range"),
        bad("timeout=soon", "invalid timeout specified in the request URL - time: invalid duration \"soon\""),
        list("resourceVersion=999999999", (504, "Timeout", "Timeout: Too large resource version: 999999999, current: …")),
        list("resourceVersionMatch=Exact", (422, "Invalid", &options("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"))),
        list("resourceVersionMatch=Odd&resourceVersion=1", (422, "Invalid", &options("resourceVersionMatch: Unsupported value: \"Odd\": supported values: \"Exact\", \"NotOlderThan\", \"\""))),
        list("watch=1&sendInitialEvents=true", (422, "Invalid", &options("resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))),
        row(("GET", &format!("{PODS}?fieldSelector=spec.x%3D1"), ""), "", (400, "BadRequest", "field label not supported: spec.x")),
        row(("DELETE", &format!("{MAPS}?labelSelector=a%3D%3D%3Db"), ""), "", (400, "BadRequest", "unable to parse requirement: found '=', expected: identifier")),
        row(("POST", &format!("{MAPS}?dryRun=Some"), JSON), map("a"), (422, "Invalid", "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"")),
        row(("POST", &format!("{MAPS}?fieldManager={}", "m".repeat(129)), JSON), map("a"), (422, "Invalid", "CreateOptions.meta.k8s.io \"\" is invalid: fieldManager: Too long: may not be more than 128 bytes")),
    ])
    .await;
}

#[tokio::test]
async fn stale_revisions_and_wrong_preconditions() {
    let there = format!("{MAPS}/there");
    let modified = "Operation cannot be fulfilled on configmaps \"there\": the object has been modified; please apply your changes to the latest version and try again";
    let put =
        |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}).to_string();
    let stale = json!({"metadata": {"resourceVersion": "1"}, "data": {"a": "2"}}).to_string();
    let precondition = |kind: &str| {
        json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {kind: "1"}}).to_string()
    };
    refused(vec![
        row(("PUT", &there, JSON), put(json!({"name": "there", "resourceVersion": "1"})), (409, "Conflict", modified)),
        row(("PATCH", &there, MERGE_PATCH), &stale, (409, "Conflict", modified)),
        row(("PATCH", &there, STRATEGIC_PATCH), &stale, (409, "Conflict", modified)),
        row(("PUT", &there, JSON), put(json!({"name": "there", "resourceVersion": "abc"})), (500, "", "strconv.ParseUint: parsing \"abc\": invalid syntax")),
        row(("PUT", &there, JSON), put(json!({"name": "other"})), (400, "BadRequest", "the name of the object (other) does not match the name on the URL (there)")),
        row(("PUT", &there, JSON), put(json!({"name": "there", "namespace": "kube-system"})), (400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request")),
        row(("POST", MAPS, JSON), put(json!({"name": "new", "namespace": "kube-system"})), (400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request")),
        row(("PUT", &there, JSON), put(json!({"name": "there", "uid": "1"})), (409, "Conflict", "Operation cannot be fulfilled on configmaps \"there\": StorageError: invalid object, Code: 4, Key: …")),
        row(("DELETE", &there, JSON), precondition("uid"), (409, "Conflict", "Operation cannot be fulfilled on ConfigMap \"there\": the UID in the precondition (1) does not match the UID in record (…")),
        row(("DELETE", &there, JSON), precondition("resourceVersion"), (409, "Conflict", "Operation cannot be fulfilled on ConfigMap \"there\": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (…")),
        row(("POST", MAPS, JSON), put(json!({"name": "new", "resourceVersion": "5"})), (500, "", "resourceVersion should not be set on objects to be created")),
        row(("POST", MAPS, JSON), map("there"), (409, "AlreadyExists", "configmaps \"there\" already exists")),
    ])
    .await;
}

#[tokio::test]
async fn paths_and_methods_that_are_not_served() {
    let missing = "the server could not find the requested resource";
    let method = "the server does not allow this method on the requested resource";
    let there = format!("{MAPS}/there");
    let at = |verb, path: &str, expect| row((verb, path, JSON), "{}", expect);
    let get = |path: &str, expect| row(("GET", path, ""), "", expect);
    let many = format!("/api/v1/{}", "a/".repeat(3000));
    refused(
        vec![
            get("/api/v1/nope", (404, "NotFound", missing)),
            get("/api/v1/namespaces/default/nope/x", (404, "NotFound", missing)),
            get(
                "/api/v2/pods",
                (
                    404,
                    "NotFound",
                    "the server could not find the requested resource",
                ),
            ),
            get("/apis/nope/v1/x", (404, "", "404 page not found\n")),
            get("/nope", (404, "", "404 page not found\n")),
            get("/../../etc/passwd", (404, "", "404 page not found\n")),
            get(&format!("{there}/nope"), (404, "NotFound", missing)),
            get(&format!("{there}/status"), (404, "NotFound", missing)),
            get(
                &format!("{MAPS}/nope"),
                (404, "NotFound", "configmaps \"nope\" not found"),
            ),
            get(&format!("{MAPS}/a%2Fb"), (404, "NotFound", missing)),
            get(
                &format!("{MAPS}/a%00b"),
                (404, "NotFound", "configmaps \"a\\x00b\" not found"),
            ),
            get(
                "/api/v1/namespaces/none/configmaps/x",
                (404, "NotFound", "configmaps \"x\" not found"),
            ),
            get(&many, (404, "NotFound", missing)),
            at(
                "POST",
                "/api/v1/namespaces/none/configmaps",
                (404, "NotFound", "namespaces \"none\" not found"),
            ),
            at("POST", &there, (405, "MethodNotAllowed", method)),
            at("PUT", MAPS, (405, "MethodNotAllowed", method)),
            at("PATCH", MAPS, (405, "MethodNotAllowed", method)),
            at("DELETE", "/api/v1/namespaces", (405, "MethodNotAllowed", method)),
            at("POST", "/api/v1/configmaps", (405, "MethodNotAllowed", method)),
            at(
                "PUT",
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                (405, "MethodNotAllowed", method),
            ),
            at("PROPFIND", MAPS, (405, "MethodNotAllowed", method)),
            at(
                "DELETE",
                "/api/v1/namespaces/default",
                (
                    403,
                    "Forbidden",
                    "namespaces \"default\" is forbidden: this namespace may not be deleted",
                ),
            ),
        ]
        .into_iter()
        .map(|mut row| {
            if row.expect.0 == 404 && row.request.0 == "POST" {
                row.request.3 = map("a").into();
            }
            row
        })
        .collect(),
    )
    .await;
}

#[tokio::test]
async fn media_types_that_are_not_spoken() {
    let there = format!("{MAPS}/there");
    let objects = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    refused(vec![
        row(
            ("POST", MAPS, "text/plain"),
            map("a"),
            (415, "UnsupportedMediaType", objects),
        ),
        row(
            ("POST", MAPS, "multipart/form-data; boundary=x"),
            map("a"),
            (415, "UnsupportedMediaType", objects),
        ),
        row(
            ("PUT", &there, "application/x-www-form-urlencoded"),
            map("there"),
            (415, "UnsupportedMediaType", objects),
        ),
        row(
            ("PATCH", &there, JSON),
            "{}",
            (415, "UnsupportedMediaType", "415: Unsupported Media Type"),
        ),
        row(
            ("PATCH", &there, "text/plain"),
            "{}",
            (415, "UnsupportedMediaType", "415: Unsupported Media Type"),
        ),
    ])
    .await;
    let (embedded, client) = embedded().await;
    for accept in [
        "text/html",
        "application/json;as=Nothing;g=x;v=v1",
        "image/png, text/plain",
    ] {
        let reply = client.with("accept", accept).get(&there).await;
        let (code, reason, message) = reply.refusal();
        assert_eq!(
            (code, reason.as_str()),
            (406, "NotAcceptable"),
            "{accept}: {message}"
        );
        assert!(
            message.contains("application/json, application/yaml, application/vnd.kubernetes.protobuf"),
            "{message}"
        );
    }
    embedded.stop().await;
}

#[tokio::test]
async fn patches_of_all_four_kinds() {
    let there = format!("{MAPS}/there");
    let apply = format!("{MAPS}/there?fieldManager=m");
    let rejected = "the server rejected our request due to an error in our request";
    let patch = |media, body: &str, expect| row(("PATCH", &there, media), body, expect);
    let bad = |media, body: &str, why| patch(media, body, (400, "BadRequest", why));
    let invalid = |media, body: &str, why| patch(media, body, (422, "Invalid", why));
    let applied = |body: &str, expect| row(("PATCH", &apply, APPLY_PATCH), body, expect);
    let many = format!(
        "[{}]",
        vec![r#"{"op":"test","path":"/data/a","value":"1"}"#; 10_001].join(",")
    );
    refused(vec![
        bad(JSON_PATCH, "", "error decoding patch: unexpected end of JSON input"),
        bad(JSON_PATCH, "{}", "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        invalid(JSON_PATCH, r#"[{"op":"fly","path":"/data"}]"#, rejected),
        invalid(JSON_PATCH, r#"[{"op":"remove","path":"/data/zz"}]"#, rejected),
        invalid(JSON_PATCH, r#"[{"op":"test","path":"/data/a","value":"9"}]"#, rejected),
        invalid(JSON_PATCH, r#"[{"op":"add","path":"/data/x/y/z","value":"9"}]"#, rejected),
        patch(JSON_PATCH, &many, (413, "RequestEntityTooLarge", "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001")),
        bad(MERGE_PATCH, "{\"data\":", "error decoding patch: unexpected end of JSON input"),
        bad(MERGE_PATCH, "\u{0}", "error decoding patch: invalid character '\\x00' looking for beginning of value"),
        invalid(MERGE_PATCH, r#"{"data":{"a":1}}"#, " \"\" is invalid: patch: Invalid value: …"),
        bad(STRATEGIC_PATCH, "{", "…"),
        bad(STRATEGIC_PATCH, "[]", "…"),
        patch(STRATEGIC_PATCH, r#"{"data":{"$patch":"explode"}}"#, (500, "", "unknown patch type: explode in map: map[$patch:explode]")),
        patch(MERGE_PATCH, r#"{"metadata":{"name":"other"}}"#, (400, "BadRequest", "the name of the object (other) does not match the name on the URL (there)")),
        patch(MERGE_PATCH, r#"{"kind":"Secret"}"#, (422, "Invalid", "…")),
        invalid(MERGE_PATCH, r#"{"data":{"b/c":"1"}}"#, "ConfigMap \"there\" is invalid: data[b/c]: Invalid value: \"b/c\": a valid config key must consist of…"),
        patch(APPLY_PATCH, &map("there"), (422, "Invalid", "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch")),
        applied("a: [", (400, "BadRequest", "error decoding YAML: …")),
        applied("", (400, "BadRequest", "…")),
        applied("- a", (400, "BadRequest", "…")),
        applied(&map("other"), (400, "BadRequest", "…")),
        applied(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "there", "managedFields": [{}]}}).to_string(), (400, "BadRequest", "metadata.managedFields must be nil")),
        row(("PATCH", &format!("{MAPS}/none"), MERGE_PATCH), "{}", (404, "NotFound", "configmaps \"none\" not found")),
    ])
    .await;
}

#[tokio::test]
async fn absurd_names() {
    let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    let mut rows = Vec::new();
    for name in [
        "Bad_Name", "..", "a/b", "-", "ünicode", "a b", "a\u{0}b", "💥", "a\nb", "%2e", "a..b", ".a",
    ] {
        let shown = match name {
            "a\u{0}b" => "a\\x00b".to_owned(),
            "a\nb" => "a\\nb".to_owned(),
            name => name.to_owned(),
        };
        let why =
            format!("ConfigMap \"{shown}\" is invalid: metadata.name: Invalid value: \"{shown}\": {rule}");
        let begin = format!("ConfigMap \"{shown}\" is invalid: …");
        // The name of a key is checked more than once for these.
        let expect = if matches!(name, ".." | "a/b") {
            &begin
        } else {
            &why
        };
        rows.push(row(("POST", MAPS, JSON), map(name), (422, "Invalid", expect)));
    }
    let long = "x".repeat(254);
    let too_long = format!(
        "ConfigMap \"{long}\" is invalid: metadata.name: Invalid value: \"{long}\": must be no more than 253 characters"
    );
    rows.push(row(("POST", MAPS, JSON), map(&long), (422, "Invalid", &too_long)));
    rows.push(row(
        ("POST", MAPS, JSON),
        map(""),
        (
            422,
            "Invalid",
            "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
    ));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x".repeat(64)}});
    rows.push(row(
        ("POST", "/api/v1/namespaces", JSON),
        namespace.to_string(),
        (422, "Invalid", "Namespace \"xxx…"),
    ));
    rows.push(row(
        ("GET", &format!("{MAPS}/%2e%2e"), ""),
        "",
        (
            400,
            "BadRequest",
            "Name parameter invalid: \"..\": may not be '..'",
        ),
    ));
    rows.push(row(
        ("GET", &format!("{MAPS}/{}", "y".repeat(20_000)), ""),
        "",
        (404, "NotFound", "configmaps \"yyy…"),
    ));
    refused(rows).await;
}

#[tokio::test]
async fn text_that_is_no_utf_8_is_read_as_go_reads_it() {
    let (embedded, client) = embedded().await;
    let body = b"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"odd\"},\"data\":{\"a\":\"x\xffy\",\"nul\":\"\\u0000\"}}";
    let reply = client.call("POST", MAPS, JSON, &body[..]).await;
    assert_eq!(reply.code, 201, "{}", reply.text());
    assert_eq!(reply.json()["data"], json!({"a": "x\u{fffd}y", "nul": "\u{0}"}));
    embedded.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_http_end_their_connection_and_nothing_else() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (embedded, client) = embedded().await;
    let address = tenant(&embedded, "demo").listener().unwrap().address();
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\xff\xff",
        b"\x00",
        b"PRI * HTTP/2.0\r\n",
    ] {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        socket.write_all(garbage).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Whether it is reset or closed does not matter, only that it ends.
        let ended = tokio::time::timeout(crate::client::PATIENCE, socket.read_to_end(&mut answer)).await;
        assert!(ended.is_ok());
    }
    assert_eq!(client.get("/readyz").await.code, 200);
    embedded.stop().await;
}
