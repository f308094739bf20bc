//! A watch over a WebSocket: each event is a message, text for JSON and binary for protobuf; the client says nothing.

use futures_util::{SinkExt, StreamExt};
use http::{Extensions, HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use super::{Stream, step};
use crate::accept::Encoding;
use crate::body::Body;
use crate::route::After;

/// Whether the client asks for a WebSocket.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let says = |name: header::HeaderName, word: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| {
            value
                .split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(word))
        })
    };
    says(header::CONNECTION, "upgrade") && says(header::UPGRADE, "websocket")
}

/// Switches protocols. The connection pumps the events once it has switched.
pub(super) fn answer(
    headers: &HeaderMap,
    extensions: &mut Extensions,
    stream: Stream,
    encoding: Encoding,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let accepts = key.map(|key| derive_accept_key(key.as_bytes()));
    let accepts = accepts.and_then(|accepts| HeaderValue::try_from(accepts).ok());
    let (Some(accepts), Some(upgrade), Some(after)) = (
        accepts,
        extensions.remove::<OnUpgrade>(),
        extensions.get::<After>(),
    ) else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    // Upstream's server of WebSockets wants to know where the page is from.
    if !headers.contains_key(header::ORIGIN) {
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    }
    after.run(pump(upgrade, stream, encoding));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answered = response.headers_mut();
    answered.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answered.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    answered.insert(header::SEC_WEBSOCKET_ACCEPT, accepts);
    if let Some(protocol) = headers.get(header::SEC_WEBSOCKET_PROTOCOL) {
        answered.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol.clone());
    }
    response
}

/// Sends events until the watch ends or the client goes away.
async fn pump(upgrade: OnUpgrade, mut stream: Stream, encoding: Encoding) {
    let Ok(upgraded) = upgrade.await else { return };
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let (mut to_client, mut from_client) = socket.split();
    let send = async {
        loop {
            let (next, piece) = step(stream).await;
            stream = next;
            let Some(piece) = piece else { break };
            for message in messages(&piece, encoding) {
                if to_client.feed(message).await.is_err() {
                    return;
                }
            }
            if to_client.flush().await.is_err() {
                return;
            }
        }
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        // The client may be gone: then nobody waits for the farewell.
        let _ = to_client.send(Message::Close(Some(close))).await;
    };
    // What the client says is thrown away; that it goes is heard.
    let receive = async {
        while let Some(Ok(message)) = from_client.next().await {
            if message.is_close() {
                break;
            }
        }
    };
    tokio::select! {
        () = send => {}
        () = receive => {}
    }
}

/// The events of a piece, a message each.
fn messages(piece: &[u8], encoding: Encoding) -> Vec<Message> {
    if encoding != Encoding::Protobuf {
        let lines = piece.split_inclusive(|byte| *byte == b'\n');
        return lines
            .map(|line| Message::text(String::from_utf8_lossy(line).into_owned()))
            .collect();
    }
    let mut all = Vec::new();
    let mut rest = piece;
    // Over a body each event has its length before it.
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((event, tail)) = tail.split_at_checked(length) else {
            break;
        };
        all.push(Message::binary(event.to_vec()));
        rest = tail;
    }
    all
}
