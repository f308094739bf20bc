//! `warren disconnect`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use crate::failure::Hinted;
use crate::terminal::{Paint, Tone, say};
use crate::user_kubeconfig::{UserKubeconfig, back, made};

/// Go back from a virtual cluster to the context that was current before
#[derive(Args, Debug)]
pub(crate) struct Disconnect {
    /// The kubeconfig to change [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

impl Disconnect {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let user = match self.kubeconfig {
            Some(path) => UserKubeconfig::at(path),
            None => UserKubeconfig::locate()?,
        };
        let current = user.read()?.current_context().map(str::to_owned);
        let connected = match &current {
            Some(current) => made(&user.read()?, current).is_some(),
            None => false,
        };
        if !connected {
            bail!(Hinted::new(
                match current {
                    Some(current) =>
                        format!("the current context \"{current}\" is not a virtual cluster of Warren's"),
                    None => format!("{} has no current context", user.path().display()),
                },
                "'kubectl config use-context NAME' switches between contexts"
            ));
        }
        let next = user.change(|file| {
            let next = back(file, file.current_context().unwrap_or_default());
            file.set_current_context(next.as_deref());
            next
        })?;
        match next {
            Some(next) => say(&format!(
                "The current context is now {}.",
                Paint::of_output().text(Tone::Good, &next)
            )),
            None => say("There is no current context now: there was none before."),
        }
        Ok(ExitCode::SUCCESS)
    }
}
