//! What a tenant is told when the host does not take an object: why, but never whose quota, policy or webhook it was. Pure.

use warren_apimachinery::{Status, StatusReason};

use crate::wording::Wording;

/// How soon a tenant hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// At once: it will not change by itself.
    AtOnce,
    /// When it lasts: the host may only be busy.
    WhenItLasts,
}

/// The message for what the host answered; `None` where the next pass will do better.
pub(crate) fn refusal(status: &Status, wording: &Wording) -> Option<(Told, String)> {
    let said = said(status);
    match status.reason() {
        _ if said.is_some() => Some((Told::AtOnce, refused(said, wording))),
        Some(StatusReason::Forbidden) => Some((Told::AtOnce, refused(None, wording))),
        Some(StatusReason::Invalid | StatusReason::BadRequest) => {
            Some((Told::AtOnce, refused(causes(status), wording)))
        }
        Some(StatusReason::TooManyRequests) => {
            Some((Told::WhenItLasts, "The host cluster is busy".to_owned()))
        }
        Some(
            StatusReason::ServiceUnavailable
            | StatusReason::ServerTimeout
            | StatusReason::Timeout
            | StatusReason::InternalError,
        ) => {
            let message = "The API of the host cluster does not answer as it should";
            Some((Told::WhenItLasts, message.to_owned()))
        }
        _ => None,
    }
}

fn refused(why: Option<String>, wording: &Wording) -> String {
    let reworded = why.map(|why| wording.of_text(&why));
    match reworded.filter(|why| !wording.betrays(why)) {
        Some(why) => format!("The host cluster refuses it: {why}"),
        None => "The host cluster refuses it: its policies do not allow it".to_owned(),
    }
}

/// What the parts of a host that are known for it say to the user of an object.
fn said(status: &Status) -> Option<String> {
    let message = status.message();
    if let Some((_, quota)) = message.split_once("exceeded quota: ") {
        let requested = between(quota, "requested: ", ", used: ");
        let limited = quota.split_once("limited: ").map(|(_, limited)| limited);
        return Some(format!(
            "its quota is exceeded: requested {}, limited to {}",
            requested.unwrap_or_default(),
            limited.unwrap_or_default()
        ));
    }
    if let Some((_, quota)) = message.split_once("failed quota: ") {
        let (_, must) = quota.split_once(": ")?;
        return Some(format!("its quota: {must}"));
    }
    for denied in ["denied the request: ", "denied request: "] {
        if let Some((_, why)) = message.split_once(denied) {
            return Some(why.to_owned());
        }
    }
    let (_, forbidden) = message.split_once("is forbidden: ")?;
    let known = [
        "violates PodSecurity",
        "maximum ",
        "minimum ",
        "[maximum ",
        "[minimum ",
    ];
    let is_known = known.iter().any(|start| forbidden.starts_with(start));
    is_known.then(|| forbidden.to_owned())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(between, _)| between)
}

/// Field by field.
fn causes(status: &Status) -> Option<String> {
    let causes = &status.details()?.causes;
    let texts: Vec<String> = causes
        .iter()
        .map(|cause| match cause.field.as_str() {
            "" => cause.message.clone(),
            field => format!("{field}: {}", cause.message),
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::status::{Cause, Details};

    use super::*;
    use crate::testing::binding;

    #[track_caller]
    fn check(status: Status, expect: Option<(Told, &str)>) {
        let mut wording = Wording::of(&binding(), "shop");
        wording.replace("web-x-shop-x-demo", "web");
        let told = refusal(&status, &wording);
        assert_eq!(
            told.as_ref().map(|(told, message)| (*told, message.as_str())),
            expect
        );
    }

    fn forbidden(message: &str) -> Status {
        Status::new(StatusReason::Forbidden, message)
    }

    #[test]
    fn a_tenant_reads_why_and_not_whose() {
        let table = [
            (
                "pods \"web-x-shop-x-demo\" is forbidden: exceeded quota: of-team-a, requested: pods=1, used: pods=3, limited: pods=3",
                "its quota is exceeded: requested pods=1, limited to pods=3",
            ),
            (
                "pods \"web-x-shop-x-demo\" is forbidden: failed quota: of-team-a: must specify limits.cpu for: c",
                "its quota: must specify limits.cpu for: c",
            ),
            (
                "admission webhook \"images.host.example\" denied the request: web-x-shop-x-demo uses :latest",
                "web uses :latest",
            ),
            (
                "admission webhook \"images.host.example\" denied the request: nobody runs that in team-a, says ops",
                "its policies do not allow it",
            ),
            (
                "pods \"web-x-shop-x-demo\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)",
                "violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)",
            ),
            (
                "pods \"web-x-shop-x-demo\" is forbidden: User \"system:serviceaccount:warren:warren\" cannot create",
                "its policies do not allow it",
            ),
        ];
        for (message, expect) in table {
            let expect = format!("The host cluster refuses it: {expect}");
            check(forbidden(message), Some((Told::AtOnce, &expect)));
        }
    }

    #[test]
    fn field_errors_are_told_field_by_field() {
        let cause = Cause {
            field: "spec.containers[0].image".to_owned(),
            message: "Required value".to_owned(),
            ..Cause::default()
        };
        let details = Details {
            causes: vec![cause],
            ..Details::default()
        };
        check(
            Status::new(StatusReason::Invalid, "Pod \"web-x-shop-x-demo\" is invalid").with_details(details),
            Some((
                Told::AtOnce,
                "The host cluster refuses it: spec.containers[0].image: Required value",
            )),
        );
    }

    #[test]
    fn a_busy_host_is_told_of_when_it_stays_so_and_a_conflict_never() {
        check(
            Status::too_many_requests("slow down", 1),
            Some((Told::WhenItLasts, "The host cluster is busy")),
        );
        check(Status::new(StatusReason::Conflict, "modified"), None);
    }
}
