//! One corpus of API requests, with the answers of a real kube-apiserver, and what Warren answers beside them.
//!
//! `requests/AREA/TOPIC.yaml` holds scenarios, `answers/AREA/TOPIC.json` what a kube-apiserver answered to them, with
//! what differs each time masked, and `known-differences.txt` the steps that Warren does not answer alike yet.
//! `docs/howto/compare-with-a-kube-apiserver.md` says how to use it.

mod answer;
mod command_line;
mod connection;
mod difference;
mod every_kind;
mod folder;
mod known;
mod mask;
mod output;
mod play;
mod routes;
mod scenario;
mod self_description;
mod snapshot;
mod substitution;
mod verdict;
mod virtual_cluster;

pub use command_line::run;
pub use folder::Folder;
pub use known::Known;
pub use self_description::check_self_description;
pub use verdict::check;
