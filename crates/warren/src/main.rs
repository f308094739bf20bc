//! The binary: parse arguments, call one function.

fn main() {}
