//! Objects that nobody watches but that stood in our way: what a create met, so that the next pass sees whose it is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use warren_apimachinery::{GroupResource, Object, ObjectKey, Resource};

/// How long such an object is taken to be there still.
const KEPT: Duration = Duration::from_secs(30);
const MOST: usize = 1024;

/// See the module. Bound: `MOST`, the oldest go first.
#[derive(Default)]
pub(super) struct Passing {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: HashMap<Place, (Instant, Arc<Object>)>,
    by_age: VecDeque<Place>,
}

type Place = (GroupResource, ObjectKey);

impl Passing {
    /// It was there just now.
    pub(super) fn note(&self, resource: &Resource, object: Arc<Object>) {
        let place = (resource.group_resource(), object.key());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .seen
            .insert(place.clone(), (Instant::now(), object))
            .is_none()
        {
            state.by_age.push_back(place);
        }
        if state.by_age.len() > MOST
            && let Some(oldest) = state.by_age.pop_front()
        {
            state.seen.remove(&oldest);
        }
    }

    /// It was there a short while ago.
    pub(super) fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<Arc<Object>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.seen.is_empty() {
            return None;
        }
        let (since, object) = state.seen.get(&(resource.group_resource(), key.clone()))?;
        (since.elapsed() < KEPT).then(|| Arc::clone(object))
    }

    /// It is gone.
    pub(super) fn forget(&self, resource: &Resource, key: &ObjectKey) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (resource.group_resource(), key.clone());
        if state.seen.remove(&place).is_some() {
            state.by_age.retain(|known| *known != place);
        }
    }
}
