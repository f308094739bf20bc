//! Load generators and measurements that run against any kubeconfig.

fn main() {}
