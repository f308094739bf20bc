//! Plays one scenario against one server.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use crate::answer::Answer;
use crate::connection::{Connection, Raw, Target};
use crate::mask::{self, Mask};
use crate::scenario::{Payload, Scenario, Step};
use crate::substitution::Memory;

/// How long a step with `until` may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it waits before it asks again.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes the scenario's namespace, sends its requests, and takes away what it made. One answer for each step.
pub(crate) async fn play(target: &Target, scenario: &Scenario) -> anyhow::Result<Vec<Answer>> {
    let mut connection = target.connect().await?;
    let mut memory = Memory::default();
    if !scenario.without_namespace {
        memory.namespace = unique_name();
        make_namespace(target, &mut connection, &memory.namespace).await?;
    }
    let played = steps(&mut connection, scenario, &mut memory).await;
    for path in &scenario.cleanup {
        let path = memory.fill(path).unwrap_or_else(|_| path.clone());
        delete(&mut connection, &path).await?;
    }
    if !memory.namespace.is_empty() {
        delete(
            &mut connection,
            &format!("/api/v1/namespaces/{}", memory.namespace),
        )
        .await?;
    }
    played
}

async fn steps(
    connection: &mut Connection,
    scenario: &Scenario,
    memory: &mut Memory,
) -> anyhow::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for (step, label) in scenario.steps.iter().zip(scenario.labels()) {
        let answer = answer(connection, step, label, memory).await;
        answers.push(answer.with_context(|| format!("{}: {}", scenario.name, step.request))?);
    }
    Ok(answers)
}

async fn answer(
    connection: &mut Connection,
    step: &Step,
    label: String,
    memory: &mut Memory,
) -> anyhow::Result<Answer> {
    let (method, path) = step.line()?;
    let path = memory.fill(path)?;
    let payload = match step.payload()? {
        None => None,
        Some(Payload::Bytes(bytes)) => Some(bytes),
        Some(Payload::Text(text)) => Some(memory.fill(&text)?.into_bytes()),
    };
    let headers = headers(step, payload.is_some(), memory)?;
    let payload = Bytes::from(payload.unwrap_or_default());
    let started = Instant::now();
    let (raw, parsed) = loop {
        let raw = connection
            .call(method, &path, headers.clone(), payload.clone())
            .await?;
        let parsed: Value = serde_json::from_slice(&raw.body).unwrap_or_default();
        if has_come(step, &raw, &parsed) {
            break (raw, parsed);
        }
        if started.elapsed() > PATIENCE {
            bail!("not as awaited after {PATIENCE:?}: {} {parsed}", raw.code);
        }
        tokio::time::sleep(PAUSE).await;
    };
    if let Some(name) = &step.name {
        let etag = raw
            .headers
            .get(http::header::ETAG)
            .and_then(|etag| etag.to_str().ok());
        memory.keep(name, &parsed, etag.unwrap_or_default());
    }
    mask::generated(&parsed, &mut memory.generated);
    let sent = format!("{path} {}", String::from_utf8_lossy(&payload));
    let mask = Mask { memory, sent: &sent };
    let mut answer = Answer {
        request: label,
        sent: step.digest(),
        code: raw.code,
        headers: mask.headers(&raw.headers, &step.also_headers),
        body: mask.body(&raw.body),
    };
    for pointer in &step.mask {
        match pointer.strip_prefix("headers/") {
            Some(header) => drop(answer.headers.remove(header)),
            None if pointer.is_empty() => answer.body = Value::Null,
            None => mask::remove(&mut answer.body, pointer),
        }
    }
    for pointer in &step.unordered {
        mask::order(&mut answer.body, pointer);
    }
    Ok(answer)
}

fn has_come(step: &Step, raw: &Raw, parsed: &Value) -> bool {
    step.until.iter().all(|(pointer, wanted)| match pointer.as_str() {
        "code" => json!(raw.code) == *wanted,
        pointer => parsed.pointer(pointer).unwrap_or(&Value::Null) == wanted,
    })
}

fn headers(step: &Step, has_body: bool, memory: &Memory) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let accept = step.accept.as_deref().unwrap_or("application/json");
    let content_type = match (&step.content_type, has_body) {
        (Some(content_type), _) => content_type,
        (None, true) => "application/json",
        (None, false) => "",
    };
    for (name, value) in [(ACCEPT, accept), (CONTENT_TYPE, content_type)] {
        if !value.is_empty() {
            headers.insert(name, HeaderValue::try_from(value)?);
        }
    }
    for (name, value) in &step.headers {
        headers.append(
            HeaderName::try_from(name.as_str())?,
            HeaderValue::try_from(memory.fill(value)?)?,
        );
    }
    Ok(headers)
}

/// No two scenarios share a namespace, not even those of two runs against one server.
fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("corpus-{:x}-{number:03x}", since.as_micros() % 0xffff_ffff)
}

/// Controllers put a service account and a certificate into every namespace; scenarios begin when both are there.
async fn make_namespace(target: &Target, connection: &mut Connection, name: &str) -> anyhow::Result<()> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let path = "/api/v1/namespaces";
    let made = connection
        .call("POST", path, headers, Bytes::from(object.to_string()))
        .await?;
    if made.code != 201 {
        bail!(
            "the namespace was not made: {}",
            String::from_utf8_lossy(&made.body)
        );
    }
    let awaited = [("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")];
    for (resource, object) in awaited {
        let path =
            format!("/api/v1/namespaces/{name}/{resource}?watch=true&fieldSelector=metadata.name={object}");
        target.connect().await?.first_event(&path).await?;
    }
    Ok(())
}

/// What is gone already is fine; what cannot be deleted is told.
async fn delete(connection: &mut Connection, path: &str) -> anyhow::Result<()> {
    let gone = connection
        .call("DELETE", path, HeaderMap::new(), Bytes::new())
        .await?;
    let body: Value = serde_json::from_slice(&gone.body).unwrap_or_default();
    match gone.code {
        200 | 202 | 404 => Ok(()),
        code => bail!("DELETE {path}: {code} {}", body.text("/message")),
    }
}
