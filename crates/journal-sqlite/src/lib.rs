//! The `Journal` port on SQLite.
