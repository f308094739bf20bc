//! Host ports, as upstream's `NodePorts`.

use crate::pod_view::{HostPort, PodView};
use crate::snapshot::Seat;

pub(crate) fn conflict(pod: &PodView, seat: &Seat) -> bool {
    let taken = || seat.pods.iter().flat_map(|placed| placed.host_ports.iter());
    pod.host_ports
        .iter()
        .any(|wanted| taken().any(|taken| meet(wanted, taken)))
}

fn meet(one: &HostPort, other: &HostPort) -> bool {
    let any = |address: &str| address.is_empty() || address == "0.0.0.0";
    one.port == other.port
        && one.protocol == other.protocol
        && (one.address == other.address || any(&one.address) || any(&other.address))
}
