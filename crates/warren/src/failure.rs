//! How a failed command says so: `Error:` with the causes, and a hint what to do.

use std::fmt;

use warren_remote::RemoteError;

use crate::terminal::{Paint, Tone, tell};

/// An error with a hint that the command itself knows.
#[derive(Debug)]
pub(crate) struct Hinted {
    message: String,
    hint: String,
}

impl Hinted {
    /// An error that says what went wrong and what to do about it.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// Prints an error and, where there is one, a hint.
pub(crate) fn print(error: &anyhow::Error) {
    let paint = Paint::of_error();
    let error_text = text(error);
    tell(&format!("{} {error_text}", paint.text(Tone::Bad, "Error:")));
    if let Some(hint) = hint(error) {
        tell(&format!("{} {hint}", paint.text(Tone::Notice, "Hint:")));
    }
}

fn text(error: &anyhow::Error) -> String {
    match error.downcast_ref::<RemoteError>() {
        // The causes below are kube's client's and its libraries': the last one says it all.
        Some(remote @ RemoteError::Unreachable { .. }) => {
            let cause = error.chain().last().map(ToString::to_string).unwrap_or_default();
            format!("{remote}: {cause}")
        }
        _ => warren_telemetry::Chain(error.as_ref()).to_string(),
    }
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(hinted) = error.downcast_ref::<Hinted>() {
        return Some(hinted.hint.clone());
    }
    let hint = match error.downcast_ref::<RemoteError>()? {
        RemoteError::NoKubeconfig(_) => {
            "start a host with 'warren up', or name one with --kubeconfig, --context or --data-dir"
        }
        RemoteError::Kubeconfig(_) | RemoteError::Client(_) => {
            "'kubectl config get-contexts' shows what the kubeconfig holds"
        }
        unreachable @ RemoteError::Unreachable { .. } if unreachable.is_connection_refused() => {
            "nobody listens there: is 'warren up' running?"
        }
        RemoteError::Unreachable { .. } => "is that the right host? --context and --data-dir choose another",
        RemoteError::NotWarren(_) => {
            "this may not be a host of Warren's: choose one with --context or --data-dir, or start one with 'warren up'"
        }
        RemoteError::NotFound { .. } => "'warren list' shows what there is",
        RemoteError::Exists { .. } => "'warren connect' leads to it, 'warren delete' removes it",
        RemoteError::Refused { .. } | RemoteError::Unreadable(_) => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Into<anyhow::Error>, expect_text: &str, expect_hint: Option<&str>) {
        let error = error.into();
        assert_eq!(text(&error), expect_text);
        assert_eq!(hint(&error).as_deref(), expect_hint);
    }

    #[test]
    fn a_missing_virtual_cluster_points_to_the_list() {
        let error = RemoteError::NotFound {
            what: "virtual cluster",
            name: "x".into(),
            namespace: "warren-x".into(),
        };
        check(
            error,
            "virtual cluster \"x\" not found in namespace \"warren-x\"",
            Some("'warren list' shows what there is"),
        );
    }

    #[test]
    fn causes_stand_behind_colons() {
        let error = anyhow::Error::new(std::io::Error::other("disk gone")).context("cannot write");
        check(error, "cannot write: disk gone", None);
    }

    #[test]
    fn a_command_may_bring_its_own_hint() {
        check(Hinted::new("a", "b"), "a", Some("b"));
    }
}
