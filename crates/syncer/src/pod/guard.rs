//! The last word on what a tenant's pod may ask of the host: upstream's Pod Security Standard *baseline*.
//!
//! Admission in the virtual cluster says it first and better, but a tenant administers that one.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::references::CONTAINERS;

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

/// The fields of a pod's spec that the host does not allow a tenant.
pub(super) fn forbidden(spec: &Value) -> Vec<String> {
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

/// What a spec holds that is not carried to the host yet; refused by name.
pub(super) fn unsupported(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !spec.items("/resourceClaims").is_empty() {
        found.push("spec.resourceClaims".to_owned());
    }
    for volume in spec.items("/volumes") {
        let in_volume = unsupported_in(volume).into_iter();
        found.extend(in_volume.map(|field| format!("spec.volumes[{}].{field}", volume.text("/name"))));
    }
    found
}

fn unsupported_in(volume: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for source in volume.items("/projected/sources") {
        for field in ["clusterTrustBundle", "podCertificate"] {
            if !source.field(field).is_null() {
                found.push(format!("projected.{field}"));
            }
        }
    }
    // Names Endpoints of the host's namespace, for a driver that Kubernetes no longer has.
    if !volume.field("glusterfs").is_null() {
        found.push("glusterfs".to_owned());
    }
    // Only claims have a name of their own on the host; that of a snapshot would be anybody's.
    for field in ["dataSource", "dataSourceRef"] {
        let source = volume.at("/ephemeral/volumeClaimTemplate/spec").field(field);
        let is_claim =
            source.text("/kind") == "PersistentVolumeClaim" && source.text("/namespace").is_empty();
        if !source.is_null() && !is_claim {
            found.push(format!("ephemeral.volumeClaimTemplate.spec.{field}"));
        }
    }
    found
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
    fn what_would_name_others_objects_on_the_host_is_refused() {
        let claim = |source: Value| json!({"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {"dataSource": source}}}});
        let spec = json!({"volumes": [
            {"name": "g", "glusterfs": {"endpoints": "e", "path": "p"}},
            claim(json!({"kind": "VolumeSnapshot", "apiGroup": "snapshot.storage.k8s.io", "name": "s"})),
            claim(json!({"kind": "PersistentVolumeClaim", "name": "c"}))]});
        let expect = [
            "spec.volumes[g].glusterfs",
            "spec.volumes[v].ephemeral.volumeClaimTemplate.spec.dataSource",
        ];
        assert_eq!(unsupported(&spec), expect);
    }

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
        assert_eq!(forbidden(&spec), expect);
        assert!(
            forbidden(&json!({"containers": [{"name": "c"}], "securityContext": {"fsGroup": 1}})).is_empty()
        );
    }
}
