//! One YAML document, within bounds, refused in the words of the Go library that upstream reads it with.

use std::borrow::Cow;

use serde::de::DeserializeSeed;

use super::{DecodeError, Decoded, State};

/// How deep YAML may nest: its parser needs so much of the stack that 127 levels overflow a thread's.
const MAX_DEPTH: usize = 64;

/// What the reader takes, and its bounds: 64 levels, 1,000 anchors, 500,000 nodes with all aliases followed.
pub(super) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_documents: 1,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_nodes: 500_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 500_000,
        },
    }
}

/// The text of a body: UTF-8, or UTF-16 with a mark of its byte order.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest
            .chunks_exact(2)
            .filter_map(|pair| pair.try_into().ok().map(unit))
            .collect();
        String::from_utf16(&units)
            .map(Cow::Owned)
            .map_err(|_| DecodeError::Yaml("unexpected low surrogate area".to_owned()))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|_| DecodeError::Yaml("invalid leading UTF-8 octet".to_owned())),
    }
}

/// The text up to the mark that ends the first document.
pub(super) fn first_document(text: &str) -> &str {
    let mut end = 0;
    let mut has_begun = false;
    for line in text.split_inclusive('\n') {
        let is_mark = |mark| {
            line.strip_prefix(mark)
                .is_some_and(|rest: &str| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
        };
        let opens = is_mark("---");
        if has_begun && (opens || is_mark("...")) {
            return text.get(..end).unwrap_or(text);
        }
        let trimmed = line.trim_start_matches('\u{feff}').trim();
        has_begun |= opens || !(trimmed.is_empty() || trimmed.starts_with(['#', '%']));
        end += line.len();
    }
    text
}

pub(super) fn read(text: &str) -> Result<Decoded, DecodeError> {
    let mut state = State::default();
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |deserializer| {
        state.seed().deserialize(deserializer)
    });
    match read {
        Ok(value) => Ok(state.finish(value)),
        Err(error) => {
            let at = error.location().map(|at| Place {
                line: usize::try_from(at.line()).unwrap_or_default(),
                column: usize::try_from(at.column()).unwrap_or_default(),
            });
            Err(explain(
                text,
                at.unwrap_or_default(),
                &error.without_snippet().to_string(),
            ))
        }
    }
}

/// Where the reader stopped, counted from 1; 0 when it does not say.
#[derive(Clone, Copy, Default)]
struct Place {
    line: usize,
    column: usize,
}

/// What is wrong, in Go's words where they are known.
fn explain(text: &str, at: Place, why: &str) -> DecodeError {
    let why = why.lines().next().unwrap_or_default();
    let why = why.split(" at line ").next().unwrap_or_default();
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    let name = || {
        let rest = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
        let rest = rest.chars().skip(at.column.saturating_sub(1));
        rest.skip_while(|c| *c == '*')
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            .collect::<String>()
    };
    // What Go's scanner finds is told with its line, what its parser finds with the one before; the first has none.
    let told = |line: usize, words: &str| match line {
        0 | 1 => words.to_owned(),
        line => format!("line {line}: {words}"),
    };
    let parser = |line: usize, words: &str| match line {
        0 => words.to_owned(),
        line => format!("line {line}: {words}"),
    };
    let has = |part: &str| why.contains(part);
    DecodeError::Yaml(if has("non-finite") {
        let is_negative = has("`-");
        let infinity = if is_negative { "-Inf" } else { "+Inf" };
        let value = if why.to_ascii_lowercase().contains("nan") {
            "NaN"
        } else {
            infinity
        };
        return DecodeError::Value(format!("unsupported value: {value}"));
    } else if has("unknown anchor") {
        format!("unknown anchor '{}' referenced", name())
    } else if has("recursive references") {
        format!("anchor '{}' value contains itself", name())
    } else if has("recursion limit") || has("Depth") {
        told(at.line, &format!("exceeded max depth of {MAX_DEPTH}"))
    } else if has("alias") || has("budget breached") {
        "document contains excessive aliasing".to_owned()
    } else if has("tabs disallowed") {
        told(at.line, "found character that cannot start any token")
    } else if has("unexpected character") {
        "control characters are not allowed".to_owned()
    } else if has("mapping values are not allowed") {
        told(at.line, "mapping values are not allowed in this context")
    } else if has("did not find expected key") {
        parser(at.line.saturating_sub(1), "did not find expected key")
    } else if has("unclosed quote") {
        told(lines + 1, "found unexpected end of stream")
    } else if has("unclosed bracket") {
        parser(lines, "did not find expected node content")
    } else {
        parser(at.line, why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_yaml_is_refused_in_gos_words() {
        for (text, expect) in [
            ("a: b\nd: *nope\n", "yaml: unknown anchor 'nope' referenced"),
            (
                "a: b: c\n",
                "yaml: mapping values are not allowed in this context",
            ),
            (
                "a: b\nc: d: e\n",
                "yaml: line 2: mapping values are not allowed in this context",
            ),
            (
                "a:\n\tb: c\n",
                "yaml: line 2: found character that cannot start any token",
            ),
            ("a: \"\0\"\n", "yaml: control characters are not allowed"),
            ("a: .inf\n", "json: unsupported value: +Inf"),
            ("a: -.inf\n", "json: unsupported value: -Inf"),
            ("a: \"b\n", "yaml: line 2: found unexpected end of stream"),
            ("{a: \n", "yaml: line 1: did not find expected node content"),
            ("a:\n  - b\n c: d\n", "yaml: line 2: did not find expected key"),
            ("x: &x [*x]\n", "yaml: anchor 'x' value contains itself"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expect, "{text:?}");
        }
        let deep = format!("x: {}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(
            read(&deep).unwrap_err().to_string(),
            "yaml: exceeded max depth of 64"
        );
    }

    #[test]
    fn only_the_first_document_is_read() {
        for (text, expect) in [
            ("a: 1\n---\nb: 2\n", "a: 1\n"),
            (
                "# x\n%YAML 1.1\n---\na: 1\n...\nrest",
                "# x\n%YAML 1.1\n---\na: 1\n",
            ),
            ("---\n---\na: 1\n", "---\n"),
            ("a: |\n  ---\n", "a: |\n  ---\n"),
            ("---a: 1\n", "---a: 1\n"),
        ] {
            assert_eq!(first_document(text), expect);
        }
    }

    #[test]
    fn text_may_be_utf_16() {
        let wide: Vec<u8> = "\u{feff}a: \u{1f600}"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(text(&wide).unwrap(), "a: \u{1f600}");
        assert!(text(b"\xff\xfe\x00\xdc").is_err());
    }
}
