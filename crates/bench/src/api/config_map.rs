//! The ConfigMaps that are created, read, changed and deleted, as requests.

use bytes::Bytes;
use http::Method;
use rand::Rng;
use serde_json::json;

use super::load::{Send, Turn};

/// Requests on ConfigMaps of one size, in namespaces that nobody else uses.
pub(crate) struct ConfigMaps {
    namespace: String,
    padding: String,
}

impl ConfigMaps {
    /// Each with `size` bytes of data.
    pub(crate) fn new(size: u32) -> Self {
        Self {
            namespace: format!("warren-bench-{:08x}", rand::rng().random::<u32>()),
            // No repetition that a server could profit from.
            padding: rand::rng()
                .sample_iter(rand::distr::Alphanumeric)
                .take(size as usize)
                .map(char::from)
                .collect(),
        }
    }

    /// All namespaces that are used.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        vec![
            self.namespace.clone(),
            self.list_namespace(),
            self.watch_namespace(),
        ]
    }

    pub(crate) fn list_namespace(&self) -> String {
        format!("{}-list", self.namespace)
    }

    pub(crate) fn watch_namespace(&self) -> String {
        format!("{}-watch", self.namespace)
    }

    /// One more of this client's.
    pub(crate) fn create(&self, turn: Turn) -> Send {
        self.create_in(&self.namespace, turn)
    }

    /// The same in another namespace.
    pub(crate) fn create_in(&self, namespace: &str, turn: Turn) -> Send {
        Send {
            method: Method::POST,
            path: collection(namespace),
            body: self.body(&name(turn.client, turn.number), turn.number),
        }
    }

    /// Any that any client created.
    pub(crate) fn get(&self, _: Turn, created: &[u64]) -> Option<Send> {
        let client = rand::rng().random_range(0..created.len());
        let number = rand::rng().random_range(0..(*created.get(client)?).max(1));
        Some(Send {
            method: Method::GET,
            path: format!("{}/{}", collection(&self.namespace), name(client, number)),
            body: Bytes::new(),
        })
    }

    /// The next of this client's, over and over, unconditionally.
    pub(crate) fn update(&self, turn: Turn, created: &[u64]) -> Option<Send> {
        let own = (*created.get(turn.client)?).max(1);
        let name = name(turn.client, turn.number % own);
        Some(Send {
            method: Method::PUT,
            path: format!("{}/{name}", collection(&self.namespace)),
            body: self.body(&name, turn.number + 1),
        })
    }

    /// The next of this client's, until all are gone.
    pub(crate) fn delete(&self, turn: Turn, created: &[u64]) -> Option<Send> {
        let left = turn.number < *created.get(turn.client)?;
        left.then(|| Send {
            method: Method::DELETE,
            path: format!(
                "{}/{}",
                collection(&self.namespace),
                name(turn.client, turn.number)
            ),
            body: Bytes::new(),
        })
    }

    /// The one that all watchers watch, as its change `number` leaves it.
    pub(crate) fn watched(&self, number: u64) -> Bytes {
        self.body("watched", number)
    }

    fn body(&self, name: &str, number: u64) -> Bytes {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"number": number.to_string(), "padding": self.padding}});
        Bytes::from(object.to_string())
    }
}

/// The path of a namespace's ConfigMaps.
pub(crate) fn collection(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

fn name(client: usize, number: u64) -> String {
    format!("load-{client}-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletes_end_with_the_last_object() {
        let maps = ConfigMaps::new(8);
        let turn = |number| Turn { client: 0, number };
        assert!(maps.delete(turn(1), &[2]).is_some());
        assert!(maps.delete(turn(2), &[2]).is_none());
    }

    #[test]
    fn a_body_has_the_wanted_size_of_data() {
        let maps = ConfigMaps::new(1024);
        let body: serde_json::Value = serde_json::from_slice(&maps.watched(7)).unwrap();
        assert_eq!(body["data"]["padding"].as_str().unwrap().len(), 1024);
        assert_eq!(body["data"]["number"], "7");
    }
}
