//! Text: the language's own functions and the strings extension, as Kubernetes has it.

use warren_apimachinery::field::go_quote;

use super::printf::{self, Argument};
use super::{Answer, Row, fail, no_such_overload};
use crate::value::Value;

pub(super) const TABLE: &[Row] = &[
    ("contains", "contains_string", "string.(string) -> bool", contains),
    (
        "endsWith",
        "ends_with_string",
        "string.(string) -> bool",
        ends_with,
    ),
    (
        "startsWith",
        "starts_with_string",
        "string.(string) -> bool",
        starts_with,
    ),
    ("charAt", "string_char_at_int", "string.(int) -> string", char_at),
    (
        "indexOf",
        "string_index_of_string",
        "string.(string) -> int",
        index_of,
    ),
    (
        "indexOf",
        "string_index_of_string_int",
        "string.(string, int) -> int",
        index_of,
    ),
    (
        "lastIndexOf",
        "string_last_index_of_string",
        "string.(string) -> int",
        last_index_of,
    ),
    (
        "lastIndexOf",
        "string_last_index_of_string_int",
        "string.(string, int) -> int",
        last_index_of,
    ),
    ("lowerAscii", "string_lower_ascii", "string.() -> string", lower),
    ("upperAscii", "string_upper_ascii", "string.() -> string", upper),
    (
        "replace",
        "string_replace_string_string",
        "string.(string, string) -> string",
        replace,
    ),
    (
        "replace",
        "string_replace_string_string_int",
        "string.(string, string, int) -> string",
        replace,
    ),
    (
        "split",
        "string_split_string",
        "string.(string) -> list(string)",
        split,
    ),
    (
        "split",
        "string_split_string_int",
        "string.(string, int) -> list(string)",
        split,
    ),
    (
        "substring",
        "string_substring_int",
        "string.(int) -> string",
        substring,
    ),
    (
        "substring",
        "string_substring_int_int",
        "string.(int, int) -> string",
        substring,
    ),
    ("trim", "string_trim", "string.() -> string", trim),
    ("join", "list_join", "list(string).() -> string", join),
    (
        "join",
        "list_join_string",
        "list(string).(string) -> string",
        join,
    ),
    ("strings.quote", "strings_quote", "(string) -> string", quote),
    ("format", "string_format", "string.(list(dyn)) -> string", format),
];

fn contains<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.contains(&**part))),
        _ => Err(no_such_overload()),
    }
}

fn ends_with<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.ends_with(&**part))),
        _ => Err(no_such_overload()),
    }
}

fn starts_with<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.starts_with(&**part))),
        _ => Err(no_such_overload()),
    }
}

fn out_of_range<'a>(at: i64) -> Answer<'a> {
    fail(format!("index out of range: {at}"))
}

fn char_at<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::String(text), Value::Int(at)] = arguments else {
        return Err(no_such_overload());
    };
    let length = text.chars().count();
    match usize::try_from(*at) {
        Ok(place) if place <= length => {
            let found: String = text.chars().skip(place).take(1).collect();
            Ok(Value::text(found))
        }
        _ => out_of_range(*at),
    }
}

fn int<'a>(at: usize) -> Answer<'a> {
    Ok(Value::Int(i64::try_from(at).unwrap_or(i64::MAX)))
}

fn index_of<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (text, part, offset) = match arguments {
        [Value::String(text), Value::String(part)] => (text, part, 0),
        [Value::String(text), Value::String(part), Value::Int(offset)] => (text, part, *offset),
        _ => return Err(no_such_overload()),
    };
    if part.is_empty() {
        return Ok(Value::Int(offset));
    }
    let Ok(offset) = usize::try_from(offset) else {
        return out_of_range(offset);
    };
    let start = text.char_indices().nth(offset).map(|(at, _)| at);
    let found = start.and_then(|start| {
        let at = text.get(start..)?.find(&**part)?;
        Some(text.get(..start + at)?.chars().count())
    });
    found.map_or(Ok(Value::Int(-1)), int)
}

fn last_index_of<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (text, part, offset) = match arguments {
        [Value::String(text), Value::String(part)] => (text, part, None),
        [Value::String(text), Value::String(part), Value::Int(offset)] => (text, part, Some(*offset)),
        _ => return Err(no_such_overload()),
    };
    let length = text.chars().count();
    if part.is_empty() {
        return offset.map_or_else(|| int(length), |offset| Ok(Value::Int(offset)));
    }
    let offset = match offset {
        None => length.saturating_sub(1),
        Some(offset) => match usize::try_from(offset) {
            Ok(offset) if offset < length => offset,
            Ok(_) => return Ok(Value::Int(-1)),
            Err(_) => return out_of_range(offset),
        },
    };
    // The last match that starts at the offset or before it.
    let end = text
        .char_indices()
        .nth(offset)
        .map_or(text.len(), |(at, _)| at + part.len());
    let end = (end..=text.len())
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(text.len());
    let found = text
        .get(..end.min(text.len()))
        .and_then(|head| head.rfind(&**part));
    let place = found.and_then(|at| Some(text.get(..at)?.chars().count()));
    match place.filter(|place| *place <= offset) {
        Some(place) => int(place),
        None => Ok(Value::Int(-1)),
    }
}

fn lower<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::text(text.to_ascii_lowercase())),
        _ => Err(no_such_overload()),
    }
}

fn upper<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::text(text.to_ascii_uppercase())),
        _ => Err(no_such_overload()),
    }
}

fn replace<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (text, old, new, most) = match arguments {
        [Value::String(text), Value::String(old), Value::String(new)] => (text, old, new, usize::MAX),
        [
            Value::String(text),
            Value::String(old),
            Value::String(new),
            Value::Int(most),
        ] => (text, old, new, usize::try_from(*most).unwrap_or(usize::MAX)),
        _ => return Err(no_such_overload()),
    };
    // What a short text could become is bounded, as its cost counts the text only.
    const LONGEST: usize = 10 << 20;
    let times = text.len() + 1;
    if times.min(most).saturating_mul(new.len()) > LONGEST.max(text.len() * 2)
        && text.matches(&**old).take(most).count() * new.len() > LONGEST
    {
        return fail("result of replace is too long");
    }
    Ok(Value::text(text.replacen(&**old, new, most)))
}

fn split<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (text, separator, most) = match arguments {
        [Value::String(text), Value::String(separator)] => (text, separator, -1),
        [Value::String(text), Value::String(separator), Value::Int(most)] => (text, separator, *most),
        _ => return Err(no_such_overload()),
    };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let parts: Vec<&str> = if most == 0 {
        Vec::new()
    } else if separator.is_empty() {
        let mut parts = Vec::new();
        let mut rest: &str = text;
        while let Some(c) = rest.chars().next() {
            if parts.len() + 1 == most {
                break;
            }
            let (head, tail) = rest.split_at_checked(c.len_utf8()).unwrap_or((rest, ""));
            parts.push(head);
            rest = tail;
        }
        parts.extend((!rest.is_empty()).then_some(rest));
        parts
    } else {
        text.splitn(most, &**separator).collect()
    };
    Ok(Value::list(parts.into_iter().map(Value::text).collect()))
}

fn substring<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (text, start, end) = match arguments {
        [Value::String(text), Value::Int(start)] => (text, *start, None),
        [Value::String(text), Value::Int(start), Value::Int(end)] => (text, *start, Some(*end)),
        _ => return Err(no_such_overload()),
    };
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let stop = end.unwrap_or(length);
    if end.is_some() && start > stop {
        return fail(format!("invalid substring range. start: {start}, end: {stop}"));
    }
    if start < 0 || start > length {
        return out_of_range(start);
    }
    if stop < 0 || stop > length {
        return out_of_range(stop);
    }
    let (start, count) = (
        usize::try_from(start).unwrap_or_default(),
        usize::try_from(stop - start).unwrap_or_default(),
    );
    Ok(Value::text(
        text.chars().skip(start).take(count).collect::<String>(),
    ))
}

fn trim<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::text(text.trim())),
        _ => Err(no_such_overload()),
    }
}

fn join<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (list, separator) = match arguments {
        [Value::List(list)] => (list, ""),
        [Value::List(list), Value::String(separator)] => (list, &**separator),
        _ => return Err(no_such_overload()),
    };
    let mut joined = String::new();
    for (at, element) in list.iter().enumerate() {
        if at > 0 {
            joined.push_str(separator);
        }
        match element? {
            Value::String(text) => joined.push_str(&text),
            other => return fail(format!("join: invalid input: {other}")),
        }
    }
    Ok(Value::text(joined))
}

fn quote<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::String(text)] = arguments else {
        return Err(no_such_overload());
    };
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Ok(Value::text(quoted))
}

fn format<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::String(text), Value::List(list)] = arguments else {
        return Err(no_such_overload());
    };
    let filled = printf::run(text, list.len(), &mut |at, clause| match list.get(at) {
        Some(Ok(value)) => match clause.fault(&Argument::Value(&value)) {
            Some(fault) => Err(fault),
            None => clause.write(&value),
        },
        Some(Err(error)) => Err(error.to_string()),
        None => Err(format!("index {at} out of range")),
    });
    filled.map_or_else(fail, |text| Ok(Value::text(text)))
}

/// Text in quotes, as formats show it within lists.
pub(super) fn quoted(text: &str) -> String {
    go_quote(text)
}
