//! Repository tasks: `cargo xtask test`, `cargo xtask tidy`, `cargo xtask derive`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool prints"
)]

use std::process::ExitCode;

mod check;
mod derive;
mod fuzz;
mod tidy;
mod tools;

const USAGE: &str =
    "usage: cargo xtask test | tidy | derive [protobuf] UNPACKED-DATA | fuzz [NAME|all SECONDS]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["test"] => check::run(),
        ["tidy"] => tidy::run(),
        ["derive", "protobuf", data] => derive::protobuf(std::path::Path::new(data)),
        ["fuzz"] => fuzz::run("all", "60"),
        ["fuzz", name, seconds] => fuzz::run(name, seconds),
        ["derive", data] => derive::run(std::path::Path::new(data)),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    result.map_or_else(
        |error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}
