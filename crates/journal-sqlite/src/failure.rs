//! SQLite's errors in the words of the port.

use std::sync::Arc;

use rusqlite::ErrorCode;
use warren_storage::JournalError;

/// Blames the disk, the file, or nobody in particular.
pub(crate) fn of_sqlite(error: rusqlite::Error) -> JournalError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => JournalError::Full,
        Some(ErrorCode::DatabaseCorrupt) => JournalError::Corrupt(text),
        Some(ErrorCode::NotADatabase) => {
            JournalError::Corrupt("the data file is not an SQLite database".to_owned())
        }
        _ => JournalError::Io(Arc::new(error)),
    }
}

/// A failure of the file system, outside of SQLite.
pub(crate) fn of_io(error: std::io::Error) -> JournalError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        JournalError::Full
    } else {
        JournalError::Io(Arc::new(error))
    }
}
