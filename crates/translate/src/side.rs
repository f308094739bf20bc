//! Which side something belongs to. The two do not convert but through this crate.

/// Something of the virtual cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Virtual<T>(pub T);

/// Something of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host<T>(pub T);
