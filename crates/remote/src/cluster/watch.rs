//! A watch as it comes over the wire: lines of JSON.

use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use warren_apimachinery::{Object, Resource};

use super::answer::{self, Failure};
use super::envelope;

/// The longest line: far above what a host stores of one object.
const LINE_MAX: usize = 32 * 1024 * 1024;

/// Puts lines together from the pieces that arrive. Bound: `LINE_MAX`.
#[derive(Default)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no end of line.
    searched: usize,
}

impl Lines {
    /// More bytes. False when a line is too long to be one.
    pub(super) fn feed(&mut self, piece: &Bytes) -> bool {
        self.buffer.extend_from_slice(piece);
        self.buffer.len() <= LINE_MAX
    }

    /// The next whole line, without its end.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        let rest = self.buffer.get(self.searched..)?;
        match memchr::memchr(b'\n', rest) {
            Some(at) => {
                let line = self.buffer.split_to(self.searched + at).freeze();
                self.buffer.advance(1);
                self.searched = 0;
                Some(line)
            }
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }
}

/// What one line tells.
#[derive(Debug)]
pub(super) enum Event {
    /// An object was added or changed.
    Seen(Object),
    /// An object is gone, or left the selection.
    Left(Object),
    /// Nothing happened until this revision.
    Bookmark(SmolStr),
    /// The watch is over, and why.
    Failed(Failure),
    /// A line of no known sort.
    Unknown,
}

#[derive(Deserialize)]
struct Line<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Bookmark {
    metadata: BookmarkMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BookmarkMetadata {
    resource_version: SmolStr,
}

/// Reads a line of a watch of `resource`.
pub(super) fn event(resource: &Resource, line: &[u8]) -> Event {
    let unreadable = || Event::Failed(Failure::Silent("an event of a watch cannot be read".to_owned()));
    let Ok(Line { r#type, object }) = serde_json::from_slice::<Line<'_>>(line) else {
        return unreadable();
    };
    match r#type {
        "ADDED" | "MODIFIED" => match envelope::read(resource, object.get()) {
            Ok(Some(object)) => Event::Seen(object),
            Ok(None) => Event::Unknown,
            Err(_) => unreadable(),
        },
        "DELETED" => match envelope::read(resource, object.get()) {
            Ok(Some(object)) => Event::Left(object),
            Ok(None) => Event::Unknown,
            Err(_) => unreadable(),
        },
        "BOOKMARK" => match serde_json::from_str::<Bookmark>(object.get()) {
            Ok(bookmark) => Event::Bookmark(bookmark.metadata.resource_version),
            Err(_) => unreadable(),
        },
        "ERROR" => Event::Failed(Failure::Answered(answer::status(
            500,
            None,
            object.get().as_bytes(),
        ))),
        _ => Event::Unknown,
    }
}

/// The revision of an object, as text to resume from: not compared, only handed back.
pub(super) fn resource_version(object: &Object) -> SmolStr {
    let revision = object.meta().revision;
    if revision != warren_apimachinery::Revision::ZERO {
        return SmolStr::new(revision.to_string());
    }
    object
        .view::<Bookmark>()
        .map(|read| read.metadata.resource_version)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::resource::PODS;

    use super::*;

    #[test]
    fn lines_are_put_together_from_pieces() {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        for piece in ["a", "b\nc", "\n", "\nde", "f\n", "g"] {
            assert!(lines.feed(&Bytes::from(piece)));
            while let Some(line) = lines.next() {
                got.push(String::from_utf8(line.to_vec()).unwrap());
            }
        }
        assert_eq!(got, ["ab", "c", "", "def"]);
    }

    #[test]
    fn every_sort_of_line_is_told_apart() {
        let pod = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"b","resourceVersion":"5"}}"#;
        let line = |sort: &str, object: &str| format!(r#"{{"type":"{sort}","object":{object}}}"#);
        let read = |text: String| event(&PODS, text.as_bytes());
        assert!(matches!(read(line("ADDED", pod)), Event::Seen(object) if object.meta().name == "a"));
        assert!(matches!(read(line("MODIFIED", pod)), Event::Seen(_)));
        assert!(
            matches!(read(line("DELETED", pod)), Event::Left(object) if resource_version(&object) == "5")
        );
        assert!(matches!(read(line("BOOKMARK", pod)), Event::Bookmark(revision) if revision == "5"));
        let gone = r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#;
        assert!(matches!(read(line("ERROR", gone)), Event::Failed(failure) if failure.is_gone()));
        assert!(matches!(read(line("NEWS", pod)), Event::Unknown));
        assert!(matches!(read("{".to_owned()), Event::Failed(_)));
    }
}
