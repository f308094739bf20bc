//! The front door: one listener for all virtual clusters, which tells them apart by the server name (SNI) that a client
//! asks for, `<name>.<namespace>.<domain>`. Each is answered with its own certificate; other names are turned away
//! before any certificate is shown.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use rustls::ServerConfig;
use warren_apimachinery::{ClusterId, ObjectKey, Status, StatusReason};
use warren_apiserver::{Hello, Route, Routed};

use crate::fleet::Fleet;
use crate::tenant::Tenant;

/// Where the front door is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontDoor {
    /// Where it listens.
    pub address: SocketAddr,
    /// The domain below which each virtual cluster has its name.
    pub domain: String,
    /// The port that clients reach it by, where that is not the one it listens on.
    pub public_port: Option<u16>,
}

impl FrontDoor {
    /// The host name of a virtual cluster.
    pub fn host_name(&self, key: &ObjectKey) -> String {
        format!("{}.{}.{}", key.name, key.namespace, self.domain)
    }

    /// The virtual cluster of a host name.
    fn key(&self, host_name: &str) -> Option<ObjectKey> {
        let host_name = host_name.to_ascii_lowercase();
        let below = host_name.strip_suffix(&self.domain)?.strip_suffix('.')?;
        let (name, namespace) = below.rsplit_once('.')?;
        (!name.is_empty() && !namespace.is_empty()).then(|| ObjectKey::namespaced(namespace, name))
    }
}

/// Finds the virtual cluster that a client means.
pub(crate) struct Doorman {
    pub(crate) fleet: Weak<Fleet>,
    pub(crate) door: FrontDoor,
}

impl Doorman {
    fn tenant(&self, hello: &Hello) -> Option<Arc<Tenant>> {
        let key = self.door.key(hello.server_name.as_deref()?)?;
        let id: ClusterId = crate::virtual_cluster::cluster_id(&key);
        self.fleet.upgrade()?.tenant(&id)
    }
}

#[async_trait]
impl Route for Doorman {
    fn tls(&self, hello: &Hello) -> Option<Arc<ServerConfig>> {
        self.tenant(hello)?.certificate().tls()
    }

    async fn route(&self, hello: &Hello, _: &str) -> Result<Routed, Status> {
        let Some(tenant) = self.tenant(hello) else {
            let why = "the cluster is gone";
            return Err(Status::new(StatusReason::ServiceUnavailable, why));
        };
        Ok(Routed {
            cluster: Arc::clone(tenant.api()),
            prefix: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_leads_to_one_virtual_cluster() {
        let door = FrontDoor {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            domain: "k8s.example".to_owned(),
            public_port: None,
        };
        let table = [
            ("demo.team-a.k8s.example", Some("team-a/demo")),
            ("Demo.Team-A.K8s.Example", Some("team-a/demo")),
            ("a.b.team-a.k8s.example", Some("team-a/a.b")),
            ("team-a.k8s.example", None),
            ("k8s.example", None),
            (".team-a.k8s.example", None),
            ("demo.team-a.k8s.example.org", None),
            ("demo.team-ak8s.example", None),
        ];
        for (name, expect) in table {
            let found = door.key(name).map(|key| key.to_string());
            assert_eq!(found.as_deref(), expect, "{name}");
        }
        let key = ObjectKey::namespaced("team-a", "demo");
        assert_eq!(door.key(&door.host_name(&key)), Some(key));
    }
}
