//! Field selectors: `spec.nodeName=a,status.phase!=Running`.

use std::fmt;

use super::SelectorError;
use crate::object::Meta;

/// One comparison of a field selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTerm {
    /// The field's path, such as `status.phase`.
    pub path: String,
    /// What it is compared with.
    pub value: String,
    /// Whether it must differ (`!=`) rather than be equal.
    pub negated: bool,
}

/// Which values of fields an object must have. Without terms it matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
    matches_nothing: bool,
}

impl FieldSelector {
    /// Matches all objects.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Matches no object.
    pub fn nothing() -> Self {
        Self {
            terms: Vec::new(),
            matches_nothing: true,
        }
    }

    /// `path=value`.
    pub fn equals(path: &str, value: &str) -> Self {
        let term = FieldTerm {
            path: path.to_owned(),
            value: value.to_owned(),
            negated: false,
        };
        Self {
            terms: vec![term],
            matches_nothing: false,
        }
    }

    /// The same with other names for its fields: of a version that calls them otherwise than the one that is kept.
    ///
    /// # Errors
    /// The first field that has no other name.
    pub fn renamed(mut self, other: impl Fn(&str) -> Option<&'static str>) -> Result<Self, String> {
        for term in &mut self.terms {
            term.path = other(&term.path).ok_or_else(|| term.path.clone())?.to_owned();
        }
        Ok(self)
    }

    /// Reads `a=b,c!=d,e==f`; `\`, `,` and `=` in values stand behind a backslash.
    ///
    /// # Errors
    /// Upstream's text.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut terms = split(text)
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(|part| term(text, part))
            .collect::<Result<Vec<_>, _>>()?;
        terms.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            terms,
            matches_nothing: false,
        })
    }

    /// Whether an object's selectable fields match. A field that the object's kind does not have is empty.
    pub fn matches(&self, meta: &Meta) -> bool {
        !self.matches_nothing
            && self.terms.iter().all(|term| {
                let value = meta.field(&term.path).unwrap_or_default();
                (value == term.value) != term.negated
            })
    }

    /// Whether nothing is required.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty() && !self.matches_nothing
    }

    /// The comparisons, sorted by path.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// The paths used; the registry refuses those that the kind does not select by.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|term| term.path.as_str())
    }

    /// The value that `path` must equal, if it must.
    pub fn exact(&self, path: &str) -> Option<&str> {
        let term = self
            .terms
            .iter()
            .find(|term| term.path == path && !term.negated)?;
        Some(&term.value)
    }
}

/// Splits at commas that stand behind no backslash.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b',' => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

fn term(text: &str, part: &str) -> Result<FieldTerm, SelectorError> {
    const OPERATORS: [(&str, bool); 3] = [("!=", true), ("==", false), ("=", false)];
    for (at, _) in part.char_indices() {
        let Some((path, rest)) = part.split_at_checked(at) else {
            continue;
        };
        for (operator, negated) in OPERATORS {
            if let Some(value) = rest.strip_prefix(operator) {
                return Ok(FieldTerm {
                    path: path.to_owned(),
                    value: unescape(value)?,
                    negated,
                });
            }
        }
    }
    Err(SelectorError(format!(
        "invalid selector: '{text}'; can't understand '{part}'"
    )))
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let bad_escape = |sequence: &str| {
        SelectorError(format!(
            "invalid field selector: invalid escape sequence: {sequence}"
        ))
    };
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                Some(other) => return Err(bad_escape(&format!("\\{other}"))),
                None => return Err(bad_escape("\\")),
            },
            // Go prints the character's number here.
            ',' | '=' => {
                return Err(SelectorError(format!(
                    "invalid field selector: unescaped character in value: {}",
                    u32::from(c)
                )));
            }
            _ => out.push(c),
        }
    }
    Ok(out)
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.terms.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let operator = if term.negated { "!=" } else { "=" };
            let value = term
                .value
                .replace('\\', "\\\\")
                .replace(',', "\\,")
                .replace('=', "\\=");
            write!(f, "{comma}{}{operator}{value}", term.path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_index_of_an_object() {
        let meta = Meta {
            name: "a".into(),
            fields: [("spec.nodeName".into(), "n".into())].into(),
            ..Meta::default()
        };
        for (text, expect) in [
            ("", true),
            ("metadata.name=a", true),
            ("metadata.name==a,spec.nodeName!=m", true),
            ("spec.nodeName=m", false),
            ("status.phase=", true),
            ("status.phase!=x", true),
        ] {
            assert_eq!(
                FieldSelector::parse(text).unwrap().matches(&meta),
                expect,
                "{text}"
            );
        }
        assert!(!FieldSelector::nothing().matches(&meta));
    }

    #[test]
    fn escapes_and_refuses_as_upstream_does() {
        let selector = FieldSelector::parse(r"b=x\,y\=z,a!=1").unwrap();
        assert_eq!(selector.exact("b"), Some("x,y=z"));
        assert_eq!(selector.exact("a"), None);
        assert_eq!(selector.to_string(), r"a!=1,b=x\,y\=z");
        assert_eq!(selector.paths().collect::<Vec<_>>(), ["a", "b"]);
        for (text, expect) in [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            (
                "a=b=c",
                "invalid field selector: unescaped character in value: 61",
            ),
            (r"a=\n", r"invalid field selector: invalid escape sequence: \n"),
        ] {
            assert_eq!(FieldSelector::parse(text).unwrap_err().to_string(), expect);
        }
    }
}
