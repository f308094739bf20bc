//! The file's layout and the settings of a connection to it.
//!
//! - `clusters`: a row per cluster. `id` is never used again, so that what is left of a removed cluster cannot
//!   come back. `revision` is the highest one whose record may have been compacted away; `base_revision` is
//!   the base's when this cluster was made on it.
//! - `dropped`: removed clusters whose records are still to be swept.
//! - `resources`: the names of resources, so that a record has a number.
//! - `log`: the records in the order of their commits. `seq` is given by the committer and never used again.
//!   A tombstone has no `object`. `covers` marks a record that hides one of the base's.
//! - `state`: how often the file was opened, and through which `seq` the log was compacted.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use warren_storage::JournalError;

use crate::failure::of_sqlite;

/// The layout that this code reads and writes; kept in the file as `user_version`.
const VERSION: i64 = 1;
/// Marks the file as Warren's: "WRRN".
const APPLICATION: i64 = 0x5752_524e;
/// The file in the data directory.
pub(crate) const FILE: &str = "journal.sqlite";

const LAYOUT: &str = "
    CREATE TABLE clusters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        base INTEGER REFERENCES clusters (id),
        base_revision INTEGER NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE dropped (id INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE resources (
        id INTEGER PRIMARY KEY,
        api_group TEXT NOT NULL,
        name TEXT NOT NULL,
        UNIQUE (api_group, name)
    ) STRICT;
    CREATE TABLE log (
        seq INTEGER PRIMARY KEY,
        cluster INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        supersedes INTEGER,
        covers INTEGER NOT NULL DEFAULT 0,
        resource INTEGER NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        fields TEXT,
        object BLOB
    ) STRICT;
    CREATE UNIQUE INDEX log_of_cluster ON log (cluster, revision);
    CREATE TABLE state (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        opened INTEGER NOT NULL,
        compacted INTEGER NOT NULL
    ) STRICT;
    INSERT INTO state (only, opened, compacted) VALUES (1, 0, 0);
";

/// The connection that writes; makes the layout in a new file.
pub(crate) fn writer(directory: &Path) -> Result<Connection, JournalError> {
    let connection = connect(
        directory,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    migrate(&connection)?;
    Ok(connection)
}

/// A connection that only reads, or checkpoints.
pub(crate) fn second(directory: &Path) -> Result<Connection, JournalError> {
    let connection = connect(directory, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection
        .pragma_update(None, "cache_size", -512)
        .map_err(of_sqlite)?;
    Ok(connection)
}

fn connect(directory: &Path, flags: OpenFlags) -> Result<Connection, JournalError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let settings = |connection: &Connection| -> rusqlite::Result<()> {
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        connection.pragma_update(None, "temp_store", "memory")
    };
    let connection = Connection::open_with_flags(directory.join(FILE), flags).map_err(of_sqlite)?;
    settings(&connection).map_err(of_sqlite)?;
    Ok(connection)
}

/// How far the file may grow; `None`: as far as the disk and SQLite let it.
pub(crate) fn limit(connection: &Connection, pages: Option<u32>) -> rusqlite::Result<()> {
    connection.pragma_update(None, "max_page_count", pages.unwrap_or(u32::MAX - 1))
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, JournalError> {
    connection
        .pragma_query_value(None, name, |row| row.get(0))
        .map_err(of_sqlite)
}

fn migrate(connection: &Connection) -> Result<(), JournalError> {
    let version = pragma(connection, "user_version")?;
    let application = pragma(connection, "application_id")?;
    if version == 0 && application == 0 && pragma(connection, "schema_version")? == 0 {
        let layout = format!(
            "BEGIN; {LAYOUT} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        );
        return connection.execute_batch(&layout).map_err(of_sqlite);
    }
    if application != APPLICATION {
        return Err(JournalError::Corrupt(
            "the data file belongs to another program".to_owned(),
        ));
    }
    if version != VERSION {
        return Err(JournalError::Corrupt(format!(
            "the data file has layout {version}, this version of Warren knows {VERSION}"
        )));
    }
    Ok(())
}
