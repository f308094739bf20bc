//! The name of this fleet's data: a virtual cluster's state is in one place, and only who has it may serve the virtual
//! cluster. Kept beside the data, so that a copy of the data is the same installation.

use std::io::Write;
use std::path::Path;
use std::{fs, io};

use crate::error::FleetError;

const FILE: &str = "installation";

/// Reads the name, or makes one; without a directory it lasts as long as the process.
///
/// # Errors
/// When the file can be neither read nor written.
pub(crate) fn name(data_dir: Option<&Path>) -> Result<String, FleetError> {
    let fresh = uuid::Uuid::new_v4().to_string();
    let Some(dir) = data_dir else {
        return Ok(fresh);
    };
    let path = dir.join(FILE);
    let kept = read_or_write(&path, &fresh);
    kept.map_err(|source| FleetError::Installation { path, source })
}

fn read_or_write(path: &Path, fresh: &str) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Whole or not at all: a torn name would be another installation's.
    let draft = path.with_extension("new");
    let mut file = fs::File::create(&draft)?;
    file.write_all(fresh.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    Ok(fresh.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_one_name_for_good_and_no_data_a_new_one_each_time() {
        let dir = std::env::temp_dir().join(format!("warren-installation-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let first = name(Some(&dir)).unwrap();
        assert_eq!(name(Some(&dir)).unwrap(), first);
        assert_ne!(name(None).unwrap(), name(None).unwrap());
        fs::remove_dir_all(&dir).unwrap();
    }
}
