//! `LocalAddresses`: a cluster that allocates its Services' addresses and ports itself.

use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, resource};

use super::pool::{Denied, Pool};
use super::{Reserve, service};
use crate::Registry;
use crate::definition::Definition;

/// Node ports: upstream's default range.
const FIRST_PORT: u32 = 30_000;
const LAST_PORT: u32 = 32_767;
/// Upstream keeps the lower ports for those who ask by number.
const STATIC_PORTS: u32 = 86;

/// A range of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    base: u32,
    bits: u8,
}

impl Cidr {
    /// The range of `bits` leading bits that holds `address`. More than 30 bits leave no address to give.
    pub fn new(address: Ipv4Addr, bits: u8) -> Self {
        let bits = bits.min(30);
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or_default();
        Self {
            base: u32::from(address) & mask,
            bits,
        }
    }

    /// How many addresses can be given: neither the network's own nor the broadcast one.
    fn size(self) -> u32 {
        u32::MAX
            .checked_shr(u32::from(self.bits))
            .unwrap_or_default()
            .saturating_sub(1)
    }

    /// The first address, which is the API server's own Service.
    pub fn first(self) -> Ipv4Addr {
        self.nth(0)
    }

    fn nth(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 1 + number)
    }

    fn number(self, address: Ipv4Addr) -> Option<u32> {
        u32::from(address)
            .checked_sub(self.base + 1)
            .filter(|number| *number < self.size())
    }
}

/// Allocates cluster IPs from a range, and node ports from 30000 to 32767, of one cluster.
///
/// What is taken is read from the store on the first use, and may be forgotten at any time while no write is
/// under way (`forget`); an idle cluster keeps nothing.
pub struct LocalAddresses {
    range: Cidr,
    taken: Mutex<Option<Taken>>,
}

struct Taken {
    ips: Pool,
    ports: Pool,
}

impl LocalAddresses {
    /// Allocates from `range`.
    pub fn new(range: Cidr) -> Self {
        Self {
            range,
            taken: Mutex::new(None),
        }
    }

    /// Gives its memory back; the next allocation reads the store again.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, registry: &Registry, act: impl FnOnce(&mut Taken) -> T) -> T {
        let mut taken = self.lock();
        act(taken.get_or_insert_with(|| self.read(registry)))
    }

    /// What the Services have that are there or about to be.
    fn read(&self, registry: &Registry) -> Taken {
        // Upstream leaves a band at the start of the range to those who choose an address.
        let band = (self.range.size() / 16).clamp(16, 256).min(self.range.size() / 2);
        let mut taken = Taken {
            ips: Pool::new(self.range.size(), band),
            ports: Pool::new(LAST_PORT - FIRST_PORT + 1, STATIC_PORTS),
        };
        let head = registry.store().head();
        for object in head.list(&resource::SERVICES.group_resource(), None) {
            let value = object.to_value();
            for number in service::cluster_ips(&value).filter_map(|ip| self.number(ip)) {
                taken.ips.mark(number);
            }
            for number in service::node_ports(&value).filter_map(port_number) {
                taken.ports.mark(number);
            }
        }
        taken
    }

    fn number(&self, ip: &str) -> Option<u32> {
        ip.parse().ok().and_then(|ip| self.range.number(ip))
    }

    /// Frees what `from` has and `but` has not.
    fn free(&self, registry: &Registry, from: &Value, but: Option<&Value>) {
        self.with(registry, |taken| {
            for ip in service::cluster_ips(from) {
                let kept = but.is_some_and(|but| service::cluster_ips(but).any(|other| other == ip));
                if let Some(number) = self.number(ip).filter(|_| !kept) {
                    taken.ips.free(number);
                }
            }
            for port in service::node_ports(from) {
                let kept = but.is_some_and(|but| service::node_ports(but).any(|other| other == port));
                if let Some(number) = port_number(port).filter(|_| !kept) {
                    taken.ports.free(number);
                }
            }
        });
    }

    /// Fills in and takes everything that the Service needs and `old` has not.
    fn allocate(&self, taken: &mut Taken, new: &mut Value, old: Option<&Value>) -> Result<(), Error> {
        if service::needs_cluster_ip(new) {
            default_families(new)?;
            self.allocate_ip(taken, new, old)?;
        }
        allocate_ports(taken, new, old)?;
        allocate_health_check(taken, new, old)
    }

    fn allocate_ip(&self, taken: &mut Taken, new: &mut Value, old: Option<&Value>) -> Result<(), Error> {
        service::normalize_cluster_ips(new);
        if service::is_headless(new) {
            return Ok(());
        }
        let asked = new.text("/spec/clusterIP").to_owned();
        if asked.is_empty() {
            let number = taken.ips.take_any(random()).map_err(|_| {
                Error::internal(
                    &Path::new("spec").child("clusterIPs"),
                    "failed to allocate a serviceIP: range is full",
                )
            })?;
            let ip = self.range.nth(number).to_string();
            new.set("/spec/clusterIPs", json!([ip]));
            new.set("/spec/clusterIP", ip);
            return Ok(());
        }
        if old.is_some_and(|old| service::cluster_ips(old).any(|ip| ip == asked)) {
            return Ok(());
        }
        let result = match self.number(&asked) {
            Some(number) => taken.ips.take(number),
            None => Err(Denied::OutOfRange),
        };
        result.map_err(|denied| {
            let why = match denied {
                Denied::OutOfRange => "the provided network does not match the current range",
                Denied::Taken | Denied::Exhausted => "provided IP is already allocated",
            };
            Error::invalid(
                &Path::new("spec").child("clusterIPs"),
                new.at("/spec/clusterIPs").clone(),
                format!("failed to allocate IP {asked}: {why}"),
            )
        })
    }
}

/// `ipFamilies` and `ipFamilyPolicy` of a cluster that has IPv4 alone.
fn default_families(service: &mut Value) -> Result<(), Error> {
    let spec = Path::new("spec");
    let two = service::is_headless(service)
        && service
            .at("/spec/selector")
            .as_object()
            .is_none_or(|s| s.is_empty());
    if service.text("/spec/ipFamilyPolicy").is_empty() {
        let policy = if two { "RequireDualStack" } else { "SingleStack" };
        service.set("/spec/ipFamilyPolicy", policy);
    } else if service.text("/spec/ipFamilyPolicy") == "RequireDualStack" && !two {
        return Err(Error::invalid(
            &spec.child("ipFamilyPolicy"),
            "RequireDualStack",
            "this cluster is not configured for dual-stack services",
        ));
    }
    let families = service.items("/spec/ipFamilies");
    if let Some(at) = families
        .iter()
        .position(|family| family.as_str() == Some("IPv6"))
        .filter(|_| !two)
    {
        return Err(Error::invalid(
            &spec.child("ipFamilies").index(at),
            "IPv6",
            "not configured on this cluster",
        ));
    }
    if families.is_empty() {
        let families = if service.text("/spec/ipFamilyPolicy") == "RequireDualStack" {
            json!(["IPv4", "IPv6"])
        } else {
            json!(["IPv4"])
        };
        service.set("/spec/ipFamilies", families);
    }
    Ok(())
}

fn allocate_ports(taken: &mut Taken, new: &mut Value, old: Option<&Value>) -> Result<(), Error> {
    if !service::may_have_node_ports(new) {
        return Ok(());
    }
    let all = service::needs_node_ports(new);
    let had: Vec<i64> = old.into_iter().flat_map(service::node_ports).collect();
    // One number serves a port in all its protocols.
    let mut given: Vec<(i64, i64)> = Vec::new();
    let requested: Vec<(i64, i64)> = new
        .items("/spec/ports")
        .iter()
        .filter_map(|port| Some((port.int("/port")?, port.int("/nodePort").filter(|n| *n != 0)?)))
        .collect();
    let Some(Value::Array(ports)) = new.pointer_mut("/spec/ports") else {
        return Ok(());
    };
    for (index, port) in ports.iter_mut().enumerate() {
        let number = port.int("/port").unwrap_or_default();
        let find = |of: &[(i64, i64)]| of.iter().find(|(p, _)| *p == number).map(|(_, node)| *node);
        let mut asked = port.int("/nodePort").filter(|node| *node != 0);
        if asked.is_none() {
            asked = find(&given).or_else(|| find(&requested));
        }
        let path = Path::new("spec").child("ports").index(index).child("nodePort");
        let node = match asked {
            Some(node) => {
                if !had.contains(&node) && !given.iter().any(|(_, other)| *other == node) {
                    take_port(taken, node, &path)?;
                }
                node
            }
            None if all => any_port(taken, &path)?,
            None => continue,
        };
        given.push((number, node));
        port.set("/nodePort", node);
    }
    Ok(())
}

fn allocate_health_check(taken: &mut Taken, new: &mut Value, old: Option<&Value>) -> Result<(), Error> {
    if !service::needs_health_check_port(new) {
        return Ok(());
    }
    let path = Path::new("spec").child("healthCheckNodePort");
    let port = match new.int("/spec/healthCheckNodePort").filter(|port| *port != 0) {
        Some(port) => {
            let kept = old.is_some_and(|old| old.int("/spec/healthCheckNodePort") == Some(port));
            if !kept {
                take_port(taken, port, &path)?;
            }
            port
        }
        None => any_port(taken, &path)?,
    };
    new.set("/spec/healthCheckNodePort", port);
    Ok(())
}

fn port_number(port: i64) -> Option<u32> {
    u32::try_from(port)
        .ok()
        .filter(|port| (FIRST_PORT..=LAST_PORT).contains(port))
        .map(|port| port - FIRST_PORT)
}

fn take_port(taken: &mut Taken, port: i64, path: &Path) -> Result<(), Error> {
    let Some(number) = port_number(port) else {
        return Err(Error::invalid(
            path,
            port,
            format!(
                "provided port is not in the valid range. The range of valid ports is {FIRST_PORT}-{LAST_PORT}"
            ),
        ));
    };
    taken
        .ports
        .take(number)
        .map_err(|_| Error::invalid(path, port, "provided port is already allocated"))
}

fn any_port(taken: &mut Taken, path: &Path) -> Result<i64, Error> {
    taken
        .ports
        .take_any(random())
        .map(|number| i64::from(number + FIRST_PORT))
        .map_err(|_| Error::internal(path, "failed to allocate a nodePort: range is full"))
}

fn random() -> u32 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    u32::try_from(high >> 32).unwrap_or_default()
}

#[async_trait]
impl Reserve for LocalAddresses {
    fn concerns(&self, definition: &Definition) -> bool {
        definition.group.is_empty() && definition.plural == "services"
    }

    async fn reserve(
        &self,
        registry: &Registry,
        definition: &Definition,
        object: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<(), Status> {
        let result = self.with(registry, |taken| {
            taken.ips.begin();
            taken.ports.begin();
            let result = self.allocate(taken, object, old);
            if dry_run || result.is_err() {
                taken.ips.roll_back();
                taken.ports.roll_back();
            }
            result
        });
        result.map_err(|error| {
            Status::invalid(
                &definition.group,
                &definition.kind,
                object.text("/metadata/name"),
                &[error],
            )
        })
    }

    async fn undo(&self, registry: &Registry, _: &Definition, object: &Value, old: Option<&Value>) {
        self.free(registry, object, old);
    }

    async fn release(&self, registry: &Registry, _: &Definition, old: &Value, new: Option<&Value>) {
        self.free(registry, old, new);
    }
}
