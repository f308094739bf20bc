//! HTTP: routes, negotiation, watch streams, discovery, tunnels.
