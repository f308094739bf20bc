//! Builders, and an in-process fleet for tests.
