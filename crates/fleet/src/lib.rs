//! The life of virtual clusters: create, load, serve, delete, route; the only crate that knows which implementations run.
