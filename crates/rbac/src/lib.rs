//! May this subject do this? Pure evaluation of RBAC rules.
