//! Where a webhook is reached.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const FORM: &str = "; desired format: https://host[/path]";

/// `clientConfig`: a URL or a service.
pub(crate) fn client(errors: &mut Errors, path: &Path, config: &Value) {
    let service = config.field("service");
    match (config.field("url").as_str(), service.is_null()) {
        (Some(text), true) => url(errors, &path.child("url"), text),
        (None, false) => self::service(errors, &path.child("service"), service),
        _ => errors.push(Error::required(path, "exactly one of url or service is required")),
    }
}

/// The versions of the review that a webhook reads; `missing` tells of an empty list.
pub(crate) fn review_versions(errors: &mut Errors, path: &Path, versions: &[Value], missing: &str) {
    if versions.is_empty() {
        errors.push(Error::required(path, missing));
        return;
    }
    let mut seen = Vec::new();
    for (at, version) in versions.iter().enumerate() {
        let (path, version) = (path.index(at), version.as_str().unwrap_or_default());
        if seen.contains(&version) {
            errors.push(Error::invalid(&path, version, "duplicate version"));
            continue;
        }
        seen.push(version);
        check::text(errors, &path, version, names::dns1035_label(version));
    }
    if !seen.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        errors.push(Error::invalid(
            path,
            versions.to_vec(),
            "must include at least one of v1, v1beta1",
        ));
    }
}

fn url(errors: &mut Errors, path: &Path, text: &str) {
    if text.starts_with(':') {
        let why = format!("url must be a valid URL: parse {text:?}: missing protocol scheme{FORM}");
        errors.push(Error::required(path, why));
        return;
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    let (scheme, rest) = text.split_once("://").unwrap_or(("", ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let mut refuse = |value: &str, why: String| errors.push(Error::invalid(path, value, why));
    if scheme != "https" {
        refuse(scheme, format!("'https' is the only allowed URL scheme{FORM}"));
    }
    if host.is_empty() {
        refuse(host, format!("host must be specified{FORM}"));
    }
    if !user.is_empty() {
        refuse(user, "user information is not permitted in the URL".to_owned());
    }
    if !fragment.is_empty() {
        refuse(fragment, "fragments are not permitted in the URL".to_owned());
    }
    if !query.is_empty() {
        refuse(query, "query parameters are not permitted in the URL".to_owned());
    }
}

fn service(errors: &mut Errors, path: &Path, service: &Value) {
    for field in ["name", "namespace"] {
        let text = service.field(field).as_str().unwrap_or_default();
        check::required(errors, &path.child(field), text);
    }
    let port = service.int("/port").unwrap_or(443);
    let wrong = names::port_number(port);
    if !wrong.is_empty() {
        errors.push(Error::invalid(
            &path.child("port"),
            port,
            format!("port is not valid: {}", wrong.join(",")),
        ));
    }
    if let Some(text) = service.field("path").as_str() {
        service_path(errors, &path.child("path"), text);
    }
}

fn service_path(errors: &mut Errors, path: &Path, text: &str) {
    let mut refuse = |why: String| errors.push(Error::invalid(path, text, why));
    if text.is_empty() || text == "/" {
        return;
    }
    if !text.starts_with('/') {
        refuse("must start with a '/'".to_owned());
    }
    // Upstream cuts the first letter off, whatever it is.
    let rest: String = text.chars().skip(1).collect();
    let rest = rest.strip_suffix('/').unwrap_or(&rest);
    for (at, segment) in rest.split('/').enumerate() {
        if segment.is_empty() {
            refuse(format!("segment[{at}] may not be empty"));
            continue;
        }
        for why in names::dns1123_subdomain(segment) {
            refuse(format!("segment[{at}]: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(config: Value, expected: &[&str]) {
        let mut errors = Errors::new();
        client(&mut errors, &Path::new("c"), &config);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{config}");
    }

    #[test]
    fn a_webhook_is_a_secure_url_or_a_service() {
        check(json!({"url": "https://a.b/c"}), &[]);
        check(
            json!({"service": {"name": "s", "namespace": "n", "path": "/a/b"}}),
            &[],
        );
        check(
            json!({}),
            &["c: Required value: exactly one of url or service is required"],
        );
        check(
            json!({"url": "http://u@a.b/c?d=e"}),
            &[
                "c.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
                "c.url: Invalid value: \"u\": user information is not permitted in the URL",
                "c.url: Invalid value: \"d=e\": query parameters are not permitted in the URL",
            ],
        );
        check(
            json!({"service": {"port": 0, "path": "x"}}),
            &[
                "c.service.name: Required value",
                "c.service.namespace: Required value",
                "c.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
                "c.service.path: Invalid value: \"x\": must start with a '/'",
                "c.service.path: Invalid value: \"x\": segment[0] may not be empty",
            ],
        );
    }
}
