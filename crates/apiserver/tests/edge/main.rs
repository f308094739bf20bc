//! The HTTP edge over a whole cluster in the process.

mod client;
mod cluster;
mod discovery;
mod golden;
mod list;
mod negotiation;
mod watch;
