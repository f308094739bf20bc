//! The checks of the level `baseline`, in the order of their ids upstream.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::finding::{Finding, bad, containers_named, plural, quoted, sorted, who};
use super::{Policy, containers, is_in_user_namespace};

const CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// Each with the minor version that allowed it.
const SYSCTLS: &[(u64, &str)] = &[
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
];
const APP_ARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
/// The type that was not there before 1.31.
const SELINUX_ENGINE: &str = "container_engine_t";
const SELINUX_TYPES: &[&str] = &[
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    SELINUX_ENGINE,
];

/// What is wrong; checks that `restricted` sharpens are left to it.
pub(super) fn findings(pod: &Value, policy: Policy) -> Vec<Finding> {
    // Each with the minor version that has a sharper check of the kind, where the level is the sharper one.
    let unless_sharper = |since: u64| !(policy.is_restricted() && policy.since(since));
    let in_user_namespace = !policy.is_restricted() && policy.since(35) && is_in_user_namespace(pod);
    let checks = [
        app_armor(pod),
        unless_sharper(22).then(|| capabilities(pod, policy)).flatten(),
        host_namespaces(pod),
        unless_sharper(0).then(|| host_path_volumes(pod)).flatten(),
        host_ports(pod),
        policy.since(34).then(|| probe_hosts(pod)).flatten(),
        privileged(pod),
        unless_sharper(35)
            .then_some(pod)
            .filter(|_| !in_user_namespace)
            .and_then(proc_mount),
        selinux(pod, policy),
        unless_sharper(19).then(|| seccomp(pod, policy)).flatten(),
        sysctls(pod, policy),
        host_process(pod),
    ];
    checks.into_iter().flatten().collect()
}

fn app_armor(pod: &Value) -> Option<Finding> {
    let profile = |part: &Value| part.text("/securityContext/appArmorProfile/type").to_owned();
    let is_bad = |part: &Value| !matches!(profile(part).as_str(), "" | "RuntimeDefault" | "Localhost");
    let parts = std::iter::once(pod.at("/spec")).chain(containers(pod));
    let mut values = sorted(parts.filter(|part| is_bad(part)).map(profile));
    let mut setters = Vec::new();
    if is_bad(pod.at("/spec")) {
        setters.push("pod".to_owned());
    }
    let names = bad(containers(pod), is_bad);
    if !names.is_empty() {
        setters.push(containers_named(&names));
    }
    let annotations = pod.at("/metadata/annotations").as_object().into_iter().flatten();
    let annotations: Vec<String> = annotations
        .filter_map(|(key, value)| Some((key, value.as_str()?)))
        .filter(|(key, value)| key.starts_with(APP_ARMOR_ANNOTATION) && !is_allowed_annotation(value))
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    if !annotations.is_empty() {
        setters.push(plural("annotation", annotations.len()));
        values.extend(annotations);
    }
    (!setters.is_empty()).then(|| {
        Finding::new(
            plural("forbidden AppArmor profile", values.len()),
            format!(
                "{} must not set AppArmor profile type to \"{}\"",
                setters.join(" and "),
                values.join("\", \"")
            ),
        )
    })
}

fn is_allowed_annotation(value: &str) -> bool {
    matches!(value, "" | "runtime/default") || value.starts_with("localhost/")
}

fn probe_hosts(pod: &Value) -> Option<Finding> {
    let hosts = |container: &Value| -> Vec<String> {
        const HANDLERS: [&str; 5] = [
            "/livenessProbe",
            "/readinessProbe",
            "/startupProbe",
            "/lifecycle/postStart",
            "/lifecycle/preStop",
        ];
        let handlers = HANDLERS.iter().map(|pointer| container.at(pointer));
        handlers
            .flat_map(|handler| [handler.text("/httpGet/host"), handler.text("/tcpSocket/host")])
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let names = sorted(
        bad(containers(pod), |container| !hosts(container).is_empty())
            .into_iter()
            .map(str::to_owned),
    );
    let found = sorted(containers(pod).flat_map(hosts));
    (!names.is_empty()).then(|| {
        let verb = if names.len() == 1 { "uses" } else { "use" };
        let detail = format!(
            "{} {verb} {} {}",
            containers_named(&names),
            plural("probe or lifecycle host", found.len()),
            quoted(&found)
        );
        Finding::new("probe or lifecycle host", detail)
    })
}

fn capabilities(pod: &Value, policy: Policy) -> Option<Finding> {
    let extra = |container: &Value| -> Vec<String> {
        let added = container
            .items("/securityContext/capabilities/add")
            .iter()
            .filter_map(Value::as_str);
        added
            .filter(|name| !CAPABILITIES.contains(name) && (!policy.is_floor || *name != "IPC_LOCK"))
            .map(str::to_owned)
            .collect()
    };
    let names = bad(containers(pod), |container| !extra(container).is_empty());
    let added = sorted(containers(pod).flat_map(extra));
    (!names.is_empty()).then(|| {
        Finding::new(
            "non-default capabilities",
            format!(
                "{} must not include {} in securityContext.capabilities.add",
                containers_named(&names),
                quoted(&added)
            ),
        )
    })
}

fn host_namespaces(pod: &Value) -> Option<Finding> {
    let set: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .iter()
        .filter(|field| pod.at("/spec").field(field) == true)
        .map(|field| format!("{field}=true"))
        .collect();
    (!set.is_empty()).then(|| Finding::new("host namespaces", set.join(", ")))
}

fn host_path_volumes(pod: &Value) -> Option<Finding> {
    let volumes = pod.items("/spec/volumes").iter();
    let names = bad(volumes, |volume| volume.at("/hostPath").is_object());
    (!names.is_empty()).then(|| {
        Finding::new(
            "hostPath volumes",
            format!("{} {}", plural("volume", names.len()), quoted(&names)),
        )
    })
}

fn host_ports(pod: &Value) -> Option<Finding> {
    let ports_of = |container: &Value| -> Vec<i64> {
        let ports = container.items("/ports").iter();
        ports
            .filter_map(|port| port.int("/hostPort"))
            .filter(|port| *port != 0)
            .collect()
    };
    let names = bad(containers(pod), |container| !ports_of(container).is_empty());
    let ports: std::collections::BTreeSet<i64> = containers(pod).flat_map(ports_of).collect();
    let texts: Vec<String> = ports.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| {
        let verb = if names.len() == 1 { "uses" } else { "use" };
        Finding::new(
            "hostPort",
            format!(
                "{} {verb} {} {}",
                containers_named(&names),
                plural("hostPort", texts.len()),
                texts.join(", ")
            ),
        )
    })
}

fn privileged(pod: &Value) -> Option<Finding> {
    let names = bad(containers(pod), |container| {
        container.at("/securityContext/privileged") == true
    });
    (!names.is_empty()).then(|| {
        let detail = format!(
            "{} must not set securityContext.privileged=true",
            containers_named(&names)
        );
        Finding::new("privileged", detail)
    })
}

pub(super) fn proc_mount(pod: &Value) -> Option<Finding> {
    let mount = |container: &Value| container.text("/securityContext/procMount").to_owned();
    let is_bad = |container: &Value| !matches!(mount(container).as_str(), "" | "Default");
    let names = bad(containers(pod), is_bad);
    let mounts = sorted(containers(pod).filter(|container| is_bad(container)).map(mount));
    (!names.is_empty()).then(|| {
        let detail = format!(
            "{} must not set securityContext.procMount to {}",
            containers_named(&names),
            quoted(&mounts)
        );
        Finding::new("procMount", detail)
    })
}

fn selinux(pod: &Value, policy: Policy) -> Option<Finding> {
    let is_known = |kind: &str| SELINUX_TYPES.contains(&kind) && (policy.since(31) || kind != SELINUX_ENGINE);
    let options = |part: &Value| part.at("/securityContext/seLinuxOptions").clone();
    let is_bad = |part: &Value| {
        let options = options(part);
        !is_known(options.text("/type"))
            || !options.text("/user").is_empty()
            || !options.text("/role").is_empty()
    };
    let pod_is = is_bad(pod.at("/spec"));
    let names = bad(containers(pod), is_bad);
    if !pod_is && names.is_empty() {
        return None;
    }
    let parts: Vec<Value> = std::iter::once(pod.at("/spec"))
        .chain(containers(pod))
        .map(options)
        .collect();
    let types = sorted(
        parts
            .iter()
            .map(|part| part.text("/type").to_owned())
            .filter(|text| !is_known(text)),
    );
    let mut said = Vec::new();
    if !types.is_empty() {
        said.push(format!("{} {}", plural("type", types.len()), quoted(&types)));
    }
    for field in ["user", "role"] {
        if parts
            .iter()
            .any(|part| part.field(field).as_str().is_some_and(|text| !text.is_empty()))
        {
            said.push(format!("{field} may not be set"));
        }
    }
    let detail = format!(
        "{} set forbidden securityContext.seLinuxOptions: {}",
        who(pod_is, &names),
        said.join("; ")
    );
    Some(Finding::new("seLinuxOptions", detail))
}

fn seccomp(pod: &Value, policy: Policy) -> Option<Finding> {
    match policy.since(19) {
        true => seccomp_fields(pod),
        false => seccomp_annotations(pod),
    }
}

/// Profiles that are set and are none of those that protect.
pub(super) fn seccomp_fields(pod: &Value) -> Option<Finding> {
    let profile = |part: &Value| part.text("/securityContext/seccompProfile/type").to_owned();
    let is_bad = |part: &Value| !matches!(profile(part).as_str(), "" | "RuntimeDefault" | "Localhost");
    let pod_is = is_bad(pod.at("/spec"));
    let names = bad(containers(pod), is_bad);
    let parts = std::iter::once(pod.at("/spec")).chain(containers(pod));
    let profiles = sorted(parts.filter(|part| is_bad(part)).map(profile));
    (pod_is || !names.is_empty()).then(|| {
        let who = who(pod_is, &names);
        Finding::new(
            "seccompProfile",
            format!(
                "{who} must not set securityContext.seccompProfile.type to {}",
                quoted(&profiles)
            ),
        )
    })
}

/// Before 1.19 annotations said it, and fields nothing.
fn seccomp_annotations(pod: &Value) -> Option<Finding> {
    const OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
    const OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
    let is_good = |profile: &str| {
        matches!(profile, "runtime/default" | "docker/default") || profile.starts_with("localhost/")
    };
    let of_containers = containers(pod).map(|container| format!("{OF_CONTAINER}{}", container.text("/name")));
    let keys = std::iter::once(OF_POD.to_owned()).chain(of_containers);
    let annotations = pod.at("/metadata/annotations");
    let forbidden = sorted(keys.filter_map(|key| {
        let profile = annotations
            .field(&key)
            .as_str()
            .filter(|profile| !is_good(profile))?;
        Some(format!("{key}={profile:?}"))
    }));
    (!forbidden.is_empty()).then(|| {
        let what = plural("annotation", forbidden.len());
        Finding::new(
            "seccompProfile",
            format!("forbidden {what} {}", forbidden.join(", ")),
        )
    })
}

fn sysctls(pod: &Value, policy: Policy) -> Option<Finding> {
    let is_safe = |name: &str| {
        let mut known = SYSCTLS.iter();
        known.any(|(since, safe)| *safe == name && policy.since(*since))
    };
    let names: Vec<&str> = pod
        .items("/spec/securityContext/sysctls")
        .iter()
        .map(|sysctl| sysctl.text("/name"))
        .filter(|name| !is_safe(name))
        .collect();
    (!names.is_empty()).then(|| Finding::new("forbidden sysctls", names.join(", ")))
}

fn host_process(pod: &Value) -> Option<Finding> {
    let is_bad = |part: &Value| part.at("/securityContext/windowsOptions/hostProcess") == true;
    let pod_is = is_bad(pod.at("/spec"));
    let names = bad(containers(pod), is_bad);
    (pod_is || !names.is_empty()).then(|| {
        let detail = format!(
            "{} must not set securityContext.windowsOptions.hostProcess=true",
            who(pod_is, &names)
        );
        Finding::new("hostProcess", detail)
    })
}
