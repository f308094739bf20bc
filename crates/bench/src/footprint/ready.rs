//! When an API answers.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::bail;
use bytes::Bytes;
use http::Method;
use tokio::net::TcpStream;
use tokio::time::sleep;
use warren_remote::Endpoint;

use super::process::Warren;
use crate::connection::{Protocol, Target};

const PATIENCE: Duration = Duration::from_secs(60);
/// Short, so that it measures; not nothing, so that it leaves the processor to what is measured.
const PAUSE: Duration = Duration::from_micros(200);

/// Waits until `/readyz` of a virtual cluster says so. Its authority is not known yet, so anybody is believed.
pub(super) async fn wait(warren: &mut Warren, port: u16) -> anyhow::Result<()> {
    let endpoint = Endpoint {
        server: format!("https://127.0.0.1:{port}"),
        insecure: true,
        ..Endpoint::default()
    };
    let target = Target::new(&endpoint, Protocol::Http1)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
            && let Ok(mut connection) = target.connect().await
            && connection
                .call(Method::GET, "/readyz", Bytes::new())
                .await
                .is_ok()
        {
            return Ok(());
        }
        if let Some(status) = warren.ended()? {
            bail!("it ended with {status}");
        }
        sleep(PAUSE).await;
    }
    bail!("nothing answers after {} s", PATIENCE.as_secs())
}
