//! Admission webhooks: servers that tenants name, which change or refuse writes.
//!
//! Owns who is asked, in which order, about what, and what their answers mean, as upstream's `MutatingAdmissionWebhook`
//! and `ValidatingAdmissionWebhook` have it. How a server is reached is the `Outbound` port's.

mod ask;
mod hook;
pub(super) mod matching;
mod mutating;
mod refusal;
mod review;
mod validating;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::Status;
use warren_registry::admission::AdmissionRequest;
use warren_storage::Snapshot;

use self::hook::Hook;
pub(crate) use self::hook::Hooks;
use self::matching::{Seen, is_exempt};
use self::refusal::Failure;
pub(crate) use self::refusal::of_code as refused_by_code;
pub use self::review::admission_answer;
use super::policy::{Condition, Evaluation, Input};
use crate::guard::Guard;

/// Which of the two kinds of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Mutating,
    Validating,
}

impl Side {
    /// As metrics name it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Mutating => "admit",
            Self::Validating => "validating",
        }
    }
}

/// The webhooks' part in one write.
pub(super) struct Turns<'a> {
    guard: &'a Guard,
    request: &'a AdmissionRequest<'a>,
    hooks: Arc<Hooks>,
    /// The second time around: only those are asked who asked for it and whose work others changed.
    reinvoking: bool,
    /// Whether a webhook changed the object, so that every step runs once more.
    changed: bool,
    /// The webhooks that were asked and want to be asked again when others change the object later.
    asked: HashSet<usize>,
    /// Those to be asked in the second round.
    due: HashSet<usize>,
    /// The object as the webhooks left it.
    left: Option<Value>,
}

impl<'a> Turns<'a> {
    /// `None` where no webhook is asked, at the cost of two look-ups.
    pub(super) fn of(guard: &'a Guard, request: &'a AdmissionRequest<'a>) -> Option<Self> {
        let hooks = guard.hooks(&request.registry.store().head())?;
        (!is_exempt(request)).then(|| Self {
            guard,
            request,
            hooks,
            reinvoking: false,
            changed: false,
            asked: HashSet::new(),
            due: HashSet::new(),
            left: None,
        })
    }

    /// Whether the webhook's conditions hold.
    ///
    /// # Errors
    /// 403 where they can't be evaluated, unless the webhook fails open.
    async fn concerns(
        &self,
        hook: &Hook,
        seen: &Seen,
        now: &Snapshot,
        object: Option<&Value>,
    ) -> Result<bool, Status> {
        if hook.conditions.is_empty() {
            return Ok(true);
        }
        let input = Input::of(self.request, now, seen, object).await?;
        match hook
            .conditions
            .check(&Evaluation::new(&input, None, self.guard, &[]))
        {
            Condition::Holds => Ok(true),
            Condition::Fails => Ok(false),
            Condition::Unclear(_) if hook.fails_open => Ok(false),
            Condition::Unclear(why) => {
                let resource = self.request.definition.group_resource();
                Err(Status::forbidden(&resource, &self.request.key.name, &why))
            }
        }
    }

    /// An object as a webhook sees it; null for none.
    async fn shown(&self, seen: &Seen, object: Option<&Value>) -> Result<Value, Failure> {
        let Some(object) = object else {
            return Ok(Value::Null);
        };
        if !seen.converts {
            return Ok(object.clone());
        }
        let shown = self.request.registry.show_converted(&seen.resource, object);
        shown.await.map_err(|status| unconverted(&status))
    }

    /// What a webhook made of an object, as the request has it.
    async fn read_back(&self, seen: &Seen, object: Value) -> Result<Value, Failure> {
        if !seen.converts {
            return Ok(object);
        }
        let request = self.request;
        let read = request.registry.read_back(&seen.resource, object);
        let read = read.map_err(|why| Failure::Unfit(Status::internal(why)))?;
        let converted = request.registry.converted_back(request.definition, read);
        converted.await.map_err(|status| unconverted(&status))
    }
}

/// An object that has no form in the version that a webhook asks for.
fn unconverted(status: &Status) -> Failure {
    Failure::Unfit(Status::internal(status.message()))
}
