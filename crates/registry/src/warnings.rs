//! `Warnings`: what admission has to say of one write beside its answer: `Warning` headers for the client, annotations
//! for the audit log.

use std::sync::Mutex;

/// Collects what goes into the `Warning` headers of one answer, and what the audit log tells of it.
#[derive(Debug, Default)]
pub struct Warnings {
    texts: Mutex<Vec<String>>,
    annotations: Mutex<Vec<(String, String)>>,
}

impl Warnings {
    /// Adds a warning unless it is there already.
    pub fn add(&self, warning: impl Into<String>) {
        let warning = warning.into();
        let mut all = self
            .texts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if !all.contains(&warning) {
            all.push(warning);
        }
    }

    /// Takes what was collected.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(
            &mut self
                .texts
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }

    /// Adds an annotation of the audit log; the first of a key stays, as upstream.
    pub fn annotate(&self, key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        let mut all = self
            .annotations
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if all.iter().all(|(known, _)| *known != key) {
            all.push((key, value.into()));
        }
    }

    /// Takes the annotations that were collected.
    pub fn take_annotations(&self) -> Vec<(String, String)> {
        std::mem::take(
            &mut self
                .annotations
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}
