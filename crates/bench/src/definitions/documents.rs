//! How long the documents take that tell of definitions.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::Value;

use crate::api::{Measured, Report};
use crate::connection::{Answer, Connection};
use crate::latency::Latencies;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const JSON: &str = "application/json";
/// How often each is asked for. The first time may make it.
const ROUNDS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(1);

/// Waits until the aggregated discovery and the index of OpenAPI v3 have the group of a definition.
pub(super) async fn until_published(
    connection: &mut Connection,
    definition: &Value,
    patience: Duration,
) -> anyhow::Result<()> {
    let group = group(definition);
    let deadline = Instant::now() + patience;
    for (path, accept) in [("/apis", AGGREGATED), ("/openapi/v3", JSON)] {
        loop {
            let answer = connection.ask(path, accept, None).await?;
            let text = String::from_utf8_lossy(&answer.body);
            if text.contains(&group) {
                break;
            }
            anyhow::ensure!(Instant::now() < deadline, "{path} does not have {group}");
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

fn group(definition: &Value) -> String {
    let group = definition.pointer("/spec/group").and_then(Value::as_str);
    group.unwrap_or_default().to_owned()
}

/// Asks for every document, the group of `definition` for the ones that are of a group.
pub(super) async fn measure(
    connection: &mut Connection,
    definition: &Value,
    report: &mut Report,
) -> anyhow::Result<()> {
    let group = group(definition);
    let version = definition
        .pointer("/spec/versions/0/name")
        .and_then(Value::as_str);
    let version = version.unwrap_or_default();
    let resources = format!("/apis/{group}/{version}");
    let v3 = format!("/openapi/v3/apis/{group}/{version}");
    for (name, path, accept, tagged) in [
        ("aggregated discovery, first", "/apis", AGGREGATED, Kind::First),
        ("aggregated discovery", "/apis", AGGREGATED, Kind::Whole),
        ("aggregated discovery, ETag", "/apis", AGGREGATED, Kind::Tagged),
        ("legacy groups", "/apis", JSON, Kind::Whole),
        ("legacy resources", resources.as_str(), JSON, Kind::Whole),
        ("OpenAPI v3 index", "/openapi/v3", JSON, Kind::Whole),
        ("OpenAPI v3 of a group, first", v3.as_str(), JSON, Kind::First),
        ("OpenAPI v3 of a group", v3.as_str(), JSON, Kind::Whole),
        ("OpenAPI v3 of a group, ETag", v3.as_str(), JSON, Kind::Tagged),
        ("OpenAPI v2, first", "/openapi/v2", JSON, Kind::First),
        ("OpenAPI v2", "/openapi/v2", JSON, Kind::Whole),
        ("OpenAPI v2, ETag", "/openapi/v2", JSON, Kind::Tagged),
    ] {
        let (measured, bytes) = asked(connection, path, accept, tagged).await?;
        report.verb(name, measured);
        report.fact(&format!("{name}, bytes"), bytes.into());
    }
    Ok(())
}

/// How a document is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Once.
    First,
    /// As a whole, again and again.
    Whole,
    /// With the tag that it had before.
    Tagged,
}

async fn asked(
    connection: &mut Connection,
    path: &str,
    accept: &str,
    kind: Kind,
) -> anyhow::Result<(Measured, usize)> {
    let mut tag = None;
    if kind == Kind::Tagged {
        tag = connection.ask(path, accept, None).await?.tag;
    }
    let mut latencies = Latencies::new()?;
    let mut bytes = 0;
    let began = Instant::now();
    for _ in 0..if kind == Kind::First { 1 } else { ROUNDS } {
        let sent = Instant::now();
        let answer = connection.ask(path, accept, tag.as_ref()).await?;
        latencies.record(sent.elapsed());
        check(path, &answer, tag.is_some())?;
        bytes = answer.body.len();
    }
    Ok((Measured::of(latencies, began.elapsed()), bytes))
}

fn check(path: &str, answer: &Answer, tagged: bool) -> anyhow::Result<()> {
    let expected = if tagged {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    anyhow::ensure!(
        answer.status == expected,
        "{path} is answered with {}",
        answer.status
    );
    Ok(())
}
