//! The host as kube's client sees it: kubeconfigs, and `VirtualCluster` objects by way of a real API server.
