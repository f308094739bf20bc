//! Byte streams to servers, over TCP or whatever else carries them, and the TLS on top.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::wording;

/// A stream of bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream that was opened.
pub(crate) struct Opened {
    pub(crate) stream: Box<dyn Stream>,
    /// Its two ends, as Go names them: `127.0.0.1:1->127.0.0.1:2`; empty where it is no TCP of ours.
    pub(crate) ends: String,
    /// Set once the server has proven itself, for a stream that was opened in another way than usual.
    pub(crate) proves: Option<Proof>,
}

/// What is learnt when a server proves itself at the end of a stream.
pub(crate) struct Proof {
    pub(crate) learnt: Arc<dyn Fn() + Send + Sync>,
    /// What to say where the stream ends before that.
    pub(crate) otherwise: String,
}

/// Opens a stream over TCP.
///
/// # Errors
/// When nobody answers, in the words of Go.
pub(crate) async fn tcp(host: &str, port: u16) -> Result<Opened, String> {
    let unknown = |error: std::io::Error| wording::lookup(host, &error);
    let mut last = Err(wording::lookup(host, &io::ErrorKind::NotFound.into()));
    for address in tokio::net::lookup_host((host, port)).await.map_err(unknown)? {
        last = TcpStream::connect(address)
            .await
            .map_err(|error| wording::dial(address, &error));
        if last.is_ok() {
            break;
        }
    }
    let stream = last?;
    // An answer is late rather than wrong without it.
    let _ = stream.set_nodelay(true);
    let ends = match (stream.local_addr(), stream.peer_addr()) {
        (Ok(own), Ok(peer)) => format!("{own}->{peer}"),
        _ => String::new(),
    };
    Ok(Opened {
        stream: Box::new(stream),
        ends,
        proves: None,
    })
}

/// Makes a stream secure.
///
/// # Errors
/// When the server does not prove to be `name`, in the words of Go.
pub(crate) async fn secure(
    opened: Opened,
    name: &str,
    tls: &Arc<ClientConfig>,
) -> Result<TlsStream<Heard>, String> {
    let server = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    let heard = Heard {
        stream: opened.stream,
        first: Vec::with_capacity(FIRST),
    };
    let connecting = TlsConnector::from(Arc::clone(tls)).connect(server, heard);
    let connected = connecting.into_fallible().await;
    if let Some(proof) = opened.proves {
        match &connected {
            Ok(_) => (proof.learnt)(),
            // Nobody spoke at all.
            Err((_, heard)) if heard.first.is_empty() => return Err(proof.otherwise),
            Err(_) => {}
        }
    }
    connected.map_err(|(error, heard)| wording::handshake(&error, &heard.first, &opened.ends))
}

/// So many bytes tell what a server speaks.
const FIRST: usize = 5;

/// A stream that remembers the first bytes that came, to say what a server speaks that knows no TLS.
pub(crate) struct Heard {
    stream: Box<dyn Stream>,
    first: Vec<u8>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let wanted = FIRST.saturating_sub(self.first.len());
        if wanted > 0 {
            let new = buffer.filled().iter().skip(before).take(wanted).copied();
            self.first.extend(new.collect::<Vec<u8>>());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
