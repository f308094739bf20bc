//! Paths of files and directories: relative, and not climbing.

use warren_apimachinery::field::{Error, Path};

use crate::check::Errors;

/// Whether a path climbs.
pub(super) fn has_backstep(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// A path that does not climb.
pub(super) fn no_backsteps(errors: &mut Errors, path: &Path, value: &str) {
    if has_backstep(value) {
        errors.push(Error::invalid(path, value, "must not contain '..'"));
    }
}

/// A relative path that does not climb.
pub(super) fn descending_path(errors: &mut Errors, path: &Path, value: &str) {
    if value.starts_with('/') {
        errors.push(Error::invalid(path, value, "must be a relative path"));
    }
    no_backsteps(errors, path, value);
}

/// A descending path whose first part is not kept for the kubelet.
pub(super) fn unreserved_path(errors: &mut Errors, path: &Path, value: &str) {
    descending_path(errors, path, value);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.push(Error::invalid(path, value, "must not start with '..'"));
    }
}
