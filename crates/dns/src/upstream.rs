//! The host's resolver: who it is, and how it is asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::rr::Name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use crate::packet::Transport;

/// How many queries of all virtual clusters wait for the host's resolver at a time. More are refused.
const MAX_WAITING: usize = 1024;
/// How long one server may take.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long all of them may take together: shorter than a client waits for us.
const DEADLINE: Duration = Duration::from_secs(4);
/// The largest packet that is taken from a server over UDP.
const LARGEST: usize = 4096;

/// What `/etc/resolv.conf` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// The servers, in their order.
    pub servers: Vec<SocketAddr>,
    /// The domain of the cluster that this process is a pod of, if it is one.
    pub cluster_domain: Option<Name>,
}

impl ResolvConf {
    /// Reads the text of the file. What is not understood is left out, as resolvers do.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    found
                        .servers
                        .extend(address.map(|address| SocketAddr::new(address, 53)));
                }
                Some("search") => {
                    // A kubelet writes `<namespace>.svc.<domain> svc.<domain> <domain>`.
                    let domain = words.find_map(|word| word.strip_prefix("svc."));
                    let domain = domain.and_then(|domain| Name::from_ascii(domain).ok());
                    found.cluster_domain = domain
                        .map(crate::settings::fully_qualified)
                        .or(found.cluster_domain);
                }
                _ => {}
            }
        }
        found
    }
}

/// The servers that are asked for what is not ours. One for all virtual clusters of a process.
#[derive(Debug)]
pub struct Upstreams {
    servers: Vec<SocketAddr>,
    /// The place of the server that answered last.
    good: AtomicUsize,
    waiting: Semaphore,
}

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Too many wait already.
    Busy,
    /// No server answered.
    Silence,
}

impl Upstreams {
    /// These servers.
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        Self {
            servers,
            good: AtomicUsize::new(0),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }

    /// Asks one server after the other, that which answered last first, and never `own`, which would ask us again.
    pub(crate) async fn ask(
        &self,
        packet: &[u8],
        transport: Transport,
        own: SocketAddr,
    ) -> Result<Vec<u8>, Failure> {
        let Ok(_permit) = self.waiting.try_acquire() else {
            return Err(Failure::Busy);
        };
        let deadline = Instant::now() + DEADLINE;
        let first = self.good.load(Ordering::Relaxed);
        for turn in 0..self.servers.len() {
            let at = (first + turn) % self.servers.len();
            let Some(server) = self.servers.get(at).filter(|server| !is_same(**server, own)) else {
                continue;
            };
            let asked = timeout(PATIENCE, exchange(*server, packet, transport));
            match timeout_at(deadline, asked).await {
                Err(_) => break,
                Ok(Ok(Ok(answer))) => {
                    self.good.store(at, Ordering::Relaxed);
                    return Ok(answer);
                }
                Ok(Ok(Err(error))) => tracing::debug!(%server, %error, "a resolver of the host failed"),
                Ok(Err(_)) => tracing::debug!(%server, "a resolver of the host does not answer"),
            }
        }
        Err(Failure::Silence)
    }
}

/// Whether a server is we ourselves.
fn is_same(server: SocketAddr, own: SocketAddr) -> bool {
    let here = own.ip().is_unspecified() && server.ip().is_loopback();
    server.port() == own.port() && (server.ip() == own.ip() || here)
}

/// One query to one server, under an id of its own and from a port of its own, so that nobody else can answer.
async fn exchange(server: SocketAddr, packet: &[u8], transport: Transport) -> std::io::Result<Vec<u8>> {
    let id: [u8; 2] = rand::random();
    let asked = with_id(packet, id);
    let answer = match transport {
        Transport::Udp => over_udp(server, &asked).await?,
        Transport::Tcp => over_tcp(server, &asked).await?,
    };
    let original = packet.first_chunk::<2>().copied().unwrap_or_default();
    Ok(with_id(&answer, original))
}

fn with_id(packet: &[u8], id: [u8; 2]) -> Vec<u8> {
    let rest = packet.get(2..).unwrap_or_default();
    id.iter().chain(rest).copied().collect()
}

async fn over_udp(server: SocketAddr, asked: &[u8]) -> std::io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(asked).await?;
    let mut answer = vec![0; LARGEST];
    loop {
        let length = socket.recv(&mut answer).await?;
        if answer.get(..length).is_some_and(|answer| answers(answer, asked)) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, asked: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(asked.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(asked);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    if answers(&answer, asked) {
        return Ok(answer);
    }
    Err(std::io::ErrorKind::InvalidData.into())
}

/// Whether a packet answers a query: its id, and a header that says that it is an answer.
fn answers(answer: &[u8], asked: &[u8]) -> bool {
    answer.len() >= 12
        && answer.first_chunk::<2>() == asked.first_chunk::<2>()
        && answer.get(2).is_some_and(|f| f & 0x80 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_and_the_domain_of_the_host_are_read() {
        let text = "# comment\nnameserver 10.96.0.10\nnameserver fd00::10\nnameserver nonsense\n\
            search tenants.svc.k8s.corp.example svc.k8s.corp.example k8s.corp.example corp.example\noptions ndots:5\n";
        let read = ResolvConf::parse(text);
        assert_eq!(
            read.servers,
            ["10.96.0.10:53".parse().unwrap(), "[fd00::10]:53".parse().unwrap()]
        );
        assert_eq!(
            read.cluster_domain,
            Some(Name::from_ascii("k8s.corp.example.").unwrap())
        );
        assert_eq!(ResolvConf::parse("search corp.example\n"), ResolvConf::default());
    }

    #[test]
    fn a_server_never_asks_itself() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(is_same(address("127.0.0.1:53"), address("127.0.0.1:53")));
        assert!(is_same(address("127.0.0.53:53"), address("0.0.0.0:53")));
        assert!(!is_same(address("127.0.0.53:53"), address("127.0.0.1:5353")));
    }
}
