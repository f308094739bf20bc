//! What a name in a cluster's domain asks for. Pure; the rules are those of the Kubernetes DNS specification 1.1.0 in
//! the reading of CoreDNS.

use std::net::IpAddr;

use hickory_proto::rr::Name;

/// What a name asks for, all in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The domain itself, or `svc` or `pod` in it: there, and without records of its own.
    Apex,
    /// `dns-version`: the version of the specification.
    Version,
    /// `ns.dns`: this server.
    NameServer,
    /// A namespace below `svc` or `pod`: there if the namespace is, and without records of its own.
    Namespace(String),
    /// A pod by its address; `None` if the label is none.
    Pod {
        namespace: String,
        address: Option<IpAddr>,
    },
    /// A Service, or a part of it.
    Service {
        namespace: String,
        name: String,
        part: Part,
    },
    /// Nothing that the specification knows.
    Nothing,
}

/// A part of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The endpoints of this label alone.
    pub(crate) endpoint: Option<String>,
    /// The port of this name and protocol alone.
    pub(crate) port: Option<(String, String)>,
}

/// Reads a name that is in `domain`.
pub(crate) fn read(name: &Name, domain: &Name) -> Asked {
    let own = usize::from(name.num_labels().saturating_sub(domain.num_labels()));
    let Some(labels) = labels(name, own) else {
        return Asked::Nothing;
    };
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    match labels.as_slice() {
        [] | ["svc" | "pod"] => Asked::Apex,
        ["dns-version"] => Asked::Version,
        ["ns", "dns"] => Asked::NameServer,
        [namespace, "svc" | "pod"] => Asked::Namespace((*namespace).to_owned()),
        [pod, namespace, "pod"] => Asked::Pod {
            namespace: (*namespace).to_owned(),
            address: pod_address(pod),
        },
        [name, namespace, "svc"] => service(name, namespace, Part::default()),
        [endpoint, name, namespace, "svc"] => {
            let part = Part {
                endpoint: Some((*endpoint).to_owned()),
                port: None,
            };
            service(name, namespace, part)
        }
        [port, protocol, name, namespace, "svc"] => {
            let bare = |label: &str| label.strip_prefix('_').unwrap_or(label).to_owned();
            let part = Part {
                endpoint: None,
                port: Some((bare(port), bare(protocol))),
            };
            service(name, namespace, part)
        }
        _ => Asked::Nothing,
    }
}

fn service(name: &str, namespace: &str, part: Part) -> Asked {
    Asked::Service {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        part,
    }
}

/// The first labels of a name in lower case; `None` if one of them is no text.
pub(crate) fn labels(name: &Name, count: usize) -> Option<Vec<String>> {
    let labels = name.iter().take(count);
    labels
        .map(|label| std::str::from_utf8(label).ok().map(str::to_ascii_lowercase))
        .collect()
}

/// `10-0-0-1` or `fd00--1` as the address that it stands for.
fn pod_address(label: &str) -> Option<IpAddr> {
    let is_v4 = label.matches('-').count() == 3 && !label.contains("--");
    label.replace('-', if is_v4 { "." } else { ":" }).parse().ok()
}

/// The address that a name below `in-addr.arpa` or `ip6.arpa` stands for.
pub(crate) fn reversed(name: &Name) -> Option<IpAddr> {
    let labels = labels(name, usize::from(name.num_labels()))?;
    let labels: Vec<&str> = labels.iter().rev().map(String::as_str).collect();
    match labels.as_slice() {
        ["arpa", "in-addr", numbers @ ..] if numbers.len() == 4 => numbers.join(".").parse().ok(),
        ["arpa", "ip6", digits @ ..] if digits.len() == 32 && digits.iter().all(|digit| digit.len() == 1) => {
            let groups: Vec<String> = digits.chunks(4).map(<[&str]>::concat).collect();
            groups.join(":").parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(name: &str) -> Asked {
        let domain = Name::from_ascii("cluster.local.").unwrap();
        read(&Name::from_ascii(name).unwrap(), &domain)
    }

    #[test]
    fn names_are_read_as_the_specification_has_them() {
        let web = |part| service("web", "shop", part);
        for (name, expect) in [
            ("cluster.local.", Asked::Apex),
            ("SVC.cluster.local.", Asked::Apex),
            ("pod.cluster.local.", Asked::Apex),
            ("dns-version.cluster.local.", Asked::Version),
            ("ns.dns.cluster.local.", Asked::NameServer),
            ("shop.svc.cluster.local.", Asked::Namespace("shop".into())),
            ("shop.pod.cluster.local.", Asked::Namespace("shop".into())),
            ("Web.Shop.svc.Cluster.Local.", web(Part::default())),
            (
                "web-0.web.shop.svc.cluster.local.",
                web(Part {
                    endpoint: Some("web-0".into()),
                    port: None,
                }),
            ),
            (
                "_http._tcp.web.shop.svc.cluster.local.",
                web(Part {
                    endpoint: None,
                    port: Some(("http".into(), "tcp".into())),
                }),
            ),
            ("a._http._tcp.web.shop.svc.cluster.local.", Asked::Nothing),
            ("x.1-2-3-4.shop.pod.cluster.local.", Asked::Nothing),
            ("other.cluster.local.", Asked::Nothing),
            ("shop.other.cluster.local.", Asked::Nothing),
        ] {
            assert_eq!(asked(name), expect, "{name}");
        }
    }

    #[test]
    fn pods_are_named_by_their_address() {
        for (label, expect) in [
            ("10-0-0-1", Some("10.0.0.1")),
            ("1234-abcd--1", Some("1234:abcd::1")),
            ("1-2-3", None),
            ("10-0-0-300", None),
            ("web", None),
        ] {
            assert_eq!(
                pod_address(label),
                expect.map(|text| text.parse().unwrap()),
                "{label}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_reversed_address_is_the_address(octets: [u8; 4], wide: u128) {
            let [a, b, c, d] = octets;
            let name = Name::from_ascii(format!("{d}.{c}.{b}.{a}.in-addr.arpa.")).unwrap();
            prop_assert_eq!(reversed(&name), Some(IpAddr::from(octets)));
            let digits: Vec<String> = format!("{wide:032x}").chars().rev().map(String::from).collect();
            let name = Name::from_ascii(format!("{}.ip6.arpa.", digits.join("."))).unwrap();
            prop_assert_eq!(reversed(&name), Some(IpAddr::from(std::net::Ipv6Addr::from_bits(wide))));
        }

        #[test]
        fn any_name_is_read(labels in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let name = Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap();
            let domain = Name::from_ascii("cluster.local.").unwrap();
            let inside = name.clone().append_domain(&domain).unwrap();
            read(&inside, &domain);
            reversed(&name);
        }
    }
}
