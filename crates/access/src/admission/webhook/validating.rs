//! Validating webhooks: all at the same time.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::Value;
use warren_apimachinery::Status;
use warren_storage::Snapshot;

use super::matching::seen_by;
use super::refusal::too_late;
use super::{Side, Turns};

/// What the audit log tells of validating webhooks stands under this key.
const VALIDATING: &str = "validating.webhook.admission.k8s.io/";

impl Turns<'_> {
    /// Asks the validating webhooks, all at the same time. The first refusal in their order is the answer.
    ///
    /// # Errors
    /// A refusal, or a webhook that could not be asked and may not be left out.
    pub(in crate::admission) async fn validate(
        &self,
        now: &Snapshot,
        object: Option<&Value>,
    ) -> Result<(), Status> {
        let mut concerned = Vec::new();
        for hook in &self.hooks.validating {
            let Some(matching) = &hook.matching else { continue };
            if let Some(seen) = seen_by(matching, self.request, now, object)?
                && self.concerns(hook, &seen, now, object).await?
            {
                concerned.push((hook, seen));
            }
        }
        if !concerned.is_empty() && self.request.deadline <= Instant::now() {
            return Err(too_late());
        }
        let asked = concerned.iter().enumerate().map(|(at, (hook, seen))| async move {
            let since = Instant::now();
            let asked = match self.shown(seen, object).await {
                Ok(shown) => self.ask(hook, seen, &shown, Side::Validating).await,
                Err(failure) => Err(failure),
            };
            self.count(hook, Side::Validating, since, &asked);
            match asked {
                Ok(_) => Ok(()),
                Err(failure) => self.passed_over(
                    hook,
                    &format!("failed-open.{VALIDATING}round_0_index_{at}"),
                    failure,
                ),
            }
        });
        join_all(asked).await.into_iter().collect()
    }
}
