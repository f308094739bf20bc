//! `LocalAddresses`: a cluster that allocates its Services' addresses and ports itself.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, address, resource};

use super::node_ports::{self, Ports};
use super::pool::{Denied, Pool, random};
use super::range::{Cidr, Family};
use super::{Reserve, families, refusal, service};
use crate::Registry;
use crate::definition::Definition;

const CLUSTER_IPS: &str = "/spec/clusterIPs";

/// Allocates cluster IPs from one range or two, and node ports from 30000 to 32767, of one cluster.
///
/// What is taken is read from the store on the first use, and may be forgotten at any time while no write is
/// under way (`forget`); an idle cluster keeps nothing.
pub struct LocalAddresses {
    ranges: Vec<Cidr>,
    taken: Mutex<Option<Taken>>,
}

struct Taken {
    /// One for each range.
    ips: Vec<Pool>,
    ports: Pool,
}

impl Taken {
    fn pools(&mut self) -> impl Iterator<Item = &mut Pool> {
        self.ips.iter_mut().chain([&mut self.ports])
    }
}

impl LocalAddresses {
    /// Allocates from `range`.
    pub fn new(range: Cidr) -> Self {
        Self::of(vec![range])
    }

    /// Allocates from a range of each family; Services that do not choose get an address of the first one's.
    pub fn dual_stack(first: Cidr, second: Cidr) -> Self {
        let is_dual = first.family() != second.family();
        Self::of(if is_dual { vec![first, second] } else { vec![first] })
    }

    fn of(ranges: Vec<Cidr>) -> Self {
        Self {
            ranges,
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
        let mut taken = self.nothing_taken();
        let head = registry.store().head();
        for object in head.list(&resource::SERVICES.group_resource(), None) {
            let value = object.to_value();
            for (pool, number) in service::cluster_ips(&value).filter_map(|ip| self.number(ip)) {
                if let Some(pool) = taken.ips.get_mut(pool) {
                    pool.mark(number);
                }
            }
            for number in service::node_ports(&value).filter_map(node_ports::number) {
                taken.ports.mark(number);
            }
        }
        taken
    }

    fn nothing_taken(&self) -> Taken {
        // Upstream leaves a band at the start of the range to those who choose an address.
        let band = |size: u32| (size / 16).clamp(16, 256).min(size / 2);
        let pool = |range: &Cidr| Pool::new(range.size(), band(range.size()));
        Taken {
            ips: self.ranges.iter().map(pool).collect(),
            ports: node_ports::pool(),
        }
    }

    /// Which range an address is of, and its number there.
    fn number(&self, ip: &str) -> Option<(usize, u32)> {
        let ip = address::parse_ip(ip)?;
        let number = |range: &Cidr| range.number(ip);
        self.ranges
            .iter()
            .enumerate()
            .find_map(|(at, range)| Some((at, number(range)?)))
    }

    fn free<'a>(
        &self,
        registry: &Registry,
        ips: impl Iterator<Item = &'a str>,
        ports: impl Iterator<Item = i64>,
    ) {
        self.with(registry, |taken| {
            for (pool, number) in ips.filter_map(|ip| self.number(ip)) {
                if let Some(pool) = taken.ips.get_mut(pool) {
                    pool.free(number);
                }
            }
            for number in ports.filter_map(node_ports::number) {
                taken.ports.free(number);
            }
        });
    }

    /// Fills in and takes everything that the Service needs and `old` has not.
    fn allocate(
        &self,
        taken: &mut Taken,
        new: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<(), Status> {
        self.settle_families(new, old)?;
        for at in lacking(new, old) {
            self.allocate_ip(taken, new, at, dry_run)?;
        }
        Ports::new(&mut taken.ports, dry_run).allocate(new, old)
    }

    fn settle_families(&self, new: &mut Value, old: Option<&Value>) -> Result<(), Status> {
        let configured: Vec<Family> = self.ranges.iter().map(|range| range.family()).collect();
        families::settle(new, old, &configured).map_err(|errors| refusal(new.text("/metadata/name"), &errors))
    }

    /// The address of the family at `at`: the one that is asked for, or any.
    fn allocate_ip(
        &self,
        taken: &mut Taken,
        new: &mut Value,
        at: usize,
        dry_run: bool,
    ) -> Result<(), Status> {
        let family = new.items("/spec/ipFamilies").get(at).and_then(Value::as_str);
        let range = self.ranges.iter().enumerate();
        let mut range = range.filter(|(_, range)| family == Some(range.family().name()));
        let Some((pool, range)) = range.next() else {
            return Ok(());
        };
        let Some(pool) = taken.ips.get_mut(pool) else {
            return Ok(());
        };
        let asked = new
            .items(CLUSTER_IPS)
            .get(at)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !asked.is_empty() {
            return take(pool, *range, asked, dry_run).map_err(|why| {
                let path = Path::new("spec.clusterIPs");
                let why = format!("failed to allocate IP {asked}: {why}");
                refusal(
                    new.text("/metadata/name"),
                    &[Error::invalid(&path, new.at(CLUSTER_IPS).clone(), why)],
                )
            });
        }
        let number = pool.take_any(random()).map_err(|_| {
            let name = new.text("/metadata/name");
            Status::internal(format!(
                "failed to allocate a serviceIP for Service {name:?}: range is full"
            ))
        })?;
        let ip = range.nth(number).to_string();
        let mut ips = new.items(CLUSTER_IPS).to_vec();
        ips.truncate(at);
        ips.push(json!(ip));
        new.set(CLUSTER_IPS, ips);
        if at == 0 {
            new.set("/spec/clusterIP", ip);
        }
        Ok(())
    }
}

/// For a cluster whose addresses come from another one with these ranges: settles the families as that one would,
/// and on a dry run shows what it could give, without asking it.
///
/// # Errors
/// What cannot be had from these ranges.
pub fn foresee(ranges: &[Cidr], new: &mut Value, old: Option<&Value>, dry_run: bool) -> Result<(), Status> {
    service::normalize(new, old);
    let ranges = LocalAddresses::of(ranges.to_vec());
    if dry_run {
        let mut taken = ranges.nothing_taken();
        return ranges.allocate(&mut taken, new, old, true);
    }
    ranges.settle_families(new, old)
}

fn take(pool: &mut Pool, range: Cidr, asked: &str, dry_run: bool) -> Result<(), String> {
    let number = address::parse_ip(asked).and_then(|ip| range.number(ip));
    let result = match number {
        None => Err(Denied::OutOfRange),
        // Upstream does not look whether it is free: another may be faster anyway.
        Some(_) if dry_run => Ok(()),
        Some(number) => pool.take(number),
    };
    result.map_err(|denied| match denied {
        Denied::OutOfRange if dry_run => {
            format!("the provided IP ({asked}) is not in the valid range. The range of valid IPs is {range}")
        }
        Denied::OutOfRange => "the provided network does not match the current range".to_owned(),
        Denied::Taken | Denied::Exhausted => "provided IP is already allocated".to_owned(),
    })
}

/// The places in `clusterIPs` that need an address: all when there were none, the second when both families are wanted
/// anew.
fn lacking(new: &Value, old: Option<&Value>) -> std::ops::Range<usize> {
    let families = |service: &Value| service.items("/spec/ipFamilies").len();
    if !service::needs_cluster_ip(new) || service::is_headless(new) {
        return 0..0;
    }
    match old {
        None => 0..families(new),
        Some(old) if !service::needs_cluster_ip(old) => 0..families(new),
        Some(old) if families::keeps_preference(new, old) || service::is_headless(old) => 0..0,
        Some(old) if families(old) == 1 && families(new) == 2 => 1..2,
        Some(_) => 0..0,
    }
}

#[async_trait]
impl Reserve for LocalAddresses {
    fn concerns(&self, definition: &Definition) -> bool {
        resource::SERVICES.is(&definition.storage)
    }

    async fn begin(
        &self,
        registry: &Registry,
        _: &Definition,
        object: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<(), Status> {
        service::normalize(object, old);
        self.with(registry, |taken| {
            taken.pools().for_each(Pool::begin);
            let result = self.allocate(taken, object, old, dry_run);
            if dry_run || result.is_err() {
                taken.pools().for_each(Pool::roll_back);
            }
            result
        })
    }

    async fn undo(&self, registry: &Registry, definition: &Definition, object: &Value, old: Option<&Value>) {
        self.abandon(registry, definition, object, old).await;
    }

    async fn abandon(&self, registry: &Registry, _: &Definition, object: &Value, old: Option<&Value>) {
        let (ips, ports) = service::newly_taken(object, old);
        self.free(registry, ips.into_iter(), ports.into_iter());
    }

    async fn release(&self, registry: &Registry, _: &Definition, old: &Value, new: Option<&Value>) {
        let kept_ips: Vec<&str> = new.into_iter().flat_map(service::cluster_ips).collect();
        let kept_ports: Vec<i64> = new.into_iter().flat_map(service::node_ports).collect();
        self.free(
            registry,
            service::cluster_ips(old).filter(|ip| !kept_ips.contains(ip)),
            service::node_ports(old).filter(|port| !kept_ports.contains(port)),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn ranges() -> [Cidr; 2] {
        let six = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0);
        [Cidr::new([10, 96, 0, 0], 16), Cidr::new(six, 112)]
    }

    #[test]
    fn a_cluster_of_two_families_gives_an_address_of_each() {
        let mut service = json!({"spec": {"type": "ClusterIP", "ipFamilyPolicy": "RequireDualStack"}});
        foresee(&ranges(), &mut service, None, true).unwrap();
        assert_eq!(service.at("/spec/ipFamilies"), &json!(["IPv4", "IPv6"]));
        assert!(service.text("/spec/clusterIPs/0").starts_with("10.96."));
        assert!(service.text("/spec/clusterIPs/1").starts_with("fd00::"));
        assert_eq!(service.at("/spec/clusterIP"), service.at("/spec/clusterIPs/0"));
    }

    #[test]
    fn a_service_gets_its_second_address_when_it_asks_for_it_and_loses_it_by_saying_so() {
        let old = json!({"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}});
        let mut new = old.clone();
        new.set("/spec/ipFamilyPolicy", "PreferDualStack");
        foresee(&ranges(), &mut new, Some(&old), true).unwrap();
        assert_eq!(new.items("/spec/clusterIPs").len(), 2);
        assert_eq!(lacking(&new, Some(&old)), 1..2);
        let both = new.clone();
        new.set("/spec/ipFamilyPolicy", "SingleStack");
        foresee(&ranges(), &mut new, Some(&both), true).unwrap();
        assert_eq!(new.at("/spec/clusterIPs"), &json!(["10.96.0.9"]));
    }
}
