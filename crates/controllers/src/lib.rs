//! One directory per built-in controller, each a pure decision and a thin shell.
