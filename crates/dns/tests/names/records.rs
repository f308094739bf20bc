//! What is answered from the cluster alone.

use hickory_proto::rr::RecordType::{self, A, AAAA, ANY, AXFR, CNAME, HTTPS, MX, NS, PTR, SOA, SRV, TXT};
use warren_dns::{Decision, decide};

use crate::cluster::{Given, cluster};
use crate::{lines, query};

const NODATA: &[&str] = &["NoError", "SOA cluster.local. 5"];
const NO_NAME: &[&str] = &["NXDomain", "SOA cluster.local. 5"];

/// Asks for `name kind`.
#[track_caller]
fn check(name: &str, kind: RecordType, expect: &[&str]) {
    let given = Given::of(cluster());
    match decide(&given, &query(name, kind), 1) {
        Decision::Reply(reply) => assert_eq!(lines(&reply), expect, "{name} {kind}"),
        Decision::Forward => assert_eq!(["forward"], expect, "{name} {kind}"),
        Decision::Ask(question) => {
            let asked = question.query(1);
            let asked = asked.queries.first().unwrap();
            assert_eq!(
                [format!("ask {} {}", asked.name, asked.query_type)].as_slice(),
                expect,
                "{name} {kind}"
            );
        }
    }
}

#[test]
fn a_service_is_its_cluster_addresses() {
    check(
        "svc1.testns.svc.cluster.local",
        A,
        &["NoError", "svc1.testns.svc.cluster.local. 5 A 10.0.0.1"],
    );
    check("svc1.testns.svc.cluster.local", AAAA, NODATA);
    check(
        "svc6.testns.svc.cluster.local",
        AAAA,
        &["NoError", "svc6.testns.svc.cluster.local. 5 AAAA 1234:abcd::1"],
    );
    check("svc6.testns.svc.cluster.local", A, NODATA);
    check(
        "svc-dual-stack.testns.svc.cluster.local",
        A,
        &["NoError", "svc-dual-stack.testns.svc.cluster.local. 5 A 10.0.0.3"],
    );
    check(
        "svc-dual-stack.testns.svc.cluster.local",
        AAAA,
        &["NoError", "svc-dual-stack.testns.svc.cluster.local. 5 AAAA 10::3"],
    );
    check("waits.testns.svc.cluster.local", A, NODATA);
}

#[test]
fn a_headless_service_is_its_ready_endpoints() {
    check(
        "hdls1.testns.svc.cluster.local",
        A,
        &[
            "NoError",
            "hdls1.testns.svc.cluster.local. 5 A 172.0.0.2",
            "hdls1.testns.svc.cluster.local. 5 A 172.0.0.3",
            "hdls1.testns.svc.cluster.local. 5 A 172.0.0.4",
            "hdls1.testns.svc.cluster.local. 5 A 172.0.0.5",
        ],
    );
    check(
        "hdls1.testns.svc.cluster.local",
        AAAA,
        &[
            "NoError",
            "hdls1.testns.svc.cluster.local. 5 AAAA 5678:abcd::1",
            "hdls1.testns.svc.cluster.local. 5 AAAA 5678:abcd::2",
        ],
    );
    check(
        "hdlsprtls.testns.svc.cluster.local",
        A,
        &["NoError", "hdlsprtls.testns.svc.cluster.local. 5 A 172.0.0.20"],
    );
    check("unready.testns.svc.cluster.local", A, NO_NAME);
}

#[test]
fn an_endpoint_has_its_hostname_or_its_address_for_a_name() {
    check(
        "db-1.db.shop.svc.cluster.local",
        A,
        &["NoError", "db-1.db.shop.svc.cluster.local. 5 A 10.1.0.2"],
    );
    check("10-1-0-2.db.shop.svc.cluster.local", A, NO_NAME);
    check(
        "172-0-0-2.hdls1.testns.svc.cluster.local",
        A,
        &[
            "NoError",
            "172-0-0-2.hdls1.testns.svc.cluster.local. 5 A 172.0.0.2",
        ],
    );
    check(
        "172-0-0-20.hdlsprtls.testns.svc.cluster.local",
        A,
        &[
            "NoError",
            "172-0-0-20.hdlsprtls.testns.svc.cluster.local. 5 A 172.0.0.20",
        ],
    );
    check(
        "5678-abcd--2.hdls1.testns.svc.cluster.local",
        AAAA,
        &[
            "NoError",
            "5678-abcd--2.hdls1.testns.svc.cluster.local. 5 AAAA 5678:abcd::2",
        ],
    );
    check(
        "dup-name.hdls1.testns.svc.cluster.local",
        A,
        &[
            "NoError",
            "dup-name.hdls1.testns.svc.cluster.local. 5 A 172.0.0.4",
            "dup-name.hdls1.testns.svc.cluster.local. 5 A 172.0.0.5",
        ],
    );
    check(
        "172-0-1-1.svc1.testns.svc.cluster.local",
        A,
        &[
            "NoError",
            "172-0-1-1.svc1.testns.svc.cluster.local. 5 A 172.0.1.1",
        ],
    );
    check("bogusendpoint.hdls1.testns.svc.cluster.local", A, NO_NAME);
    check("bogusendpoint.svc0.testns.svc.cluster.local", A, NO_NAME);
}

#[test]
fn a_named_port_is_found_with_its_targets() {
    check(
        "_http._tcp.svc1.testns.svc.cluster.local",
        SRV,
        &[
            "NoError",
            "_http._tcp.svc1.testns.svc.cluster.local. 5 SRV 0 100 80 svc1.testns.svc.cluster.local.",
            "; svc1.testns.svc.cluster.local. 5 A 10.0.0.1",
        ],
    );
    check(
        "svc-dual-stack.testns.svc.cluster.local",
        SRV,
        &[
            "NoError",
            "svc-dual-stack.testns.svc.cluster.local. 5 SRV 0 50 80 svc-dual-stack.testns.svc.cluster.local.",
            "; svc-dual-stack.testns.svc.cluster.local. 5 A 10.0.0.3",
            "; svc-dual-stack.testns.svc.cluster.local. 5 AAAA 10::3",
        ],
    );
    let srv = "_http._tcp.hdls1.testns.svc.cluster.local. 5 SRV 0 16 80";
    let in_it = "hdls1.testns.svc.cluster.local.";
    let expect = [
        "NoError".to_owned(),
        format!("{srv} 172-0-0-2.{in_it}"),
        format!("{srv} 172-0-0-3.{in_it}"),
        format!("{srv} 5678-abcd--1.{in_it}"),
        format!("{srv} 5678-abcd--2.{in_it}"),
        format!("{srv} dup-name.{in_it}"),
        format!("; 172-0-0-2.{in_it} 5 A 172.0.0.2"),
        format!("; 172-0-0-3.{in_it} 5 A 172.0.0.3"),
        format!("; 5678-abcd--1.{in_it} 5 AAAA 5678:abcd::1"),
        format!("; 5678-abcd--2.{in_it} 5 AAAA 5678:abcd::2"),
        format!("; dup-name.{in_it} 5 A 172.0.0.4"),
        format!("; dup-name.{in_it} 5 A 172.0.0.5"),
    ];
    let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    check("_http._tcp.hdls1.testns.svc.cluster.local", SRV, &expect);
    check(
        "_dns._udp.kube-dns.kube-system.svc.cluster.local",
        SRV,
        &[
            "NoError",
            "_dns._udp.kube-dns.kube-system.svc.cluster.local. 5 SRV 0 100 53 kube-dns.kube-system.svc.cluster.local.",
            "; kube-dns.kube-system.svc.cluster.local. 5 A 10.0.0.10",
        ],
    );
    check("_dns._tcp.kube-dns.kube-system.svc.cluster.local", SRV, NO_NAME);
    check("_https._tcp.svc1.testns.svc.cluster.local", SRV, NO_NAME);
    check("hdlsprtls.testns.svc.cluster.local", SRV, NODATA);
}

#[test]
fn a_pod_is_named_by_its_address_in_a_namespace_that_exists() {
    check(
        "10-240-0-1.testns.pod.cluster.local",
        A,
        &["NoError", "10-240-0-1.testns.pod.cluster.local. 5 A 10.240.0.1"],
    );
    check(
        "1234-abcd--1.testns.pod.cluster.local",
        AAAA,
        &[
            "NoError",
            "1234-abcd--1.testns.pod.cluster.local. 5 AAAA 1234:abcd::1",
        ],
    );
    check("10-240-0-1.testns.pod.cluster.local", AAAA, NODATA);
    check("10-240-0-1.nowhere.pod.cluster.local", A, NO_NAME);
    check("10-240-0-999.testns.pod.cluster.local", A, NO_NAME);
    check("web.testns.pod.cluster.local", A, NO_NAME);
}

#[test]
fn what_exists_without_records_is_no_unknown_name() {
    for name in [
        "cluster.local",
        "svc.cluster.local",
        "pod.cluster.local",
        "testns.svc.cluster.local",
        "shop.pod.cluster.local",
    ] {
        check(name, A, NODATA);
        check(name, HTTPS, NODATA);
    }
    for name in [
        "foo.cluster.local",
        "foo.svc.cluster.local",
        "svc0.testns.svc.cluster.local",
        "svc0.nons.svc.cluster.local",
        "a.b.c.svc1.testns.svc.cluster.local",
    ] {
        for kind in [A, AAAA, TXT, NS, SRV, MX] {
            check(name, kind, NO_NAME);
        }
    }
    for kind in [TXT, MX, HTTPS, NS, SOA, CNAME, PTR, ANY] {
        check("svc1.testns.svc.cluster.local", kind, NODATA);
    }
    check("*.testns.svc.cluster.local", A, NO_NAME);
    check("any.any.svc.cluster.local", A, NO_NAME);
}

#[test]
fn the_domain_names_itself() {
    check(
        "dns-version.cluster.local",
        TXT,
        &["NoError", "dns-version.cluster.local. 28800 TXT 1.1.0"],
    );
    check(
        "cluster.local",
        SOA,
        &[
            "NoError",
            "cluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5",
        ],
    );
    check(
        "cluster.local",
        NS,
        &[
            "NoError",
            "cluster.local. 5 NS kube-dns.kube-system.svc.cluster.local.",
            "; kube-dns.kube-system.svc.cluster.local. 5 A 10.0.0.10",
        ],
    );
    check(
        "ns.dns.cluster.local",
        A,
        &["NoError", "ns.dns.cluster.local. 5 A 10.0.0.10"],
    );
    check("cluster.local", AXFR, &["Refused"]);
}

#[test]
fn an_external_name_is_an_alias_that_is_followed() {
    let alias = "external-to-service.testns.svc.cluster.local. 5 CNAME svc1.testns.svc.cluster.local.";
    check(
        "external-to-service.testns.svc.cluster.local",
        A,
        &["NoError", alias, "svc1.testns.svc.cluster.local. 5 A 10.0.0.1"],
    );
    check(
        "external-to-service.testns.svc.cluster.local",
        CNAME,
        &["NoError", alias],
    );
    check("external-to-service.testns.svc.cluster.local", AAAA, NODATA);
    check(
        "external.testns.svc.cluster.local",
        CNAME,
        &[
            "NoError",
            "external.testns.svc.cluster.local. 5 CNAME ext.interwebs.test.",
        ],
    );
    check(
        "external.testns.svc.cluster.local",
        A,
        &["ask ext.interwebs.test. A"],
    );
    check("external.testns.svc.cluster.local", SRV, NODATA);
    check("endpoint.external.testns.svc.cluster.local", CNAME, NO_NAME);
    check("external-to-nothing.testns.svc.cluster.local", A, NODATA);
    check("external-address.testns.svc.cluster.local", A, NO_NAME);
    check("loop-a.testns.svc.cluster.local", A, NODATA);
}

#[test]
fn addresses_lead_back_to_names() {
    check(
        "1.0.0.10.in-addr.arpa",
        PTR,
        &[
            "NoError",
            "1.0.0.10.in-addr.arpa. 5 PTR svc1.testns.svc.cluster.local.",
        ],
    );
    check(
        "2.0.1.10.in-addr.arpa",
        PTR,
        &[
            "NoError",
            "2.0.1.10.in-addr.arpa. 5 PTR db-1.db.shop.svc.cluster.local.",
        ],
    );
    check(
        "2.0.0.172.in-addr.arpa",
        PTR,
        &[
            "NoError",
            "2.0.0.172.in-addr.arpa. 5 PTR 172-0-0-2.hdls1.testns.svc.cluster.local.",
        ],
    );
    let six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.c.b.a.4.3.2.1.ip6.arpa";
    check(
        six,
        PTR,
        &["NoError", &format!("{six}. 5 PTR svc6.testns.svc.cluster.local.")],
    );
    check(
        "1.0.0.10.in-addr.arpa",
        A,
        &["NoError", "SOA 0.0.10.in-addr.arpa. 5"],
    );
    check("1.1.168.192.in-addr.arpa", PTR, &["forward"]);
    check("0.10.in-addr.arpa", PTR, &["forward"]);
}

#[test]
fn the_case_of_a_query_does_not_matter_and_comes_back() {
    check(
        "SVC1.TestNS.svc.CLUSTER.local",
        A,
        &["NoError", "SVC1.TestNS.svc.CLUSTER.local. 5 A 10.0.0.1"],
    );
    check(
        "nothing.TestNS.svc.CLUSTER.local",
        A,
        &["NXDomain", "SOA CLUSTER.local. 5"],
    );
    check(
        "DNS-Version.cluster.LOCAL",
        TXT,
        &["NoError", "DNS-Version.cluster.LOCAL. 28800 TXT 1.1.0"],
    );
}

#[test]
fn what_is_not_of_the_cluster_is_forwarded() {
    for name in ["example.com", "kubernetes", "notcluster.local", "local", "."] {
        check(name, A, &["forward"]);
    }
    check("example.com", ANY, &["NoError", "example.com. 5 HINFO RFC8482 "]);
}

/// What upstream's end-to-end tests look up, in the form that a pod's search path gives it.
#[test]
fn the_names_of_upstreams_end_to_end_tests_are_there() {
    let pod = "10-1-0-2.shop.pod.cluster.local";
    check(pod, A, &["NoError", &format!("{pod}. 5 A 10.1.0.2")]);
    for name in ["db.shop.svc.cluster.local", "db-0.db.shop.svc.cluster.local"] {
        let given = Given::of(cluster());
        let Decision::Reply(reply) = decide(&given, &query(name, A), 1) else {
            panic!("{name}")
        };
        assert!(
            !reply.answers.is_empty() && reply.authoritative && reply.recursion_available,
            "{name}"
        );
    }
    check(
        "_postgres._tcp.db.shop.svc.cluster.local",
        SRV,
        &[
            "NoError",
            "_postgres._tcp.db.shop.svc.cluster.local. 5 SRV 0 50 5432 db-0.db.shop.svc.cluster.local.",
            "_postgres._tcp.db.shop.svc.cluster.local. 5 SRV 0 50 5432 db-1.db.shop.svc.cluster.local.",
            "; db-0.db.shop.svc.cluster.local. 5 A 10.1.0.1",
            "; db-1.db.shop.svc.cluster.local. 5 A 10.1.0.2",
        ],
    );
}
