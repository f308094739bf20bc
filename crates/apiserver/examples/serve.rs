//! Serves one cluster on loopback, kept in memory, and writes a kubeconfig for it: for trying clients by hand.
//!
//! `cargo run -p warren-apiserver --example serve -- /tmp/kubeconfig [port]`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the cluster is the tests' one"
)]

#[path = "../tests/edge/cluster.rs"]
mod cluster;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use warren_access::Shared;
use warren_apimachinery::Status;
use warren_apiserver::{ApiServer, Hello, Limits, NoTunnel, Route, Routed, serve};
use warren_telemetry::Format;

/// Every connection is for the one cluster.
struct One {
    cluster: cluster::TestCluster,
    tls: Arc<ServerConfig>,
}

#[async_trait]
impl Route for One {
    fn tls(&self, _: &Hello) -> Option<Arc<ServerConfig>> {
        Some(Arc::clone(&self.tls))
    }

    async fn route(&self, _: &Hello, _: &str) -> Result<Routed, Status> {
        Ok(Routed {
            cluster: Arc::clone(&self.cluster.api),
            prefix: 0,
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    warren_telemetry::init("info", Format::Text);
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "kubeconfig".to_owned());
    let port: u16 = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let cluster = cluster::TestCluster::new(Shared::new(), Arc::new(NoTunnel), None);
    let now = Timestamp::now();
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let issued = cluster
        .authority
        .issue_server(&["localhost".to_owned()], &[loopback], now)?;
    let tls = Arc::new(warren_pki::server_config(&issued, &[])?);
    let admin = cluster
        .authority
        .issue_client("kubernetes-admin", &["system:masters".to_owned()], now)?;
    let listener = TcpListener::bind((loopback, port)).await?;
    let kubeconfig = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://{}", listener.local_addr()?),
            "certificate-authority-data": encoded(cluster.authority.certificate_pem()),
        }}],
        "users": [{"name": "admin", "user": {
            "client-certificate-data": encoded(&admin.certificate_pem),
            "client-key-data": encoded(&admin.key_pem),
        }}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
    });
    std::fs::write(&path, kubeconfig.to_string())?;
    tracing::info!(address = %listener.local_addr()?, kubeconfig = path, "serving");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(serve(
        listener,
        Arc::new(ApiServer::new()),
        Arc::new(One { cluster, tls }),
        Limits::default(),
        stopped,
    ));
    tokio::signal::ctrl_c().await?;
    stop.send(true)?;
    serving.await?;
    Ok(())
}

fn encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
