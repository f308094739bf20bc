//! Tracing, metrics and the rendering of error chains.
