//! Custom entries, other domains, and what of the host is told.

use hickory_proto::rr::Name;
use hickory_proto::rr::RecordType::{self, A, AAAA, PTR};
use warren_dns::{Decision, Pattern, Rule, ServiceName, Settings, Target, Wanted, decide};

use crate::cluster::{Cluster, Given, cluster};
use crate::{lines, query};

#[track_caller]
fn check(given: &Given, name: &str, kind: RecordType, expect: &[&str]) {
    let found = match decide(given, &query(name, kind), 1) {
        Decision::Reply(reply) => lines(&reply),
        Decision::Forward => vec!["forward".to_owned()],
        Decision::Ask(question) => {
            let asked = question.query(1);
            vec![format!("ask {}", asked.queries.first().unwrap().name)]
        }
    };
    assert_eq!(found, expect, "{name} {kind}");
}

fn given(wanted: Wanted, target: Target) -> Given {
    let mut given = Given::of(cluster());
    given.settings.rules = vec![Rule { wanted, target }];
    given
}

fn hostname(text: &str) -> Wanted {
    Wanted::Hostname(Pattern::parse(text).unwrap())
}

fn service(text: &str) -> ServiceName {
    let (namespace, name) = text.split_once('/').unwrap();
    ServiceName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// The host, or another virtual cluster: it has `platform/db`.
fn other() -> Cluster {
    let mut other = cluster();
    other.namespaces.push("platform");
    for entry in &mut other.services {
        if entry.0 == "svc1" {
            (entry.0, entry.1) = ("db", "platform");
        }
    }
    other
}

#[test]
fn a_hostname_leads_to_an_address_or_to_another_name() {
    let address = given(hostname("db.example"), Target::Address([192, 0, 2, 1].into()));
    check(
        &address,
        "DB.example",
        A,
        &["NoError", "DB.example. 5 A 192.0.2.1"],
    );
    check(&address, "db.example", AAAA, &["NoError", "SOA cluster.local. 5"]);
    check(&address, "a.db.example", A, &["forward"]);
    let inside = Pattern::parse("svc1.testns.svc.cluster.local").unwrap();
    let name = given(hostname("api.example"), Target::Hostname(inside));
    check(
        &name,
        "api.example",
        A,
        &[
            "NoError",
            "api.example. 5 CNAME svc1.testns.svc.cluster.local.",
            "svc1.testns.svc.cluster.local. 5 A 10.0.0.1",
        ],
    );
    let outside = given(
        hostname("*.corp.example"),
        Target::Hostname(Pattern::parse("*.corp.internal").unwrap()),
    );
    check(&outside, "git.corp.example", A, &["ask git.corp.internal."]);
}

#[test]
fn a_service_of_the_host_is_given_out_under_the_name_that_was_asked() {
    let mut rule = given(
        Wanted::Service(service("shop/db")),
        Target::HostService(service("platform/db")),
    );
    check(&rule, "db.shop.svc.cluster.local", A, &["ServFail"]);
    rule.settings.host_domain = Some(Name::from_ascii("k8s.corp.").unwrap());
    check(
        &rule,
        "db.shop.svc.cluster.local",
        A,
        &["ask db.platform.svc.k8s.corp."],
    );
    rule.host = Some(other());
    check(
        &rule,
        "db.shop.svc.cluster.local",
        A,
        &["NoError", "db.shop.svc.cluster.local. 5 A 10.0.0.1"],
    );
    let mut all = given(
        Wanted::Namespace("shared".into()),
        Target::HostNamespace("platform".into()),
    );
    all.host = Some(other());
    check(
        &all,
        "db.shared.svc.cluster.local",
        A,
        &["NoError", "db.shared.svc.cluster.local. 5 A 10.0.0.1"],
    );
    check(
        &all,
        "nothing.shared.svc.cluster.local",
        A,
        &["NXDomain", "SOA cluster.local. 5"],
    );
}

#[test]
fn a_service_of_another_virtual_cluster_is_found() {
    let target = |cluster: &str| Target::VirtualService {
        host_namespace: "tenants".into(),
        cluster: cluster.into(),
        service: service("platform/db"),
    };
    let mut rule = given(hostname("db.other"), target("other"));
    rule.neighbour = Some(other());
    check(&rule, "db.other", A, &["NoError", "db.other. 5 A 10.0.0.1"]);
    check(
        &given(hostname("db.other"), target("unknown")),
        "db.other",
        A,
        &["ServFail"],
    );
}

#[test]
fn a_domain_of_its_own_is_answered_beside_the_usual_one() {
    let mut given = Given::of(cluster());
    given.settings = Settings::of("tenant.example");
    check(
        &given,
        "svc1.testns.svc.tenant.example",
        A,
        &["NoError", "svc1.testns.svc.tenant.example. 5 A 10.0.0.1"],
    );
    check(
        &given,
        "svc1.testns.svc.cluster.local",
        A,
        &["NoError", "svc1.testns.svc.cluster.local. 5 A 10.0.0.1"],
    );
    check(
        &given,
        "1.0.0.10.in-addr.arpa",
        PTR,
        &[
            "NoError",
            "1.0.0.10.in-addr.arpa. 5 PTR svc1.testns.svc.tenant.example.",
        ],
    );
}

#[test]
fn the_host_clusters_names_are_told_only_if_that_is_configured() {
    let mut given = Given::of(cluster());
    given.settings.host_domain = Some(Name::from_ascii("k8s.corp.").unwrap());
    check(&given, "db.platform.svc.k8s.corp", A, &["NXDomain"]);
    check(
        &given,
        "db.platform.svc.cluster.local",
        A,
        &["NXDomain", "SOA cluster.local. 5"],
    );
    given.settings.falls_back_to_host = true;
    check(&given, "db.platform.svc.k8s.corp", A, &["forward"]);
    check(
        &given,
        "db.platform.svc.cluster.local",
        A,
        &["ask db.platform.svc.k8s.corp."],
    );
    given.settings.host_domain = None;
    check(&given, "db.platform.svc.cluster.local", A, &["forward"]);
    given.host = Some(other());
    check(
        &given,
        "db.platform.svc.cluster.local",
        A,
        &["NoError", "db.platform.svc.cluster.local. 5 A 10.0.0.1"],
    );
    check(
        &given,
        "svc1.testns.svc.cluster.local",
        A,
        &["NoError", "svc1.testns.svc.cluster.local. 5 A 10.0.0.1"],
    );
}
