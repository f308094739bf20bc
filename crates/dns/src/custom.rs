//! Custom entries: vCluster's `networking.resolveDNS`. Pure.

use std::net::IpAddr;

use hickory_proto::rr::Name;

use crate::name::{Asked, Part};
use crate::view::ServiceName;

/// What is asked for, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which names.
    pub wanted: Wanted,
    /// Where they lead.
    pub target: Target,
}

/// Which names a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A hostname, or all hostnames of a pattern.
    Hostname(Pattern),
    /// A Service of the cluster, whether it is there or not.
    Service(ServiceName),
    /// All Services of a namespace of the cluster, whether it is there or not.
    Namespace(String),
}

/// Where the names of a rule lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To another name, wherever that is known.
    Hostname(Pattern),
    /// To an address.
    Address(IpAddr),
    /// To a Service of the host cluster.
    HostService(ServiceName),
    /// To the Service of the same name in a namespace of the host cluster.
    HostNamespace(String),
    /// To a Service of another virtual cluster.
    VirtualService {
        /// The host namespace of that cluster.
        host_namespace: String,
        /// Its name.
        cluster: String,
        /// The Service in it.
        service: ServiceName,
    },
}

/// A hostname with at most one `*`, at its start or end, that stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    after: String,
    is_exact: bool,
}

/// Why a rule is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError(pub String);

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RuleError {}

impl Pattern {
    /// Reads a hostname.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let text = text.trim_end_matches('.').to_ascii_lowercase();
        let wrong = |why: &str| Err(RuleError(format!("{text:?} {why}")));
        if Name::from_ascii(text.replace('*', "x")).is_err() || text.is_empty() {
            return wrong("is no hostname");
        }
        match text.split('*').collect::<Vec<_>>().as_slice() {
            [exact] => Ok(Self {
                before: (*exact).to_owned(),
                after: String::new(),
                is_exact: true,
            }),
            [before, after] if before.is_empty() || after.is_empty() => Ok(Self {
                before: (*before).to_owned(),
                after: (*after).to_owned(),
                is_exact: false,
            }),
            [_, _] => wrong("has its wildcard neither at its start nor at its end"),
            _ => wrong("has more than one wildcard"),
        }
    }

    /// Whether it has a wildcard.
    pub fn is_wildcard(&self) -> bool {
        !self.is_exact
    }

    /// What the wildcard stands for in `name`; `None` if the name is not meant.
    fn capture<'a>(&self, name: &'a str) -> Option<&'a str> {
        if self.is_exact {
            return (name == self.before).then_some("");
        }
        let rest = name
            .strip_prefix(self.before.as_str())?
            .strip_suffix(self.after.as_str())?;
        (!rest.is_empty()).then_some(rest)
    }

    fn fill(&self, captured: &str) -> String {
        if self.is_exact {
            return self.before.clone();
        }
        format!("{}{captured}{}", self.before, self.after)
    }
}

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// To another name.
    Name(Name),
    /// To an address.
    Address(IpAddr),
    /// To a Service of the host.
    Host(Asked),
    /// To a Service of another virtual cluster: its host namespace, its name, and what is asked of it.
    Neighbour(String, String, Asked),
}

impl Rule {
    /// Whether wildcards agree on both sides, and namespaces lead to namespaces.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), RuleError> {
        let wrong = |why: &str| Err(RuleError(why.to_owned()));
        let asks = matches!(&self.wanted, Wanted::Hostname(pattern) if pattern.is_wildcard());
        let fills = matches!(&self.target, Target::Hostname(pattern) if pattern.is_wildcard());
        if asks != fills {
            return wrong("hostname and target.hostname must both have a wildcard, or neither");
        }
        let from = matches!(self.wanted, Wanted::Namespace(_));
        let to = matches!(self.target, Target::HostNamespace(_));
        if from != to {
            return wrong("namespace and target.hostNamespace need each other");
        }
        Ok(())
    }

    /// Where a name leads, if it is one of the rule. `asked` is what it asks of the cluster, if it is in its domain.
    pub(crate) fn lead(&self, name: &str, asked: Option<&Asked>) -> Option<Lead> {
        let (captured, service) = match (&self.wanted, asked) {
            (Wanted::Hostname(pattern), _) => (pattern.capture(name)?, None),
            (
                Wanted::Service(wanted),
                Some(Asked::Service {
                    namespace,
                    name,
                    part,
                }),
            ) => {
                let is_it =
                    *part == Part::default() && wanted.namespace == *namespace && wanted.name == *name;
                is_it.then_some(("", None))?
            }
            (
                Wanted::Namespace(wanted),
                Some(Asked::Service {
                    namespace,
                    name,
                    part,
                }),
            ) => (wanted == namespace).then_some(("", Some((name, part))))?,
            _ => return None,
        };
        Some(match &self.target {
            Target::Hostname(pattern) => Lead::Name(Name::from_ascii(pattern.fill(captured) + ".").ok()?),
            Target::Address(address) => Lead::Address(*address),
            Target::HostService(service) => Lead::Host(whole(service)),
            Target::HostNamespace(namespace) => {
                let (name, part) = service?;
                Lead::Host(Asked::Service {
                    namespace: namespace.clone(),
                    name: name.clone(),
                    part: part.clone(),
                })
            }
            Target::VirtualService {
                host_namespace,
                cluster,
                service,
            } => Lead::Neighbour(host_namespace.clone(), cluster.clone(), whole(service)),
        })
    }
}

fn whole(service: &ServiceName) -> Asked {
    Asked::Service {
        namespace: service.namespace.clone(),
        name: service.name.clone(),
        part: Part::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostname(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn a_wildcard_carries_its_text_over() {
        let rule = Rule {
            wanted: Wanted::Hostname(hostname("*.company.example")),
            target: Target::Hostname(hostname("*.internal.example")),
        };
        assert_eq!(rule.check(), Ok(()));
        let lead = rule.lead("a.b.company.example", None).unwrap();
        assert_eq!(
            lead,
            Lead::Name(Name::from_ascii("a.b.internal.example.").unwrap())
        );
        assert_eq!(rule.lead("company.example", None), None);
        assert_eq!(rule.lead("b.other.example", None), None);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for text in ["a.*.b", "*.a.*", "", "bad label.x"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        let one_sided = Rule {
            wanted: Wanted::Hostname(hostname("*.a")),
            target: Target::Hostname(hostname("b.a")),
        };
        assert!(one_sided.check().is_err());
        let lost = Rule {
            wanted: Wanted::Namespace("shop".into()),
            target: Target::Address([10, 0, 0, 1].into()),
        };
        assert!(lost.check().is_err());
    }

    #[test]
    fn a_namespace_leads_to_the_service_of_the_same_name() {
        let rule = Rule {
            wanted: Wanted::Namespace("shared".into()),
            target: Target::HostNamespace("platform".into()),
        };
        let asked = |namespace: &str| Asked::Service {
            namespace: namespace.into(),
            name: "db".into(),
            part: Part::default(),
        };
        assert_eq!(
            rule.lead("", Some(&asked("shared"))),
            Some(Lead::Host(asked("platform")))
        );
        assert_eq!(rule.lead("", Some(&asked("shop"))), None);
    }
}
