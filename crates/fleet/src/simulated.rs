//! What the embedded host's simulated nodes answer to logs, exec and attach: honestly, that nothing was run.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, Response, StatusCode};
use sha1::{Digest, Sha1};
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;
use warren_apiserver::{Body, Connect};
use warren_node::stream::{SUBPROTOCOLS, refuse};

/// What RFC 6455 appends to the client's key.
const HANDSHAKE: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Answers for the node.
pub(crate) fn answer(connect: Connect) -> Result<Response<Body>, Status> {
    let pod = connect.object.to_value();
    let node = pod.text("/spec/nodeName").to_owned();
    let why = |what: &str| format!("warren: node {node} is simulated: {what}");
    match connect.subresource {
        "log" => {
            let text = why(&format!(
                "container {} was not run and wrote nothing",
                connect.container
            ));
            let mut response = Response::new(Body::full(format!("{text}\n")));
            response
                .headers_mut()
                .insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
            Ok(response)
        }
        "exec" => {
            let command: Vec<&str> = connect.query.all("command").collect();
            let text = why(&format!("the command was not run: {}", command.join(" ")));
            upgrade(connect, text)
        }
        "attach" => {
            let text = why(&format!("container {} does not run", connect.container));
            upgrade(connect, text)
        }
        "portforward" => Err(Status::bad_request(why(
            "nothing listens on any port of its pods",
        ))),
        other => Err(Status::bad_request(why(&format!("{other} is not supported")))),
    }
}

/// Switches to the streaming protocol and says `why` on it.
fn upgrade(mut connect: Connect, why: String) -> Result<Response<Body>, Status> {
    if !connect.wants_upgrade() {
        return Err(Status::bad_request("Upgrade request required"));
    }
    if speaks_spdy(connect.request.headers()) {
        // Nothing would run there either: an answer in HTTP is read by every client.
        return Err(Status::bad_request(why));
    }
    let handshake = handshake(connect.request.headers()).map_err(Status::bad_request)?;
    connect.switch(move |client| async move {
        if let Err(error) = refuse(client, &why).await {
            tracing::debug!(%error, "a client went away");
        }
    })?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = handshake;
    Ok(response)
}

fn speaks_spdy(headers: &HeaderMap) -> bool {
    let protocol = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    protocol.is_some_and(|protocol| protocol.to_ascii_lowercase().starts_with("spdy/"))
}

/// The headers of the answer.
fn handshake(headers: &HeaderMap) -> Result<HeaderMap, String> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let wanted = text(UPGRADE).unwrap_or_default().to_ascii_lowercase();
    if wanted != "websocket" {
        return Err(format!("a simulated node speaks websocket, not {wanted:?}"));
    }
    let key = text(SEC_WEBSOCKET_KEY).ok_or("Sec-WebSocket-Key is missing")?;
    let offered: Vec<&str> = text(SEC_WEBSOCKET_PROTOCOL)
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .collect();
    let spoken = SUBPROTOCOLS.iter().find(|ours| offered.contains(ours));
    let spoken = spoken.ok_or_else(|| format!("a simulated node speaks {}", SUBPROTOCOLS.join(", ")))?;
    let accept = STANDARD.encode(Sha1::digest(format!("{key}{HANDSHAKE}")));
    let mut answer = HeaderMap::new();
    answer.insert(UPGRADE, http::HeaderValue::from_static("websocket"));
    answer.insert(CONNECTION, http::HeaderValue::from_static("Upgrade"));
    answer.insert(SEC_WEBSOCKET_PROTOCOL, http::HeaderValue::from_static(spoken));
    let accept = http::HeaderValue::from_str(&accept).map_err(|error| error.to_string())?;
    answer.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_is_that_of_the_rfc() {
        let mut headers = HeaderMap::new();
        headers.insert(UPGRADE, "WebSocket".parse().unwrap());
        headers.insert(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            "v5.channel.k8s.io, v4.channel.k8s.io".parse().unwrap(),
        );
        let answer = handshake(&headers).unwrap();
        assert_eq!(answer[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(answer[SEC_WEBSOCKET_PROTOCOL], "v5.channel.k8s.io");
        headers.insert(UPGRADE, "SPDY/3.1".parse().unwrap());
        assert!(handshake(&headers).unwrap_err().contains("spdy/3.1"));
    }
}
