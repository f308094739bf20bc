//! Probes and lifecycle hooks, and what they do: exec, httpGet, tcpSocket, grpc, sleep.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::spec::Cx;
use crate::check::{self, Errors};

/// What a probe may do.
const PROBE_HANDLERS: &[&str] = &["exec", "httpGet", "tcpSocket", "grpc"];
/// What a hook may do.
const HOOK_HANDLERS: &[&str] = &["exec", "httpGet", "tcpSocket", "sleep"];

/// Checks the hooks and the three probes of a container.
pub(super) fn hooks_and_probes(errors: &mut Errors, path: &Path, container: &Value, cx: &Cx<'_>) {
    let lifecycle = path.child("lifecycle");
    for hook in ["postStart", "preStop"] {
        let handler = container.field("lifecycle").field(hook);
        if !handler.is_null() {
            one_handler(errors, &lifecycle.child(hook), handler, HOOK_HANDLERS, cx);
        }
    }
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let value = container.field(kind);
        if !value.is_null() {
            probe(errors, &path.child(kind), value, kind, cx);
        }
    }
}

fn probe(errors: &mut Errors, path: &Path, probe: &Value, kind: &str, cx: &Cx<'_>) {
    one_handler(errors, path, probe, PROBE_HANDLERS, cx);
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        check::not_negative(errors, &path.child(field), probe.field(field));
    }
    let grace = path.child("terminationGracePeriodSeconds");
    let seconds = probe.int("/terminationGracePeriodSeconds");
    if let Some(seconds) = seconds.filter(|seconds| *seconds <= 0) {
        errors.push(Error::invalid(&grace, seconds, "must be greater than 0"));
    }
    if kind == "readinessProbe" {
        if let Some(seconds) = seconds {
            errors.push(Error::invalid(
                &grace,
                seconds,
                "must not be set for readinessProbes",
            ));
        }
    } else if probe.int("/successThreshold") != Some(1) {
        let threshold = probe.int("/successThreshold").unwrap_or_default();
        errors.push(Error::invalid(
            &path.child("successThreshold"),
            threshold,
            "must be 1",
        ));
    }
}

fn one_handler(errors: &mut Errors, path: &Path, handlers: &Value, known: &[&str], cx: &Cx<'_>) {
    let mut found = false;
    for kind in known {
        let handler = handlers.field(kind);
        if handler.is_null() {
            continue;
        }
        let path = path.child(kind);
        if found {
            errors.push(Error::forbidden(
                &path,
                "may not specify more than 1 handler type",
            ));
            continue;
        }
        found = true;
        match *kind {
            "exec" if handler.items("/command").is_empty() => {
                errors.push(Error::required(&path.child("command"), ""));
            }
            "httpGet" => http_get(errors, &path, handler),
            "tcpSocket" => check::port_number_or_name(errors, &path.child("port"), handler.field("port")),
            "grpc" => check::port_number(
                errors,
                &path.child("port"),
                handler.int("/port").unwrap_or_default(),
            ),
            "sleep" => sleep(errors, &path, handler, cx),
            _ => {}
        }
    }
    if !found {
        errors.push(Error::required(path, "must specify a handler type"));
    }
}

fn http_get(errors: &mut Errors, path: &Path, http: &Value) {
    check::required(errors, &path.child("path"), http.text("/path"));
    check::port_number_or_name(errors, &path.child("port"), http.field("port"));
    check::one_of(
        errors,
        &path.child("scheme"),
        http.text("/scheme"),
        &["HTTP", "HTTPS"],
    );
    for header in http.items("/httpHeaders") {
        let name = header.text("/name");
        check::text(errors, &path.child("httpHeaders"), name, name::http_header(name));
    }
}

fn sleep(errors: &mut Errors, path: &Path, sleep: &Value, cx: &Cx<'_>) {
    let seconds = sleep.int("/seconds").unwrap_or_default();
    if let Some(grace) = cx.grace_period
        && (seconds < 0 || seconds > grace)
    {
        errors.push(Error::invalid(
            path,
            seconds,
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})"),
        ));
    }
}
