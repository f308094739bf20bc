//! Field names as identifiers: `foo.bar-baz` is `foo__dot__bar__dash__baz` in an expression.

use std::borrow::Cow;

/// Words that no identifier may be.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Whether the language keeps `word` for itself.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// The identifier for a field; `None` where the name can't be one.
pub fn escape(name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if is_reserved(name) {
        return Some(format!("__{name}__"));
    }
    let mut escaped = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("__") {
            escaped.push_str("__underscores__");
            rest = after;
            continue;
        }
        match c {
            '.' => escaped.push_str("__dot__"),
            '-' => escaped.push_str("__dash__"),
            '/' => escaped.push_str("__slash__"),
            c if c.is_ascii_alphanumeric() || c == '_' => escaped.push(c),
            _ => return None,
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    Some(escaped)
}

/// The name that an identifier stands for; itself where it is no escaped one.
pub(crate) fn unescape(identifier: &str) -> Cow<'_, str> {
    const SIGNS: [(&str, &str); 4] = [
        ("__underscores__", "__"),
        ("__dot__", "."),
        ("__dash__", "-"),
        ("__slash__", "/"),
    ];
    let inner = identifier
        .strip_prefix("__")
        .and_then(|inner| inner.strip_suffix("__"));
    if let Some(word) = inner.filter(|word| is_reserved(word)) {
        return Cow::Owned(word.to_owned());
    }
    if !identifier.contains("__") {
        return Cow::Borrowed(identifier);
    }
    let mut name = String::with_capacity(identifier.len());
    let mut rest = identifier;
    while let Some(at) = rest.find("__") {
        let (before, sign) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let Some((escaped, plain)) = SIGNS.iter().find(|(escaped, _)| sign.starts_with(escaped)) else {
            return Cow::Borrowed(identifier);
        };
        name.push_str(before);
        name.push_str(plain);
        rest = sign.get(escaped.len()..).unwrap_or_default();
    }
    name.push_str(rest);
    Cow::Owned(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_as_upstream_does() {
        for (name, escaped) in [
            ("a", Some("a")),
            ("a_b", Some("a_b")),
            ("a.b-c/d", Some("a__dot__b__dash__c__slash__d")),
            ("__a", Some("__underscores__a")),
            ("___", Some("__underscores___")),
            ("namespace", Some("__namespace__")),
            ("int", Some("int")),
            ("$a", None),
            ("1a", None),
            ("", None),
        ] {
            assert_eq!(escape(name).as_deref(), escaped, "{name}");
        }
    }
}
