//! The lifecycle of a write, once: decode, default, prepare, admit, validate, reserve, commit. A kind supplies a
//! `Strategy`.
//!
//! Every write to a virtual object passes here; controllers and the syncer come through the `Cluster` port that
//! `LocalCluster` puts over a registry.

pub mod admission;
pub mod catalogue;
mod change;
mod commit;
pub mod conversion;
mod convert;
mod converted;
mod create;
mod decode;
pub mod definition;
mod delete;
pub mod local;
mod metadata;
mod operation;
mod ownership;
mod patch;
mod registry;
pub mod request;
pub mod reserve;
pub mod review;
pub mod strategy;
mod subresource;
pub mod token;
mod update;
mod warnings;

pub use catalogue::Catalogue;
pub use conversion::{Converter, NoConverter};
pub use create::terminating;
pub use local::LocalCluster;
pub use metadata::validate_embedded;
pub use registry::{Clock, Parts, Registry};
pub use request::{Deleted, FieldValidation, Keeps, LONGEST_WRITE, Patch, Request, Written};
pub use reserve::{LocalAddresses, NoReserve, Reserve};
pub use review::{NoReviews, Reviews};
pub use token::{NoTokens, TokenIssuer};
pub use warnings::{Annotation, Warnings};
pub use warren_patch::json_patch_form;
