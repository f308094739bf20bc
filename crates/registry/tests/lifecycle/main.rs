//! Every rule of the lifecycle, by behaviour, over the in-memory journal: real schemas, toy strategies.

#[cfg(test)]
mod cluster;
mod create;
mod delete;
mod local;
mod ownership;
mod patch;
mod services;
#[cfg(test)]
mod subresources;
mod update;
