//! The floor: what the host's owner lets no pod of a virtual cluster ask for, whatever the tenant switches off.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_registry::admission::Operation;

use super::standard::{Level, Standard, Version};
use super::{Policy, evaluate, finding, is_of_pods, is_significant, modes_of, template};
use crate::admission::Asked;
use crate::guard::PodSecurityFloor;

pub(in super::super) fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update);
    let (Some(floor), Some(object)) = (cx.guard.pod_security_floor(), object.filter(|_| writes)) else {
        return Ok(());
    };
    let standard = Standard {
        level: match floor {
            PodSecurityFloor::Baseline => Level::Baseline,
            PodSecurityFloor::Restricted => Level::Restricted,
        },
        version: Version::Latest,
    };
    let policy = Policy {
        is_floor: true,
        ..Policy::of(standard)
    };
    if is_of_pods(cx) {
        let is_asked = cx.old.is_none_or(|old| is_significant(old, object));
        return match evaluate(policy, object).filter(|_| is_asked) {
            Some(detail) => {
                let level = standard.to_string();
                Err(cx.forbidden(object, format!("violates PodSecurity {level:?}: {detail}")))
            }
            None => Ok(()),
        };
    }
    // What makes pods is told early what its pods will hear, unless its namespace asks to be told of more.
    let warns = modes_of(cx).is_some_and(|(modes, _)| modes.warn.level > Level::Privileged);
    if let Some(detail) = template(cx, object)
        .filter(|_| !warns)
        .and_then(|template| evaluate(policy, template))
    {
        cx.warnings.add(finding::would_violate(standard, &detail));
    }
    Ok(())
}
