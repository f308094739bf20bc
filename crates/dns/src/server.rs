//! A port over UDP and TCP, and the one task that serves it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hickory_proto::op::{Message, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::answer::{Decision, censored, decide};
use crate::packet::{self, Received, Transport, encode};
use crate::upstream::{Failure, Upstreams};
use crate::view::Source;

/// How many connections one cluster has at a time. Further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 64;
/// How many queries of one cluster wait for the host's resolver at a time. More are refused.
const MAX_WAITING: usize = 256;
/// How many packets are answered before others get a turn.
const ROUND: usize = 64;
/// How long a connection may be silent, or be slow to take an answer.
const IDLE: Duration = Duration::from_secs(10);
/// The largest query: no honest one is near it.
const LARGEST_QUERY: usize = 4096;
/// How often another port is tried when the one that is free for TCP is taken for UDP.
const ATTEMPTS: usize = 16;

/// An open port and the task that serves it. Ends with `close`; whoever opened it closes it.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// Serves `source` on one port, that of `preferred` if it is free, over UDP and TCP.
    ///
    /// # Errors
    /// When no port is to be had at the address.
    pub async fn open(
        address: IpAddr,
        preferred: u16,
        source: Arc<dyn Source>,
        upstreams: Arc<Upstreams>,
    ) -> std::io::Result<Arc<Self>> {
        let (udp, tcp) = bind(address, preferred).await?;
        let address = tcp.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let serving = Arc::new(Serving {
            source,
            upstreams,
            udp,
            address,
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        });
        let task = tokio::spawn(serving.run(tcp, stopped));
        Ok(Arc::new(Self {
            address,
            stop,
            task: Mutex::new(Some(task)),
        }))
    }

    /// Where it listens, over UDP and TCP alike.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the task and what it began, and waits for that.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!(address = %self.address, "a name server panicked");
        }
    }
}

/// The same port over both transports.
async fn bind(address: IpAddr, preferred: u16) -> std::io::Result<(UdpSocket, TcpListener)> {
    let mut wanted = preferred;
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let both = async {
            let tcp = TcpListener::bind((address, wanted)).await?;
            let udp = UdpSocket::bind(tcp.local_addr()?).await?;
            Ok((udp, tcp))
        };
        match both.await {
            Ok(both) => return Ok(both),
            Err(error) => last = Some(error),
        }
        wanted = 0;
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}

/// What the task and those that it begins share.
struct Serving {
    source: Arc<dyn Source>,
    upstreams: Arc<Upstreams>,
    udp: UdpSocket,
    address: SocketAddr,
    waiting: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

/// What is to be done about a packet.
enum Next {
    Send(Vec<u8>),
    Nothing,
    /// It takes the host's resolver.
    Later(Box<Message>, Decision),
}

impl Serving {
    async fn run(self: Arc<Self>, tcp: TcpListener, mut stopped: watch::Receiver<bool>) {
        // Bound: `MAX_WAITING` and `MAX_CONNECTIONS` together. Ends with this task.
        let mut begun: JoinSet<()> = JoinSet::new();
        loop {
            tokio::select! {
                // An error means that the sender is gone: the same as a stop.
                () = async { let _ = stopped.wait_for(|stop| *stop).await; } => break,
                ready = self.udp.readable() => {
                    if let Err(error) = ready {
                        tracing::warn!(%error, address = %self.address, "a name server cannot read");
                        break;
                    }
                    self.round(&mut begun);
                    tokio::task::yield_now().await;
                }
                accepted = tcp.accept(), if self.connections.available_permits() > 0 => {
                    match accepted {
                        Ok((stream, _)) => self.accept(stream, &mut begun),
                        Err(error) => {
                            tracing::debug!(%error, "a connection failed");
                            tokio::task::yield_now().await;
                        }
                    }
                }
                Some(ended) = begun.join_next() => report(ended),
            }
        }
        begun.shutdown().await;
    }

    fn accept(self: &Arc<Self>, stream: TcpStream, begun: &mut JoinSet<()>) {
        // There is a permit: this task alone takes them.
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else {
            return;
        };
        let serving = Arc::clone(self);
        begun.spawn(async move {
            serving.converse(stream).await;
            drop(permit);
        });
    }

    /// Answers the packets that are there.
    fn round(self: &Arc<Self>, begun: &mut JoinSet<()>) {
        let mut buffer = [0u8; LARGEST_QUERY];
        for _ in 0..ROUND {
            let (length, client) = match self.udp.try_recv_from(&mut buffer) {
                Ok(received) => received,
                // Some systems tell here that an earlier answer found nobody.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => continue,
                Err(_) => return,
            };
            let Some(packet) = buffer.get(..length).filter(|_| client.port() != 0) else {
                continue;
            };
            match self.next(packet, Transport::Udp) {
                Next::Nothing => {}
                Next::Send(answer) => self.send(&answer, client),
                Next::Later(query, decision) => self.later(packet, client, query, decision, begun),
            }
        }
    }

    fn later(
        self: &Arc<Self>,
        packet: &[u8],
        client: SocketAddr,
        query: Box<Message>,
        decision: Decision,
        begun: &mut JoinSet<()>,
    ) {
        let Ok(permit) = Arc::clone(&self.waiting).try_acquire_owned() else {
            let refusal = packet::reply(&query, ResponseCode::Refused);
            if let Some(bytes) = encode(refusal, &query, Transport::Udp) {
                self.send(&bytes, client);
            }
            return;
        };
        let (serving, packet) = (Arc::clone(self), packet.to_vec());
        begun.spawn(async move {
            let answer = serving
                .with_upstream(&packet, &query, decision, Transport::Udp)
                .await;
            if let Some(answer) = answer {
                serving.send(&answer, client);
            }
            drop(permit);
        });
    }

    /// A client that is not there, or a full queue, loses an answer as the network would.
    fn send(&self, answer: &[u8], client: SocketAddr) {
        if let Err(error) = self.udp.try_send_to(answer, client) {
            tracing::debug!(%error, "an answer was not sent");
        }
    }

    fn next(&self, packet: &[u8], transport: Transport) -> Next {
        let query = match packet::read(packet) {
            Received::Ignored => return Next::Nothing,
            Received::Wrong(refusal) => return Next::Send(refusal),
            Received::Query(query) => query,
        };
        match decide(self.source.as_ref(), &query, serial()) {
            Decision::Reply(reply) => encode(reply, &query, transport).map_or(Next::Nothing, Next::Send),
            decision => Next::Later(query, decision),
        }
    }

    /// Asks the host's resolver.
    async fn with_upstream(
        &self,
        packet: &[u8],
        query: &Message,
        decision: Decision,
        transport: Transport,
    ) -> Option<Vec<u8>> {
        let reply = match decision {
            Decision::Reply(reply) => reply,
            Decision::Forward => {
                let said = self.upstreams.ask(packet, transport, self.address).await;
                match said {
                    Err(Failure::Busy) => packet::reply(query, ResponseCode::Refused),
                    Err(Failure::Silence) => packet::reply(query, ResponseCode::ServFail),
                    Ok(bytes) => {
                        let said = Message::from_vec(&bytes).ok();
                        let settings = self.source.settings();
                        match said.and_then(|said| censored(&settings, query, &said)) {
                            Some(instead) => instead,
                            // As it came, so that types that we do not know pass, too.
                            None => return Some(bytes),
                        }
                    }
                }
            }
            Decision::Ask(question) => {
                let asked = question.query(query.id).to_vec().ok()?;
                let said = match self.upstreams.ask(&asked, transport, self.address).await {
                    Ok(bytes) => Message::from_vec(&bytes).ok(),
                    Err(_) => None,
                };
                question.complete(said.as_ref())
            }
        };
        encode(reply, query, transport)
    }

    /// Serves one connection until it is silent, or says what is too long.
    async fn converse(&self, mut stream: TcpStream) {
        loop {
            let Ok(Ok(length)) = timeout(IDLE, stream.read_u16()).await else {
                return;
            };
            let length = usize::from(length);
            if length > LARGEST_QUERY {
                return;
            }
            let mut packet = vec![0; length];
            let Ok(Ok(_)) = timeout(IDLE, stream.read_exact(&mut packet)).await else {
                return;
            };
            let answer = match self.next(&packet, Transport::Tcp) {
                Next::Nothing => return,
                Next::Send(answer) => Some(answer),
                Next::Later(query, decision) => {
                    self.with_upstream(&packet, &query, decision, Transport::Tcp)
                        .await
                }
            };
            let framed = answer.and_then(|answer| {
                let length = u16::try_from(answer.len()).ok()?;
                let mut framed = length.to_be_bytes().to_vec();
                framed.extend_from_slice(&answer);
                Some(framed)
            });
            let Some(framed) = framed else { return };
            let Ok(Ok(())) = timeout(IDLE, stream.write_all(&framed)).await else {
                return;
            };
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "answering a query panicked");
    }
}

/// The serial of all zones: it grows, and nobody transfers them.
fn serial() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}
