//! Security options of Windows, and pods whose processes run on a Windows host itself.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::spec::every_container;
use crate::check::{self, Errors};

const CREDENTIAL_SPEC_KIB: usize = 64;
const DOMAIN_MAX: usize = 256;
const USER_MAX: usize = 104;

/// Checks `windowsOptions` of a pod or a container.
pub(super) fn options(errors: &mut Errors, path: &Path, options: &Value) {
    if options.is_null() {
        return;
    }
    if let Some(name) = options.field("gmsaCredentialSpecName").as_str() {
        check::dns_subdomain(errors, &path.child("gmsaCredentialSpecName"), name);
    }
    if let Some(spec) = options.field("gmsaCredentialSpec").as_str() {
        let path = path.child("gmsaCredentialSpec");
        if spec.is_empty() {
            errors.push(Error::invalid(
                &path,
                spec,
                "gmsaCredentialSpec cannot be an empty string",
            ));
        } else if spec.len() > CREDENTIAL_SPEC_KIB * 1024 {
            let problem = format!("gmsaCredentialSpec size must be under {CREDENTIAL_SPEC_KIB} KiB");
            errors.push(Error::invalid(&path, spec, problem));
        }
    }
    if let Some(user) = options.field("runAsUserName").as_str() {
        let path = path.child("runAsUserName");
        let wrong = user_name(user).into_iter();
        errors.extend(wrong.map(|problem| Error::invalid(&path, user, problem)));
    }
}

/// What is wrong with a user of the form `DOMAIN\\user`.
fn user_name(name: &str) -> Vec<String> {
    let one = |problem: &str| vec![format!("runAsUserName {problem}")];
    if name.is_empty() {
        return one("cannot be an empty string");
    }
    if name.chars().any(|c| c.is_ascii_control()) {
        return one("cannot contain control characters");
    }
    let (domain, user) = match name.split_once('\\') {
        Some((_, rest)) if rest.contains('\\') => {
            return one("cannot contain more than one backslash");
        }
        Some((domain, user)) => (Some(domain), user),
        None => (None, name),
    };
    let mut problems = Vec::new();
    if domain.is_some_and(|domain| domain.len() >= DOMAIN_MAX) {
        problems.push(format!(
            "runAsUserName's Domain length must be under {DOMAIN_MAX} characters"
        ));
    }
    if domain.is_some_and(|domain| !is_net_bios(domain) && !is_dns(domain)) {
        problems.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format".to_owned());
    }
    if user.is_empty() {
        problems.push("runAsUserName's User cannot be empty".to_owned());
    } else if user.len() > USER_MAX {
        problems.push(format!(
            "runAsUserName's User length must not be longer than {USER_MAX} characters"
        ));
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        problems.push("runAsUserName's User cannot contain only periods or spaces".to_owned());
    }
    if user.contains(|c| "\"/\\:;|=,+*?<>@[]".contains(c)) {
        problems.push(
            "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]".to_owned(),
        );
    }
    problems
}

fn is_net_bios(domain: &str) -> bool {
    (1..=15).contains(&domain.chars().count())
        && !domain.starts_with('.')
        && !domain.contains(|c| "\\/:*?\"<>|".contains(c))
}

/// Labels of up to 63 letters, digits and dashes, in either case.
fn is_dns(domain: &str) -> bool {
    let is_label = |label: &str| name::dns1123_label(&label.to_ascii_lowercase()).is_empty();
    domain.split('.').all(is_label)
}

/// Where one container runs on the host itself, all must, on the host's network.
pub(super) fn host_process(errors: &mut Errors, path: &Path, spec: &Value) {
    const FIELD: &str = "/securityContext/windowsOptions/hostProcess";
    let of_pod = spec.at(FIELD).as_bool();
    let (mut all, mut on_host) = (0_usize, 0_usize);
    for (path, container) in every_container(path, spec) {
        let own = container.at(FIELD).as_bool();
        all += 1;
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            errors.push(Error::invalid(
                &path.child("securityContext.windowsOptions.hostProcess"),
                own,
                format!("pod hostProcess value must be identical if both are specified, was {pod}"),
            ));
        }
        on_host += usize::from(own.or(of_pod) == Some(true));
    }
    if on_host == 0 {
        return;
    }
    if on_host != all {
        errors.push(Error::invalid(
            path,
            "",
            "If pod contains any hostProcess containers then all containers must be HostProcess containers",
        ));
    }
    if spec.field("hostNetwork").as_bool() != Some(true) {
        errors.push(Error::invalid(
            &path.child("hostNetwork"),
            false,
            "hostNetwork must be true if pod contains any hostProcess containers",
        ));
    }
}
