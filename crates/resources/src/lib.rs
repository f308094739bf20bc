//! One file per built-in kind: strategy, defaulting, validation, table columns.
