//! Kubeconfigs: made, merged into a user's file, and taken out again.

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
    /// The authority that signed the server's certificate.
    pub authority_pem: String,
    /// The name to expect in the server's certificate where it is not the address's.
    pub tls_server_name: Option<String>,
    /// The user.
    pub credentials: Credentials,
    /// The namespace of commands that name none.
    pub namespace: Option<String>,
}

/// Whether a merge changes the current context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Current {
    /// Make the merged context the current one.
    Switch,
    /// Leave it, but set it where there is none.
    Keep,
}

impl Kubeconfig {
    /// A file with this one context.
    pub fn to_yaml(&self) -> String {
        let mut config = empty();
        self.put(&mut config, Current::Switch);
        yaml(&config)
    }

    /// Puts the entries into the text of an existing file (empty for none); entries of the same name are replaced,
    /// all others stay. Comments are lost, as with kubectl.
    ///
    /// # Errors
    /// When the text is not a kubeconfig.
    pub fn merge_into(&self, existing: &str, current: Current) -> Result<String, PkiError> {
        let mut config = parse(existing)?;
        self.put(&mut config, current);
        Ok(yaml(&config))
    }

    fn put(&self, config: &mut Value, current: Current) {
        let data = |pem: &str| STANDARD.encode(pem);
        let mut cluster =
            json!({"server": self.server, "certificate-authority-data": data(&self.authority_pem)});
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
        if current == Current::Switch || config.text("/current-context").is_empty() {
            config.set("/current-context", self.name.as_str());
        }
    }
}

/// The current context of a kubeconfig's text; `None` when there is none.
///
/// # Errors
/// When the text is not a kubeconfig.
pub fn current_context(existing: &str) -> Result<Option<String>, PkiError> {
    let config = parse(existing)?;
    let name = config.text("/current-context");
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// Sets (or unsets) the current context.
///
/// # Errors
/// When the text is not a kubeconfig.
pub fn set_current_context(existing: &str, name: Option<&str>) -> Result<String, PkiError> {
    let mut config = parse(existing)?;
    config.set("/current-context", name.unwrap_or_default());
    Ok(yaml(&config))
}

/// Takes cluster, user and context of one name out, and unsets the current context where it was this one.
///
/// # Errors
/// When the text is not a kubeconfig.
pub fn remove_context(existing: &str, name: &str) -> Result<String, PkiError> {
    let mut config = parse(existing)?;
    for list in ["clusters", "users", "contexts"] {
        if let Some(items) = config.get_mut(list).and_then(Value::as_array_mut) {
            items.retain(|item| item.text("/name") != name);
        }
    }
    if config.text("/current-context") == name {
        config.set("/current-context", "");
    }
    Ok(yaml(&config))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(name: &str) -> Kubeconfig {
        Kubeconfig {
            name: name.into(),
            server: "https://127.0.0.1:1".into(),
            authority_pem: "PEM".into(),
            tls_server_name: None,
            credentials: Credentials::Token("t".into()),
            namespace: None,
        }
    }

    const THEIRS: &str = "apiVersion: v1\nkind: Config\ncurrent-context: mine\nclusters:\n- name: mine\n  cluster:\n    server: https://x\n    extensions:\n    - name: e\ncontexts: []\nusers: null\n";

    #[test]
    fn merging_keeps_what_others_wrote() {
        let merged = parse(&demo("a").merge_into(THEIRS, Current::Keep).unwrap()).unwrap();
        assert_eq!(merged.text("/current-context"), "mine");
        assert_eq!(merged.text("/clusters/0/cluster/extensions/0/name"), "e");
        assert_eq!(merged.text("/clusters/1/name"), "a");
        assert_eq!(merged.text("/users/0/user/token"), "t");
    }

    #[test]
    fn merging_twice_replaces() {
        let once = demo("a").merge_into("", Current::Switch).unwrap();
        let twice = demo("a").merge_into(&once, Current::Switch).unwrap();
        assert_eq!(once, twice);
        assert_eq!(current_context(&twice).unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn removing_takes_its_entries_and_the_current_context() {
        let merged = demo("a").merge_into(THEIRS, Current::Switch).unwrap();
        let removed = parse(&remove_context(&merged, "a").unwrap()).unwrap();
        assert_eq!(removed.items("/clusters").len(), 1);
        assert_eq!(
            removed.items("/users").len() + removed.items("/contexts").len(),
            0
        );
        assert_eq!(removed.text("/current-context"), "");
        let unset = set_current_context(&merged, None).unwrap();
        assert_eq!(current_context(&unset).unwrap(), None);
    }

    #[test]
    fn what_is_no_kubeconfig_is_refused() {
        for text in ["- a\n", "kind: Pod\n", "a: [\n"] {
            assert!(demo("a").merge_into(text, Current::Keep).is_err(), "{text}");
        }
    }
}
