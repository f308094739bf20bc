//! What a pod may ask of its node: upstream's Pod Security Standards *baseline* and *restricted*.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// The lists of containers of a pod's spec.
const CONTAINERS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];
/// The capabilities that baseline lets a container add; and `IPC_LOCK`, which databases ask for (Cassandra's own
/// example does) and which locks no more memory than the container's limit.
const CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// The sysctls that baseline allows.
const SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];
const SELINUX_TYPES: &[&str] = &[
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];

/// What *baseline* does not allow.
pub(super) fn baseline(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut flag = |is: bool, field: String| {
        if is {
            found.push(field);
        }
    };
    let on = |value: &Value| value.as_bool().unwrap_or_default();
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        flag(on(spec.field(field)), format!("spec.{field}"));
    }
    for volume in spec.items("/volumes") {
        let name = volume.text("/name");
        flag(
            !volume.field("hostPath").is_null(),
            format!("spec.volumes[{name}].hostPath"),
        );
    }
    for sysctl in spec.items("/securityContext/sysctls") {
        let name = sysctl.text("/name");
        flag(
            !SYSCTLS.contains(&name),
            format!("spec.securityContext.sysctls[{name}]"),
        );
    }
    context(spec.at("/securityContext"), "spec.securityContext", &mut flag);
    for list in CONTAINERS {
        for container in spec.items(&format!("/{list}")) {
            let path = format!("spec.{list}[{}]", container.text("/name"));
            in_container(container, &path, &mut flag);
        }
    }
    found
}

/// The kinds of volumes that *restricted* allows.
const VOLUMES: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// What *restricted* does not allow.
pub(super) fn restricted(spec: &Value) -> Vec<String> {
    let mut found = baseline(spec);
    for volume in spec.items("/volumes") {
        let kinds = volume
            .as_object()
            .into_iter()
            .flatten()
            .map(|(kind, _)| kind.as_str());
        let others = kinds.filter(|kind| *kind != "name" && *kind != "hostPath" && !VOLUMES.contains(kind));
        found.extend(others.map(|kind| format!("spec.volumes[{}].{kind}", volume.text("/name"))));
    }
    let of_pod = spec.at("/securityContext");
    for list in CONTAINERS {
        for container in spec.items(&format!("/{list}")) {
            let path = format!("spec.{list}[{}].securityContext", container.text("/name"));
            let own = container.at("/securityContext");
            let wanted = unmet(of_pod, own)
                .into_iter()
                .map(|field| format!("{path}.{field}"));
            found.extend(wanted);
        }
    }
    found
}

/// What *restricted* asks of a container and is not there.
fn unmet(of_pod: &Value, own: &Value) -> Vec<&'static str> {
    let either = |field: &str| {
        let own = own.field(field);
        if own.is_null() { of_pod.field(field) } else { own }
    };
    let capabilities = own.field("capabilities");
    let keeps = !capabilities.items("/drop").iter().any(|name| name == "ALL");
    let adds = capabilities
        .items("/add")
        .iter()
        .any(|name| name != "NET_BIND_SERVICE");
    let profile = either("seccompProfile").text("/type");
    [
        (
            own.field("allowPrivilegeEscalation") != &Value::Bool(false),
            "allowPrivilegeEscalation",
        ),
        (either("runAsNonRoot") != &Value::Bool(true), "runAsNonRoot"),
        (either("runAsUser").as_i64() == Some(0), "runAsUser"),
        (keeps, "capabilities.drop"),
        (adds, "capabilities.add"),
        (
            !matches!(profile, "RuntimeDefault" | "Localhost"),
            "seccompProfile",
        ),
    ]
    .into_iter()
    .filter_map(|(is, field)| is.then_some(field))
    .collect()
}

fn in_container(container: &Value, path: &str, flag: &mut impl FnMut(bool, String)) {
    let privileged = container
        .at("/securityContext/privileged")
        .as_bool()
        .unwrap_or_default();
    flag(privileged, format!("{path}.securityContext.privileged"));
    for port in container.items("/ports") {
        flag(
            port.int("/hostPort").unwrap_or_default() != 0,
            format!("{path}.ports.hostPort"),
        );
    }
    for capability in container.items("/securityContext/capabilities/add") {
        let name = capability.as_str().unwrap_or_default();
        flag(
            !CAPABILITIES.contains(&name),
            format!("{path}.securityContext.capabilities.add[{name}]"),
        );
    }
    let mount = container.text("/securityContext/procMount");
    flag(
        !matches!(mount, "" | "Default"),
        format!("{path}.securityContext.procMount"),
    );
    context(
        container.at("/securityContext"),
        &format!("{path}.securityContext"),
        flag,
    );
    for probe in [
        "/livenessProbe",
        "/readinessProbe",
        "/startupProbe",
        "/lifecycle/postStart",
        "/lifecycle/preStop",
    ] {
        for action in ["httpGet", "tcpSocket"] {
            let host = container.at(probe).field(action).text("/host");
            flag(
                !host.is_empty(),
                format!("{path}{}.{action}.host", probe.replace('/', ".")),
            );
        }
    }
}

/// What pods and containers have alike.
fn context(context: &Value, path: &str, flag: &mut impl FnMut(bool, String)) {
    let unconfined = |field: &str| context.field(field).text("/type") == "Unconfined";
    flag(unconfined("seccompProfile"), format!("{path}.seccompProfile"));
    flag(unconfined("appArmorProfile"), format!("{path}.appArmorProfile"));
    let options = context.field("seLinuxOptions");
    let custom = !options.text("/user").is_empty() || !options.text("/role").is_empty();
    flag(
        custom || !SELINUX_TYPES.contains(&options.text("/type")),
        format!("{path}.seLinuxOptions"),
    );
    let host_process = context
        .at("/windowsOptions/hostProcess")
        .as_bool()
        .unwrap_or_default();
    flag(host_process, format!("{path}.windowsOptions.hostProcess"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_endangers_the_host_is_named() {
        let spec = json!({"hostNetwork": true, "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
            "containers": [{"name": "c", "ports": [{"hostPort": 80}], "livenessProbe": {"httpGet": {"host": "10.0.0.1"}},
                "securityContext": {"privileged": true, "seccompProfile": {"type": "Unconfined"},
                    "capabilities": {"add": ["NET_ADMIN", "CHOWN"]}}}]});
        let expect = [
            "spec.hostNetwork",
            "spec.volumes[root].hostPath",
            "spec.containers[c].securityContext.privileged",
            "spec.containers[c].ports.hostPort",
            "spec.containers[c].securityContext.capabilities.add[NET_ADMIN]",
            "spec.containers[c].securityContext.seccompProfile",
            "spec.containers[c].livenessProbe.httpGet.host",
        ];
        assert_eq!(baseline(&spec), expect);
        assert!(
            baseline(&json!({"containers": [{"name": "c"}], "securityContext": {"fsGroup": 1}})).is_empty()
        );
    }

    #[test]
    fn what_is_restricted_must_be_asked_for_by_each_container() {
        let spec = json!({"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "v", "nfs": {}}, {"name": "w", "emptyDir": {}}],
            "containers": [{"name": "good", "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}},
                {"name": "bad"}]});
        let expect = [
            "spec.volumes[v].nfs",
            "spec.containers[bad].securityContext.allowPrivilegeEscalation",
            "spec.containers[bad].securityContext.capabilities.drop",
        ];
        assert_eq!(restricted(&spec), expect);
    }
}
