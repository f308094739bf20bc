//! `Warnings`: what admission has to say of one write beside its answer: `Warning` headers for the client, annotations
//! for the audit log.

use std::sync::Mutex;

/// Collects what goes into the `Warning` headers of one answer, and what the audit log tells of it.
#[derive(Debug, Default)]
pub struct Warnings {
    texts: Mutex<Vec<String>>,
    annotations: Mutex<Vec<Annotation>>,
}

/// An annotation of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Told only where the log tells what was asked, too: from the level `Request` on.
    pub in_detail: bool,
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
        self.keep(Annotation {
            key: key.into(),
            value: value.into(),
            in_detail: false,
        });
    }

    /// Adds an annotation that holds what is in the object.
    pub fn annotate_in_detail(&self, key: impl Into<String>, value: impl Into<String>) {
        self.keep(Annotation {
            key: key.into(),
            value: value.into(),
            in_detail: true,
        });
    }

    fn keep(&self, annotation: Annotation) {
        let mut all = self
            .annotations
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if all.iter().all(|known| known.key != annotation.key) {
            all.push(annotation);
        }
    }

    /// Takes the annotations that were collected.
    pub fn take_annotations(&self) -> Vec<Annotation> {
        std::mem::take(
            &mut self
                .annotations
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}
