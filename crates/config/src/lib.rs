//! The user's YAML as validated types: the `VirtualCluster` object and what its spec may say.
