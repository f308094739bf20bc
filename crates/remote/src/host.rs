//! The requests that commands make of a host.

use std::pin::pin;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::runtime::watcher::watch_object;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Value};
use warren_config::{GROUP, KIND, VERSION};

use crate::error::RemoteError;
use crate::virtual_cluster::VirtualClusterObject;

/// A host cluster, by kube's client.
#[derive(Clone)]
pub struct Host {
    pub(crate) client: kube::Client,
    server: String,
    context: String,
}

impl Host {
    pub(crate) fn new(config: kube::Config, context: String) -> Result<Self, RemoteError> {
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = kube::Client::try_from(config).map_err(RemoteError::Client)?;
        Ok(Self {
            client,
            server,
            context,
        })
    }

    /// Where it is.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The context that leads to it.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The virtual clusters of one namespace, or of all, by namespace and name.
    ///
    /// # Errors
    /// `Unreachable`, `NotWarren` or `Refused`.
    pub async fn list(&self, namespace: Option<&str>) -> Result<Vec<VirtualClusterObject>, RemoteError> {
        let api = match namespace {
            Some(namespace) => self.virtual_clusters(namespace),
            None => Api::all_with(self.client.clone(), &virtual_cluster()),
        };
        let list = api.list(&ListParams::default()).await;
        let list = list.map_err(|error| self.wrong(error))?;
        list.items.into_iter().map(read).collect()
    }

    /// One virtual cluster.
    ///
    /// # Errors
    /// `NotFound`, and as `list`.
    pub async fn find(&self, key: &ObjectKey) -> Result<VirtualClusterObject, RemoteError> {
        let found = self.virtual_clusters(&key.namespace).get(&key.name).await;
        found
            .map_err(|error| self.about(error, "virtual cluster", key))
            .and_then(read)
    }

    /// Asks for a virtual cluster.
    ///
    /// # Errors
    /// `Exists`, and as `list`.
    pub async fn create(&self, key: &ObjectKey, spec: &Value) -> Result<VirtualClusterObject, RemoteError> {
        let mut object = DynamicObject::new(&key.name, &virtual_cluster());
        object.metadata.namespace = Some(key.namespace.to_string());
        object.data = serde_json::json!({ "spec": spec });
        let created = self
            .virtual_clusters(&key.namespace)
            .create(&PostParams::default(), &object)
            .await;
        match created {
            Ok(object) => read(object),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Err(RemoteError::Exists {
                name: key.name.to_string(),
                namespace: key.namespace.to_string(),
            }),
            Err(error) => Err(self.wrong(error)),
        }
    }

    /// Asks for a virtual cluster's end. It is gone when `wait` says so.
    ///
    /// # Errors
    /// `NotFound`, and as `list`.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), RemoteError> {
        let api = self.virtual_clusters(&key.namespace);
        let deleted = api.delete(&key.name, &DeleteParams::default()).await;
        deleted
            .map(|_| ())
            .map_err(|error| self.about(error, "virtual cluster", key))
    }

    /// Watches one virtual cluster until `seen` answers; it is called with every state, `None` where there is no such
    /// object. Waits forever: the caller sets the deadline.
    ///
    /// # Errors
    /// `Unreachable` or `Refused`, at the first failure.
    pub async fn wait<T>(
        &self,
        key: &ObjectKey,
        mut seen: impl FnMut(Option<&VirtualClusterObject>) -> Option<T>,
    ) -> Result<T, RemoteError> {
        let api = self.virtual_clusters(&key.namespace);
        let mut states = pin!(watch_object(api, &key.name));
        loop {
            let state = states.try_next().await.map_err(|error| self.watching(error))?;
            let Some(state) = state else {
                return Err(RemoteError::Unreadable("the watch ended".to_owned()));
            };
            let object = state.map(read).transpose()?;
            if let Some(answer) = seen(object.as_ref()) {
                return Ok(answer);
            }
        }
    }

    /// Sees to it that a namespace is there.
    ///
    /// # Errors
    /// `Unreachable` or `Refused`.
    pub async fn ensure_namespace(&self, name: &str) -> Result<(), RemoteError> {
        let kind = core("Namespace", "namespaces");
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind);
        let namespace = DynamicObject::new(name, &kind);
        match api.create(&PostParams::default(), &namespace).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            Err(error) => match self.wrong(error) {
                // Who may not create namespaces may still use one that is there.
                refused if refused.is_refused_as("Forbidden") => {
                    api.get(name).await.map(|_| ()).map_err(|_| refused)
                }
                error => Err(error),
            },
        }
    }

    /// The admin's kubeconfig of a virtual cluster, as its Secret `vc-<name>` has it.
    ///
    /// # Errors
    /// `NotFound` where the Secret is missing, `Unreadable` where it holds none.
    pub async fn kubeconfig(&self, key: &ObjectKey) -> Result<String, RemoteError> {
        let kind = core("Secret", "secrets");
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &key.namespace, &kind);
        let secret = ObjectKey::namespaced(key.namespace.clone(), format!("vc-{}", key.name));
        let found = api.get(&secret.name).await;
        let found = found.map_err(|error| self.about(error, "secret", &secret))?;
        let bytes = STANDARD
            .decode(found.data.text("/data/config"))
            .unwrap_or_default();
        String::from_utf8(bytes)
            .ok()
            .filter(|text| !text.is_empty())
            .ok_or_else(|| RemoteError::Unreadable(format!("the secret {secret} holds no kubeconfig")))
    }

    pub(crate) fn virtual_clusters(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &virtual_cluster())
    }

    pub(crate) fn wrong(&self, error: kube::Error) -> RemoteError {
        RemoteError::of(error, &self.server)
    }

    pub(crate) fn about(&self, error: kube::Error, what: &'static str, key: &ObjectKey) -> RemoteError {
        match self.wrong(error) {
            refused if refused.is_refused_as("NotFound") => RemoteError::NotFound {
                what,
                name: key.name.to_string(),
                namespace: key.namespace.to_string(),
            },
            other => other,
        }
    }

    fn watching(&self, error: kube::runtime::watcher::Error) -> RemoteError {
        use kube::runtime::watcher::Error;
        match error {
            Error::InitialListFailed(error) | Error::WatchStartFailed(error) | Error::WatchFailed(error) => {
                self.wrong(error)
            }
            Error::WatchError(status) => RemoteError::Refused {
                reason: status.reason.clone(),
                message: status.message.clone(),
            },
            other => RemoteError::Unreadable(other.to_string()),
        }
    }
}

fn virtual_cluster() -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: format!("{GROUP}/{VERSION}"),
        kind: KIND.to_owned(),
        plural: "virtualclusters".to_owned(),
    }
}

fn core(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: String::new(),
        version: "v1".to_owned(),
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

fn read(object: DynamicObject) -> Result<VirtualClusterObject, RemoteError> {
    let value = serde_json::to_value(object).map_err(|error| RemoteError::Unreadable(error.to_string()))?;
    Ok(VirtualClusterObject(value))
}
