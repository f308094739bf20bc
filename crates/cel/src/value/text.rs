//! Text: borrowed from JSON or of its own.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Text that costs nothing to pass on.
#[derive(Clone)]
pub enum Text<'a> {
    /// Part of JSON.
    Borrowed(&'a str),
    /// A literal, or made by an expression.
    Shared(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
