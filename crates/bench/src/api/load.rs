//! Clients that send one request after another, all at the same time.

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Method;

use crate::connection::{Connection, Target};
use crate::latency::Latencies;

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    /// So many requests by all clients together.
    Requests(u64),
    /// As many as fit.
    Time(Duration),
    /// Until each client has nothing left to send.
    UntilNone,
}

/// Whose turn it is: which client, and which of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) client: usize,
    pub(crate) number: u64,
}

/// A request.
pub(crate) struct Send {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) latencies: Latencies,
    pub(crate) failures: u64,
    /// The first failure, in words.
    pub(crate) failure: Option<String>,
    pub(crate) took: Duration,
    /// How many requests of each client were answered with success.
    pub(crate) per_client: Vec<u64>,
}

impl Measured {
    /// Of latencies that were taken otherwise, without failures.
    pub(crate) fn of(latencies: Latencies, took: Duration) -> Self {
        Self {
            latencies,
            failures: 0,
            failure: None,
            took,
            per_client: Vec::new(),
        }
    }
}

/// Clients of one target.
pub(crate) struct Load {
    pub(crate) target: Target,
    pub(crate) clients: u32,
}

impl Load {
    /// Connects all clients, lets them send what `next` gives them, and waits for the last answer. A client ends where
    /// `next` gives none.
    pub(crate) async fn run<F>(&self, extent: Extent, next: F) -> anyhow::Result<Measured>
    where
        F: Fn(Turn) -> Option<Send>,
    {
        let mut connections = Vec::new();
        for _ in 0..self.clients {
            connections.push(self.target.connect().await.context("cannot connect")?);
        }
        let started = Instant::now();
        let clients = connections.into_iter().enumerate().map(|(client, connection)| {
            let share = share(extent, client, self.clients);
            send_all(client, connection, share, &next)
        });
        let mut running: FuturesUnordered<_> = clients.collect();
        let mut done = Vec::new();
        while let Some(client) = running.next().await {
            done.push(client?);
        }
        let took = started.elapsed();
        done.sort_by_key(|client| client.client);
        let mut all = Measured::of(Latencies::new()?, took);
        for client in done {
            let client = client.measured;
            all.latencies.add(&client.latencies)?;
            all.failures += client.failures;
            all.failure = all.failure.or(client.failure);
            all.per_client.extend(client.per_client);
        }
        Ok(all)
    }
}

/// When a client ends.
#[derive(Clone, Copy, Debug)]
enum Share {
    Requests(u64),
    Until(Instant),
    UntilNone,
}

fn share(extent: Extent, client: usize, clients: u32) -> Share {
    match extent {
        Extent::Requests(all) => {
            let (each, rest) = (all / u64::from(clients), all % u64::from(clients));
            Share::Requests(each + u64::from((client as u64) < rest))
        }
        Extent::Time(time) => Share::Until(Instant::now() + time),
        Extent::UntilNone => Share::UntilNone,
    }
}

struct Client {
    client: usize,
    measured: Measured,
}

async fn send_all<F>(
    client: usize,
    mut connection: Connection,
    share: Share,
    next: &F,
) -> anyhow::Result<Client>
where
    F: Fn(Turn) -> Option<Send>,
{
    let mut latencies = Latencies::new()?;
    let (mut failures, mut failure) = (0, None);
    let started = Instant::now();
    let mut number = 0;
    loop {
        let over = match share {
            Share::Requests(requests) => number >= requests,
            Share::Until(end) => Instant::now() >= end,
            Share::UntilNone => false,
        };
        let Some(send) = (!over).then(|| next(Turn { client, number })).flatten() else {
            break;
        };
        number += 1;
        let sent = Instant::now();
        match connection.measure(send.method, &send.path, send.body).await {
            Ok(_) => latencies.record(sent.elapsed()),
            Err(error) => {
                failures += 1;
                failure = failure.or(Some(format!("{error:#}")));
                // A connection that broke answers nothing any more.
                if error.is::<hyper::Error>() {
                    break;
                }
            }
        }
    }
    let measured = Measured {
        per_client: vec![latencies.count()],
        latencies,
        failures,
        failure,
        took: started.elapsed(),
    };
    Ok(Client { client, measured })
}
