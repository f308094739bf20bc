//! The contract suite that every journal runs.
