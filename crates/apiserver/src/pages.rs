//! Pages of lists: continue tokens, and the snapshots that later pages are served from.
//!
//! A bounded number of snapshots is kept per cluster, for a bounded time; when the one of a token is gone, the client
//! reads 410 with a token that goes on inconsistently, as upstream.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine as _};
use serde::{Deserialize, Serialize};
use warren_apimachinery::{ObjectKey, Revision, Status};
use warren_storage::Snapshot;

use crate::content;

/// Snapshots per cluster.
const KEPT: usize = 16;
/// As long as upstream's compaction lets a token live.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The snapshots that continue tokens of one cluster name. Costs nothing while empty.
#[derive(Default)]
pub(crate) struct Pages(Mutex<VecDeque<(Instant, Snapshot)>>);

impl Pages {
    /// Keeps a snapshot for the pages that follow, from the first of them on: asking again does not lengthen its life.
    pub(crate) fn keep(&self, snapshot: &Snapshot) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keep(&mut kept, snapshot.clone(), Instant::now(), |a, b| {
            a.revision() == b.revision()
        });
    }

    /// The snapshot of a revision: the current one if it is that, or one that was kept.
    pub(crate) fn at(&self, revision: Revision, current: Snapshot) -> Option<Snapshot> {
        if current.revision() == revision {
            return Some(current);
        }
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .find(|(since, snapshot)| since.elapsed() < LIFETIME && snapshot.revision() == revision)
            .map(|(_, snapshot)| snapshot.clone())
    }
}

fn keep<T>(kept: &mut VecDeque<(Instant, T)>, page: T, now: Instant, same: fn(&T, &T) -> bool) {
    kept.retain(|(since, _)| now.duration_since(*since) < LIFETIME);
    if kept.iter().any(|(_, other)| same(other, &page)) {
        return;
    }
    if kept.len() >= KEPT {
        kept.pop_front();
    }
    kept.push_back((now, page));
}

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continue {
    /// The revision of the list; `None` to go on with what is now.
    pub(crate) revision: Option<Revision>,
    /// The last key that was sent.
    pub(crate) after: ObjectKey,
}

#[derive(Serialize, Deserialize)]
struct Token {
    #[serde(default)]
    v: String,
    #[serde(default)]
    rv: i64,
    #[serde(default)]
    start: String,
}

const VERSION: &str = "meta.k8s.io/v1";

impl Continue {
    /// As a client carries it.
    pub(crate) fn encode(&self) -> String {
        let token = Token {
            v: VERSION.to_owned(),
            rv: self
                .revision
                .map_or(-1, |revision| i64::try_from(revision.0).unwrap_or(-1)),
            start: format!("{}\0", self.after),
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
    }

    /// Reads a token.
    ///
    /// # Errors
    /// 400 in upstream's words.
    pub(crate) fn decode(text: &str) -> Result<Self, Status> {
        let refuse = |why: &str| {
            Status::bad_request(format!(
                "invalid continue token: continue key is not valid: {why}"
            ))
        };
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|error| refuse(&illegal(&error, text)))?;
        let value = content::json(&bytes).map_err(|why| refuse(&why))?.value;
        let token: Token = serde_json::from_value(value).map_err(|_| refuse("it is of another shape"))?;
        if token.v != VERSION {
            return Err(refuse(&format!(
                "server does not recognize this encoded version {:?}",
                token.v
            )));
        }
        if token.rv == 0 {
            return Err(refuse(&format!(
                "incorrect encoded start resourceVersion (version {VERSION})"
            )));
        }
        let start = token.start.trim_end_matches('\0');
        if start.is_empty() {
            return Err(refuse(&format!("encoded start key empty (version {VERSION})")));
        }
        Ok(Self {
            revision: u64::try_from(token.rv).ok().map(Revision),
            after: match start.split_once('/') {
                Some((namespace, name)) => ObjectKey::namespaced(namespace, name),
                None => ObjectKey::cluster(start),
            },
        })
    }
}

/// What is wrong with a token's base64, as Go says it.
fn illegal(error: &DecodeError, text: &str) -> String {
    let at = match error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => *at,
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len(),
    };
    format!("illegal base64 data at input byte {at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_for_more_pages_does_not_lengthen_the_life_of_a_list() {
        let mut kept = VecDeque::new();
        let start = Instant::now();
        for seconds in (0..LIFETIME.as_secs()).step_by(20) {
            keep(&mut kept, "list", start + Duration::from_secs(seconds), |a, b| {
                a == b
            });
        }
        keep(&mut kept, "another", start + LIFETIME, |a, b| a == b);
        assert_eq!(kept, [(start + LIFETIME, "another")]);
    }

    #[test]
    fn tokens_read_back() {
        for token in [
            Continue {
                revision: Some(Revision(7)),
                after: ObjectKey::namespaced("a", "b"),
            },
            Continue {
                revision: None,
                after: ObjectKey::cluster("n"),
            },
        ] {
            assert_eq!(Continue::decode(&token.encode()).unwrap(), token);
        }
    }

    #[test]
    fn broken_tokens_are_refused_in_upstreams_words() {
        let check = |text: &str, expect: &str| {
            let status = Continue::decode(text).unwrap_err();
            assert_eq!((status.code(), status.message()), (400, expect));
        };
        check(
            "abc",
            "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value",
        );
        check(
            &URL_SAFE_NO_PAD.encode(r#"{"v":"x","rv":1,"start":"a"}"#),
            "invalid continue token: continue key is not valid: server does not recognize this encoded version \"x\"",
        );
    }
}
