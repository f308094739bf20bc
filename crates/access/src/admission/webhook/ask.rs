//! One call of one webhook: what it is shown, how long it may take, and what its answer means.

use std::time::{Duration, Instant};

use serde_json::Value;
use warren_apimachinery::Status;

use super::hook::Hook;
use super::matching::Seen;
use super::refusal::{self, Failure, denied};
use super::review::{Review, Verdict};
use super::{Side, Turns};
use crate::webhook_metrics::Call;

impl Turns<'_> {
    /// Asks one webhook and counts the call. An answer that allows the write is `Ok`.
    pub(super) async fn ask(
        &self,
        hook: &Hook,
        seen: &Seen,
        shown: &Value,
        side: Side,
    ) -> Result<Verdict, Failure> {
        let request = self.request;
        if request.dry_run && !hook.stands_dry_run() {
            return Err(Failure::DryRun);
        }
        let old = self.shown(seen, request.old).await?;
        let review =
            Review::of(hook, request, seen, [shown, &old]).map_err(|why| Failure::Call { why, code: 400 })?;
        let failed = |why: String| Failure::call(format!("failed to call webhook: {why}"));
        let outbound = self.guard.outbound();
        let outbound = outbound.ok_or_else(|| failed("this server does not call others".to_owned()))?;
        let cluster = request.registry.store().cluster();
        let body = review.body.clone();
        let reply = outbound
            .post(cluster, &hook.destination, body, self.patience(hook))
            .await;
        let reply = reply.map_err(failed)?;
        if let Some(why) = refusal::of_code(&reply) {
            return Err(Failure::Call {
                why: format!("failed to call webhook: {why}"),
                code: reply.code,
            });
        }
        let verdict = review
            .read(&reply, side == Side::Mutating)
            .map_err(Failure::call)?;
        for (key, value) in &verdict.annotations {
            // As upstream, which keeps no key with another slash.
            if !key.contains('/') {
                request
                    .warnings
                    .annotate(format!("{}/{key}", hook.name), value.clone());
            }
        }
        for warning in &verdict.warnings {
            request.warnings.add(warning.clone());
        }
        if verdict.allowed {
            return Ok(verdict);
        }
        Err(Failure::Denied(denied(&hook.name, &verdict.result)))
    }

    /// How long a webhook may take: its own time, or what is left of the request's.
    fn patience(&self, hook: &Hook) -> Duration {
        hook.timeout
            .min(self.request.deadline.saturating_duration_since(Instant::now()))
    }

    /// What a failure means for the write: a webhook that fails open is left out where it could not be asked, which
    /// the audit log tells under `key`.
    pub(super) fn passed_over(&self, hook: &Hook, key: &str, failure: Failure) -> Result<(), Status> {
        let is_late = self.request.deadline <= Instant::now();
        match failure {
            Failure::Call { .. } if is_late => Err(refusal::too_late()),
            Failure::Call { why, .. } if hook.fails_open => {
                tracing::debug!(
                    webhook = hook.name,
                    why,
                    "a webhook that fails open could not be asked"
                );
                self.request.warnings.annotate(key, hook.name.clone());
                Ok(())
            }
            failure => Err(failure.into_status(&hook.name)),
        }
    }

    /// Counts a call, as upstream's metrics tell it.
    pub(super) fn count<T>(&self, hook: &Hook, side: Side, since: Instant, asked: &Result<T, Failure>) {
        let (code, rejection) = match asked {
            Ok(_) => (200, None),
            Err(Failure::Call { code, .. }) => {
                (*code, Some("calling_webhook_error").filter(|_| !hook.fails_open))
            }
            Err(Failure::Denied(status)) => (status.code(), Some("no_error")),
            Err(Failure::Unfit(_) | Failure::DryRun) => (0, Some("apiserver_internal_error")),
        };
        self.guard.webhook_metrics().count(&Call {
            name: &hook.name,
            side: side.as_str(),
            operation: super::matching::operation(self.request.operation),
            code,
            rejection,
            failed_open: matches!(asked, Err(Failure::Call { .. })) && hook.fails_open,
            took: since.elapsed(),
        });
    }
}
