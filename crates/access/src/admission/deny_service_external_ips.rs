//! DenyServiceExternalIPs: no service takes over addresses that are not the cluster's to give.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::SERVICES;
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::Asked;

pub(super) fn validate(cx: &Asked<'_>, service: Option<&Value>) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update) && cx.writes(&SERVICES);
    let Some(service) = service.filter(|_| writes) else {
        return Ok(());
    };
    let held = cx
        .old
        .map(|old| old.items("/spec/externalIPs"))
        .unwrap_or_default();
    if service
        .items("/spec/externalIPs")
        .iter()
        .all(|ip| held.contains(ip))
    {
        return Ok(());
    }
    Err(cx.forbidden(service, "Use of external IPs is denied by admission control"))
}
