//! The flags that say where virtual clusters are reached.

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use warren_fleet::{FrontDoor, Options};

use crate::name_servers::NameServers;

#[derive(Args, Debug)]
#[command(next_help_heading = "Addresses")]
pub(crate) struct AddressFlags {
    /// Address that virtual clusters listen on [default: 127.0.0.1; in a pod 0.0.0.0]
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// Address under which the host's pods reach them: it goes into EndpointSlices of the host and into kubeconfigs
    /// [default: the one that is listened on]
    #[arg(long, value_name = "IP")]
    advertise_address: Option<IpAddr>,
    /// One more listener for all virtual clusters, which tells them apart by server name
    #[arg(long, value_name = "IP:PORT", requires = "front_door_domain")]
    front_door: Option<SocketAddr>,
    /// Domain of the front door: a virtual cluster is NAME.NAMESPACE.DOMAIN there
    #[arg(long, value_name = "DOMAIN", requires = "front_door")]
    front_door_domain: Option<String>,
    /// Port that clients reach the front door by [default: the one it listens on]
    #[arg(long, value_name = "PORT", requires = "front_door")]
    front_door_port: Option<u16>,
    /// Answer a kubelet's probes here, in plain HTTP: /livez and /readyz
    #[arg(long, value_name = "IP:PORT")]
    health_address: Option<SocketAddr>,
    #[command(flatten)]
    names: NameServers,
}

impl AddressFlags {
    pub(super) fn fill(&self, options: &mut Options, default: IpAddr) -> anyhow::Result<()> {
        options.address = self.address.unwrap_or(default);
        options.advertise = self
            .advertise_address
            .or_else(|| Some(options.address).filter(|address| !address.is_unspecified()));
        options.upstream_dns.clone_from(&self.names.upstream_dns);
        options.health = self.health_address;
        if let (Some(address), Some(domain)) = (self.front_door, &self.front_door_domain) {
            options.front_door = Some(FrontDoor {
                address,
                domain: domain.clone(),
                public_port: self.front_door_port,
            });
        }
        Ok(())
    }
}
