//! Regular expressions as Go writes them (RE2's syntax), as this side's library reads them: what both have means the
//! same, but for a few signs.

/// How many times something may be repeated.
const MOST_REPEATS: u32 = 1000;

/// The expression in the library's own syntax: `\d`, `\w` and `\s` are of ASCII, a brace that counts nothing and a
/// bracket within brackets are themselves.
pub fn translated(pattern: &str) -> String {
    let mut translation = Translation {
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
    };
    while translation.step() {}
    translation.out
}

/// The first `{1001}` that counts too far, if any: Go refuses it.
pub fn excessive_repeat(pattern: &str) -> Option<&str> {
    let mut rest = pattern;
    let mut is_escaped = false;
    while let Some(c) = rest.chars().next() {
        if c == '{'
            && !is_escaped
            && let Some(length) = repetition(rest)
        {
            let counts = rest.get(1..length - 1).unwrap_or_default();
            let is_excessive = |count: &str| {
                !count.is_empty() && count.parse::<u32>().map_or(true, |count| count > MOST_REPEATS)
            };
            if counts.split(',').any(is_excessive) {
                return rest.get(..length);
            }
        }
        is_escaped = c == '\\' && !is_escaped;
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    None
}

struct Translation<'a> {
    rest: &'a str,
    out: String,
}

impl Translation<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    fn step(&mut self) -> bool {
        let before = self.rest;
        match self.take() {
            None => return false,
            Some('\\') => self.escape(Place::Outside),
            Some('[') => self.class(),
            Some('{') if repetition(before).is_none() => self.out.push_str("\\{"),
            Some(c) => self.out.push(c),
        }
        true
    }

    fn escape(&mut self, place: Place) {
        let Some(c) = self.take() else {
            return self.out.push('\\');
        };
        let set = match c {
            'd' | 'D' => "0-9",
            'w' | 'W' => "0-9A-Za-z_",
            's' | 'S' => "\\t\\n\\x0c\\r ",
            'b' if place == Place::Outside => return self.out.push_str("(?-u:\\b)"),
            'Q' => return self.quoted(),
            'p' | 'P' if self.rest.starts_with('{') => {
                let end = self.rest.find('}').map_or(self.rest.len(), |end| end + 1);
                let (name, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
                self.out.push('\\');
                self.out.push(c);
                self.out.push_str(name);
                self.rest = rest;
                return;
            }
            '<' | '>' => return self.out.push(c),
            c => {
                self.out.push('\\');
                return self.out.push(c);
            }
        };
        let (open, close) = match (place, c.is_uppercase()) {
            (_, true) => ("[^", "]"),
            (Place::Outside, false) => ("[", "]"),
            (Place::Class, false) => ("", ""),
        };
        self.out.push_str(open);
        self.out.push_str(set);
        self.out.push_str(close);
    }

    /// `\Q…\E`: as it stands.
    fn quoted(&mut self) {
        let (text, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
        for c in text.chars() {
            if c.is_ascii_punctuation() {
                self.out.push('\\');
            }
            self.out.push(c);
        }
        self.rest = rest;
    }

    /// What stands in brackets; the first of them is taken.
    fn class(&mut self) {
        self.out.push('[');
        if self.rest.starts_with('^') {
            self.take();
            self.out.push('^');
        }
        let mut is_first = true;
        while let Some(c) = self.take() {
            match c {
                ']' if !is_first => return self.out.push(']'),
                ']' => self.out.push_str("\\]"),
                '\\' => self.escape(Place::Class),
                '[' if self.rest.starts_with(':') && self.rest.contains(":]") => {
                    let end = self.rest.find(":]").map_or(0, |at| at + 2);
                    let (name, rest) = self.rest.split_at_checked(end).unwrap_or(("", self.rest));
                    self.out.push('[');
                    self.out.push_str(name);
                    self.rest = rest;
                }
                '[' => self.out.push_str("\\["),
                '&' | '~' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                '-' if self.rest.starts_with('-') => self.out.push_str("\\-"),
                c => self.out.push(c),
            }
            is_first = false;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Class,
}

/// How long the `{n}`, `{n,}` or `{n,m}` is that a text begins with.
fn repetition(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find('}')?;
    let (least, most) = match inner.get(..end)?.split_once(',') {
        Some((least, most)) => (least, most),
        None => (inner.get(..end)?, ""),
    };
    let is_count = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (!least.is_empty() && is_count(least) && is_count(most)).then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_else_here_is_written_otherwise() {
        for (pattern, expect) in [
            ("^[a-z]{1,3}$", "^[a-z]{1,3}$"),
            (r"\d+\w", "[0-9]+[0-9A-Za-z_]"),
            (r"[\d\-x]", r"[0-9\-x]"),
            (r"[^\S]", r"[^[^\t\n\x0c\r ]]"),
            ("^{.*}$", r"^\{.*}$"),
            ("a{,3}", r"a\{,3}"),
            ("[[]", r"[\[]"),
            ("[]a]", r"[\]a]"),
            ("[[:alpha:]_]", "[[:alpha:]_]"),
            ("[a&&b]", r"[a\&\&b]"),
            (r"\Qa.b\E+", r"a\.b+"),
            (r"\<", "<"),
            (r"\bx", r"(?-u:\b)x"),
        ] {
            assert_eq!(translated(pattern), expect, "{pattern}");
        }
    }

    #[test]
    fn a_repetition_beyond_gos_bound_is_found() {
        assert_eq!(excessive_repeat("a{1000}"), None);
        assert_eq!(excessive_repeat("a{2,1001}b"), Some("{2,1001}"));
        assert_eq!(excessive_repeat(r"a\{1001}"), None);
    }
}
