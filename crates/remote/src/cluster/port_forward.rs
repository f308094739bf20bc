//! A raw stream to a port of a host pod, through the host's API: `portforward` over a WebSocket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{self, Message};
use warren_apimachinery::{ObjectKey, Status, StatusReason};

use super::RemoteCluster;
use super::wire::refusal;

/// The protocol in which the first byte of a message says whose it is.
const PROTOCOL: &str = "v4.channel.k8s.io";
const DATA: u8 = 0;
const ERROR: u8 = 1;
/// Each of the two channels begins with the port, in two bytes.
const HEAD: usize = 2;
/// The most that one message carries.
const CHUNK: usize = 32 << 10;

impl RemoteCluster {
    /// A stream to a port of a host pod.
    ///
    /// # Errors
    /// The host's refusal.
    pub async fn port_forward(&self, pod: &ObjectKey, port: u16) -> Result<PortForward, Status> {
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}/portforward?ports={port}",
            pod.namespace, pod.name
        );
        let request = Request::get(path)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, generate_key())
            .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
            .body(Empty::new().map_err(|never| match never {}).boxed_unsync());
        let request = request.map_err(|_| Status::internal("a port-forward has no path"))?;
        let answer = self.raw(request).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(answer).await);
        }
        let upgraded = hyper::upgrade::on(answer).await;
        let upgraded = upgraded.map_err(|_| {
            Status::new(
                StatusReason::ServiceUnavailable,
                "the host cluster did not switch protocols",
            )
        })?;
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
        Ok(PortForward {
            socket,
            left: Bytes::new(),
            heads: [HEAD; 2],
        })
    }
}

/// See [`RemoteCluster::port_forward`].
pub struct PortForward {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    /// What came and was not read yet.
    left: Bytes,
    /// How much of its port each channel still has to say.
    heads: [usize; 2],
}

impl PortForward {
    /// Takes what a message says: data to be read, or why there is no more.
    fn take(&mut self, mut message: Bytes) -> io::Result<()> {
        if message.is_empty() {
            return Ok(());
        }
        let [channel] = *message.split_to(1) else {
            return Ok(());
        };
        let Some(head) = self.heads.get_mut(usize::from(channel)) else {
            return Ok(());
        };
        let said = (*head).min(message.len());
        *head -= said;
        let rest = message.split_off(said);
        match channel {
            DATA => self.left = rest,
            ERROR if !rest.is_empty() => {
                let why = String::from_utf8_lossy(&rest).into_owned();
                return Err(io::Error::new(io::ErrorKind::ConnectionRefused, why));
            }
            _ => {}
        }
        Ok(())
    }
}

impl AsyncRead for PortForward {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.left.is_empty() {
            let message = ready!(Pin::new(&mut self.socket).poll_next(cx));
            match message.transpose().map_err(broken)? {
                None | Some(Message::Close(_)) => return Poll::Ready(Ok(())),
                Some(Message::Binary(bytes)) => self.take(bytes)?,
                Some(_) => {}
            }
        }
        let length = self.left.len().min(buffer.remaining());
        let bytes = self.left.split_to(length);
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PortForward {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
        let chunk = bytes.get(..CHUNK).unwrap_or(bytes);
        let mut message = Vec::with_capacity(chunk.len() + 1);
        message.push(DATA);
        message.extend_from_slice(chunk);
        Pin::new(&mut self.socket)
            .start_send(Message::Binary(message.into()))
            .map_err(broken)?;
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(broken)
    }
}

fn broken(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        other => io::Error::new(io::ErrorKind::ConnectionAborted, other),
    }
}
