//! Which host a command means: a kubeconfig and a context in it.

use std::path::PathBuf;

use kube::config::{Context, KubeConfigOptions, Kubeconfig, KubeconfigError};
use warren_apimachinery::Value;
use warren_apimachinery::value::ValueExt;

use crate::endpoint::Endpoint;
use crate::error::RemoteError;
use crate::host::Host;

/// The name of the extension in contexts that Warren wrote into a kubeconfig.
pub const MADE_BY: &str = "warren.dev";

/// What the extension of a context says: which virtual cluster the context leads to, and by way of which host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The virtual cluster's name; empty for a host.
    pub name: String,
    /// Its namespace on the host.
    pub namespace: String,
    /// The server of the host.
    pub host: String,
    /// The context of the host; empty where the kubeconfig holds none.
    pub host_context: String,
    /// The context that was current before.
    pub previous_context: String,
}

impl Made {
    /// As it stands in the extension.
    pub fn to_value(&self) -> Value {
        serde_json::json!({"virtualCluster": self.name, "namespace": self.namespace,
            "host": self.host, "hostContext": self.host_context, "previousContext": self.previous_context})
    }

    /// Reads an extension.
    pub fn read(extension: &Value) -> Self {
        let text = |pointer: &str| extension.text(pointer).to_owned();
        Self {
            name: text("/virtualCluster"),
            namespace: text("/namespace"),
            host: text("/host"),
            host_context: text("/hostContext"),
            previous_context: text("/previousContext"),
        }
    }

    fn of(context: &Context) -> Option<Self> {
        let extensions = context.extensions.as_ref()?;
        let ours = extensions.iter().find(|extension| extension.name == MADE_BY)?;
        Some(Self::read(&ours.extension))
    }
}

/// Which host: by default the current context of `$KUBECONFIG` or `~/.kube/config`. Where that context leads to a
/// virtual cluster of Warren's, the host that it runs on is meant.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// A kubeconfig file instead of the user's.
    pub kubeconfig: Option<PathBuf>,
    /// A context instead of the current one.
    pub context: Option<String>,
}

impl Access {
    /// A client of the host. Nothing is asked yet.
    ///
    /// # Errors
    /// `NoKubeconfig`, `Kubeconfig` or `Client`.
    pub async fn host(&self) -> Result<Host, RemoteError> {
        let (config, context) = self.config().await?;
        Host::new(config, context)
    }

    /// What kube's client needs, and the context that it is of.
    pub(crate) async fn config(&self) -> Result<(kube::Config, String), RemoteError> {
        let kubeconfig = self.read()?;
        let context = self.host_context(&kubeconfig)?;
        let options = KubeConfigOptions {
            context: Some(context.clone()),
            ..KubeConfigOptions::default()
        };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        Ok((config.map_err(RemoteError::Kubeconfig)?, context))
    }

    /// Address and credentials, for those who bring a client of their own.
    ///
    /// # Errors
    /// `NoKubeconfig` or `Kubeconfig`.
    pub fn endpoint(&self) -> Result<Endpoint, RemoteError> {
        let kubeconfig = self.read()?;
        let context = self.context_name(&kubeconfig)?;
        Endpoint::of(kubeconfig, &context)
    }

    fn read(&self) -> Result<Kubeconfig, RemoteError> {
        let read = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        read.map_err(|error| match error {
            KubeconfigError::ReadConfig(source, path) if source.kind() == std::io::ErrorKind::NotFound => {
                RemoteError::NoKubeconfig(format!("there is no kubeconfig at {}", path.display()))
            }
            KubeconfigError::FindPath => {
                RemoteError::NoKubeconfig("there is no kubeconfig and no home directory".to_owned())
            }
            error => RemoteError::Kubeconfig(error),
        })
    }

    fn context_name(&self, kubeconfig: &Kubeconfig) -> Result<String, RemoteError> {
        let named = self
            .context
            .clone()
            .or_else(|| kubeconfig.current_context.clone());
        named
            .filter(|name| !name.is_empty())
            .ok_or_else(|| RemoteError::NoKubeconfig("the kubeconfig has no current context".to_owned()))
    }

    /// A context that was asked for is taken as it is; the current one may lead to its host.
    fn host_context(&self, kubeconfig: &Kubeconfig) -> Result<String, RemoteError> {
        let name = self.context_name(kubeconfig)?;
        if self.context.is_some() {
            return Ok(name);
        }
        let current = kubeconfig.contexts.iter().find(|context| context.name == name);
        let made = current
            .and_then(|current| current.context.as_ref())
            .and_then(Made::of);
        Ok(made
            .map(|made| made.host_context)
            .filter(|host| !host.is_empty())
            .unwrap_or(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "apiVersion: v1
kind: Config
current-context: virtual
contexts:
- name: host
  context: {cluster: host, user: host}
- name: virtual
  context:
    cluster: virtual
    user: virtual
    extensions:
    - name: warren.dev
      extension: {virtualCluster: a, namespace: b, hostContext: host, previousContext: mine}
";

    fn host_context(asked: Option<&str>) -> String {
        let access = Access {
            kubeconfig: None,
            context: asked.map(str::to_owned),
        };
        access
            .host_context(&Kubeconfig::from_yaml(TEXT).unwrap())
            .unwrap()
    }

    #[test]
    fn the_current_context_of_a_virtual_cluster_leads_to_its_host() {
        assert_eq!(host_context(None), "host");
    }

    #[test]
    fn a_context_that_is_asked_for_is_taken_as_it_is() {
        assert_eq!(host_context(Some("virtual")), "virtual");
    }

    #[test]
    fn what_is_written_reads_back() {
        let made = Made {
            name: "a".into(),
            namespace: "b".into(),
            host: "e".into(),
            host_context: "c".into(),
            previous_context: "d".into(),
        };
        assert_eq!(Made::read(&made.to_value()), made);
    }

    #[test]
    fn a_missing_kubeconfig_is_named() {
        let access = Access {
            kubeconfig: Some("/nowhere/config".into()),
            context: None,
        };
        let error = access.endpoint().unwrap_err().to_string();
        assert_eq!(
            error,
            "no host is named: there is no kubeconfig at /nowhere/config"
        );
    }
}
