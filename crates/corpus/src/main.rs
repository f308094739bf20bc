//! `warren-corpus`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    warren_corpus::run()
}
