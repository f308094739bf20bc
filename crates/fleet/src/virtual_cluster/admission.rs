//! Which admission plugins a virtual cluster runs: what its configuration says, else what its process was started with.

use std::sync::Arc;

use warren_access::{AdmissionConfiguration, AdmissionSettings, Plugins};
use warren_config::VirtualClusterSpec;

use crate::fleet::Fleet;
use crate::tenant::Tenant;

/// What the configuration says of plugins; `None` where it says nothing.
///
/// # Errors
/// What upstream says of names that it does not know, and of plugins that cannot be without more configuration.
pub(super) fn settings(spec: &VirtualClusterSpec) -> Result<Option<AdmissionSettings>, String> {
    let server = &spec.control_plane.distro.k8s.api_server;
    let lists = ["enable-admission-plugins", "disable-admission-plugins"].map(|flag| server.list(flag));
    let seconds = [
        "default-not-ready-toleration-seconds",
        "default-unreachable-toleration-seconds",
    ]
    .map(|flag| server.number(flag));
    if lists.iter().all(Vec::is_empty) && seconds.iter().all(Option::is_none) {
        return Ok(None);
    }
    let [enable, disable] = &lists;
    let plugins = Plugins::switched(enable, disable).map_err(|errors| errors.join("; "))?;
    let mut settings = AdmissionConfiguration::default().settings(plugins)?;
    let [not_ready, unreachable] = seconds;
    settings.not_ready_seconds = not_ready.unwrap_or(settings.not_ready_seconds);
    settings.unreachable_seconds = unreachable.unwrap_or(settings.unreachable_seconds);
    Ok(Some(settings))
}

/// Lets the cluster's admission go by them, from the next request on. What makes no sense was refused before.
pub(super) fn apply(fleet: &Fleet, tenant: &Tenant, spec: &VirtualClusterSpec) {
    let said = settings(spec).ok().flatten().map(Arc::new);
    let started = || {
        let api = fleet.options().apis.get(tenant.id());
        api.and_then(|api| api.admission.clone())
            .unwrap_or_else(AdmissionSettings::upstreams)
    };
    tenant.guard().set_admission(said.unwrap_or_else(started));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(args: &[&str]) -> Result<bool, String> {
        let mut spec = VirtualClusterSpec::default();
        let args = args.iter().map(|arg| (*arg).to_owned());
        spec.control_plane.distro.k8s.api_server.extra_args = args.collect();
        settings(&spec).map(|settings| settings.is_some())
    }

    #[test]
    fn flags_say_which_plugins_run() {
        assert_eq!(said(&[]), Ok(false));
        assert_eq!(said(&["--v=2"]), Ok(false));
        assert_eq!(
            said(&["--enable-admission-plugins=AlwaysPullImages,LimitRanger"]),
            Ok(true)
        );
        assert_eq!(said(&["--default-not-ready-toleration-seconds=7"]), Ok(true));
        assert_eq!(
            said(&["--disable-admission-plugins=Foo"]),
            Err("disable-admission-plugins plugin \"Foo\" is unknown".to_owned())
        );
        assert!(
            said(&["--enable-admission-plugins", "EventRateLimit"]).is_err(),
            "it needs limits"
        );
    }
}
