//! The parameters that classes hand to their drivers, and the names of drivers.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;

use crate::check::{self, Errors};

const SIZE_MAX: usize = 256 * 1024;
const COUNT_MAX: usize = 512;
const DRIVER_MAX: usize = 63;

/// Checks parameters; a class that exists for them alone must have some.
pub(super) fn parameters(errors: &mut Errors, parameters: &Value, may_be_empty: bool) {
    let path = Path::new("parameters");
    let empty = serde_json::Map::new();
    let entries = parameters.as_object().unwrap_or(&empty);
    if entries.len() > COUNT_MAX {
        errors.push(Error::too_long(&path, COUNT_MAX));
        return;
    }
    if entries.contains_key("") {
        errors.push(Error::invalid(&path, "", "field can not be empty."));
    }
    let size: usize = entries
        .iter()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > SIZE_MAX {
        errors.push(Error::too_long(&path, SIZE_MAX));
    }
    if !may_be_empty && entries.is_empty() {
        errors.push(Error::required(&path, "must contain at least one key/value pair"));
    }
}

/// Who makes volumes: a qualified name in any case.
pub(super) fn provisioner(errors: &mut Errors, path: &Path, name: &str) {
    if check::required(errors, path, name) {
        check::qualified_name(errors, path, &name.to_lowercase());
    }
}

/// The name of a CSI driver.
pub(crate) fn driver(errors: &mut Errors, path: &Path, name: &str) {
    if !check::required(errors, path, name) {
        return;
    }
    if name.len() > DRIVER_MAX {
        errors.push(Error::too_long(path, DRIVER_MAX));
    }
    check::text(errors, path, name, names::dns1123_subdomain(&name.to_lowercase()));
}

/// A field that upstream says of that updates of it are forbidden.
pub(super) fn unchanged(errors: &mut Errors, field: &str, new: &Value, old: &Value) {
    if !check::same(new, old) {
        errors.push(Error::forbidden(
            &Path::new(field),
            format!("updates to {field} are forbidden."),
        ));
    }
}
