//! `networking.resolveDNS` as rules of the name server. Pure.

use warren_config::ResolveDns;
use warren_dns::{Pattern, Rule, ServiceName, Target, Wanted};

/// Reads all entries.
///
/// # Errors
/// The first entry that is wrong, and why.
pub(super) fn read(entries: &[ResolveDns]) -> Result<Vec<Rule>, String> {
    let rules = entries.iter().enumerate().map(|(at, entry)| {
        let wrong = |why: String| format!("networking.resolveDNS[{at}]: {why}");
        let rule = rule(entry).map_err(wrong)?;
        rule.check().map_err(|error| wrong(error.to_string()))?;
        Ok(rule)
    });
    rules.collect()
}

fn rule(entry: &ResolveDns) -> Result<Rule, String> {
    let wanted = exactly_one(&[
        ("hostname", &entry.hostname),
        ("service", &entry.service),
        ("namespace", &entry.namespace),
    ])?;
    let wanted = match wanted {
        ("hostname", text) => Wanted::Hostname(pattern(text)?),
        ("service", text) => Wanted::Service(service("service", text)?),
        (_, text) => Wanted::Namespace(text.to_owned()),
    };
    let target = &entry.target;
    let target = exactly_one(&[
        ("target.hostname", &target.hostname),
        ("target.ip", &target.ip),
        ("target.hostService", &target.host_service),
        ("target.hostNamespace", &target.host_namespace),
        ("target.vClusterService", &target.v_cluster_service),
    ])?;
    let target = match target {
        ("target.hostname", text) => Target::Hostname(pattern(text)?),
        ("target.ip", text) => {
            let wrong = |_| format!("target.ip: {text:?} is no address");
            Target::Address(text.parse().map_err(wrong)?)
        }
        (field @ "target.hostService", text) => Target::HostService(service(field, text)?),
        ("target.hostNamespace", text) => Target::HostNamespace(text.to_owned()),
        (field, text) => virtual_service(field, text)?,
    };
    Ok(Rule { wanted, target })
}

/// The one field that is set.
fn exactly_one<'a>(fields: &[(&'static str, &'a String)]) -> Result<(&'static str, &'a str), String> {
    let mut set = fields.iter().filter(|(_, text)| !text.is_empty());
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    match (set.next(), set.next()) {
        (Some((name, text)), None) => Ok((*name, text.as_str())),
        (None, _) => Err(format!("one of {} is needed", names.join(", "))),
        _ => Err(format!("only one of {} may be set", names.join(", "))),
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::parse(text).map_err(|error| error.to_string())
}

fn service(field: &str, text: &str) -> Result<ServiceName, String> {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [namespace, name] if !namespace.is_empty() && !name.is_empty() => Ok(ServiceName {
            namespace: (*namespace).to_owned(),
            name: (*name).to_owned(),
        }),
        _ => Err(format!("{field}: {text:?} is not of the form namespace/name")),
    }
}

fn virtual_service(field: &str, text: &str) -> Result<Target, String> {
    let [host_namespace, cluster, namespace, name] = text.split('/').collect::<Vec<_>>()[..] else {
        return Err(format!(
            "{field}: {text:?} is not of the form hostNamespace/virtualCluster/namespace/name"
        ));
    };
    Ok(Target::VirtualService {
        host_namespace: host_namespace.to_owned(),
        cluster: cluster.to_owned(),
        service: ServiceName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rules(entries: Value) -> Result<Vec<Rule>, String> {
        let entries: Vec<ResolveDns> = serde_json::from_value(entries).unwrap();
        read(&entries)
    }

    #[test]
    fn every_form_that_vcluster_documents_is_read() {
        let entries = json!([
            {"hostname": "db.example", "target": {"ip": "192.0.2.1"}},
            {"hostname": "*.corp.example", "target": {"hostname": "*.corp.internal"}},
            {"service": "shop/db", "target": {"hostService": "platform/db"}},
            {"namespace": "shared", "target": {"hostNamespace": "platform"}},
            {"service": "shop/api", "target": {"vClusterService": "tenants/other/shop/api"}},
        ]);
        let rules = rules(entries).unwrap();
        assert_eq!(rules.len(), 5);
        assert!(matches!(&rules[4].target, Target::VirtualService { cluster, .. } if cluster == "other"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (entry, expect) in [
            (
                json!({"target": {"ip": "192.0.2.1"}}),
                "one of hostname, service, namespace is needed",
            ),
            (
                json!({"hostname": "a.b", "service": "c/d", "target": {"ip": "192.0.2.1"}}),
                "only one of hostname,",
            ),
            (json!({"hostname": "a.b"}), "one of target.hostname,"),
            (
                json!({"hostname": "a.b", "target": {"ip": "x"}}),
                "target.ip: \"x\" is no address",
            ),
            (
                json!({"service": "a", "target": {"ip": "192.0.2.1"}}),
                "is not of the form namespace/name",
            ),
            (
                json!({"hostname": "*.a", "target": {"hostname": "b.c"}}),
                "must both have a wildcard",
            ),
            (
                json!({"namespace": "a", "target": {"hostService": "b/c"}}),
                "need each other",
            ),
            (
                json!({"hostname": "a", "target": {"vClusterService": "b/c"}}),
                "hostNamespace/virtualCluster/",
            ),
        ] {
            let error = rules(json!([entry])).unwrap_err();
            assert!(
                error.starts_with("networking.resolveDNS[0]: ") && error.contains(expect),
                "{error}"
            );
        }
    }
}
