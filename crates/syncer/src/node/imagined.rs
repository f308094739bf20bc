//! A node of a host that does not let us look at its nodes: one virtual cluster with rights in its namespace alone. Its
//! name is known by the pods on it; the rest is what vCluster's fake nodes show. Pure.

use serde_json::{Value, json};

/// The node `name`, as its host might show it.
pub(super) fn imagined(name: &str) -> Value {
    let amounts = json!({"cpu": "16", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"});
    let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady",
        "message": "kubelet is posting ready status"});
    json!({"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64"}},
        "spec": {},
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready],
            "addresses": [{"type": "Hostname", "address": name}],
            "nodeInfo": {"architecture": "amd64", "operatingSystem": "linux", "bootID": "", "machineID": "",
                "systemUUID": "", "kernelVersion": "", "osImage": "linux", "containerRuntimeVersion": "",
                "kubeletVersion": "v1.36.2", "kubeProxyVersion": ""}}})
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::value::ValueExt;
    use warren_config::VirtualClusterSpec;

    use super::*;
    use crate::node::view::view;

    #[test]
    fn it_is_shown_as_any_pseudo_node_is() {
        let shown = view(&imagined("n"), &VirtualClusterSpec::default());
        assert_eq!(shown.text("/metadata/labels/kubernetes.io~1hostname"), "n");
        assert_eq!(shown.text("/status/allocatable/pods"), "110");
        assert_eq!(shown.text("/status/conditions/0/status"), "True");
    }
}
