//! Names of a virtual cluster's services and pods, and the server that answers for them.
//!
//! `answer` decides purely: a query and a view of the cluster lead to a reply, or to a question for the host's resolver.
//! `server` and `upstream` carry that out. Nothing is cached: an answer is what the cluster holds at that moment.
//!
//! The wire format is `hickory-proto`'s. Its server is not used, because it bounds neither requests nor connections,
//! and keeps two tasks and a buffer for each port.

mod answer;
mod custom;
mod name;
mod packet;
mod records;
mod server;
mod settings;
mod upstream;
mod view;

pub use answer::{Decision, Question, decide};
pub use custom::{Pattern, Rule, RuleError, Target, Wanted};
pub use packet::{Transport, encode};
pub use server::Server;
pub use settings::Settings;
pub use upstream::{ResolvConf, Upstreams};
pub use view::{Endpoint, Port, Reach, Service, ServiceName, Slice, Source, View};
