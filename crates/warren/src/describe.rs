//! `warren describe NAME`

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use warren_apimachinery::Value;
use warren_apimachinery::value::ValueExt;
use warren_config::Phase;
use warren_remote::VirtualClusterObject;

use crate::host_access::HostAccess;
use crate::list::age;
use crate::output::{Output, say_json};
use crate::terminal::{Paint, Tone, say};
use crate::virtual_cluster_name::VirtualClusterName;

/// How wide the names of fields are.
const NAMES: usize = 20;

/// Show a virtual cluster in detail
#[derive(Args, Debug)]
pub(crate) struct Describe {
    /// Its name
    name: VirtualClusterName,
    /// Its namespace on the host [default: warren-NAME]
    #[arg(short, long)]
    namespace: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    host: HostAccess,
}

impl Describe {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let host = self.host.host().await?;
        let object = host.find(&self.name.key(self.namespace.as_deref())).await?;
        match self.output {
            Output::Json => say_json(&object.0)?,
            Output::Table => say(text(&object, Timestamp::now(), Paint::of_output()).trim_end()),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text(object: &VirtualClusterObject, now: Timestamp, paint: Paint) -> String {
    let mut out = String::new();
    let status = object.status();
    let created = object.0.text("/metadata/creationTimestamp");
    let phase = paint.text(tone(object.phase()), object.phase().as_str());
    field(&mut out, "Name", object.name());
    field(&mut out, "Namespace", object.namespace());
    field(
        &mut out,
        "Created",
        &format!("{created} ({} ago)", age(object, now)),
    );
    field(&mut out, "Status", &phase);
    field(
        &mut out,
        "Kubernetes version",
        or_none(&status.kubernetes_version),
    );
    field(&mut out, "API", or_none(&status.endpoint));
    field(&mut out, "DNS", or_none(&status.dns));
    field(&mut out, "Kubeconfig secret", or_none(&status.kubeconfig_secret));
    let _ = writeln!(out, "Configuration:");
    match object.0.at("/spec") {
        Value::Object(spec) if !spec.is_empty() => nested(&mut out, &Value::Object(spec.clone()), 2),
        _ => out.push_str("  <defaults>\n"),
    }
    let _ = writeln!(out, "Conditions:");
    if status.conditions.is_empty() {
        out.push_str("  <none>\n");
    }
    for condition in &status.conditions {
        let said = format!(
            "{:<7} {:<12} {}",
            condition.status, condition.reason, condition.message
        );
        let name = format!("{}:", condition.r#type);
        let _ = writeln!(out, "  {name:<width$}{}", said.trim_end(), width = NAMES - 2);
    }
    out
}

fn tone(phase: Phase) -> Tone {
    match phase {
        Phase::Ready => Tone::Good,
        Phase::Failed => Tone::Bad,
        Phase::Pending | Phase::Paused | Phase::Terminating => Tone::Notice,
    }
}

fn field(out: &mut String, name: &str, value: &str) {
    let name = format!("{name}:");
    let _ = writeln!(out, "{name:<NAMES$}{value}");
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

/// A configuration as indented names and values, as kubectl describes custom resources.
fn nested(out: &mut String, value: &Value, indent: usize) {
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        match value {
            Value::Object(_) => {
                let _ = writeln!(out, "{:indent$}{name}:", "");
                nested(out, value, indent + 2);
            }
            Value::String(text) => {
                let _ = writeln!(out, "{:indent$}{name}: {text}", "");
            }
            other => {
                let _ = writeln!(out, "{:indent$}{name}: {other}", "");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_a_user_asks_for_is_shown() {
        let object = VirtualClusterObject(json!({
            "metadata": {"name": "a", "namespace": "warren-a", "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"controlPlane": {"proxy": {"port": 7443, "extraSANs": ["a.example"]}}},
            "status": {"phase": "Ready", "observedGeneration": 1, "kubernetesVersion": "v1.36.2",
                "endpoint": "https://127.0.0.1:7443", "dns": "127.0.0.1:40053", "kubeconfigSecret": "vc-a", "conditions": [
                    {"type": "ConfigValid", "status": "True", "reason": "Valid"},
                    {"type": "Ready", "status": "True", "reason": "Serving", "message": "the API answers"}]}}));
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        insta::assert_snapshot!(text(&object, now, Paint::Plain), @r#"
        Name:               a
        Namespace:          warren-a
        Created:            2026-01-01T00:00:00Z (5m ago)
        Status:             Ready
        Kubernetes version: v1.36.2
        API:                https://127.0.0.1:7443
        DNS:                127.0.0.1:40053
        Kubeconfig secret:  vc-a
        Configuration:
          controlPlane:
            proxy:
              extraSANs: ["a.example"]
              port: 7443
        Conditions:
          ConfigValid:      True    Valid
          Ready:            True    Serving      the API answers
        "#);
    }
}
