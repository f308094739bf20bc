//! How the names of one virtual cluster are answered.

use hickory_proto::rr::Name;

use crate::custom::Rule;
use crate::view::ServiceName;

/// See the module. Immutable; a changed configuration is a new one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The domains of the cluster. The first is the one that reverse records name.
    pub domains: Vec<Name>,
    /// The Service of the cluster that stands for this server.
    pub server: ServiceName,
    /// The domain of the host cluster's services, where it is known.
    pub host_domain: Option<Name>,
    /// Whether what the cluster does not know is asked of the host cluster. Otherwise no name of the host cluster is
    /// ever told.
    pub falls_back_to_host: bool,
    /// Entries that come before all others, in order.
    pub rules: Vec<Rule>,
}

/// The domain that every cluster answers for beside its own, as vCluster does: whatever was built for it works.
const USUAL: &str = "cluster.local.";

impl Settings {
    /// Those of a cluster with this domain, without rules. A domain that is none stands for the usual one.
    pub fn of(domain: &str) -> Self {
        let usual = Name::from_ascii(USUAL).unwrap_or_default();
        let mut domains: Vec<Name> = Name::from_ascii(domain)
            .into_iter()
            .filter(|name| !name.is_root())
            .map(fully_qualified)
            .collect();
        if !domains.contains(&usual) {
            domains.push(usual);
        }
        Self {
            domains,
            server: ServiceName {
                namespace: "kube-system".to_owned(),
                name: "kube-dns".to_owned(),
            },
            host_domain: None,
            falls_back_to_host: false,
            rules: Vec::new(),
        }
    }

    /// The domain of the cluster that a name is in.
    pub(crate) fn domain_of(&self, name: &Name) -> Option<&Name> {
        self.domains.iter().find(|domain| domain.zone_of(name))
    }

    /// The domain that reverse records name.
    pub(crate) fn primary(&self) -> Name {
        self.domains.first().cloned().unwrap_or_default()
    }

    /// Whether a name is one of the host cluster that tenants must not see.
    pub(crate) fn hides(&self, name: &Name) -> bool {
        let hidden = self.host_domain.as_ref().filter(|_| !self.falls_back_to_host);
        hidden.is_some_and(|domain| domain.zone_of(name))
    }
}

pub(crate) fn fully_qualified(mut name: Name) -> Name {
    name.set_fqdn(true);
    name
}
