//! Kubeconfigs, made: a way to one cluster. `kubeconfig_file` puts them into a user's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;

use crate::error::PkiError;
use crate::issued::Issued;

/// How a user proves who they are.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A client certificate and key.
    Certificate(Issued),
    /// A bearer token.
    Token(String),
}

/// A way to one cluster: cluster, user and context of one name.
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    /// The name of cluster, user and context.
    pub name: String,
    /// Such as `https://127.0.0.1:6443`.
    pub server: String,
    /// The authority that signed the server's certificate; empty where clients shall not check that.
    pub authority_pem: String,
    /// The name to expect in the server's certificate where it is not the address's.
    pub tls_server_name: Option<String>,
    /// The user.
    pub credentials: Credentials,
    /// The namespace of commands that name none.
    pub namespace: Option<String>,
}

impl Kubeconfig {
    /// A file with this one context.
    pub fn to_yaml(&self) -> String {
        let mut config = empty();
        self.put(&mut config);
        yaml(&config)
    }

    fn put(&self, config: &mut Value) {
        let data = |pem: &str| STANDARD.encode(pem);
        let mut cluster = json!({ "server": self.server });
        match self.authority_pem.as_str() {
            "" => cluster.set("/insecure-skip-tls-verify", true),
            authority => cluster.set("/certificate-authority-data", data(authority)),
        }
        if let Some(name) = &self.tls_server_name {
            cluster.set("/tls-server-name", name.as_str());
        }
        let user = match &self.credentials {
            Credentials::Certificate(issued) => json!({
                "client-certificate-data": data(&issued.certificate_pem),
                "client-key-data": data(&issued.key_pem),
            }),
            Credentials::Token(token) => json!({ "token": token }),
        };
        let mut context = json!({"cluster": self.name, "user": self.name});
        if let Some(namespace) = &self.namespace {
            context.set("/namespace", namespace.as_str());
        }
        replace(
            config,
            "clusters",
            &self.name,
            json!({"name": self.name, "cluster": cluster}),
        );
        replace(
            config,
            "users",
            &self.name,
            json!({"name": self.name, "user": user}),
        );
        replace(
            config,
            "contexts",
            &self.name,
            json!({"name": self.name, "context": context}),
        );
        config.set("/current-context", self.name.as_str());
    }
}

fn empty() -> Value {
    json!({"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [], "users": [],
        "current-context": "", "preferences": {}})
}

pub(crate) fn parse(text: &str) -> Result<Value, PkiError> {
    if text.trim().is_empty() {
        return Ok(empty());
    }
    let read: Value =
        serde_saphyr::from_str(text).map_err(|error| PkiError::Kubeconfig(error.to_string()))?;
    match read {
        Value::Null => Ok(empty()),
        Value::Object(map) if map.get("kind").is_none_or(|kind| kind == "Config") => {
            let mut config: Map<String, Value> = match empty() {
                Value::Object(base) => base,
                _ => Map::new(),
            };
            config.extend(map.into_iter().filter(|(_, value)| !value.is_null()));
            Ok(Value::Object(config))
        }
        _ => Err(PkiError::Kubeconfig("it is not of kind Config".to_owned())),
    }
}

/// In the place of the entry of that name, or at the end.
pub(crate) fn replace(config: &mut Value, list: &str, name: &str, entry: Value) {
    let Some(items) = config.get_mut(list).and_then(Value::as_array_mut) else {
        config.set(&format!("/{list}"), Value::Array(vec![entry]));
        return;
    };
    match items.iter_mut().find(|item| item.text("/name") == name) {
        Some(item) => *item = entry,
        None => items.push(entry),
    }
}

pub(crate) fn yaml(config: &Value) -> String {
    // A value of maps with text keys always serialises.
    serde_saphyr::to_string(config).unwrap_or_default()
}
