//! Requests to servers that tenants name: admission webhooks, and issuers of tokens, over HTTPS.
//!
//! Owns the connection: how long it may take, how much may be read, and the words for what goes wrong, which are those
//! of Go's HTTP client since clients of the API know them. Does not own whom to ask, or what an answer means.

mod call;
mod exchange;
mod issuer_documents;
mod pool;
mod redirect;
mod services;
mod stream;
mod way;
mod wording;

pub use call::Calls;
pub use issuer_documents::IssuerDocuments;
pub use services::{Endpoint, Services};
pub use stream::Stream;
