//! A cluster of few services, in memory.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use warren_dns::{Endpoint, Port, Reach, Service, ServiceName, Settings, Slice, Source, View};

/// Name, namespace, Service, slices.
type Entry = (&'static str, &'static str, Service, Vec<Slice>);

/// The cluster at one moment.
#[derive(Clone, Default)]
pub(crate) struct Cluster {
    pub(crate) namespaces: Vec<&'static str>,
    pub(crate) services: Vec<Entry>,
}

/// What a server is given.
pub(crate) struct Given {
    pub(crate) cluster: Mutex<Cluster>,
    pub(crate) host: Option<Cluster>,
    pub(crate) neighbour: Option<Cluster>,
    pub(crate) settings: Settings,
}

impl Given {
    pub(crate) fn of(cluster: Cluster) -> Self {
        Self {
            cluster: Mutex::new(cluster),
            host: None,
            neighbour: None,
            settings: Settings::of("cluster.local"),
        }
    }
}

impl Source for Given {
    fn settings(&self) -> Arc<Settings> {
        Arc::new(self.settings.clone())
    }

    fn view(&self) -> Option<Box<dyn View>> {
        Some(Box::new(self.cluster.lock().unwrap().clone()))
    }

    fn host(&self) -> Option<Box<dyn View>> {
        Some(Box::new(self.host.clone()?))
    }

    fn neighbour(&self, host_namespace: &str, name: &str) -> Option<Box<dyn View>> {
        let known = (host_namespace, name) == ("tenants", "other");
        Some(Box::new(self.neighbour.clone().filter(|_| known)?))
    }
}

impl View for Cluster {
    fn namespace(&self, name: &str) -> bool {
        self.namespaces.contains(&name)
    }

    fn service(&self, namespace: &str, name: &str) -> Option<Service> {
        let mut found = self
            .services
            .iter()
            .filter(|entry| (entry.1, entry.0) == (namespace, name));
        found.next().map(|entry| entry.2.clone())
    }

    fn endpoints(&self, namespace: &str, service: &str) -> Vec<Slice> {
        let mut found = self
            .services
            .iter()
            .filter(|entry| (entry.1, entry.0) == (namespace, service));
        found.next().map(|entry| entry.3.clone()).unwrap_or_default()
    }

    fn service_at(&self, address: IpAddr) -> Option<ServiceName> {
        let mut found = self.services.iter();
        let has =
            |service: &Service| matches!(&service.reach, Reach::Addresses(all) if all.contains(&address));
        found.find(|entry| has(&entry.2)).map(named)
    }

    fn endpoints_at(&self, address: IpAddr) -> Vec<(ServiceName, Slice)> {
        let all = self
            .services
            .iter()
            .flat_map(|entry| entry.3.iter().map(move |slice| (entry, slice)));
        let holds = |slice: &Slice| slice.endpoints.iter().any(|e| e.addresses.contains(&address));
        all.filter(|(_, slice)| holds(slice))
            .map(|(entry, slice)| (named(entry), slice.clone()))
            .collect()
    }
}

fn named(entry: &Entry) -> ServiceName {
    ServiceName {
        namespace: entry.1.to_owned(),
        name: entry.0.to_owned(),
    }
}

pub(crate) fn port(name: &str, number: u16) -> Port {
    Port {
        name: name.to_owned(),
        protocol: "TCP".to_owned(),
        number: Some(number),
    }
}

pub(crate) fn endpoint(address: &str, hostname: Option<&str>) -> Endpoint {
    Endpoint {
        addresses: vec![address.parse().unwrap()],
        hostname: hostname.map(str::to_owned),
    }
}

fn at(addresses: &[&str], ports: Vec<Port>) -> Service {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Service {
        reach: Reach::Addresses(addresses),
        ports,
    }
}

fn headless(ports: Vec<Port>) -> Service {
    Service {
        reach: Reach::Headless,
        ports,
    }
}

fn external(name: &str) -> Service {
    Service {
        reach: Reach::External(name.to_owned()),
        ports: Vec::new(),
    }
}

/// The services whose answers CoreDNS' own tests name, and those of a StatefulSet.
pub(crate) fn cluster() -> Cluster {
    let http = || vec![port("http", 80)];
    let slice = |ports: Vec<Port>, endpoints: Vec<Endpoint>| Slice { ports, endpoints };
    let many = vec![
        endpoint("172.0.0.2", None),
        endpoint("172.0.0.3", None),
        endpoint("5678:abcd::1", None),
        endpoint("5678:abcd::2", None),
        endpoint("172.0.0.4", Some("dup-name")),
        endpoint("172.0.0.5", Some("dup-name")),
    ];
    let of_set = vec![
        endpoint("10.1.0.1", Some("db-0")),
        endpoint("10.1.0.2", Some("db-1")),
    ];
    let dns = vec![
        Port {
            name: "dns".into(),
            protocol: "UDP".into(),
            number: Some(53),
        },
        port("dns-tcp", 53),
    ];
    Cluster {
        namespaces: vec!["testns", "kube-system", "shop"],
        services: vec![
            (
                "svc1",
                "testns",
                at(&["10.0.0.1"], http()),
                vec![slice(http(), vec![endpoint("172.0.1.1", None)])],
            ),
            ("svc6", "testns", at(&["1234:abcd::1"], http()), vec![]),
            (
                "svc-dual-stack",
                "testns",
                at(&["10.0.0.3", "10::3"], http()),
                vec![],
            ),
            ("waits", "testns", at(&[], http()), vec![]),
            ("hdls1", "testns", headless(http()), vec![slice(http(), many)]),
            (
                "hdlsprtls",
                "testns",
                headless(vec![]),
                vec![slice(vec![], vec![endpoint("172.0.0.20", None)])],
            ),
            ("unready", "testns", headless(http()), vec![slice(http(), vec![])]),
            ("external", "testns", external("ext.interwebs.test"), vec![]),
            (
                "external-to-service",
                "testns",
                external("svc1.testns.svc.cluster.local."),
                vec![],
            ),
            (
                "external-to-nothing",
                "testns",
                external("gone.testns.svc.cluster.local"),
                vec![],
            ),
            ("external-address", "testns", external("1.2.3.4"), vec![]),
            (
                "loop-a",
                "testns",
                external("loop-b.testns.svc.cluster.local"),
                vec![],
            ),
            (
                "loop-b",
                "testns",
                external("loop-a.testns.svc.cluster.local"),
                vec![],
            ),
            (
                "db",
                "shop",
                headless(vec![port("postgres", 5432)]),
                vec![slice(vec![port("postgres", 5432)], of_set)],
            ),
            ("kube-dns", "kube-system", at(&["10.0.0.10"], dns), vec![]),
        ],
    }
}
