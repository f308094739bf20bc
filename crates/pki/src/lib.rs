//! Certificates, service account tokens and kubeconfigs.
