//! The records of a name in a cluster's domain. Pure.

use std::net::IpAddr;

use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::name::{Asked, Part};
use crate::settings::Settings;
use crate::view::{Port, Reach, ServiceName, View};

/// How long an answer may be kept, in seconds: CoreDNS's.
pub(crate) const TTL: u32 = 5;
/// The version of the specification never changes while we run.
const VERSION_TTL: u32 = 28_800;
const VERSION: &str = "1.1.0";

/// What stands behind a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no such name.
    Nothing,
    /// Addresses, perhaps none of them: the name exists.
    Backends(Vec<Backend>),
    /// Another name.
    Alias(String),
}

/// An address with a port of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// The labels in front of the domain that name exactly this address, in lower case.
    owner: Vec<String>,
    address: IpAddr,
    /// `None` where no port is known.
    port: Option<u16>,
}

/// Looks up what a name stands for.
pub(crate) fn find(view: &dyn View, settings: &Settings, asked: &Asked) -> Found {
    let exists = |namespace: &String| view.namespace(namespace);
    match asked {
        Asked::Nothing => Found::Nothing,
        Asked::Apex | Asked::Version => Found::Backends(Vec::new()),
        Asked::NameServer => Found::Backends(name_server(view, &settings.server)),
        Asked::Namespace(namespace) if exists(namespace) => Found::Backends(Vec::new()),
        Asked::Pod {
            namespace,
            address: Some(address),
        } if exists(namespace) => Found::Backends(vec![Backend {
            owner: Vec::new(),
            address: *address,
            port: None,
        }]),
        Asked::Service {
            namespace,
            name,
            part,
        } if exists(namespace) => service(view, namespace, name, part),
        Asked::Namespace(_) | Asked::Pod { .. } | Asked::Service { .. } => Found::Nothing,
    }
}

/// The addresses of the Service that stands for this server.
fn name_server(view: &dyn View, server: &ServiceName) -> Vec<Backend> {
    match service(view, &server.namespace, &server.name, &Part::default()) {
        Found::Backends(backends) => backends,
        _ => Vec::new(),
    }
}

fn service(view: &dyn View, namespace: &str, name: &str, part: &Part) -> Found {
    let Some(service) = view.service(namespace, name) else {
        return Found::Nothing;
    };
    let owner = |first: Option<String>| -> Vec<String> {
        let rest = [name, namespace, "svc"].map(str::to_owned);
        first.into_iter().chain(rest).collect()
    };
    let mut backends = Vec::new();
    let is_whole = *part == Part::default();
    match service.reach {
        // A name that is an address is no alias.
        Reach::External(target) if is_whole && target.parse::<IpAddr>().is_err() => {
            return Found::Alias(target);
        }
        Reach::External(_) => return Found::Nothing,
        Reach::Addresses(addresses) if part.endpoint.is_none() => {
            for port in ports(&service.ports, part) {
                backends.extend(addresses.iter().map(|address| Backend {
                    owner: owner(None),
                    address: *address,
                    port: port.number,
                }));
            }
            // A Service that waits for its addresses is there, too.
            if addresses.is_empty() && is_whole {
                return Found::Backends(Vec::new());
            }
        }
        Reach::Addresses(_) | Reach::Headless => {
            for slice in view.endpoints(namespace, name) {
                let places = slice.endpoints.iter().flat_map(|endpoint| {
                    let addresses = endpoint.addresses.iter();
                    addresses.map(move |address| (*address, endpoint.label(*address)))
                });
                let is_meant = |label: &str| {
                    let wanted = part.endpoint.as_deref();
                    wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(label))
                };
                for (address, label) in places.filter(|(_, label)| is_meant(label)) {
                    backends.extend(ports(&slice.ports, part).map(|port| Backend {
                        owner: owner(Some(label.clone())),
                        address,
                        port: port.number,
                    }));
                }
            }
        }
    }
    if backends.is_empty() {
        return Found::Nothing;
    }
    Found::Backends(backends)
}

/// The ports that are asked for. What has none counts as having one of no number, so that it is found by its name.
fn ports<'a>(ports: &'a [Port], part: &'a Part) -> impl Iterator<Item = Port> + 'a {
    let none = ports.is_empty().then(Port::default);
    let wanted = part.port.as_ref();
    ports.iter().cloned().chain(none).filter(move |port| {
        wanted.is_none_or(|(name, protocol)| {
            port.name.eq_ignore_ascii_case(name) && port.protocol.eq_ignore_ascii_case(protocol)
        })
    })
}

/// The records of one type for a name in `domain`, and those that a client will want next.
pub(crate) fn records(
    name: &Name,
    domain: &Name,
    backends: &[Backend],
    kind: RecordType,
) -> (Vec<Record>, Vec<Record>) {
    match kind {
        RecordType::A | RecordType::AAAA => (addresses(name, backends, kind), Vec::new()),
        RecordType::SRV => services(name, domain, backends),
        _ => (Vec::new(), Vec::new()),
    }
}

/// A or AAAA records, each address once.
fn addresses(name: &Name, backends: &[Backend], kind: RecordType) -> Vec<Record> {
    let mut seen = std::collections::HashSet::new();
    let wanted = backends
        .iter()
        .map(|backend| backend.address)
        .filter(|address| address.is_ipv4() == (kind == RecordType::A));
    wanted
        .filter(|address| seen.insert(*address))
        .map(|address| of_address(name.clone(), address))
        .collect()
}

/// The record of an address.
pub(crate) fn of_address(name: Name, address: IpAddr) -> Record {
    let data = match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    Record::from_rdata(name, TTL, data)
}

/// SRV records, each target and port once, with the addresses of the targets. The weights are shares of one hundred.
fn services(name: &Name, domain: &Name, backends: &[Backend]) -> (Vec<Record>, Vec<Record>) {
    let share = u16::try_from(100 / backends.len().max(1))
        .unwrap_or_default()
        .max(1);
    let (mut answers, mut additionals) = (Vec::new(), Vec::new());
    let mut seen_ports = std::collections::HashSet::new();
    let mut seen_addresses = std::collections::HashSet::new();
    for backend in backends {
        let Some(port) = backend.port else { continue };
        let Some(target) = below(&backend.owner, domain) else {
            continue;
        };
        if seen_ports.insert((&backend.owner, port)) {
            let data = RData::SRV(SRV::new(0, share, port, target.clone()));
            answers.push(Record::from_rdata(name.clone(), TTL, data));
        }
        if seen_addresses.insert((&backend.owner, backend.address)) {
            additionals.push(of_address(target, backend.address));
        }
    }
    (answers, additionals)
}

/// A name below a domain; `None` if it would be too long, or has a label that is too long.
pub(crate) fn below(labels: &[String], domain: &Name) -> Option<Name> {
    let first = Name::from_labels(labels.iter().map(String::as_bytes)).ok()?;
    first.append_domain(domain).ok()
}

/// The version of the specification.
pub(crate) fn version(name: &Name) -> Record {
    let data = RData::TXT(TXT::new(vec![VERSION.to_owned()]));
    Record::from_rdata(name.clone(), VERSION_TTL, data)
}

/// Another name.
pub(crate) fn alias(name: &Name, target: &Name) -> Record {
    Record::from_rdata(name.clone(), TTL, RData::CNAME(CNAME(target.clone())))
}

/// The name server of a domain, with its addresses: the Service that stands for it, if the cluster shows one.
pub(crate) fn name_servers(
    view: &dyn View,
    settings: &Settings,
    domain: &Name,
) -> (Vec<Record>, Vec<Record>) {
    let mut servers: Vec<Record> = Vec::new();
    let mut additionals: Vec<Record> = Vec::new();
    for backend in name_server(view, &settings.server) {
        let Some(target) = below(&backend.owner, domain) else {
            continue;
        };
        let server = Record::from_rdata(domain.clone(), TTL, RData::NS(NS(target.clone())));
        if !servers.contains(&server) {
            servers.push(server);
        }
        let address = of_address(target, backend.address);
        if !additionals.contains(&address) {
            additionals.push(address);
        }
    }
    (servers, additionals)
}

/// The names of an address: that of the Service whose it is, or those of its endpoints.
pub(crate) fn reverse(view: &dyn View, settings: &Settings, name: &Name, address: IpAddr) -> Vec<Record> {
    let domain = settings.primary();
    let named = |first: Option<String>, service: &ServiceName| {
        let rest = [&service.name, &service.namespace].map(|text| text.to_ascii_lowercase());
        let svc = "svc".to_owned();
        let labels: Vec<String> = first.into_iter().chain(rest).chain([svc]).collect();
        let target = below(&labels, &domain)?;
        Some(Record::from_rdata(name.clone(), TTL, RData::PTR(PTR(target))))
    };
    if let Some(service) = view.service_at(address) {
        return named(None, &service).into_iter().collect();
    }
    let mut found: Vec<Record> = Vec::new();
    for (service, slice) in view.endpoints_at(address) {
        let here = slice
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.addresses.contains(&address));
        for record in here.filter_map(|endpoint| named(Some(endpoint.label(address)), &service)) {
            if !found.contains(&record) {
                found.push(record);
            }
        }
    }
    found
}
