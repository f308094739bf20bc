//! The name of a virtual cluster, as arguments give it.

use std::fmt;
use std::str::FromStr;

use warren_apimachinery::{ObjectKey, name};

/// What is left of a label's 63 characters behind `warren-`, the prefix of the default namespace.
const LONGEST: usize = 56;

/// A DNS label that leaves room for the namespace made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VirtualClusterName(String);

impl FromStr for VirtualClusterName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("must be no more than {LONGEST} characters"));
        }
        match name::dns1123_label(text).first() {
            Some(wrong) => Err(wrong.clone()),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for VirtualClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl VirtualClusterName {
    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Where its object stands: in `namespace`, or in the namespace that its name gives.
    pub(crate) fn key(&self, namespace: Option<&str>) -> ObjectKey {
        let default = || warren_fleet::namespace_of(&self.0);
        ObjectKey::namespaced(namespace.map_or_else(default, str::to_owned), self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels_that_leave_room() {
        for good in ["a", "demo", "team-1", "9"] {
            assert!(good.parse::<VirtualClusterName>().is_ok(), "{good}");
        }
        let long = "a".repeat(57);
        for bad in ["", "A", "a.b", "-a", "a_b", long.as_str()] {
            assert!(bad.parse::<VirtualClusterName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_default_namespace_is_the_fleets() {
        let name: VirtualClusterName = "a".parse().unwrap();
        assert_eq!(name.key(None).to_string(), "warren-a/a");
        assert_eq!(name.key(Some("n")).to_string(), "n/a");
    }
}
