//! Virtual to host and back: names, labels and references, invertible.
