//! What a simulated node answers to exec and attach, over the streaming protocol of `kubectl`: WebSocket frames
//! whose first byte names a channel.

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

const STDERR: u8 = 2;
const ERROR: u8 = 3;

/// The exit code of a command that could not be run, as a shell reports it.
const NOT_RUN: i32 = 126;

/// The subprotocols that are spoken, the preferred first.
pub const SUBPROTOCOLS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// Says on `stderr` that nothing was run, and ends as a command that could not be.
///
/// # Errors
/// When the client is gone.
pub async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(upgraded: S, why: &str) -> Result<(), Error> {
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
    socket.send(frame(STDERR, format!("{why}\n").as_bytes())).await?;
    let status = json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: {why}"),
        "details": {"causes": [{"reason": "ExitCode", "message": NOT_RUN.to_string()}]}});
    socket.send(frame(ERROR, status.to_string().as_bytes())).await?;
    let end = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    socket.close(Some(end)).await?;
    // The client answers the close; what it had sent before is of no use to anyone.
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}

fn frame(channel: u8, payload: &[u8]) -> Message {
    let mut bytes = Vec::with_capacity(payload.len() + 1);
    bytes.push(channel);
    bytes.extend_from_slice(payload);
    Message::Binary(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_reads_why_and_an_exit_code() {
        let (ours, theirs) = tokio::io::duplex(4096);
        let answer = tokio::spawn(async move { refuse(ours, "nothing runs here").await });
        let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        let mut frames = Vec::new();
        while let Some(Ok(message)) = client.next().await {
            if let Message::Binary(bytes) = message {
                frames.push((bytes[0], String::from_utf8_lossy(&bytes[1..]).into_owned()));
            }
        }
        answer.await.unwrap().unwrap();
        assert_eq!(frames[0], (STDERR, "nothing runs here\n".to_owned()));
        assert_eq!(frames[1].0, ERROR);
        assert!(frames[1].1.contains("\"126\""), "{}", frames[1].1);
    }
}
