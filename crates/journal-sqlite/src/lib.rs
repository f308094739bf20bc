//! The `Journal` port on SQLite: one file in a directory, for one process at a time.
//!
//! One committer thread owns the only writing connection. It drains a bounded queue and writes the appends of
//! all clusters that it finds there as one transaction, so that they share one fsync. Superseded records are
//! removed when it is idle. A second thread copies the write-ahead log into the file, so that no write waits
//! for that. Loading a cluster reads by an index, on connections of its own.
//!
//! Owns the file's layout. Does not own what a record means: it never looks into an object, but to rebuild the
//! index beside it when it is loaded.

mod catalog;
mod checkpoint;
mod committer;
mod compaction;
mod failure;
mod journal;
mod lifecycle;
mod load;
mod queue;
mod schema;

pub use journal::{Options, SqliteJournal};
