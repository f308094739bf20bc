//! Pages of lists: continue tokens, and the snapshots that later pages are served from.
//!
//! A bounded number of snapshots is kept per cluster, for a bounded time; when the one of a token is gone, the client
//! reads 410 with a token that goes on inconsistently, as upstream.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine as _};
use serde::Serialize;
use serde_json::Value;
use warren_apimachinery::value::{ValueExt, go_kind};
use warren_apimachinery::{ObjectKey, Revision, Status};
use warren_storage::Snapshot;

use crate::content;

/// Snapshots per cluster.
const KEPT: usize = 16;
/// As long as upstream's compaction lets a token live.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// How often a revision is noted.
const NOTED: Duration = Duration::from_secs(60);

/// The snapshots that continue tokens of one cluster name, and how old its revisions are. Costs nothing while empty.
#[derive(Default)]
pub(crate) struct Pages {
    kept: Mutex<VecDeque<(Instant, Snapshot)>>,
    ages: Mutex<Ages>,
}

/// When revisions were current, as far back as lists of them are answered: upstream compacts every five minutes what is
/// older, whatever its store could still tell.
#[derive(Default)]
struct Ages(VecDeque<(Instant, Revision)>);

impl Ages {
    /// Whether a revision is too old by now, when another is current.
    fn is_compacted(&mut self, asked: Revision, current: Revision, now: Instant) -> bool {
        let is_due = self
            .0
            .back()
            .is_none_or(|(at, revision)| *revision != current && now.duration_since(*at) >= NOTED);
        if is_due {
            self.0.push_back((now, current));
        }
        // The newest of those that are old enough decides; the others say nothing more.
        while self
            .0
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) >= LIFETIME)
        {
            self.0.pop_front();
        }
        let oldest = self
            .0
            .front()
            .filter(|(at, _)| now.duration_since(*at) >= LIFETIME);
        oldest.is_some_and(|(_, revision)| asked < *revision)
    }
}

impl Pages {
    /// Keeps a snapshot for the pages that follow, from the first of them on: asking again does not lengthen its life.
    pub(crate) fn keep(&self, snapshot: &Snapshot) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        keep(&mut kept, snapshot.clone(), Instant::now(), |a, b| {
            a.revision() == b.revision()
        });
    }

    /// Whether lists of a revision are answered no more.
    pub(crate) fn is_compacted(&self, asked: Revision, current: Revision) -> bool {
        let mut ages = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        ages.is_compacted(asked, current, Instant::now())
    }

    /// The snapshot of a revision: the current one if it is that, or one that was kept.
    pub(crate) fn at(&self, revision: Revision, current: Snapshot) -> Option<Snapshot> {
        if current.revision() == revision {
            return Some(current);
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
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

#[derive(Serialize)]
struct Token {
    v: String,
    rv: i64,
    start: String,
}

impl Token {
    /// Reads one, with what Go's decoder says of a field of another type.
    fn read(value: &Value) -> Result<Self, String> {
        if !value.is_object() {
            let found = go_kind(value);
            return Err(format!(
                "json: cannot unmarshal {found} into Go value of type storage.continueToken"
            ));
        }
        let wrong = |field: &str, of: &str| {
            let found = go_kind(value.field(field));
            format!("json: cannot unmarshal {found} into Go struct field continueToken.{field} of type {of}")
        };
        let text = |field: &str| match value.field(field) {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.clone()),
            _ => Err(wrong(field, "string")),
        };
        Ok(Self {
            v: text("v")?,
            rv: match value.field("rv") {
                Value::Null => 0,
                number => number.as_i64().ok_or_else(|| wrong("rv", "int64"))?,
            },
            start: text("start")?,
        })
    }
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

    fn token(text: &str) -> Result<Token, Status> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|error| refuse(&illegal(&error, text)))?;
        let value = content::json(&bytes).map_err(|why| refuse(&why))?.value;
        Token::read(&value).map_err(|why| refuse(&why))
    }

    /// The same place as in a token, to go on with what is now.
    pub(crate) fn inconsistent(text: &str) -> String {
        let token = Self::token(text).map(|token| Token { rv: -1, ..token });
        token.map_or_else(
            |_| text.to_owned(),
            |token| URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default()),
        )
    }

    /// Reads a token.
    ///
    /// # Errors
    /// 400 in upstream's words.
    pub(crate) fn decode(text: &str) -> Result<Self, Status> {
        let token = Self::token(text)?;
        if token.v != VERSION {
            return Err(refuse(&format!(
                "server does not recognize this encoded version {}",
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
        if start.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(refuse(start));
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

/// 400 in upstream's words.
fn refuse(why: &str) -> Status {
    Status::bad_request(format!(
        "invalid continue token: continue key is not valid: {why}"
    ))
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
    fn a_revision_is_too_old_when_a_later_one_was_current_five_minutes_ago() {
        let mut ages = Ages::default();
        let start = Instant::now();
        let mut check = |seconds: u64, asked: u64, current: u64, expect: bool| {
            let now = start + Duration::from_secs(seconds);
            let got = ages.is_compacted(Revision(asked), Revision(current), now);
            assert_eq!(got, expect, "{asked} of {current} after {seconds} s");
        };
        check(0, 5, 5, false);
        check(61, 5, 9, false);
        check(300, 5, 20, false);
        check(361, 5, 20, true);
        check(361, 9, 20, false);
        check(100_000, 20, 20, false);
        check(100_000, 9, 20, true);
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
            "invalid continue token: continue key is not valid: server does not recognize this encoded version x",
        );
    }
}
