//! The embedded host's scheduler: filter, score, bind.
