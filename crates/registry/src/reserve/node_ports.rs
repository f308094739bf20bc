//! Node ports and health check ports of a Service, taken from a pool in upstream's order.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::pool::{Denied, Pool, random};
use super::{refusal, service};

/// Node ports: upstream's default range.
const FIRST_PORT: u32 = 30_000;
const LAST_PORT: u32 = 32_767;
/// Upstream keeps the lower ports for those who ask by number.
const STATIC_PORTS: u32 = 86;
/// The first port that a dry run shows, which is none that could be given.
const DRY_RUN_PORT: i64 = 32_769;

/// A pool of all node ports.
pub(super) fn pool() -> Pool {
    Pool::new(LAST_PORT - FIRST_PORT + 1, STATIC_PORTS)
}

/// The number of a port in the pool.
pub(super) fn number(port: i64) -> Option<u32> {
    u32::try_from(port)
        .ok()
        .filter(|port| (FIRST_PORT..=LAST_PORT).contains(port))
        .map(|port| port - FIRST_PORT)
}

/// One Service's allocation. A dry run looks at the pool and leaves it alone.
pub(super) struct Ports<'a> {
    pool: &'a mut Pool,
    dry_run: Option<Vec<i64>>,
}

impl<'a> Ports<'a> {
    pub(super) fn new(pool: &'a mut Pool, dry_run: bool) -> Self {
        Self {
            pool,
            dry_run: dry_run.then(Vec::new),
        }
    }

    /// Takes what `new` needs and `old` has not.
    pub(super) fn allocate(&mut self, new: &mut Value, old: Option<&Value>) -> Result<(), Status> {
        if service::may_have_node_ports(new) {
            match old {
                None => self.create(new)?,
                Some(old) => self.update(new, old)?,
            }
        }
        if service::needs_health_check_port(new) && !old.is_some_and(service::needs_health_check_port) {
            self.health_check(new)?;
        }
        Ok(())
    }

    /// One number serves a port in all its protocols.
    fn create(&mut self, new: &mut Value) -> Result<(), Status> {
        let all = service::needs_node_ports(new);
        let name = new.text("/metadata/name").to_owned();
        let asked = |ports: &[Value], port: i64| {
            let same = ports.iter().filter(|other| int(other, "/port") == port);
            same.map(|other| int(other, "/nodePort")).find(|node| *node != 0)
        };
        let mut given: HashMap<i64, i64> = HashMap::new();
        let requested = new.items("/spec/ports").to_vec();
        for (at, port) in ports_of(new) {
            let (number, node) = (int(port, "/port"), int(port, "/nodePort"));
            if node == 0 && !all {
                continue;
            }
            match given.get(&number).copied() {
                None => {
                    let taken = match asked(&requested, number) {
                        Some(node) => self
                            .take(node)
                            .map_err(|denied| wrong_port(&name, at, node, denied))?,
                        None => self.any()?,
                    };
                    port.set("/nodePort", taken);
                    given.insert(number, taken);
                }
                Some(other) if node == 0 => port.set("/nodePort", other),
                Some(other) if node != other => {
                    self.take(node)
                        .map_err(|denied| wrong_port(&name, at, node, denied))?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn update(&mut self, new: &mut Value, old: &Value) -> Result<(), Status> {
        let all = service::needs_node_ports(new);
        let name = new.text("/metadata/name").to_owned();
        let had: HashSet<i64> = service::port_node_ports(old).collect();
        let mut taken = HashSet::new();
        let mut seen = HashSet::new();
        for (at, port) in ports_of(new) {
            let mut node = int(port, "/nodePort");
            if node == 0 && !all {
                continue;
            }
            if node == 0 {
                node = self.any()?;
                port.set("/nodePort", node);
            } else if !had.contains(&node) && taken.insert(node) {
                self.take(node)
                    .map_err(|denied| wrong_port(&name, at, node, denied))?;
            }
            let protocol = port.text("/protocol");
            if !seen.insert((protocol.to_owned(), node)) {
                let why = format!("duplicate nodePort: {{{protocol} {node}}}");
                return Err(Status::unclassified(why));
            }
        }
        Ok(())
    }

    fn health_check(&mut self, new: &mut Value) -> Result<(), Status> {
        const PORT: &str = "/spec/healthCheckNodePort";
        let asked = new.int(PORT).unwrap_or_default();
        if asked == 0 {
            let port = self.any()?;
            new.set(PORT, port);
            return Ok(());
        }
        self.take(asked).map(|_| ()).map_err(|denied| {
            Status::internal(format!(
                "failed to allocate requested HealthCheck NodePort {asked}: {}",
                why(denied)
            ))
        })
    }

    fn take(&mut self, port: i64) -> Result<i64, Denied> {
        let number = number(port);
        match &mut self.dry_run {
            Some(taken) => {
                let in_use = number.is_some_and(|number| self.pool.has(number));
                if in_use || taken.contains(&port) {
                    return Err(Denied::Taken);
                }
                taken.push(port);
            }
            None => self.pool.take(number.ok_or(Denied::OutOfRange)?)?,
        }
        Ok(port)
    }

    fn any(&mut self) -> Result<i64, Status> {
        if let Some(taken) = &mut self.dry_run {
            let port = taken.iter().max().map_or(DRY_RUN_PORT, |last| last + 1);
            taken.push(port);
            return Ok(port);
        }
        let number = self.pool.take_any(random());
        number
            .map(|number| i64::from(number + FIRST_PORT))
            .map_err(|_| Status::internal("failed to allocate a nodePort: range is full"))
    }
}

fn int(value: &Value, pointer: &str) -> i64 {
    value.int(pointer).unwrap_or_default()
}

fn ports_of(service: &mut Value) -> impl Iterator<Item = (usize, &mut Value)> {
    let ports = service.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    ports.into_iter().flatten().enumerate()
}

fn why(denied: Denied) -> String {
    match denied {
        Denied::OutOfRange => format!(
            "provided port is not in the valid range. The range of valid ports is {FIRST_PORT}-{LAST_PORT}"
        ),
        Denied::Taken | Denied::Exhausted => "provided port is already allocated".to_owned(),
    }
}

fn wrong_port(name: &str, at: usize, port: i64, denied: Denied) -> Status {
    let path = Path::new("spec").child("ports").index(at).child("nodePort");
    refusal(name, &[Error::invalid(&path, port, why(denied))])
}
