//! The strategy of kinds without a file of their own: bindings and reviews, which are answered and never kept.

use warren_registry::strategy::{Strategy, Traits};

/// Adds nothing to the lifecycle of writes.
pub(crate) struct Generic;

impl Strategy for Generic {
    fn traits(&self) -> Traits {
        Traits::default()
    }
}
