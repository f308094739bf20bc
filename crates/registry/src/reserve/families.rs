//! Which families of addresses a Service has, as upstream settles it before it allocates: from the policy, the
//! addresses and families that are given, what was before, and what the cluster has.

use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::range::Family;
use super::{cluster_ips, service};

const POLICY: &str = "/spec/ipFamilyPolicy";
const FAMILIES: &str = "/spec/ipFamilies";
const IPS: &str = "/spec/clusterIPs";

/// Fills in `ipFamilyPolicy` and `ipFamilies`. `configured` has the cluster's families, its own first.
///
/// # Errors
/// What does not go together, or not with the cluster.
pub(super) fn settle(new: &mut Value, old: Option<&Value>, configured: &[Family]) -> Result<(), Vec<Error>> {
    if !service::needs_cluster_ip(new) || old.is_some_and(|old| keeps_preference(new, old)) {
        return Ok(());
    }
    default_policy(new, old);
    refuse(cluster_ips::validate(new, old))?;
    let mut errors = Vec::new();
    if let Some(old) = old {
        downgrade(&mut errors, new, old);
    }
    let single = new.text(POLICY) == "SingleStack";
    for (list, what) in [(IPS, "cluster IPs"), (FAMILIES, "IP families")] {
        if single && new.items(list).len() == 2 {
            errors.push(wrong_policy(
                new,
                format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"),
            ));
        }
    }
    infer(&mut errors, new, configured);
    refuse(errors)?;
    let own = configured.first().copied().unwrap_or(Family::V4);
    let without_selector = service::is_headless(new) && !service::has_selector(new);
    if !without_selector {
        refuse(unconfigured(new, configured))?;
    }
    if new.items(FAMILIES).is_empty() {
        new.set(FAMILIES, json!([own.name()]));
    }
    let may_have_both = without_selector || configured.len() == 2;
    if let [only] = new.items(FAMILIES)
        && !single
        && may_have_both
    {
        let second = if only.as_str() == Some("IPv4") {
            Family::V6
        } else {
            Family::V4
        };
        let both = json!([only, second.name()]);
        new.set(FAMILIES, both);
    }
    Ok(())
}

fn refuse(errors: Vec<Error>) -> Result<(), Vec<Error>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn wrong_policy(service: &Value, why: impl Into<String>) -> Error {
    Error::invalid(&Path::new("spec.ipFamilyPolicy"), service.at(POLICY).clone(), why)
}

/// A Service that prefers both families is neither upgraded nor downgraded behind its owner's back.
pub(super) fn keeps_preference(new: &Value, old: &Value) -> bool {
    let prefers = |service: &Value| service.text(POLICY) == "PreferDualStack";
    new.text("/spec/type") == old.text("/spec/type")
        && prefers(new)
        && (prefers(old) || old.at(POLICY).is_null())
        && same_list(new, old, IPS)
        && same_list(new, old, FAMILIES)
}

fn same_list(new: &Value, old: &Value, pointer: &str) -> bool {
    new.items(pointer) == old.items(pointer)
}

fn default_policy(new: &mut Value, old: Option<&Value>) {
    if !new.at(POLICY).is_null() {
        return;
    }
    let before = old.map_or(&Value::Null, |old| old.at(POLICY));
    let policy = if !before.is_null() {
        before.clone()
    } else if service::is_headless(new) && !service::has_selector(new) {
        "RequireDualStack".into()
    } else {
        "SingleStack".into()
    };
    new.set(POLICY, policy);
}

/// Saying `SingleStack` takes the second of each away; taking one away without saying so is a mistake.
fn downgrade(errors: &mut Vec<Error>, new: &mut Value, old: &Value) {
    let single = new.text(POLICY) == "SingleStack";
    for (list, what) in [(IPS, "cluster IP"), (FAMILIES, "IP family")] {
        let (now, was) = (new.items(list).len(), old.items(list).len());
        if single && now > 1 && same_list(new, old, list) {
            let first = json!([new.at(list).at("/0")]);
            new.set(list, first);
        }
        if !single && now > 0 && now < was {
            errors.push(wrong_policy(
                new,
                format!("must be 'SingleStack' to release the secondary {what}"),
            ));
        }
    }
}

/// Families follow the addresses that are given.
fn infer(errors: &mut Vec<Error>, new: &mut Value, configured: &[Family]) {
    let known = new.items(FAMILIES).len();
    let given: Vec<Family> = service::cluster_ips(new).map(Family::of).collect();
    let mut families = new.items(FAMILIES).to_vec();
    for (at, family) in given.into_iter().enumerate().skip(known) {
        if configured.contains(&family) {
            families.push(family.name().into());
        } else {
            errors.push(Error::invalid(
                &Path::new(&format!("spec.clusterIPs[{at}]")),
                new.at(IPS).clone(),
                format!("{} is not configured on this cluster", family.name()),
            ));
        }
    }
    if families.len() > known {
        new.set(FAMILIES, families);
    }
}

fn unconfigured(new: &Value, configured: &[Family]) -> Vec<Error> {
    let mut errors = Vec::new();
    if new.text(POLICY) == "RequireDualStack" && configured.len() < 2 {
        errors.push(wrong_policy(
            new,
            "this cluster is not configured for dual-stack services",
        ));
    }
    for (at, family) in new.items(FAMILIES).iter().enumerate() {
        if !configured
            .iter()
            .any(|known| family.as_str() == Some(known.name()))
        {
            errors.push(Error::invalid(
                &Path::new("spec.ipFamilies").index(at),
                family.clone(),
                "not configured on this cluster",
            ));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[Family] = &[Family::V4];
    const BOTH: &[Family] = &[Family::V4, Family::V6];

    #[track_caller]
    fn check(configured: &[Family], spec: Value, expected: Result<(&str, Value), &str>) {
        let mut service = json!({"spec": spec});
        service.set("/spec/type", "ClusterIP");
        let found = settle(&mut service, None, configured);
        match (found, expected) {
            (Ok(()), Ok((policy, families))) => {
                assert_eq!(service.text(POLICY), policy);
                assert_eq!(service.at(FAMILIES), &families);
            }
            (Err(errors), Err(expected)) => assert_eq!(errors[0].to_string(), expected),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn families_follow_policy_addresses_and_cluster() {
        let web = json!({"a": "b"});
        check(
            ONE,
            json!({"selector": web}),
            Ok(("SingleStack", json!(["IPv4"]))),
        );
        check(
            BOTH,
            json!({"selector": web, "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6"]}),
            Ok(("PreferDualStack", json!(["IPv6", "IPv4"]))),
        );
        check(
            ONE,
            json!({"selector": web, "ipFamilyPolicy": "PreferDualStack"}),
            Ok(("PreferDualStack", json!(["IPv4"]))),
        );
        check(
            ONE,
            json!({"clusterIP": "None", "clusterIPs": ["None"]}),
            Ok(("RequireDualStack", json!(["IPv4", "IPv6"]))),
        );
        check(
            ONE,
            json!({"selector": web, "ipFamilyPolicy": "RequireDualStack"}),
            Err(
                "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services",
            ),
        );
        check(
            ONE,
            json!({"clusterIP": "fd00::1", "clusterIPs": ["fd00::1"]}),
            Err("spec.clusterIPs[0]: Invalid value: [\"fd00::1\"]: IPv6 is not configured on this cluster"),
        );
    }

    #[test]
    fn single_stack_takes_the_second_family_away() {
        let old = json!({"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"],
            "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}});
        let mut new = old.clone();
        new.set(POLICY, "SingleStack");
        settle(&mut new, Some(&old), BOTH).unwrap();
        assert_eq!(new.at(IPS), &json!(["10.0.0.1"]));
        assert_eq!(new.at(FAMILIES), &json!(["IPv4"]));
        let mut new = old.clone();
        new.set(IPS, json!(["10.0.0.1"]));
        let errors = settle(&mut new, Some(&old), BOTH).unwrap_err();
        assert_eq!(
            errors[0].to_string(),
            "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the secondary cluster IP"
        );
    }
}
