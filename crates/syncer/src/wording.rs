//! Texts of the host in words of the virtual cluster: host names, namespaces and uids never reach a tenant.

use serde_json::Value;
use warren_apimachinery::{ObjectKey, Resource};
use warren_translate::Virtual;

use crate::binding::Binding;

/// The words to replace in what the host says about one virtual object.
#[derive(Clone, Debug)]
pub(crate) struct Wording {
    cluster: String,
    host_namespace: String,
    namespace: String,
    /// Host word and virtual word.
    words: Vec<(String, String)>,
}

impl Wording {
    /// For an object of `namespace`.
    pub(crate) fn of(binding: &Binding, namespace: &str) -> Self {
        Self {
            cluster: binding.tenant.cluster().to_owned(),
            host_namespace: binding.tenant.host_namespace_of(Virtual(namespace)).0.to_string(),
            namespace: namespace.to_owned(),
            words: Vec::new(),
        }
    }

    /// Another word, such as a uid.
    pub(crate) fn replace(&mut self, host: &str, virtual_word: &str) {
        if !host.is_empty() {
            self.words.push((host.to_owned(), virtual_word.to_owned()));
        }
    }

    /// Another object of the namespace that the text may name.
    pub(crate) fn name(&mut self, binding: &Binding, resource: &Resource, name: &str) {
        let key = Virtual(ObjectKey::namespaced(self.namespace.clone(), name));
        let host = binding.tenant.host_name(resource, &key).0;
        self.replace(&host, name);
    }

    /// The text as the tenant reads it.
    pub(crate) fn of_text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, tail) = rest.split_at(end);
            out.push_str(&self.word(word, &out, tail));
            let end = tail.find(is_word).unwrap_or(tail.len());
            let (between, next) = tail.split_at(end);
            out.push_str(between);
            rest = next;
        }
        out
    }

    /// Whether a text still names the host namespace. Texts that people wrote have no places for it.
    pub(crate) fn betrays(&self, text: &str) -> bool {
        let mut words = text.split(|c| !is_word(c));
        words.any(|word| word.trim_end_matches('.') == self.host_namespace)
    }

    /// Rewrites every `message` below a value.
    pub(crate) fn of_messages(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(text) if key == "message" => *text = self.of_text(text),
                        other => self.of_messages(other),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.of_messages(item)),
            _ => {}
        }
    }

    /// One word between characters that no name holds. `before` is what was written so far, `after` what follows.
    fn word(&self, word: &str, before: &str, after: &str) -> String {
        // A sentence may end behind a name.
        let bare = word.trim_end_matches('.');
        let dots = word.get(bare.len()..).unwrap_or_default();
        if let Some((_, with)) = self.words.iter().find(|(host, _)| host == bare) {
            return format!("{with}{dots}");
        }
        if let Some(name) = self.plain_name(bare) {
            return format!("{name}{dots}");
        }
        // Claims of ephemeral volumes and volumes' paths begin with a pod's name.
        for (host, with) in self
            .words
            .iter()
            .filter(|(host, _)| host.len() > self.cluster.len())
        {
            if let Some(end) = bare
                .strip_prefix(host.as_str())
                .filter(|end| end.starts_with(['-', '.']))
            {
                return format!("{with}{end}{dots}");
            }
        }
        if bare == self.host_namespace && is_namespace_place(before, after) {
            return format!("{}{dots}", self.namespace);
        }
        word.to_owned()
    }

    /// `name-x-namespace-x-cluster` is a name of ours whatever it is of.
    fn plain_name<'a>(&self, word: &'a str) -> Option<&'a str> {
        let (rest, cluster) = word.rsplit_once("-x-")?;
        let (name, _) = rest.rsplit_once("-x-")?;
        (cluster == self.cluster && !name.is_empty()).then_some(name)
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '.'
}

/// A namespace's name may be any word, so it is only replaced where messages of Kubernetes put a namespace.
fn is_namespace_place(before: &str, after: &str) -> bool {
    after.starts_with('/')
        || (before.ends_with('_') && after.starts_with('('))
        || before.ends_with("namespace ")
        || before.ends_with("namespace \"")
        || before.ends_with("namespace: ")
        || (before.ends_with('"') && after.starts_with('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::binding;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let mut wording = Wording::of(&binding(), "shop");
        wording.replace("web-0-x-shop-x-demo", "web-0");
        wording.replace("0a-host-uid", "virtual-uid");
        assert_eq!(wording.of_text(text), expect);
    }

    #[test]
    fn a_tenant_reads_its_own_names() {
        check(
            "Successfully assigned team-a/web-0-x-shop-x-demo to node-1",
            "Successfully assigned shop/web-0 to node-1",
        );
        check(
            "back-off 10s restarting failed container=c pod=web-0-x-shop-x-demo_team-a(0a-host-uid)",
            "back-off 10s restarting failed container=c pod=web-0_shop(virtual-uid)",
        );
        check(
            "configmap \"conf.d-x-shop-x-demo\" not found.",
            "configmap \"conf.d\" not found.",
        );
        check(
            "pods is forbidden in namespace \"team-a\"",
            "pods is forbidden in namespace \"shop\"",
        );
        check(
            "claim web-0-x-shop-x-demo-scratch is pending",
            "claim web-0-scratch is pending",
        );
    }

    #[test]
    fn other_words_stay() {
        check("team-a is not a namespace here", "team-a is not a namespace here");
        check("a-x-b-x-other", "a-x-b-x-other");
        check("", "");
        check(
            "0/1 nodes are available: 1 Insufficient cpu.",
            "0/1 nodes are available: 1 Insufficient cpu.",
        );
    }
}
