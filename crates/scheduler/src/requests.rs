//! What a pod asks of a node: amounts by resource name.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use smol_str::SmolStr;
use warren_apimachinery::quantity::Quantity;

/// Amounts by resource name: CPU in thousandths, everything else in units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts(pub(crate) BTreeMap<SmolStr, i64>);

impl Amounts {
    /// Reads a resource list; amounts that do not parse count as nothing (validation refused them before).
    pub(crate) fn read(list: Option<&BTreeMap<String, Text>>) -> Self {
        let amounts = list.into_iter().flatten().filter_map(|(name, text)| {
            let quantity = Quantity::parse(&text.0).ok()?;
            let amount = if name == "cpu" {
                quantity.milli_value()
            } else {
                quantity.value()
            };
            Some((SmolStr::new(name), amount))
        });
        Self(amounts.collect())
    }

    pub(crate) fn amount(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }

    fn raise_to(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let most = self.0.entry(name.clone()).or_default();
            *most = (*most).max(*amount);
        }
    }
}

/// Upstream's rule: the sum of containers and sidecars, or the largest init container together with the
/// sidecars before it, whichever is more; plus the overhead. Requests of the pod as a whole win where given.
pub(crate) fn of_pod(spec: &PodSpec) -> Amounts {
    let mut total = Amounts::default();
    for container in &spec.containers {
        total.add(&of_container(container));
    }
    let mut sidecars = Amounts::default();
    let mut start_up = Amounts::default();
    for container in spec.init_containers.iter().flatten() {
        let own = of_container(container);
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars.add(&own);
            start_up.raise_to(&sidecars);
        } else {
            let mut together = sidecars.clone();
            together.add(&own);
            start_up.raise_to(&together);
        }
    }
    total.add(&sidecars);
    total.raise_to(&start_up);
    if let Some(resources) = &spec.resources {
        total.0.extend(Amounts::read(resources.requests.as_ref()).0);
    }
    total.add(&Amounts::read(spec.overhead.as_ref()));
    total
}

fn of_container(container: &Container) -> Amounts {
    Amounts::read(
        container
            .resources
            .as_ref()
            .and_then(|resources| resources.requests.as_ref()),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(spec: Value, cpu: i64, memory: i64) {
        let amounts = of_pod(&serde_json::from_value(spec).unwrap());
        assert_eq!((amounts.amount("cpu"), amounts.amount("memory")), (cpu, memory));
    }

    #[test]
    fn containers_add_up() {
        let container = json!({"name": "a", "resources": {"requests": {"cpu": "100m", "memory": "1Ki"}}});
        check(json!({"containers": [container, container]}), 200, 2048);
    }

    #[test]
    fn the_largest_init_container_counts_together_with_sidecars_before_it() {
        let cpu = |name: &str, cpu: &str| json!({"name": name, "resources": {"requests": {"cpu": cpu}}});
        let mut sidecar = cpu("s", "100m");
        sidecar["restartPolicy"] = json!("Always");
        let containers = json!([cpu("a", "1")]);
        check(
            json!({"containers": containers, "initContainers": [sidecar, cpu("i", "2")]}),
            2100,
            0,
        );
        check(
            json!({"containers": containers, "initContainers": [cpu("i", "500m"), sidecar]}),
            1100,
            0,
        );
    }
}
