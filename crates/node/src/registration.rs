//! What a simulated node is: its object, as a kubelet would register it.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::{Object, time};

/// The label of every simulated node.
const SIMULATED: &str = "node.warren.dev/simulated";

/// The size of a simulated node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeShape {
    /// Cores.
    pub cpu: u32,
    /// Gibibytes.
    pub memory_gib: u32,
    /// Most pods.
    pub pods: u32,
}

impl Default for NodeShape {
    fn default() -> Self {
        Self {
            cpu: 32,
            memory_gib: 128,
            pods: 1000,
        }
    }
}

/// Whether a node is one of ours.
pub fn is_simulated(node: &Object) -> bool {
    node.meta().label(SIMULATED) == Some("true")
}

/// The number at the end of a simulated node's name, which its addresses are made of.
pub(crate) fn number(name: &str) -> u32 {
    name.rsplit('-')
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

/// The address of a simulated node.
pub(crate) fn address(name: &str) -> String {
    let number = number(name);
    format!("172.31.{}.{}", number / 250 % 256, number % 250 + 2)
}

/// The node `name` as it registers.
pub fn node_object(name: &str, shape: &NodeShape, now: Timestamp) -> Value {
    let amounts = json!({
        "cpu": shape.cpu.to_string(), "memory": format!("{}Gi", shape.memory_gib), "pods": shape.pods.to_string(),
        "ephemeral-storage": "100Gi", "hugepages-1Gi": "0", "hugepages-2Mi": "0"});
    let arch = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name,
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": arch,
                "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": arch,
                SIMULATED: "true"},
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"}},
        "spec": {"podCIDR": cidr(name), "podCIDRs": [cidr(name)], "providerID": format!("warren://{name}")},
        "status": {
            "capacity": amounts, "allocatable": amounts, "conditions": conditions(now),
            "addresses": [{"type": "InternalIP", "address": address(name)}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": name, "systemUUID": name, "bootID": name, "kernelVersion": "simulated",
                "osImage": "Warren simulated node", "containerRuntimeVersion": "simulated://1",
                "kubeletVersion": "v1.36.2", "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": arch}}})
}

fn cidr(name: &str) -> String {
    format!("10.244.{}.0/22", number(name) * 4 % 256)
}

fn conditions(now: Timestamp) -> Value {
    let now = time::format(now);
    let condition = |name: &str, status: &str, reason: &str, message: &str| {
        json!({"type": name, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    json!([
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available"
        ),
        condition(
            "DiskPressure",
            "False",
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure"
        ),
        condition(
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available"
        ),
        condition(
            "Ready",
            "True",
            "KubeletReady",
            "simulated node is posting ready status"
        ),
    ])
}
