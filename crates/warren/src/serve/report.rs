//! What `warren serve` says.

use std::path::Path;
use std::time::Duration;

use warren_fleet::OnHost;

use super::alone::Alone;
use super::host::HostFlags;
use crate::terminal::{Paint, Tone};

/// While the host does not answer.
pub(super) fn waiting(serving: &OnHost) -> Vec<String> {
    let paint = Paint::of_output();
    let clusters = serving.clusters();
    let meanwhile = match clusters.len() {
        0 => "No virtual cluster is in the data, so there is nothing to serve until it does.".to_owned(),
        count => format!("{} meanwhile, as of the last time.", served(count)),
    };
    vec![
        format!(
            "The host at {} {}; it is tried again until it does.",
            serving.host().server(),
            paint.text(Tone::Notice, "does not let us see its virtual clusters yet")
        ),
        meanwhile,
    ]
}

/// When the host told of its virtual clusters.
pub(super) fn ready(serving: &OnHost, host: &HostFlags, directory: &Path, took: Duration) -> Vec<String> {
    let paint = Paint::of_output();
    let command = |text: String| format!("  {}", paint.text(Tone::Command, &text));
    let scope = match &host.namespace {
        Some(namespace) => format!(" in namespace {namespace}"),
        None => String::new(),
    };
    let flags = host.for_others();
    let mut lines = vec![
        format!(
            "Serving virtual clusters{scope} on the host at {}, {} after {} ms.",
            serving.host().server(),
            paint.text(Tone::Good, "ready"),
            took.as_millis()
        ),
        format!("The data is in {}.", directory.display()),
    ];
    if let Some(door) = serving.fleet().front_door() {
        lines.push(format!("The front door is at {door}."));
    }
    let create = match &host.namespace {
        Some(namespace) => format!("warren create demo --namespace {namespace}{flags}"),
        None => format!("warren create demo{flags}"),
    };
    lines.extend([
        String::new(),
        "Try, in another terminal:".to_owned(),
        command(create),
        command(format!("warren list{flags}")),
        String::new(),
        "Ctrl-C stops it; the same command continues with the same data.".to_owned(),
    ]);
    lines
}

/// When a virtual cluster that is alone is being served.
pub(super) fn alone(serving: &OnHost, alone: &Alone, directory: &Path) -> Vec<String> {
    let (name, namespace) = (&alone.name, &alone.namespace);
    vec![
        format!(
            "Serving virtual cluster \"{name}\" in namespace {namespace} of the host at {}.",
            serving.host().server()
        ),
        format!(
            "Its kubeconfig is in the secret vc-{name} there, the data in {}.",
            directory.display()
        ),
        "Ctrl-C stops it; the same command continues with the same data.".to_owned(),
    ]
}

fn served(count: usize) -> String {
    match count {
        1 => "One virtual cluster is served".to_owned(),
        count => format!("{count} virtual clusters are served"),
    }
}
