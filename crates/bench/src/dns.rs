//! `warren-bench dns`: queries to the name server of a virtual cluster, and how soon it answers by a change.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use http::Method;
use serde_json::json;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::latency::Latencies;
use crate::output::{Output, say};
use crate::server::Server;

/// How long an answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Queries of a name server, each client with one under way, and the time from a change to its answer
#[derive(Debug, Args)]
pub(crate) struct Dns {
    /// The name server
    #[arg(long, value_name = "IP:PORT")]
    server: SocketAddr,
    /// What is asked for
    #[arg(long, default_value = "kubernetes.default.svc.cluster.local.")]
    name: Name,
    /// How many clients ask at a time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,
    /// How many queries they send together
    #[arg(long, default_value_t = 100_000)]
    count: u32,
    /// How many services of the virtual cluster are made, asked for and deleted
    #[arg(long, default_value_t = 0)]
    changes: u32,
    /// The domain of the virtual cluster
    #[arg(long, default_value = "cluster.local")]
    domain: String,
    #[command(flatten)]
    api: Server,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Dns {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let started = Instant::now();
        let share = self.count.div_ceil(self.clients);
        let clients = (0..self.clients).map(|_| client(self.server, self.name.clone(), share));
        let mut latencies = Latencies::new()?;
        let mut lost = 0;
        for result in futures_util::future::join_all(clients).await {
            let (own, own_lost) = result?;
            latencies.add(&own)?;
            lost += own_lost;
        }
        let rate = f64::from(u32::try_from(latencies.count())?) / started.elapsed().as_secs_f64();
        let changed = match self.changes {
            0 => None,
            _ => Some(self.changes().await?),
        };
        match self.output {
            Output::Json => {
                let changes = changed.as_ref().map(Latencies::to_json);
                let report = json!({"queriesPerSecond": rate, "queries": latencies.count(), "lost": lost,
                    "latencies": latencies.to_json(), "changeToAnswer": changes});
                say(&serde_json::to_string_pretty(&report)?);
            }
            Output::Text => {
                let line = |what: &str, of: &Latencies| {
                    let (half, most, longest) = (of.quantile(0.5), of.quantile(0.99), of.longest());
                    say(&format!(
                        "{what:<16} p50 {half:.3} ms, p99 {most:.3} ms, longest {longest:.3} ms"
                    ));
                };
                say(&format!(
                    "{rate:.0} queries/s, {} answered, {lost} lost",
                    latencies.count()
                ));
                line("query", &latencies);
                if let Some(changed) = &changed {
                    line("change to answer", changed);
                }
            }
        }
        Ok(())
    }

    /// The times from the API's answer that a Service is made to the first answer that has it.
    async fn changes(&self) -> anyhow::Result<Latencies> {
        let (_, _, mut connection) = self.api.reach().await?;
        let socket = connect(self.server).await?;
        let mut latencies = Latencies::new()?;
        for number in 0..self.changes {
            let took = self.change(&mut connection, &socket, number).await?;
            latencies.record(took);
        }
        Ok(latencies)
    }

    async fn change(
        &self,
        api: &mut Connection,
        socket: &UdpSocket,
        number: u32,
    ) -> anyhow::Result<Duration> {
        let services = "/api/v1/namespaces/default/services";
        let service = format!("warren-bench-{:08x}-{number}", rand::random::<u32>());
        let name: Name = format!("{service}.default.svc.{}.", self.domain).parse()?;
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": service},
            "spec": {"type": "ExternalName", "externalName": "name.example"}});
        api.call(Method::POST, services, Bytes::from(object.to_string()))
            .await?;
        let made = Instant::now();
        let found = loop {
            let answer = ask(socket, &name, RecordType::CNAME).await?;
            if !answer.answers.is_empty() {
                break Ok(made.elapsed());
            }
            if made.elapsed() > PATIENCE {
                break Err(anyhow::anyhow!(
                    "{name} is not answered {} s after it was made",
                    PATIENCE.as_secs()
                ));
            }
        };
        api.call(Method::DELETE, &format!("{services}/{service}"), Bytes::new())
            .await?;
        found
    }
}

async fn connect(server: SocketAddr) -> anyhow::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket
        .connect(server)
        .await
        .with_context(|| format!("cannot reach {server}"))?;
    Ok(socket)
}

/// One client: asks `count` times, one after the other. Answers the latencies, and how many answers never came.
async fn client(server: SocketAddr, name: Name, count: u32) -> anyhow::Result<(Latencies, u32)> {
    let socket = connect(server).await?;
    let (mut latencies, mut lost) = (Latencies::new()?, 0);
    for _ in 0..count {
        let began = Instant::now();
        match timeout(PATIENCE, ask(&socket, &name, RecordType::A)).await {
            Err(_) => lost += 1,
            Ok(Err(error)) => return Err(error),
            Ok(Ok(answer)) if answer.response_code == ResponseCode::NoError => {
                latencies.record(began.elapsed())
            }
            Ok(Ok(answer)) => bail!("{name}: {}", answer.response_code),
        }
    }
    Ok((latencies, lost))
}

async fn ask(socket: &UdpSocket, name: &Name, kind: RecordType) -> anyhow::Result<Message> {
    let mut query = Message::new(rand::random(), MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(name.clone(), kind));
    socket.send(&query.to_vec()?).await?;
    let mut buffer = [0; 1232];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let answer = Message::from_vec(buffer.get(..length).unwrap_or_default())?;
        // A late answer to an earlier query is none to this one.
        if answer.id == query.id {
            return Ok(answer);
        }
    }
}
