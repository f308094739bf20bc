//! Paths such as `.spec.m['a.b']`, read by the schema that they lead through.

use serde_json::Value;
use warren_apimachinery::field::Path;
use warren_apimachinery::value::ValueExt;

/// Whether `['name']` is allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brackets {
    Allowed,
    Refused,
}

/// The path as messages write it, and the schema that it leads to.
///
/// # Errors
/// Upstream's words for a path that leads nowhere.
pub(crate) fn resolve<'s>(
    text: &str,
    schema: &'s Value,
    brackets: Brackets,
) -> Result<(Path, &'s Value), String> {
    const END: &str = "unexpected end of JSON path";
    let mut at = (Path::root(), schema);
    let mut rest = text;
    while let Some(token) = next(&mut rest) {
        match token {
            "[" if brackets == Brackets::Refused => return Err("array notation is not allowed".to_owned()),
            "[" => {
                let quoted = next(&mut rest).ok_or(END)?;
                let inner = quoted
                    .strip_prefix('\'')
                    .and_then(|inner| inner.strip_suffix('\''));
                let inner = inner.ok_or_else(|| format!("expected single quoted string but got {quoted}"))?;
                at = step(&at, &unescaped(inner)?)?;
                match next(&mut rest).ok_or(END)? {
                    "]" => {}
                    other => return Err(format!("expected ] but got {other}")),
                }
            }
            "." => at = step(&at, next(&mut rest).ok_or(END)?)?,
            other => return Err(format!("expected [ or . but got: {other}")),
        }
    }
    Ok(at)
}

/// A delimiter, a quoted name, or what stands before the next delimiter.
fn next<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let text = *rest;
    let first = text.chars().next()?;
    let length = match first {
        '.' | '[' | ']' => 1,
        '\'' => {
            let mut before = first;
            let end = text.char_indices().skip(1).find(|(_, c)| {
                let is_end = *c == '\'' && before != '\\';
                before = *c;
                is_end
            });
            end.map_or(text.len(), |(at, _)| at + 1)
        }
        _ => text.find(['.', '[', ']']).unwrap_or(text.len()),
    };
    let (token, after) = text.split_at_checked(length)?;
    *rest = after;
    Some(token)
}

fn step<'s>((path, schema): &(Path, &'s Value), name: &str) -> Result<(Path, &'s Value), String> {
    const NOWHERE: &str = "does not refer to a valid field";
    let (properties, additional) = (schema.field("properties"), schema.field("additionalProperties"));
    if properties.is_object() {
        let field = properties.get(name).ok_or(NOWHERE)?;
        return Ok((path.child(name), field));
    }
    if additional.is_object() {
        return Ok((path.key(name), additional));
    }
    Err(NOWHERE.to_owned())
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match (c, (c == '\\').then(|| chars.next()).flatten()) {
            (_, Some('a')) => '\u{7}',
            (_, Some('b')) => '\u{8}',
            (_, Some('f')) => '\u{c}',
            (_, Some('n')) => '\n',
            (_, Some('r')) => '\r',
            (_, Some('t')) => '\t',
            (_, Some('v')) => '\u{b}',
            (_, Some(same @ ('\'' | '\\'))) => same,
            (_, Some(other)) => return Err(format!("invalid string literal: invalid escape char \\{other}")),
            (c, None) => c,
        });
    }
    Ok(out)
}
