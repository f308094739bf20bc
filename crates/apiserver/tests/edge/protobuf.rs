//! A typed client's session: everything in and out is Kubernetes' protobuf, read here without the server's own table.

use http::{Method, Request, header};
use http_body_util::BodyExt;
use warren_apiserver::Body;

use crate::client::{Client, Reply};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
    out
}

fn field(number: usize, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len()), content.to_vec()].concat()
}

fn take_varint(bytes: &mut &[u8]) -> usize {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// All fields of this number that are text, bytes or messages.
fn fields(mut bytes: &[u8], number: usize) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = take_varint(&mut bytes);
        if tag & 7 != 2 {
            take_varint(&mut bytes);
            continue;
        }
        let length = take_varint(&mut bytes);
        let (content, rest) = bytes.split_at(length);
        bytes = rest;
        if tag >> 3 == number {
            found.push(content.to_vec());
        }
    }
    found
}

/// The text at the end of a path of field numbers.
fn text(bytes: &[u8], path: &[usize]) -> String {
    let mut at = bytes.to_vec();
    for number in path {
        at = fields(&at, *number).into_iter().next().unwrap_or_default();
    }
    String::from_utf8(at).unwrap()
}

/// Kind and content of an enveloped object.
fn opened(bytes: &[u8]) -> (String, Vec<u8>) {
    let envelope = bytes.strip_prefix(b"k8s\0").unwrap();
    let kind = format!("{} {}", text(envelope, &[1, 1]), text(envelope, &[1, 2]));
    (kind, fields(envelope, 2).remove(0))
}

fn config_map(name: &str, value: &str) -> Vec<u8> {
    // As Go encodes it: empty strings and an empty time are there.
    let metadata = [field(1, name.as_bytes()), field(2, b""), field(8, b"")].concat();
    let data = [field(1, b"a"), field(2, value.as_bytes())].concat();
    enveloped("ConfigMap", &[field(1, &metadata), field(2, &data)].concat())
}

fn enveloped(kind: &str, content: &[u8]) -> Vec<u8> {
    let kind = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &kind), field(2, content)].concat()
}

async fn call(client: &Client, method: Method, path: &str, body: Vec<u8>) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, PROTOBUF)
        .header(header::CONTENT_TYPE, PROTOBUF);
    let reply = client.send(request.body(Body::full(body)).unwrap()).await;
    assert_eq!(reply.header("content-type"), PROTOBUF, "{path}");
    reply
}

#[tokio::test]
async fn a_typed_client_creates_reads_updates_and_deletes() {
    let client = Client::new();
    let one = format!("{MAPS}/typed");
    let made = call(&client, Method::POST, MAPS, config_map("typed", "1")).await;
    assert_eq!(made.status.as_u16(), 201);
    let (kind, content) = opened(&made.bytes);
    assert_eq!(kind, "v1 ConfigMap");
    assert_eq!(
        (text(&content, &[1, 1]), text(&content, &[2, 2])),
        ("typed".to_owned(), "1".to_owned())
    );
    let updated = call(&client, Method::PUT, &one, config_map("typed", "2")).await;
    assert_eq!(updated.status.as_u16(), 200);
    let read = call(&client, Method::GET, &one, Vec::new()).await;
    assert_eq!(text(&opened(&read.bytes).1, &[2, 2]), "2");
    let list = call(&client, Method::GET, MAPS, Vec::new()).await;
    let (kind, content) = opened(&list.bytes);
    assert_eq!(kind, "v1 ConfigMapList");
    let names: Vec<String> = fields(&content, 2)
        .iter()
        .map(|item| text(item, &[1, 1]))
        .collect();
    assert!(names.contains(&"typed".to_owned()), "{names:?}");
    // `preconditions.uid` of `DeleteOptions`.
    let wrong = enveloped("DeleteOptions", &field(2, &field(1, b"other")));
    let refused = call(&client, Method::DELETE, &one, wrong).await;
    assert_eq!(refused.status.as_u16(), 409);
    assert_eq!(text(&opened(&refused.bytes).1, &[4]), "Conflict");
    let deleted = call(&client, Method::DELETE, &one, enveloped("DeleteOptions", b"")).await;
    let (kind, content) = opened(&deleted.bytes);
    assert_eq!(
        (kind.as_str(), text(&content, &[2])),
        ("v1 Status", "Success".to_owned())
    );
    let gone = call(&client, Method::GET, &one, Vec::new()).await;
    assert_eq!(
        (gone.status.as_u16(), text(&opened(&gone.bytes).1, &[3])),
        (404, "configmaps \"typed\" not found".to_owned())
    );
}

#[tokio::test]
async fn a_typed_client_watches() {
    let client = Client::new();
    call(&client, Method::POST, MAPS, config_map("seen", "1")).await;
    let path = format!("{MAPS}?watch=1&fieldSelector=metadata.name%3Dseen");
    let bearer = format!("Bearer {}", crate::cluster::TOKEN);
    let request = Request::get(path)
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, format!("{PROTOBUF};stream=watch"));
    let response = client.open(request.body(Body::empty()).unwrap()).await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/vnd.kubernetes.protobuf;stream=watch"
    );
    let mut body = response.into_body();
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let (length, event) = frame.split_at(4);
    let length = u32::from_be_bytes(length.try_into().unwrap());
    assert_eq!(usize::try_from(length).unwrap(), event.len());
    assert_eq!(text(event, &[1]), "ADDED");
    let object = fields(&fields(event, 2)[0], 1).remove(0);
    let (kind, content) = opened(&object);
    assert_eq!(
        (kind.as_str(), text(&content, &[1, 1])),
        ("v1 ConfigMap", "seen".to_owned())
    );
}

#[tokio::test]
async fn metadata_and_discovery_come_in_protobuf_too() {
    let client = Client::new();
    call(&client, Method::POST, MAPS, config_map("meta", "1")).await;
    let shape = format!("{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
    let reply = client.read_as(MAPS, &shape).await;
    let (kind, content) = opened(&reply.bytes);
    assert_eq!(kind, "meta.k8s.io/v1 PartialObjectMetadataList");
    let names: Vec<String> = fields(&content, 2)
        .iter()
        .map(|item| text(item, &[1, 1]))
        .collect();
    assert!(names.contains(&"meta".to_owned()), "{names:?}");
    let wanted = format!("{PROTOBUF};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    let reply = client.read_as("/apis", &wanted).await;
    assert_eq!(reply.header("content-type"), wanted);
    assert_eq!(
        opened(&reply.bytes).0,
        "apidiscovery.k8s.io/v2 APIGroupDiscoveryList"
    );
    for (path, kind) in [
        ("/apis", "v1 APIGroupList"),
        ("/apis/apps", "v1 APIGroup"),
        ("/api/v1", " APIResourceList"),
        ("/apis/apps/v1", "v1 APIResourceList"),
    ] {
        assert_eq!(
            opened(&client.read_as(path, PROTOBUF).await.bytes).0,
            kind,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_has_no_form_in_protobuf_is_refused_or_comes_as_the_next_best() {
    let client = Client::new();
    crate::golden::prepare_foos(&client).await;
    let path = "/apis/ex.io/v1/namespaces/default/foos";
    let reply = client
        .read_as(path, &format!("{PROTOBUF},application/json"))
        .await;
    assert_eq!(
        reply.header("content-type"),
        "application/json",
        "{}",
        reply.text()
    );
    let refused = client.read_as(path, PROTOBUF).await;
    assert_eq!(
        (refused.status.as_u16(), text(&opened(&refused.bytes).1, &[4])),
        (406, "NotAcceptable".to_owned())
    );
    let table = format!("{PROTOBUF};as=Table;g=meta.k8s.io;v=v1");
    let refused = client.read_as(MAPS, &table).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("content-type")),
        (406, "application/json")
    );
}
