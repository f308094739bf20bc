//! From text to a tree: tokens, grammar, macros. What types the parts have is `check`'s.

pub(crate) mod issue;
mod literal;
mod macros;
mod optional_macros;
mod parse;
mod token;
pub(crate) mod tree;

pub(crate) use issue::Issues;
pub(crate) use parse::parse;
pub(crate) use tree::{Comprehension, Entry, Expr, Id, Node};
