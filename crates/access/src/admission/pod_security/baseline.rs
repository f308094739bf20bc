//! The checks of the level `baseline`, in the order of their ids upstream.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::finding::{Finding, bad, containers_named, plural, quoted, sorted, who};
use super::{Level, containers};

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
const SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];
const SELINUX_TYPES: &[&str] = &[
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];

/// What is wrong; checks that `restricted` sharpens are left to it.
pub(super) fn findings(pod: &Value, level: Level) -> Vec<Finding> {
    let is_baseline = level == Level::Baseline;
    let checks = [
        app_armor(pod),
        is_baseline.then(|| capabilities(pod)).flatten(),
        host_namespaces(pod),
        host_path_volumes(pod),
        host_ports(pod),
        privileged(pod),
        proc_mount(pod),
        selinux(pod),
        is_baseline.then(|| seccomp(pod)).flatten(),
        sysctls(pod),
        host_process(pod),
    ];
    checks.into_iter().flatten().collect()
}

fn app_armor(pod: &Value) -> Option<Finding> {
    let is_bad = |part: &Value| part.text("/securityContext/appArmorProfile/type") == "Unconfined";
    let pod_is = is_bad(pod.at("/spec"));
    let names = bad(containers(pod), is_bad);
    let count = names.len() + usize::from(pod_is);
    (count > 0).then(|| {
        Finding::new(
            plural("forbidden AppArmor profile", count),
            format!(
                "{} must not set AppArmor profile type to \"Unconfined\"",
                who(pod_is, &names)
            ),
        )
    })
}

fn capabilities(pod: &Value) -> Option<Finding> {
    let extra = |container: &Value| -> Vec<String> {
        let added = container
            .items("/securityContext/capabilities/add")
            .iter()
            .filter_map(Value::as_str);
        added
            .filter(|name| !CAPABILITIES.contains(name))
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

fn proc_mount(pod: &Value) -> Option<Finding> {
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

fn selinux(pod: &Value) -> Option<Finding> {
    let options = |part: &Value| part.at("/securityContext/seLinuxOptions").clone();
    let is_bad = |part: &Value| {
        let options = options(part);
        !SELINUX_TYPES.contains(&options.text("/type"))
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
            .filter(|text| !SELINUX_TYPES.contains(&text.as_str())),
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

fn seccomp(pod: &Value) -> Option<Finding> {
    let is_bad = |part: &Value| part.text("/securityContext/seccompProfile/type") == "Unconfined";
    let pod_is = is_bad(pod.at("/spec"));
    let names = bad(containers(pod), is_bad);
    (pod_is || !names.is_empty()).then(|| {
        let who = who(pod_is, &names);
        Finding::new(
            "seccompProfile",
            format!("{who} must not set securityContext.seccompProfile.type to \"Unconfined\""),
        )
    })
}

fn sysctls(pod: &Value) -> Option<Finding> {
    let names: Vec<&str> = pod
        .items("/spec/securityContext/sysctls")
        .iter()
        .map(|sysctl| sysctl.text("/name"))
        .filter(|name| !SYSCTLS.contains(name))
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
