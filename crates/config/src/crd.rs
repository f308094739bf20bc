//! The CustomResourceDefinition of `VirtualCluster`, as `crd.json` has it.

use warren_apimachinery::Value;

const CRD: &str = include_str!("crd.json");

/// The CustomResourceDefinition to install on a host.
///
/// `spec` keeps unknown fields there, so that they can be refused by name instead of vanishing.
pub fn custom_resource_definition() -> Value {
    serde_json::from_str(CRD).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::value::ValueExt;

    use super::*;
    use crate::{GROUP, KIND, VERSION};

    #[test]
    fn the_definition_names_our_kind() {
        let crd = custom_resource_definition();
        assert_eq!(crd.text("/spec/group"), GROUP);
        assert_eq!(crd.text("/spec/names/kind"), KIND);
        assert_eq!(crd.text("/spec/versions/0/name"), VERSION);
    }
}
