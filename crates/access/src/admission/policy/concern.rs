//! Which policies and bindings a write concerns, and with which parameters.

use serde_json::Value;
use warren_registry::admission::AdmissionRequest;
use warren_storage::Snapshot;

use super::super::webhook::matching::{Seen, seen_by};
use super::parameters::{self, Kind};
use super::policies::{Binding, Policy};

/// A policy that a write concerns, by one of its bindings.
pub(super) struct Concern<'p> {
    pub(super) policy: &'p Policy,
    /// `None` where the policy itself can't be followed.
    pub(super) binding: Option<&'p Binding>,
    /// Why the policy or binding can't be followed, or what to evaluate.
    pub(super) found: Result<Found, String>,
}

/// What to evaluate.
pub(super) struct Found {
    /// The version in which the policy sees the object.
    pub(super) seen: Seen,
    /// One evaluation each; `None` for an evaluation without.
    pub(super) parameters: Vec<Option<Value>>,
}

/// Finds them, by the names of policies and then of bindings.
pub(super) fn find<'p>(
    policies: &'p [Policy],
    request: &AdmissionRequest<'_>,
    now: &Snapshot,
    object: Option<&Value>,
) -> Vec<Concern<'p>> {
    let mut concerns = Vec::new();
    for policy in policies {
        let of_policy = match seen_by(&policy.matching, request, now, object) {
            Ok(None) => continue,
            Ok(Some(seen)) => parameters::kind(policy, request).map(|kind| (seen, kind)),
            Err(status) => Err(status.message().to_owned()),
        };
        match of_policy {
            Ok((seen, kind)) => {
                let write = Write { request, now, object };
                let bound = policy.bindings.iter();
                concerns.extend(bound.filter_map(|binding| write.by(policy, binding, &seen, kind.as_ref())));
            }
            Err(why) => concerns.push(Concern {
                policy,
                binding: None,
                found: Err(format!("failed to configure policy: {why}")),
            }),
        }
    }
    concerns
}

struct Write<'a> {
    request: &'a AdmissionRequest<'a>,
    now: &'a Snapshot,
    object: Option<&'a Value>,
}

impl Write<'_> {
    fn by<'p>(
        &self,
        policy: &'p Policy,
        binding: &'p Binding,
        seen: &Seen,
        kind: Option<&Kind>,
    ) -> Option<Concern<'p>> {
        let matches = match &binding.matching {
            Some(matching) => seen_by(matching, self.request, self.now, self.object),
            None => Ok(Some(seen.clone())),
        };
        let found = match matches {
            Ok(None) => return None,
            Ok(Some(_)) => parameters::of(kind, binding, self.request, self.now),
            Err(status) => Err(status.message().to_owned()),
        };
        Some(Concern {
            policy,
            binding: Some(binding),
            found: match found {
                Ok(parameters) => Ok(Found {
                    seen: seen.clone(),
                    parameters,
                }),
                Err(why) => Err(format!("failed to configure binding: {why}")),
            },
        })
    }
}
