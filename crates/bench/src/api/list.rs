//! Lists of many objects.

use std::time::Instant;

use anyhow::bail;
use bytes::Bytes;
use http::Method;

use super::config_map::{ConfigMaps, collection};
use super::load::{Extent, Load, Measured};
use crate::connection::Target;
use crate::latency::Latencies;

/// Creates what is listed.
pub(super) async fn fill(load: &Load, maps: &ConfigMaps, objects: u32) -> anyhow::Result<()> {
    let namespace = maps.list_namespace();
    let filled = load
        .run(Extent::Requests(u64::from(objects)), |turn| {
            Some(maps.create_in(&namespace, turn))
        })
        .await?;
    if let Some(failure) = filled.failure {
        bail!(
            "{} of {objects} objects to list could not be created: {failure}",
            filled.failures
        );
    }
    Ok(())
}

/// Lists all of them, unpaged, one list after another. The second value is a list's length in bytes.
pub(super) async fn measure(
    target: &Target,
    maps: &ConfigMaps,
    lists: u32,
) -> anyhow::Result<(Measured, usize)> {
    let mut connection = target.connect().await?;
    let path = collection(&maps.list_namespace());
    let mut latencies = Latencies::new()?;
    let mut bytes = 0;
    let started = Instant::now();
    for _ in 0..lists {
        let sent = Instant::now();
        bytes = connection.measure(Method::GET, &path, Bytes::new()).await?;
        latencies.record(sent.elapsed());
    }
    let measured = Measured {
        latencies,
        failures: 0,
        failure: None,
        took: started.elapsed(),
        per_client: Vec::new(),
    };
    Ok((measured, bytes))
}
