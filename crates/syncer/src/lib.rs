//! One directory per kind that is kept in step between a virtual cluster and its host.
