//! What Go's `regexp` says of an expression that is none. What the others mean is `re2`'s.

/// Why, and which part of the expression.
type Fault<'p> = (&'static str, &'p str);

const MOST_REPEATS: u32 = 1_000;
const DEEPEST: usize = 1_000;
const ESCAPE: &str = "invalid escape sequence";
const RANGE: &str = "invalid character class range";
const REPEAT: &str = "invalid repeat count";
const NO_ARGUMENT: &str = "missing argument to repetition operator";
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// The fault of an expression in Go's words; `None` if Go takes it. Names of Unicode classes are not looked up.
pub fn fault(pattern: &str) -> Option<String> {
    let mut parser = Parser {
        whole: pattern,
        groups: Vec::new(),
        last: None,
        repeated: None,
    };
    let (what, part) = parser.run().err()?;
    Some(format!("error parsing regexp: {what}: `{part}`"))
}

struct Parser<'p> {
    whole: &'p str,
    /// Of each open group: the greatest product of repeats in it so far.
    groups: Vec<u32>,
    /// The product of the repeats of what stands before, if it can be repeated.
    last: Option<u32>,
    /// Where a repeat begins that ended right here.
    repeated: Option<&'p str>,
}

impl<'p> Parser<'p> {
    fn run(&mut self) -> Result<(), Fault<'p>> {
        let mut rest = self.whole;
        let mut outermost = 1;
        while let Some(c) = rest.chars().next() {
            let before = rest;
            let repeated = self.repeated.take();
            rest = match c {
                '(' => self.open(rest)?,
                ')' => {
                    let inner = self.groups.pop().ok_or(("unexpected )", self.whole))?;
                    self.item(inner, &mut outermost);
                    after(rest, 1)
                }
                '|' => {
                    self.last = None;
                    after(rest, 1)
                }
                '[' => {
                    self.item(1, &mut outermost);
                    class(rest)?
                }
                '*' | '+' | '?' => self.repeat(before, after(rest, 1), repeated, 1, &mut outermost)?,
                '{' => match counts(rest) {
                    Some((least, most, after)) => {
                        let bad = least.is_none_or(|least| least > MOST_REPEATS)
                            || most.is_some_and(|most| {
                                most > MOST_REPEATS || least.is_some_and(|least| least > most)
                            });
                        if bad {
                            return Err((REPEAT, until(before, after)));
                        }
                        let factor = most.or(least).unwrap_or(1).max(1);
                        self.repeat(before, after, repeated, factor, &mut outermost)?
                    }
                    None => {
                        self.item(1, &mut outermost);
                        after(rest, 1)
                    }
                },
                '\\' => {
                    self.item(1, &mut outermost);
                    escape(rest)?
                }
                c => {
                    self.item(1, &mut outermost);
                    after(rest, c.len_utf8())
                }
            };
        }
        match self.groups.as_slice() {
            [] => Ok(()),
            _ => Err(("missing closing )", self.whole)),
        }
    }

    /// Something that can be repeated, with the repeats in it.
    fn item(&mut self, weight: u32, outermost: &mut u32) {
        self.last = Some(weight);
        let group = self.groups.last_mut().unwrap_or(outermost);
        *group = weight.max(*group);
    }

    fn repeat(
        &mut self,
        before: &'p str,
        rest: &'p str,
        repeated: Option<&'p str>,
        factor: u32,
        outermost: &mut u32,
    ) -> Result<&'p str, Fault<'p>> {
        let rest = rest.strip_prefix('?').unwrap_or(rest);
        if let Some(first) = repeated {
            return Err(("invalid nested repetition operator", until(first, rest)));
        }
        let weight = self
            .last
            .ok_or((NO_ARGUMENT, until(before, rest)))?
            .saturating_mul(factor);
        if weight > MOST_REPEATS {
            return Err((REPEAT, until(before, rest)));
        }
        self.item(weight, outermost);
        self.repeated = Some(before);
        Ok(rest)
    }

    fn open(&mut self, text: &'p str) -> Result<&'p str, Fault<'p>> {
        self.last = None;
        if self.groups.len() >= DEEPEST {
            return Err(("expression nests too deeply", self.whole));
        }
        let Some(flags) = text.strip_prefix("(?") else {
            self.groups.push(1);
            return Ok(after(text, 1));
        };
        if let Some(named) = flags.strip_prefix("P<").or_else(|| flags.strip_prefix('<')) {
            const WHAT: &str = "invalid named capture";
            let (name, rest) = named.split_once('>').ok_or((WHAT, text))?;
            let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !is_name {
                return Err((WHAT, until(text, rest)));
            }
            self.groups.push(1);
            return Ok(rest);
        }
        let (mut is_negative, mut has_flag) = (false, false);
        let mut rest = flags;
        while let Some(c) = rest.chars().next() {
            rest = after(rest, c.len_utf8());
            match c {
                'i' | 'm' | 's' | 'U' => has_flag = true,
                '-' if !is_negative => (is_negative, has_flag) = (true, false),
                ':' | ')' if !is_negative || has_flag => {
                    if c == ':' {
                        self.groups.push(1);
                    }
                    return Ok(rest);
                }
                _ => break,
            }
        }
        Err(("invalid or unsupported Perl syntax", until(text, rest)))
    }
}

fn after(text: &str, bytes: usize) -> &str {
    text.get(bytes..).unwrap_or_default()
}

/// What stands in `text` before its end `rest`.
fn until<'p>(text: &'p str, rest: &str) -> &'p str {
    text.get(..text.len() - rest.len()).unwrap_or(text)
}

/// `{n}`, `{n,}`, `{n,m}`: least, most, and what follows. A number that is too great to read has no value.
fn counts(text: &str) -> Option<(Option<u32>, Option<u32>, &str)> {
    let (least, rest) = count(after(text, 1))?;
    let (least, most, rest) = match rest.strip_prefix(',') {
        None => (least, least, rest),
        Some(rest) if rest.starts_with('}') => (least, None, rest),
        Some(rest) => {
            let (most, rest) = count(rest)?;
            (most.and(least), most, rest)
        }
    };
    Some((least, most, rest.strip_prefix('}')?))
}

fn count(text: &str) -> Option<(Option<u32>, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length).filter(|_| length > 0)?;
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().ok().filter(|count| *count < 100_000_000), rest))
}

/// What follows an escape outside of brackets.
fn escape(text: &str) -> Result<&str, Fault<'_>> {
    match text.as_bytes().get(1) {
        Some(b'A' | b'b' | b'B' | b'z') => Ok(after(text, 2)),
        Some(b'C') => Err((ESCAPE, until(text, after(text, 2)))),
        Some(b'Q') => Ok(text.split_once("\\E").map_or("", |(_, rest)| rest)),
        _ => set(text).unwrap_or_else(|| character(text)),
    }
}

/// `\pL`, `\p{Greek}`, `\d`.
fn set(text: &str) -> Option<Result<&str, Fault<'_>>> {
    match text.as_bytes().get(..2)? {
        b"\\d" | b"\\D" | b"\\s" | b"\\S" | b"\\w" | b"\\W" => Some(Ok(after(text, 2))),
        b"\\p" | b"\\P" => {
            let rest = after(text, 2);
            let first = rest.chars().next()?;
            if first != '{' {
                return Some(Ok(after(rest, first.len_utf8())));
            }
            Some(match rest.split_once('}') {
                Some((_, rest)) => Ok(rest),
                None => Err((RANGE, text)),
            })
        }
        _ => None,
    }
}

/// An escape that stands for one character.
fn character(text: &str) -> Result<&str, Fault<'_>> {
    let rest = after(text, 1);
    let Some(c) = rest.chars().next() else {
        return Err(("trailing backslash at end of expression", ""));
    };
    let mut rest = after(rest, c.len_utf8());
    let is_octal = |text: &str| text.starts_with(|c: char| matches!(c, '0'..='7'));
    let is_good = match c {
        '1'..='7' if !is_octal(rest) => false,
        '0'..='7' => {
            let more = rest
                .bytes()
                .take(2)
                .take_while(|b| matches!(b, b'0'..=b'7'))
                .count();
            rest = after(rest, more);
            true
        }
        'x' => return hexadecimal(text, rest),
        'a' | 'f' | 'n' | 'r' | 't' | 'v' => true,
        c => c.is_ascii() && !c.is_ascii_alphanumeric(),
    };
    if is_good {
        Ok(rest)
    } else {
        Err((ESCAPE, until(text, rest)))
    }
}

fn hexadecimal<'p>(text: &'p str, rest: &'p str) -> Result<&'p str, Fault<'p>> {
    if let Some(inner) = rest.strip_prefix('{') {
        let digits = inner.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (number, rest) = inner.split_at_checked(digits).unwrap_or((inner, ""));
        let value = u32::from_str_radix(number, 16)
            .ok()
            .filter(|value| *value <= 0x0010_ffff);
        let end = rest.chars().next().map_or(0, char::len_utf8);
        return match value {
            Some(_) if rest.starts_with('}') => Ok(after(rest, 1)),
            _ => Err((ESCAPE, until(text, after(rest, end)))),
        };
    }
    let mut rest = rest;
    let mut digits = 0;
    for c in rest.chars().take(2) {
        digits += u32::from(c.is_ascii_hexdigit());
        rest = after(rest, c.len_utf8());
    }
    if digits == 2 {
        Ok(rest)
    } else {
        Err((ESCAPE, until(text, rest)))
    }
}

/// What follows a class in brackets.
fn class(text: &str) -> Result<&str, Fault<'_>> {
    let rest = after(text, 1);
    let mut rest = rest.strip_prefix('^').unwrap_or(rest);
    let mut is_first = true;
    while is_first || !rest.starts_with(']') {
        is_first = false;
        if let Some((name, rest_of)) = rest.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) {
            if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
                return Err((RANGE, until(rest, rest_of)));
            }
            rest = rest_of;
            continue;
        }
        if let Some(found) = set(rest) {
            rest = found?;
            continue;
        }
        let range = rest;
        let (low, next) = class_character(rest, text)?;
        rest = next;
        let is_range = rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]");
        if is_range {
            let (high, next) = class_character(after(rest, 1), text)?;
            rest = next;
            if high < low {
                return Err((RANGE, until(range, rest)));
            }
        }
    }
    Ok(after(rest, 1))
}

/// One character of a class, and what follows. Of escapes by number only the order matters, so they are read.
fn class_character<'p>(text: &'p str, whole: &'p str) -> Result<(char, &'p str), Fault<'p>> {
    let c = text.chars().next().ok_or(("missing closing ]", whole))?;
    if c != '\\' {
        return Ok((c, after(text, c.len_utf8())));
    }
    let rest = character(text)?;
    let written = until(after(text, 1), rest);
    let value = match written.as_bytes() {
        [b'x', digits @ ..] => {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            u32::from_str_radix(digits.trim_matches(['{', '}']), 16).ok()
        }
        [b'0'..=b'7', ..] => u32::from_str_radix(written, 8).ok(),
        b"a" => Some(7),
        b"f" => Some(12),
        b"n" => Some(10),
        b"r" => Some(13),
        b"t" => Some(9),
        b"v" => Some(11),
        _ => written.chars().next().map(u32::from),
    };
    Ok((value.and_then(char::from_u32).unwrap_or('\u{0}'), rest))
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn faults_are_told_in_gos_words() {
        for (pattern, said) in [
            ("[a", "missing closing ]: `[a`"),
            ("a(b", "missing closing ): `a(b`"),
            ("a)b", "unexpected ): `a)b`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a|+", "missing argument to repetition operator: `+`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a{2}{3}?", "invalid nested repetition operator: `{2}{3}?`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{3,2}", "invalid repeat count: `{3,2}`"),
            ("(a{100}){100}", "invalid repeat count: `{100}`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?<!a)", "invalid named capture: `(?<!a)`"),
            ("(?P<n>a)(?P<>b)", "invalid named capture: `(?P<>`"),
            (r"(a)\1", r"invalid escape sequence: `\1`"),
            (r"\y", r"invalid escape sequence: `\y`"),
            (r"\xg1", r"invalid escape sequence: `\xg1`"),
            (r"a\", "trailing backslash at end of expression: ``"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:nope:]]", "invalid character class range: `[:nope:]`"),
        ] {
            assert_eq!(
                fault(pattern),
                Some(format!("error parsing regexp: {said}")),
                "{pattern}"
            );
        }
        for good in [
            "",
            "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            r"[\]\-a]",
            "[]a]",
            "[^]a-]",
            "a{,3}",
            "a{",
            r"\Q*\E+",
            r"\p{Greek}\pL",
            "(?i:a)|(?s)b*?",
            "(?P<n>a){1000}",
            r"[[:alpha:]\d-z]",
            r"\x{10FFFF}\07\n",
            "x{0}{",
            "[a-]",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }
}
