//! What is wrong with text that is no JSON, in the words of Go's `encoding/json`.
//!
//! Runs only on input that a faster parser refused already.

/// Go refuses deeper nesting before anything else.
const GO_MAX_DEPTH: usize = 10_000;

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Array,
    Object,
}

struct Scanner<'a> {
    rest: &'a [u8],
    nested: Vec<Inside>,
}

/// The first error in Go's words; `None` when Go's scanner accepts the text.
pub(super) fn explain(bytes: &[u8]) -> Option<String> {
    let mut scanner = Scanner {
        rest: bytes,
        nested: Vec::new(),
    };
    scanner.document().err()
}

/// The opening that goes deeper than `depth`, of well-formed text.
pub(super) fn opening(json: &[u8], depth: usize) -> char {
    let mut nested = 0_usize;
    let mut is_text = false;
    let mut is_escaped = false;
    for byte in json {
        match (is_text, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => is_text = !is_text,
            (false, b'[' | b'{') if nested == depth => return char::from(*byte),
            (false, b'[' | b'{') => nested += 1,
            (false, b']' | b'}') => nested = nested.saturating_sub(1),
            _ => {}
        }
    }
    '['
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), String> {
        self.value_start()?;
        while let Some(inside) = self.nested.last().copied() {
            match (inside, self.next_visible()?) {
                (Inside::Array, b']') | (Inside::Object, b'}') => {
                    self.nested.pop();
                }
                (Inside::Array, b',') => self.value_start()?,
                (Inside::Object, b',') => {
                    let first = self.next_visible()?;
                    self.member(first)?;
                }
                (Inside::Array, other) => return bad(other, "after array element"),
                (Inside::Object, other) => return bad(other, "after object key:value pair"),
            }
        }
        self.skip_blanks();
        match self.rest.first() {
            None => Ok(()),
            Some(other) => bad(*other, "after top-level value"),
        }
    }

    /// Reads a scalar, or goes into a list or an object up to the end of its first scalar.
    fn value_start(&mut self) -> Result<(), String> {
        let first = self.next_visible()?;
        self.value(first)
    }

    fn value(&mut self, mut first: u8) -> Result<(), String> {
        loop {
            match first {
                b'[' => {
                    self.enter(Inside::Array)?;
                    first = self.next_visible()?;
                    if first == b']' {
                        self.nested.pop();
                        return Ok(());
                    }
                }
                b'{' => {
                    self.enter(Inside::Object)?;
                    match self.next_visible()? {
                        b'}' => {
                            self.nested.pop();
                            return Ok(());
                        }
                        quote => first = self.key(quote)?,
                    }
                }
                b'"' => return self.string(),
                b't' => return self.literal("true"),
                b'f' => return self.literal("false"),
                b'n' => return self.literal("null"),
                b'-' | b'0'..=b'9' => return self.number(first),
                other => return bad(other, "looking for beginning of value"),
            }
        }
    }

    fn member(&mut self, quote: u8) -> Result<(), String> {
        let first = self.key(quote)?;
        self.value(first)
    }

    /// Reads a key and its colon; answers the first byte of the value.
    fn key(&mut self, quote: u8) -> Result<u8, String> {
        if quote != b'"' {
            return bad(quote, "looking for beginning of object key string");
        }
        self.string()?;
        match self.next_visible()? {
            b':' => self.next_visible(),
            other => bad(other, "after object key"),
        }
    }

    fn enter(&mut self, inside: Inside) -> Result<(), String> {
        if self.nested.len() >= GO_MAX_DEPTH {
            let opening = match inside {
                Inside::Array => b'[',
                Inside::Object => b'{',
            };
            return bad(opening, "exceeded max depth");
        }
        self.nested.push(inside);
        Ok(())
    }

    fn string(&mut self) -> Result<(), String> {
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next()? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            let digit = self.next()?;
                            if !digit.is_ascii_hexdigit() {
                                return bad(digit, "in \\u hexadecimal character escape");
                            }
                        }
                    }
                    other => return bad(other, "in string escape code"),
                },
                control @ 0..=0x1f => return bad(control, "in string literal"),
                _ => {}
            }
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes().skip(1) {
            let found = self.next()?;
            if found != expected {
                let context = format!("in literal {word} (expecting {})", quoted(expected));
                return bad(found, &context);
            }
        }
        Ok(())
    }

    fn number(&mut self, mut first: u8) -> Result<(), String> {
        if first == b'-' {
            first = self.next()?;
            if !first.is_ascii_digit() {
                return bad(first, "in numeric literal");
            }
        }
        if first != b'0' {
            self.skip_digits();
        }
        if self.take(b".") {
            self.digits("after decimal point in numeric literal")?;
        }
        if self.take(b"eE") {
            self.take(b"+-");
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn digits(&mut self, context: &str) -> Result<(), String> {
        let first = self.next()?;
        if !first.is_ascii_digit() {
            return bad(first, context);
        }
        self.skip_digits();
        Ok(())
    }

    fn skip_digits(&mut self) {
        while self.take(b"0123456789") {}
    }

    /// Goes on when the next byte is one of these.
    fn take(&mut self, any: &[u8]) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if any.contains(first) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_blanks(&mut self) {
        while self.take(b" \t\r\n") {}
    }

    fn next_visible(&mut self) -> Result<u8, String> {
        self.skip_blanks();
        self.next()
    }

    fn next(&mut self) -> Result<u8, String> {
        let (first, rest) = self.rest.split_first().ok_or("unexpected end of JSON input")?;
        self.rest = rest;
        Ok(*first)
    }
}

fn bad<T>(found: u8, context: &str) -> Result<T, String> {
    Err(format!("invalid character {} {context}", quoted(found)))
}

/// Go's way of quoting the byte that it did not expect.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        0x07 => r"'\a'".to_owned(),
        0x08 => r"'\b'".to_owned(),
        0x0b => r"'\v'".to_owned(),
        0x0c => r"'\f'".to_owned(),
        0..=0x1f | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!("'\\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}
