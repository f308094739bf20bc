//! The in-memory multi-version store of a virtual cluster, and the `Journal` port below it with its contract
//! suite.
//!
//! The store is the watch cache; the journal is what makes it durable. Readers take the current root without
//! locks; a write is acknowledged, and becomes visible, only after the journal made it durable.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod event;
mod head;
pub mod journal;
mod lock;
mod memory;
mod revive;
mod ring;
mod snapshot;
mod store;
mod table;
mod watch;
mod write;

pub use event::{CommitListener, Event, EventKind, Silent};
pub use head::MAX_IN_FLIGHT;
pub use journal::{Done, Epoch, Journal, JournalError, Opened, Record};
pub use memory::{MemoryJournal, Stall};
pub use revive::{fields_from_text, fields_to_text, revive};
pub use snapshot::Snapshot;
pub use store::{MAX_OBJECT_BYTES, MAX_STORE_BYTES, Store};
pub use watch::{Compacted, Watch, WatchEnd};
pub use write::{CommitError, Write, WriteKind};
