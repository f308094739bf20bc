//! `/stats/summary`: the node as it is, and of its pods the tenant's. Pure.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use super::pods::Pod;

/// `find` tells the tenant's pod of a host namespace and name.
pub(super) fn filtered(mut summary: Value, mut find: impl FnMut(&str, &str) -> Option<Pod>) -> Value {
    let mut pods = Vec::new();
    for mut stats in summary.items("/pods").to_vec() {
        let Some(pod) = find(stats.text("/podRef/namespace"), stats.text("/podRef/name")) else {
            continue;
        };
        stats.set(
            "/podRef",
            json!({"name": pod.key.name, "namespace": pod.key.namespace, "uid": pod.uid}),
        );
        // The host's names of claims; the volume's own name tells which it is.
        for volume in stats
            .get_mut("volume")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            volume.take_at("/pvcRef");
        }
        pods.push(stats);
    }
    summary.set("/pods", pods);
    summary
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::ObjectKey;

    use super::*;

    #[test]
    fn pods_of_others_are_left_out_and_ones_own_keep_their_names() {
        let summary = json!({"node": {"nodeName": "n", "cpu": {"usageNanoCores": 1}}, "pods": [
            {"podRef": {"name": "web-x-shop-x-demo", "namespace": "team-a", "uid": "h"}, "containers": [{"name": "app"}],
             "volume": [{"name": "data", "pvcRef": {"name": "data-x-shop-x-demo", "namespace": "team-a"}, "usedBytes": 1}]},
            {"podRef": {"name": "other", "namespace": "team-b", "uid": "o"}}]});
        let got = filtered(summary, |namespace, name| {
            (namespace == "team-a" && name == "web-x-shop-x-demo").then(|| Pod {
                key: ObjectKey::namespaced("shop", "web"),
                uid: "v".into(),
                host_uid: "h".into(),
            })
        });
        assert_eq!(
            got,
            json!({"node": {"nodeName": "n", "cpu": {"usageNanoCores": 1}}, "pods": [
                {"podRef": {"name": "web", "namespace": "shop", "uid": "v"}, "containers": [{"name": "app"}],
                 "volume": [{"name": "data", "usedBytes": 1}]}]})
        );
    }
}
