//! Load generators and measurements that run against any kubeconfig.

use std::process::ExitCode;

mod api;
mod command_line;
mod connection;
mod definitions;
mod dns;
mod fan_out;
mod footprint;
mod latency;
mod memory;
mod nodes;
mod output;
mod server;
mod sync;

fn main() -> ExitCode {
    command_line::run()
}
