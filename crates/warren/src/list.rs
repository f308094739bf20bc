//! `warren list`

use std::process::ExitCode;

use clap::Args;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde_json::json;
use warren_apimachinery::time;
use warren_apimachinery::value::ValueExt;
use warren_remote::{Host, VirtualClusterObject};

use crate::host_access::HostAccess;
use crate::output::{Output, say_json};
use crate::terminal::{say, tell};
use crate::user_kubeconfig::made;

/// List the virtual clusters of a host
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only those of this namespace
    #[arg(short, long)]
    namespace: Option<String>,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    host: HostAccess,
}

impl List {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let host = self.host.host().await?;
        let found = host.list(self.namespace.as_deref()).await?;
        match self.output {
            Output::Json => {
                let items: Vec<_> = found.into_iter().map(|object| object.0).collect();
                say_json(&json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}))?;
            }
            Output::Table if found.is_empty() => tell("No virtual clusters found."),
            Output::Table => {
                let connected = self.connected(&host);
                say(&table(&found, connected.as_ref(), Timestamp::now()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Namespace and name of the virtual cluster that the current context leads to, if it runs on this host. A
    /// kubeconfig that cannot be read leads nowhere.
    fn connected(&self, host: &Host) -> Option<(String, String)> {
        let file = self.host.user_kubeconfig().ok()?.read().ok()?;
        let made = made(&file, file.current_context()?)?;
        (made.host == host.server()).then_some((made.namespace, made.name))
    }
}

fn table(found: &[VirtualClusterObject], connected: Option<&(String, String)>, now: Timestamp) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["NAME", "NAMESPACE", "STATUS", "VERSION", "CONNECTED", "AGE"]);
    for object in found {
        let here = connected
            .is_some_and(|(namespace, name)| namespace == object.namespace() && name == object.name());
        table.add_row([
            object.name().to_owned(),
            object.namespace().to_owned(),
            object.phase().as_str().to_owned(),
            object.status().kubernetes_version,
            if here { "True".to_owned() } else { String::new() },
            age(object, now),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table.trim_fmt()
}

/// How old an object is, as kubectl prints it.
pub(crate) fn age(object: &VirtualClusterObject, now: Timestamp) -> String {
    match time::parse(object.0.text("/metadata/creationTimestamp")) {
        Ok(created) => time::age(created, now),
        Err(_) => "<unknown>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_kubectls() {
        let object = |name: &str, phase: &str| {
            VirtualClusterObject(json!({
                "metadata": {"name": name, "namespace": format!("warren-{name}"), "generation": 1,
                    "creationTimestamp": "2026-01-01T00:00:00Z"},
                "status": {"phase": phase, "observedGeneration": 1, "kubernetesVersion": "v1.36.2"}}))
        };
        let found = [object("a", "Ready"), object("longer-name", "Pending")];
        let connected = ("warren-a".to_owned(), "a".to_owned());
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        insta::assert_snapshot!(table(&found, Some(&connected), now), @r"
        NAME          NAMESPACE            STATUS    VERSION   CONNECTED   AGE
        a             warren-a             Ready     v1.36.2   True        5m
        longer-name   warren-longer-name   Pending   v1.36.2               5m
        ");
    }
}
