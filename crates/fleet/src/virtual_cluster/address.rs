//! Where clients reach a virtual cluster, and the names that its certificate is for. Pure.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use warren_config::VirtualCluster;

use super::host_objects;
use crate::options::Options;

const HTTPS: u16 = 443;

/// The server for kubeconfigs, unless `exportKubeConfig.server` says otherwise: what is configured, the front door, the
/// host Service where Warren is a pod of the host, else the listener itself.
pub(super) fn server(
    options: &Options,
    front_door: Option<SocketAddr>,
    wanted: &VirtualCluster,
    listener: SocketAddr,
) -> String {
    let endpoint = &wanted.spec.control_plane.endpoint;
    if !endpoint.is_empty() {
        return format!("https://{}", endpoint.trim_start_matches("https://"));
    }
    if let (Some(door), Some(open)) = (&options.front_door, front_door) {
        let port = door.public_port.unwrap_or(open.port());
        return with_port(&door.host_name(&wanted.key), port);
    }
    if options.home.is_some() && wanted.spec.control_plane.service.enabled {
        return format!("https://{}.{}.svc", wanted.key.name, wanted.key.namespace);
    }
    let ip = match listener.ip() {
        ip if ip.is_unspecified() => options.advertise.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ip => ip,
    };
    format!("https://{}", SocketAddr::new(ip, listener.port()))
}

fn with_port(name: &str, port: u16) -> String {
    match port {
        HTTPS => format!("https://{name}"),
        port => format!("https://{name}:{port}"),
    }
}

/// The names and addresses that the certificate is for, beside those that every cluster has.
pub(super) fn names(options: &Options, wanted: &VirtualCluster, service_ip: Option<&str>) -> Vec<String> {
    let control_plane = &wanted.spec.control_plane;
    let mut names = control_plane.proxy.extra_sans.clone();
    names.extend(service_ip.map(str::to_owned));
    names.extend(host_objects::names(wanted));
    names.extend(
        options
            .front_door
            .as_ref()
            .map(|door| door.host_name(&wanted.key)),
    );
    if !control_plane.endpoint.is_empty() {
        names.push(host_of(&control_plane.endpoint).to_owned());
    }
    if control_plane.ingress.enabled {
        names.push(control_plane.ingress.host.clone());
    }
    if let Some(server) = wanted.spec.export_kube_config.server.as_deref() {
        names.push(host_of(server).to_owned());
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The host of `https://host:port/path`, whatever of that is there.
fn host_of(server: &str) -> &str {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let rest = rest.split(['/', '?']).next().unwrap_or(rest);
    if let Some(inner) = rest.strip_prefix('[') {
        return inner.split(']').next().unwrap_or(inner);
    }
    rest.split(':').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::front_door::FrontDoor;

    fn wanted(spec: Value) -> VirtualCluster {
        VirtualCluster::read(&json!({"metadata": {"name": "demo", "namespace": "team-a"}, "spec": spec}))
            .unwrap()
    }

    fn door() -> FrontDoor {
        FrontDoor {
            address: SocketAddr::from(([0, 0, 0, 0], 8443)),
            domain: "k8s.example".to_owned(),
            public_port: Some(443),
        }
    }

    #[test]
    fn the_best_address_that_there_is_goes_into_kubeconfigs() {
        let listener = SocketAddr::from(([127, 0, 0, 1], 7001));
        let open = Some(SocketAddr::from(([0, 0, 0, 0], 8443)));
        let plain = Options::in_memory();
        let in_pod = Options {
            home: Some("warren-system".to_owned()),
            ..Options::in_memory()
        };
        let behind_door = Options {
            front_door: Some(door()),
            ..in_pod.clone()
        };
        let cases = [
            (&plain, None, json!({}), "https://127.0.0.1:7001"),
            (&in_pod, None, json!({}), "https://demo.team-a.svc"),
            (
                &in_pod,
                None,
                json!({"controlPlane": {"service": {"enabled": false}}}),
                "https://127.0.0.1:7001",
            ),
            (&behind_door, open, json!({}), "https://demo.team-a.k8s.example"),
            (
                &behind_door,
                open,
                json!({"controlPlane": {"endpoint": "a.example:6443"}}),
                "https://a.example:6443",
            ),
        ];
        for (options, front_door, spec, expect) in cases {
            assert_eq!(server(options, front_door, &wanted(spec), listener), expect);
        }
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 7001));
        let advertised = Options {
            advertise: Some(IpAddr::from([192, 0, 2, 7])),
            ..Options::in_memory()
        };
        assert_eq!(
            server(&advertised, None, &wanted(json!({})), everywhere),
            "https://192.0.2.7:7001"
        );
    }

    #[test]
    fn the_certificate_is_for_every_way_to_the_api() {
        let options = Options {
            front_door: Some(door()),
            ..Options::in_memory()
        };
        let spec = json!({"controlPlane": {"endpoint": "a.example:6443", "ingress": {"enabled": true, "host": "i.example"},
            "proxy": {"extraSANs": ["192.0.2.1"]}}, "exportKubeConfig": {"server": "https://[2001:db8::1]:443/x"}});
        assert_eq!(
            names(&options, &wanted(spec), Some("10.96.0.7")),
            [
                "192.0.2.1",
                "10.96.0.7",
                "demo",
                "demo.team-a",
                "demo.team-a.svc",
                "demo.team-a.svc.cluster.local",
                "demo.team-a.k8s.example",
                "a.example",
                "i.example",
                "2001:db8::1"
            ]
        );
    }
}
