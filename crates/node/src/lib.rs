//! The embedded host's simulated nodes: the life of a pod without containers, and what they answer to logs and exec.
