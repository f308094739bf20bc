//! The server over real sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType};
use hickory_proto::rr::RecordType::{A, PTR};
use hickory_proto::rr::rdata::{A as Address, PTR as Pointer};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use warren_dns::{Server, Upstreams};

use crate::cluster::{Given, cluster, endpoint};
use crate::{lines, query};

const PATIENCE: Duration = Duration::from_secs(10);

async fn open(given: &Arc<Given>, upstreams: Vec<SocketAddr>) -> Arc<Server> {
    let source = Arc::clone(given);
    Server::open(
        Ipv4Addr::LOCALHOST.into(),
        0,
        source,
        Arc::new(Upstreams::new(upstreams)),
    )
    .await
    .unwrap()
}

async fn over_udp(server: SocketAddr, query: &Message) -> Message {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.send_to(&query.to_vec().unwrap(), server).await.unwrap();
    let mut buffer = [0; 4096];
    let received = timeout(PATIENCE, socket.recv(&mut buffer)).await;
    let length = received.expect("an answer in time").unwrap();
    Message::from_vec(buffer.get(..length).unwrap()).unwrap()
}

async fn over_tcp(server: SocketAddr, queries: &[Message]) -> Vec<Message> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let mut answers = Vec::new();
    for query in queries {
        let bytes = query.to_vec().unwrap();
        stream
            .write_u16(u16::try_from(bytes.len()).unwrap())
            .await
            .unwrap();
        stream.write_all(&bytes).await.unwrap();
        let length = timeout(PATIENCE, stream.read_u16())
            .await
            .expect("an answer in time")
            .unwrap();
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.unwrap();
        answers.push(Message::from_vec(&answer).unwrap());
    }
    answers
}

/// A resolver that answers every query with one record. Ends with the test's runtime.
async fn resolver(record: Record) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            let mut answer = Message::from_vec(buffer.get(..length).unwrap()).unwrap();
            answer.metadata.message_type = MessageType::Response;
            answer.add_answer(record.clone());
            socket.send_to(&answer.to_vec().unwrap(), client).await.unwrap();
        }
    });
    address
}

fn of(name: &str, data: RData) -> Record {
    Record::from_rdata(Name::from_ascii(name).unwrap(), 60, data)
}

#[tokio::test]
async fn both_transports_answer_and_a_change_is_seen_at_once() {
    let given = Arc::new(Given::of(cluster()));
    let server = open(&given, Vec::new()).await;
    let mut asked = query("svc1.testns.svc.cluster.local", A);
    asked.metadata.id = 4711;
    let answer = over_udp(server.address(), &asked).await;
    assert_eq!((answer.id, answer.authoritative), (4711, true));
    assert_eq!(
        lines(&answer),
        ["NoError", "svc1.testns.svc.cluster.local. 5 A 10.0.0.1"]
    );
    let gone = query("svc2.testns.svc.cluster.local", A);
    let answers = over_tcp(server.address(), &[asked, gone.clone()]).await;
    assert_eq!(
        answers
            .iter()
            .map(|answer| answer.answers.len())
            .collect::<Vec<_>>(),
        [1, 0]
    );
    given
        .cluster
        .lock()
        .unwrap()
        .services
        .iter_mut()
        .for_each(|entry| {
            if entry.0 == "svc1" {
                entry.0 = "svc2";
            }
        });
    let answer = over_udp(server.address(), &gone).await;
    assert_eq!(
        lines(&answer),
        ["NoError", "svc2.testns.svc.cluster.local. 5 A 10.0.0.1"]
    );
    server.close().await;
}

#[tokio::test]
async fn a_large_answer_is_cut_over_udp_and_whole_over_tcp() {
    let mut cluster = cluster();
    for entry in cluster.services.iter_mut().filter(|entry| entry.0 == "db") {
        entry.3.first_mut().unwrap().endpoints = (0..300)
            .map(|n| endpoint(&format!("10.1.{}.{}", n / 250, n % 250), None))
            .collect();
    }
    let given = Arc::new(Given::of(cluster));
    let server = open(&given, Vec::new()).await;
    let mut asked = query("db.shop.svc.cluster.local", A);
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    asked.edns = Some(edns);
    let cut = over_udp(server.address(), &asked).await;
    assert!(
        cut.truncation && !cut.answers.is_empty() && cut.answers.len() < 80,
        "{}",
        cut.answers.len()
    );
    let whole = over_tcp(server.address(), &[asked]).await;
    assert_eq!(whole.first().unwrap().answers.len(), 300);
    server.close().await;
}

#[tokio::test]
async fn the_rest_is_asked_of_the_hosts_resolver() {
    let given = Arc::new(Given::of(cluster()));
    let record = of(
        "ext.interwebs.test.",
        RData::A(Address(Ipv4Addr::new(192, 0, 2, 7))),
    );
    let server = open(&given, vec![resolver(record).await]).await;
    let mut asked = query("ext.interwebs.test", A);
    asked.metadata.id = 99;
    let answer = over_udp(server.address(), &asked).await;
    assert_eq!(answer.id, 99);
    assert_eq!(lines(&answer), ["NoError", "ext.interwebs.test. 60 A 192.0.2.7"]);
    let answer = over_udp(server.address(), &query("external.testns.svc.cluster.local", A)).await;
    assert_eq!(
        lines(&answer),
        [
            "NoError",
            "external.testns.svc.cluster.local. 5 CNAME ext.interwebs.test.",
            "ext.interwebs.test. 60 A 192.0.2.7",
        ]
    );
    server.close().await;
}

#[tokio::test]
async fn the_hosts_names_are_kept_from_tenants() {
    let mut given = Given::of(cluster());
    given.settings.host_domain = Some(Name::from_ascii("k8s.corp.").unwrap());
    let secret = Pointer(Name::from_ascii("vault.platform.svc.k8s.corp.").unwrap());
    let upstream = resolver(of("9.9.9.10.in-addr.arpa.", RData::PTR(secret))).await;
    let asked = query("9.9.9.10.in-addr.arpa", PTR);
    let hiding = open(&Arc::new(given), vec![upstream]).await;
    assert_eq!(lines(&over_udp(hiding.address(), &asked).await), ["NXDomain"]);
    hiding.close().await;
    let telling = open(&Arc::new(Given::of(cluster())), vec![upstream]).await;
    assert_eq!(over_udp(telling.address(), &asked).await.answers.len(), 1);
    telling.close().await;
}

#[tokio::test]
async fn without_a_resolver_it_says_so_and_never_asks_itself() {
    let given = Arc::new(Given::of(cluster()));
    let server = open(&given, Vec::new()).await;
    assert_eq!(
        lines(&over_udp(server.address(), &query("example.com", A)).await),
        ["ServFail"]
    );
    let port = server.address().port();
    server.close().await;
    let upstreams = Arc::new(Upstreams::new(vec![server.address()]));
    let again = Server::open(Ipv4Addr::LOCALHOST.into(), port, given, upstreams)
        .await
        .unwrap();
    assert_eq!(again.address().port(), port);
    assert_eq!(
        lines(&over_udp(again.address(), &query("example.com", A)).await),
        ["ServFail"]
    );
    again.close().await;
}

#[test]
fn any_packet_gives_an_answer_or_silence() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = open(&Arc::new(Given::of(cluster())), Vec::new()).await;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut runner = TestRunner::deterministic();
        let good = query("db.shop.svc.cluster.local", RecordType::SRV)
            .to_vec()
            .unwrap();
        let flips = proptest::collection::vec((0..good.len(), any::<u8>()), 0..6);
        let noise = proptest::collection::vec(any::<u8>(), 0..300);
        for _ in 0..500 {
            let mut packet = good.clone();
            for (at, byte) in flips.new_tree(&mut runner).unwrap().current() {
                if let Some(place) = packet.get_mut(at) {
                    *place = byte;
                }
            }
            socket.send_to(&packet, server.address()).await.unwrap();
            let packet = noise.new_tree(&mut runner).unwrap().current();
            socket.send_to(&packet, server.address()).await.unwrap();
            tokio::task::yield_now().await;
        }
        let answer = over_udp(server.address(), &query("svc1.testns.svc.cluster.local", A)).await;
        assert_eq!(answer.answers.len(), 1);
        server.close().await;
    });
}
