//! One pod's life: its next status, given its last one, what it refers to, and the time. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::container::{Purpose, Restart, Step, step};

/// What a pod has from outside itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) node_ip: String,
    pub(crate) pod_ip: String,
    /// What keeps every container from starting, such as a volume's missing secret.
    pub(crate) unmounted: bool,
    /// What keeps single containers from starting: name to message.
    pub(crate) broken: BTreeMap<String, String>,
}

/// The status to report, and when it changes by itself.
pub(crate) struct Outcome {
    pub(crate) status: PodStatus,
    pub(crate) wake: Option<Timestamp>,
}

/// The next status of a pod that is on a node and not being deleted.
pub(crate) fn advance(pod: &Pod, around: &Surroundings, now: Timestamp) -> Outcome {
    let empty = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&empty);
    let last = pod.status.clone().unwrap_or_default();
    let mut life = Life {
        pod,
        spec,
        around,
        now,
        wake: None,
    };
    let (init, initialized) = life.init_containers(last.init_container_statuses.as_deref());
    let containers = life.containers(last.container_statuses.as_deref(), initialized);
    let ephemeral = life.ephemeral(last.ephemeral_container_statuses.as_deref());
    let phase = phase(spec, &init, &containers, initialized);
    let mut status = last.clone();
    status.phase = Some(phase.to_owned());
    status.start_time = last.start_time.or(Some(Time(now)));
    status.host_ip = Some(around.node_ip.clone());
    status.host_ips = Some(vec![HostIP {
        ip: around.node_ip.clone(),
    }]);
    if !around.pod_ip.is_empty() && !around.unmounted {
        status.pod_ip = Some(around.pod_ip.clone());
        status.pod_ips = Some(vec![PodIP {
            ip: around.pod_ip.clone(),
        }]);
    }
    status.conditions = Some(life.conditions(&status, &containers, initialized));
    status.container_statuses = some(containers);
    status.init_container_statuses = some(init);
    status.ephemeral_container_statuses = some(ephemeral);
    status.observed_generation = pod.metadata.generation;
    Outcome {
        status,
        wake: life.wake,
    }
}

fn some(statuses: Vec<ContainerStatus>) -> Option<Vec<ContainerStatus>> {
    (!statuses.is_empty()).then_some(statuses)
}

struct Life<'a> {
    pod: &'a Pod,
    spec: &'a PodSpec,
    around: &'a Surroundings,
    now: Timestamp,
    wake: Option<Timestamp>,
}

impl Life<'_> {
    /// Init containers run one after the other; a sidecar lets the next one go once it has started. The second
    /// value says whether all are through.
    fn init_containers(&mut self, last: Option<&[ContainerStatus]>) -> (Vec<ContainerStatus>, bool) {
        let mut statuses = Vec::new();
        let mut through = true;
        for container in self.spec.init_containers.iter().flatten() {
            let sidecar = is_sidecar(container);
            let (purpose, restart) = if sidecar {
                (Purpose::Service, Restart::Always)
            } else {
                let restart = if self.restart() == Restart::Never {
                    Restart::Never
                } else {
                    Restart::OnFailure
                };
                (Purpose::Task, restart)
            };
            let held = if self.around.unmounted || !through {
                Some(("PodInitializing", ""))
            } else {
                None
            };
            let status = self.step(container, last, purpose, restart, held);
            through = through
                && if sidecar {
                    status.started == Some(true)
                } else {
                    exit_code(&status) == Some(0)
                };
            statuses.push(status);
        }
        (statuses, through)
    }

    fn containers(&mut self, last: Option<&[ContainerStatus]>, initialized: bool) -> Vec<ContainerStatus> {
        let restart = self.restart();
        let purpose = match restart {
            Restart::Always => Purpose::Service,
            _ if self.owned_by_job() => Purpose::Task,
            _ => Purpose::Once,
        };
        let held = match (self.around.unmounted, initialized) {
            (_, false) => Some(("PodInitializing", "")),
            (true, _) => Some(("ContainerCreating", "")),
            _ => None,
        };
        let spec = self.spec;
        spec.containers
            .iter()
            .map(|container| {
                let mut status = self.step(container, last, purpose, restart, held);
                // A finished main container is never ready; only init containers are, when they completed.
                status.ready = status.ready && exit_code(&status).is_none();
                status
            })
            .collect()
    }

    fn ephemeral(&mut self, last: Option<&[ContainerStatus]>) -> Vec<ContainerStatus> {
        let containers: Vec<Container> = self
            .spec
            .ephemeral_containers
            .iter()
            .flatten()
            .map(|ephemeral| Container {
                name: ephemeral.name.clone(),
                image: ephemeral.image.clone(),
                command: ephemeral.command.clone(),
                args: ephemeral.args.clone(),
                ..Container::default()
            })
            .collect();
        containers
            .iter()
            .map(|container| {
                let mut status = self.step(container, last, Purpose::Service, Restart::Never, None);
                status.ready = false;
                status
            })
            .collect()
    }

    fn step(
        &mut self,
        container: &Container,
        last: Option<&[ContainerStatus]>,
        purpose: Purpose,
        restart: Restart,
        held: Option<(&str, &str)>,
    ) -> ContainerStatus {
        let broken = self.around.broken.get(&container.name);
        let held = held.or(broken.map(|message| ("CreateContainerConfigError", message.as_str())));
        let (status, wake) = step(&Step {
            container,
            last: last
                .into_iter()
                .flatten()
                .find(|status| status.name == container.name),
            purpose,
            restart,
            held,
            pod_uid: self.pod.metadata.uid.as_deref().unwrap_or_default(),
            now: self.now,
        });
        self.wake = [self.wake, wake].into_iter().flatten().min();
        status
    }

    fn restart(&self) -> Restart {
        match self.spec.restart_policy.as_deref() {
            Some("Never") => Restart::Never,
            Some("OnFailure") => Restart::OnFailure,
            _ => Restart::Always,
        }
    }

    fn owned_by_job(&self) -> bool {
        self.pod
            .metadata
            .owner_references
            .iter()
            .flatten()
            .any(|owner| owner.kind == "Job")
    }

    fn conditions(
        &self,
        status: &PodStatus,
        containers: &[ContainerStatus],
        initialized: bool,
    ) -> Vec<PodCondition> {
        let old = status.conditions.clone().unwrap_or_default();
        let finished = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let unready: Vec<&str> = containers
            .iter()
            .filter(|c| !c.ready)
            .map(|c| c.name.as_str())
            .collect();
        let containers_ready = !finished && initialized && unready.is_empty();
        let gates_open = self.spec.readiness_gates.iter().flatten().all(|gate| {
            old.iter()
                .any(|condition| condition.type_ == gate.condition_type && condition.status == "True")
        });
        let not_ready = if status.phase.as_deref() == Some("Succeeded") {
            ("PodCompleted", String::new())
        } else if finished {
            ("PodFailed", String::new())
        } else if containers_ready {
            (
                "ReadinessGatesNotReady",
                "the status of pod readiness gate is not \"True\"".to_owned(),
            )
        } else {
            (
                "ContainersNotReady",
                format!("containers with unready status: [{}]", unready.join(" ")),
            )
        };
        let not_initialized = ("ContainersNotInitialized", self.incomplete(status));
        let completed = ("PodCompleted", String::new());
        let wanted = [
            (
                "PodReadyToStartContainers",
                !self.around.unmounted && !finished,
                None,
            ),
            (
                "Initialized",
                initialized || finished,
                Some(if finished { &completed } else { &not_initialized }),
            ),
            ("Ready", containers_ready && gates_open, Some(&not_ready)),
            ("ContainersReady", containers_ready, Some(&not_ready)),
            ("PodScheduled", true, None),
        ];
        let mut conditions: Vec<PodCondition> = wanted
            .into_iter()
            .map(|(name, holds, why)| self.condition(&old, name, holds, why.filter(|_| !holds)))
            .collect();
        conditions.extend(
            old.into_iter()
                .filter(|c| !wanted.iter().any(|(name, ..)| *name == c.type_)),
        );
        conditions
    }

    fn incomplete(&self, status: &PodStatus) -> String {
        let done = |name: &str| {
            status
                .init_container_statuses
                .iter()
                .flatten()
                .any(|s| s.name == name && exit_code(s) == Some(0))
        };
        let names = self
            .spec
            .init_containers
            .iter()
            .flatten()
            .map(|c| c.name.as_str());
        let left: Vec<&str> = names.filter(|name| !done(name)).collect();
        format!("containers with incomplete status: [{}]", left.join(" "))
    }

    fn condition(
        &self,
        old: &[PodCondition],
        name: &str,
        holds: bool,
        why: Option<&(&str, String)>,
    ) -> PodCondition {
        let status = if holds { "True" } else { "False" };
        let before = old.iter().find(|condition| condition.type_ == name);
        let since = before
            .filter(|before| before.status == status)
            .and_then(|b| b.last_transition_time.clone());
        PodCondition {
            type_: name.to_owned(),
            status: status.to_owned(),
            reason: why.map(|(reason, _)| (*reason).to_owned()),
            message: why
                .map(|(_, message)| message.clone())
                .filter(|message| !message.is_empty()),
            last_transition_time: Some(since.unwrap_or(Time(self.now))),
            last_probe_time: None,
            observed_generation: self.pod.metadata.generation,
        }
    }
}

pub(crate) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn exit_code(status: &ContainerStatus) -> Option<i32> {
    status
        .state
        .as_ref()?
        .terminated
        .as_ref()
        .map(|ended| ended.exit_code)
}

fn phase(
    spec: &PodSpec,
    init: &[ContainerStatus],
    containers: &[ContainerStatus],
    initialized: bool,
) -> &'static str {
    let never = spec.restart_policy.as_deref() == Some("Never");
    let regular = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|container| !is_sidecar(container));
    let init_failed = regular
        .filter_map(|container| init.iter().find(|status| status.name == container.name))
        .any(|status| exit_code(status).is_some_and(|code| code != 0));
    if never && init_failed {
        return "Failed";
    }
    if !initialized {
        return "Pending";
    }
    let codes: Vec<Option<i32>> = containers.iter().map(exit_code).collect();
    if !codes.is_empty() && codes.iter().all(Option::is_some) {
        return if codes.iter().all(|code| *code == Some(0)) {
            "Succeeded"
        } else {
            "Failed"
        };
    }
    let never_started = |status: &ContainerStatus| {
        status.state.as_ref().is_none_or(|state| state.waiting.is_some()) && status.last_state.is_none()
    };
    if containers.iter().any(never_started) {
        "Pending"
    } else {
        "Running"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const START: i64 = 1_000_000;

    struct Sim {
        pod: Pod,
        around: Surroundings,
    }

    impl Sim {
        fn new(spec: Value) -> Self {
            let pod = json!({"metadata": {"name": "p", "uid": "u", "generation": 1}, "spec": spec});
            Self {
                pod: serde_json::from_value(pod).unwrap(),
                around: Surroundings {
                    node_ip: "172.18.0.2".into(),
                    pod_ip: "10.244.0.5".into(),
                    ..Surroundings::default()
                },
            }
        }

        /// Advances to `second` and prints phase, true conditions and the time of the next change.
        fn at(&mut self, second: i64) -> String {
            let outcome = advance(
                &self.pod,
                &self.around,
                Timestamp::from_second(START + second).unwrap(),
            );
            let conditions: Vec<String> = outcome
                .status
                .conditions
                .iter()
                .flatten()
                .filter(|condition| condition.status == "True" && condition.type_ != "PodScheduled")
                .map(|condition| condition.type_.clone())
                .collect();
            let wake = outcome
                .wake
                .map_or("-".to_owned(), |at| (at.as_second() - START).to_string());
            let text = format!(
                "{} [{}] {wake}",
                outcome.status.phase.as_deref().unwrap(),
                conditions.join(" ")
            );
            self.pod.status = Some(outcome.status);
            text
        }
    }

    #[test]
    fn a_server_runs_and_is_ready_at_once() {
        let mut sim = Sim::new(json!({"containers": [{"name": "c", "image": "nginx"}]}));
        assert_eq!(
            sim.at(0),
            "Running [PodReadyToStartContainers Initialized Ready ContainersReady] -"
        );
        let before = sim.pod.status.clone();
        sim.at(60);
        assert_eq!(sim.pod.status, before, "nothing changes by itself");
    }

    #[test]
    fn init_containers_run_one_after_the_other_before_the_rest() {
        let mut sim = Sim::new(json!({
            "initContainers": [
                {"name": "proxy", "restartPolicy": "Always", "startupProbe": {"initialDelaySeconds": 1}},
                {"name": "migrate", "command": ["sleep", "2"]}],
            "containers": [{"name": "c"}]}));
        assert_eq!(sim.at(0), "Pending [PodReadyToStartContainers] 1");
        assert_eq!(sim.at(1), "Pending [PodReadyToStartContainers] 3");
        assert_eq!(
            sim.at(3),
            "Running [PodReadyToStartContainers Initialized Ready ContainersReady] -"
        );
    }

    #[test]
    fn a_pod_that_is_not_restarted_ends_with_its_containers() {
        let two = json!([{"name": "a", "command": ["sleep", "1"]}, {"name": "b", "command": ["false"]}]);
        let mut sim = Sim::new(json!({"restartPolicy": "Never", "containers": two}));
        assert!(sim.at(0).starts_with("Running"));
        assert_eq!(sim.at(1), "Failed [Initialized] -");
    }

    #[test]
    fn a_failed_init_container_fails_a_pod_that_is_not_restarted() {
        let mut sim = Sim::new(json!({"restartPolicy": "Never",
            "initContainers": [{"name": "i", "command": ["false"]}], "containers": [{"name": "c"}]}));
        assert_eq!(sim.at(0).split(' ').next(), Some("Failed"));
    }

    #[test]
    fn missing_references_keep_containers_from_starting_until_they_are_there() {
        let mut sim = Sim::new(json!({"containers": [{"name": "c"}]}));
        sim.around.unmounted = true;
        assert_eq!(sim.at(0), "Pending [Initialized] -");
        sim.around.unmounted = false;
        sim.around
            .broken
            .insert("c".into(), "configmap \"x\" not found".into());
        assert_eq!(sim.at(1), "Pending [PodReadyToStartContainers Initialized] -");
        let status = sim.pod.status.clone().unwrap().container_statuses.unwrap();
        let waiting = status[0].state.clone().unwrap().waiting.unwrap();
        assert_eq!(waiting.reason.as_deref(), Some("CreateContainerConfigError"));
        sim.around.broken.clear();
        assert!(sim.at(2).starts_with("Running"));
    }

    #[test]
    fn a_readiness_gate_holds_back_ready_alone() {
        let mut sim =
            Sim::new(json!({"readinessGates": [{"conditionType": "x"}], "containers": [{"name": "c"}]}));
        assert_eq!(
            sim.at(0),
            "Running [PodReadyToStartContainers Initialized ContainersReady] -"
        );
    }
}
