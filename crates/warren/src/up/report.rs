//! What `warren up` says when it is ready, and the contexts it leaves in the user's kubeconfig.

use std::path::PathBuf;
use std::time::Duration;

use warren_pki::{Current, Kubeconfig, KubeconfigFile};
use warren_remote::Made;

use super::Up;
use super::data::Data;
use crate::terminal::{Paint, Tone};
use crate::user_kubeconfig::UserKubeconfig;

/// What was merged into the user's kubeconfig.
pub(super) struct Contexts {
    merged: Option<Merged>,
}

struct Merged {
    path: PathBuf,
    host: String,
    current: String,
}

impl Contexts {
    /// Nothing was.
    pub(super) fn none() -> Self {
        Self { merged: None }
    }

    /// Merges both kubeconfigs and switches to the virtual cluster, as kind does.
    pub(super) fn merge(host: &Kubeconfig, kubeconfig: &str, name: &str) -> anyhow::Result<Self> {
        let user = UserKubeconfig::locate()?;
        let incoming = KubeconfigFile::parse(&host.to_yaml())?;
        user.change(|file| {
            let had_none = file.current_context().is_none();
            file.merge(&incoming, Current::Keep);
            if had_none {
                // The host is not what was current before.
                file.set_current_context(None);
            }
        })?;
        let made = Made {
            name: name.to_owned(),
            namespace: warren_fleet::namespace_of(name),
            host: host.server.clone(),
            host_context: host.name.clone(),
            previous_context: String::new(),
        };
        let current = user.connect(kubeconfig, made)?;
        Ok(Self {
            merged: Some(Merged {
                path: user.path().to_owned(),
                host: host.name.clone(),
                current,
            }),
        })
    }
}

/// The lines that are printed when all is ready.
pub(super) fn lines(up: &Up, data: &Data, contexts: &Contexts, took: Duration) -> Vec<String> {
    let paint = Paint::of_output();
    let command = |text: String| format!("  {}", paint.text(Tone::Command, &text));
    let nodes = match up.nodes {
        1 => "one simulated node".to_owned(),
        nodes => format!("{nodes} simulated nodes"),
    };
    let mut lines = vec![
        format!(
            "Virtual cluster \"{}\" is {} after {} ms, on a host of {nodes}.",
            up.name,
            paint.text(Tone::Good, "ready"),
            took.as_millis()
        ),
        "Simulated means: pods are scheduled and become Ready, but no container runs.".to_owned(),
        format!("The data is in {}.", data.directory().display()),
        String::new(),
    ];
    let data_dir = match &contexts.merged {
        Some(merged) => {
            lines.push(format!(
                "The current context in {} is now {}; {} is the host.",
                merged.path.display(),
                merged.current,
                merged.host
            ));
            String::new()
        }
        None => {
            lines.push("Use it in another terminal:".to_owned());
            let kubeconfig = data.virtual_kubeconfig().display();
            lines.push(command(format!("export KUBECONFIG={kubeconfig}")));
            format!(" --data-dir {}", data.directory().display())
        }
    };
    lines.push("Try:".to_owned());
    lines.push(command(
        "kubectl create deployment hello --image=nginx --replicas=2".to_owned(),
    ));
    lines.push(command("kubectl get pods,nodes".to_owned()));
    if let Some(merged) = &contexts.merged {
        lines.push(command(format!("kubectl --context {} get pods -A", merged.host)));
    }
    lines.push(command(format!("warren create another{data_dir}")));
    lines.push(String::new());
    lines.push("Ctrl-C stops it; the same command continues with the same data.".to_owned());
    lines
}
