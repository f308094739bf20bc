//! `--upstream-dns`: who is asked for names that are of no virtual cluster.

use std::net::{IpAddr, SocketAddr};

use clap::Args;

/// See the module.
#[derive(Args, Debug)]
pub(crate) struct NameServers {
    /// Name server that virtual clusters ask about other names; may be given several times [default: the system's]
    #[arg(long, value_name = "IP[:PORT]", value_parser = name_server)]
    pub(crate) upstream_dns: Vec<SocketAddr>,
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    address
        .or_else(|_| text.parse())
        .map_err(|_| format!("{text:?} is no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_needs_no_port() {
        assert_eq!(name_server("10.0.0.1").unwrap(), "10.0.0.1:53".parse().unwrap());
        assert_eq!(name_server("[::1]:5353").unwrap(), "[::1]:5353".parse().unwrap());
        assert!(name_server("dns.example").is_err());
    }
}
