//! Lists: of JSON, or made by an expression.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{Value, read};
use crate::EvaluationError;
use crate::declared::{Declared, Identity, Kind};

/// A list.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// Part of JSON, with what its schema says of it.
    Json(&'a [Json], Option<&'a Declared>),
    /// Values.
    Items(Arc<Vec<Value<'a>>>),
    /// What was added to a list with identities, which it keeps.
    Merged(Arc<Vec<Value<'a>>>, &'a Identity),
}

impl<'a> List<'a> {
    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(items, _) => items.len(),
            Self::Items(items) | Self::Merged(items, _) => items.len(),
        }
    }

    /// The element at a place.
    pub(crate) fn get(&self, at: usize) -> Option<Result<Value<'a>, EvaluationError>> {
        match self {
            Self::Json(items, declared) => items.get(at).map(|item| read(item, element(*declared))),
            Self::Items(items) | Self::Merged(items, _) => items.get(at).cloned().map(Ok),
        }
    }

    /// The elements in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Value<'a>, EvaluationError>> {
        let list = self.clone();
        (0..self.len()).filter_map(move |at| list.get(at))
    }

    /// All elements.
    pub(crate) fn items(&self) -> Result<Vec<Value<'a>>, EvaluationError> {
        self.iter().collect()
    }

    /// What makes an element that element.
    pub(crate) fn identity(&self) -> &'a Identity {
        match self {
            Self::Json(
                _,
                Some(Declared {
                    kind: Kind::List { identity, .. },
                    ..
                }),
            ) => identity,
            Self::Merged(_, identity) => identity,
            _ => &Identity::Place,
        }
    }

    /// This list and the elements of the other; in lists with identities, those that are new, and those that
    /// replace one. Takes over the memory of a list that nobody else holds.
    pub(crate) fn concat(self, other: &Self) -> Result<Self, EvaluationError> {
        let identity = self.identity();
        if *identity != Identity::Place {
            return self.merge(other, identity);
        }
        let mut items = match self {
            Self::Items(items) => items,
            json => Arc::new(json.items()?),
        };
        let all = Arc::make_mut(&mut items);
        for item in other.iter() {
            all.push(item?);
        }
        Ok(Self::Items(items))
    }

    fn merge(self, other: &Self, identity: &'a Identity) -> Result<Self, EvaluationError> {
        let mut items = self.items()?;
        for item in other.iter() {
            let item = item?;
            match items.iter_mut().find(|known| known.is_same(&item, identity)) {
                Some(known) if matches!(identity, Identity::Keys(_)) => *known = item,
                Some(_) => {}
                None => items.push(item),
            }
        }
        Ok(Self::Merged(Arc::new(items), identity))
    }
}

fn element(declared: Option<&Declared>) -> Option<&Declared> {
    match declared.map(|declared| &declared.kind) {
        Some(Kind::List { element, .. }) => Some(element),
        Some(Kind::Any) => declared,
        _ => None,
    }
}
