//! A user's kubeconfig as a whole: contexts merged in, remembered, chosen and taken out again.
//!
//! What others wrote stays; comments are lost, as with kubectl.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use crate::error::PkiError;
use crate::kubeconfig::{parse, replace, yaml};

/// The three lists whose entries make a context.
const LISTS: [&str; 3] = ["clusters", "users", "contexts"];

/// Whether a merge changes the current context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Current {
    /// Make the merged context the current one.
    Switch,
    /// Leave it, but set it where there is none.
    Keep,
}

/// A kubeconfig that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeconfigFile(Value);

impl KubeconfigFile {
    /// Reads the text of a file; empty text is an empty kubeconfig.
    ///
    /// # Errors
    /// When the text is not a kubeconfig.
    pub fn parse(text: &str) -> Result<Self, PkiError> {
        parse(text).map(Self)
    }

    /// The text to write.
    pub fn to_yaml(&self) -> String {
        yaml(&self.0)
    }

    /// The current context.
    pub fn current_context(&self) -> Option<&str> {
        Some(self.0.text("/current-context")).filter(|name| !name.is_empty())
    }

    /// Makes `name` the current context, or none.
    pub fn set_current_context(&mut self, name: Option<&str>) {
        self.0.set("/current-context", name.unwrap_or_default());
    }

    /// The names of all contexts, in order.
    pub fn contexts(&self) -> Vec<&str> {
        let contexts = self.0.items("/contexts").iter();
        contexts.map(|context| context.text("/name")).collect()
    }

    /// The server that a context leads to.
    pub fn server(&self, context: &str) -> Option<&str> {
        let cluster = self.entry("contexts", context)?.text("/context/cluster");
        Some(self.entry("clusters", cluster)?.text("/cluster/server"))
    }

    /// Puts all entries of another kubeconfig into this one; entries of the same name are replaced.
    pub fn merge(&mut self, other: &Self, current: Current) {
        for list in LISTS {
            for entry in other.0.items(&format!("/{list}")) {
                replace(&mut self.0, list, entry.text("/name"), entry.clone());
            }
        }
        if let Some(theirs) = other.current_context()
            && (current == Current::Switch || self.current_context().is_none())
        {
            self.0.set("/current-context", theirs);
        }
    }

    /// Takes out a context with the cluster and user of its name; unsets the current context where it was this one.
    pub fn remove(&mut self, name: &str) {
        for list in LISTS {
            if let Some(items) = self.0.get_mut(list).and_then(Value::as_array_mut) {
                items.retain(|item| item.text("/name") != name);
            }
        }
        if self.current_context() == Some(name) {
            self.set_current_context(None);
        }
    }

    /// What somebody called `owner` noted at a context.
    pub fn note(&self, context: &str, owner: &str) -> Option<&Value> {
        let extensions = self.entry("contexts", context)?.items("/context/extensions");
        let note = extensions.iter().find(|note| note.text("/name") == owner)?;
        Some(note.at("/extension"))
    }

    /// Notes something at a context, as an extension, which kubectl keeps. Does nothing where there is no such
    /// context.
    pub fn set_note(&mut self, context: &str, owner: &str, note: Value) {
        let contexts = self.0.get_mut("contexts").and_then(Value::as_array_mut);
        let found = contexts
            .into_iter()
            .flatten()
            .find(|item| item.text("/name") == context);
        let Some(context) = found else { return };
        let mut extensions = context.items("/context/extensions").to_vec();
        extensions.retain(|note| note.text("/name") != owner);
        extensions.push(json!({"name": owner, "extension": note}));
        context.set("/context/extensions", extensions);
    }

    fn entry(&self, list: &str, name: &str) -> Option<&Value> {
        let items = self.0.get(list)?.as_array()?;
        items.iter().find(|item| item.text("/name") == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, Kubeconfig};

    fn demo(name: &str) -> KubeconfigFile {
        let config = Kubeconfig {
            name: name.into(),
            server: format!("https://{name}"),
            authority_pem: "PEM".into(),
            tls_server_name: None,
            credentials: Credentials::Token("t".into()),
            namespace: None,
        };
        KubeconfigFile::parse(&config.to_yaml()).unwrap()
    }

    #[test]
    fn merging_replaces_its_own_and_keeps_the_rest() {
        let mut file = demo("theirs");
        file.merge(&demo("ours"), Current::Keep);
        file.merge(&demo("ours"), Current::Keep);
        assert_eq!(file.contexts(), ["theirs", "ours"]);
        assert_eq!(file.current_context(), Some("theirs"));
        assert_eq!(file.server("ours"), Some("https://ours"));
        file.merge(&demo("ours"), Current::Switch);
        assert_eq!(file.current_context(), Some("ours"));
    }

    #[test]
    fn what_others_wrote_stays() {
        let theirs = "apiVersion: v1\nkind: Config\ncurrent-context: mine\nclusters:\n- name: mine\n  cluster:\n    server: https://x\n    extensions:\n    - name: e\ncontexts: []\nusers: null\n";
        let mut file = KubeconfigFile::parse(theirs).unwrap();
        file.merge(&demo("a"), Current::Keep);
        file.remove("a");
        assert_eq!(file.current_context(), Some("mine"));
        assert_eq!(file.0.text("/clusters/0/cluster/extensions/0/name"), "e");
        assert_eq!(file.0.items("/clusters").len(), 1);
    }

    #[test]
    fn what_is_no_kubeconfig_is_refused() {
        for text in ["- a\n", "kind: Pod\n", "a: [\n"] {
            assert!(KubeconfigFile::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_note_survives_writing_and_is_replaced() {
        let mut file = demo("a");
        file.set_note("a", "warren.dev", json!({"x": 1}));
        file.set_note("a", "warren.dev", json!({"x": 2}));
        file.set_note("missing", "warren.dev", json!({"x": 3}));
        let read = KubeconfigFile::parse(&file.to_yaml()).unwrap();
        assert_eq!(read.note("a", "warren.dev"), Some(&json!({"x": 2})));
        assert_eq!(read.note("missing", "warren.dev"), None);
    }

    #[test]
    fn a_removed_context_leaves_nothing() {
        let mut file = demo("a");
        file.merge(&demo("b"), Current::Keep);
        file.remove("a");
        assert_eq!(file.contexts(), ["b"]);
        assert_eq!((file.current_context(), file.server("a")), (None, None));
    }
}
