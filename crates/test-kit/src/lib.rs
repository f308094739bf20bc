//! What tests of more than one crate need: a fleet in the test's own process, the binary as a user runs it, and kubectl.
//!
//! Nothing here asserts: helpers answer what happened, or an error that says all there is to know about a failure.

mod eventually;
mod fleet;
mod folder;
mod kubectl;
mod lines;
mod warren;

pub use eventually::eventually;
pub use fleet::TestFleet;
pub use folder::Folder;
pub use kubectl::{Answer, Kubectl};
pub use lines::Lines;
pub use warren::Warren;
