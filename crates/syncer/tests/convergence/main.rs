//! The rules at work between two real clusters.

mod config_maps;
mod pods;
mod services;
mod world;
