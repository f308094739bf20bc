//! The binary: parse arguments, call one function.

use std::process::ExitCode;
use std::time::Instant;

mod command_line;
mod completion;
mod config;
mod connect;
mod create;
mod delete;
mod describe;
mod disconnect;
mod failure;
mod host_access;
mod install;
mod list;
mod name_servers;
mod output;
mod pause;
mod progress;
mod resume;
mod serve;
mod signals;
mod terminal;
mod uninstall;
mod up;
mod user_kubeconfig;
mod version;
mod virtual_cluster_name;

// Without huge pages, which cost 13 MiB when idle; the system's allocator is as small but slower under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command_line::run(Instant::now())
}
