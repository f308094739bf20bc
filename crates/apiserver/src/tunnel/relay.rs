//! Two raw streams as one: bytes go both ways and are not understood.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What is read ahead in one direction; a reader that is slower holds up the writer, not our memory.
const BUFFER: usize = 16 * 1024;
/// How long one direction may be silent once the other has ended. While both are open, silence has no end.
const LINGER: Duration = Duration::from_secs(30);

/// Copies both ways until both directions have ended, or one has failed. The end of one is told to the other side, which
/// may go on speaking.
pub async fn relay<A, B>(a: A, b: B)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (a_reads, a_writes) = tokio::io::split(a);
    let (b_reads, b_writes) = tokio::io::split(b);
    let moved = AtomicU64::new(0);
    let mut forth = pin!(copy(a_reads, b_writes, &moved));
    let mut back = pin!(copy(b_reads, a_writes, &moved));
    let rest = poll_fn(|cx| {
        if let Poll::Ready(end) = forth.as_mut().poll(cx) {
            return Poll::Ready(end.map(|()| Direction::Back));
        }
        back.as_mut().poll(cx).map(|end| end.map(|()| Direction::Forth))
    });
    match rest.await {
        Ok(Direction::Back) => last(back.as_mut(), &moved).await,
        Ok(Direction::Forth) => last(forth.as_mut(), &moved).await,
        // Whoever broke off does not listen either.
        Err(_) => {}
    }
}

/// The direction that is still open.
enum Direction {
    Forth,
    Back,
}

/// Lets a direction go on as long as something moves.
async fn last(mut direction: impl Future<Output = std::io::Result<()>> + Unpin, moved: &AtomicU64) {
    loop {
        let before = moved.load(Ordering::Relaxed);
        if tokio::time::timeout(LINGER, &mut direction).await.is_ok()
            || moved.load(Ordering::Relaxed) == before
        {
            return;
        }
    }
}

/// One direction, to its end, which is told.
async fn copy(from: impl AsyncRead, to: impl AsyncWrite, moved: &AtomicU64) -> std::io::Result<()> {
    let (mut from, mut to) = (pin!(from), pin!(to));
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        to.write_all(bytes).await?;
        to.flush().await?;
        moved.fetch_add(read as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    /// A client and a server with a relay between them.
    fn relayed() -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<()>) {
        let (client, near) = duplex(64);
        let (far, server) = duplex(64);
        (client, server, tokio::spawn(relay(near, far)))
    }

    async fn rest(stream: &mut DuplexStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn a_side_that_has_said_all_still_hears_the_other() {
        let (mut client, mut server, relay) = relayed();
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut server).await, "question");
        server.write_all(b"an answer").await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await, "an answer");
        relay.await.unwrap();
    }

    #[tokio::test]
    async fn a_slow_reader_holds_up_the_writer() {
        let (mut client, mut server, _relay) = relayed();
        let much = vec![b'x'; 1 << 20];
        let writing = client.write_all(&much);
        let mut writing = pin!(writing);
        // Whatever the scheduler does, what fits between the two is less than all.
        for _ in 0..100 {
            let is_pending = poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx).is_pending()));
            assert!(is_pending.await);
            tokio::task::yield_now().await;
        }
        let mut got = 0;
        let mut buffer = [0; 4096];
        let reading = async {
            while got < much.len() {
                got += server.read(&mut buffer).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(writing, reading);
        written.unwrap();
        assert_eq!(got, much.len());
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_stream_that_is_silent_is_let_go() {
        let (mut client, mut server, relay) = relayed();
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut server).await, "");
        // The server never answers and never goes; the clock runs as soon as everything waits.
        relay.await.unwrap();
        assert_eq!(rest(&mut client).await, "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_of_two_open_sides_stays() {
        let (mut client, mut server, relay) = relayed();
        let day = Duration::from_secs(86_400);
        tokio::time::advance(day).await;
        assert!(!relay.is_finished());
        client.write_all(b"still there").await.unwrap();
        let mut got = [0; 11];
        server.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"still there");
    }
}
