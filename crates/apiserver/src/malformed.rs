//! What is wrong with a JSON text, in the words of Go's decoder: clients and their tests look for them.
//!
//! Runs only when parsing failed. A scanner of its own, because serde's errors name other things.

/// Go's message for `bytes`, which `error` was reported for.
pub(crate) fn words(bytes: &[u8], error: &serde_json::Error) -> String {
    let mut scanner = Scanner { bytes, at: 0 };
    match scanner.document() {
        Err(why) => why,
        // Go would read it: a limit of ours, such as depth or the range of numbers.
        Ok(()) => {
            let text = error.to_string();
            text.split(" at line ").next().unwrap_or_default().to_owned()
        }
    }
}

type Scan = Result<(), String>;

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

const DEPTH: usize = 10_000;

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The next byte is not what the grammar wants.
    fn unexpected(&self, context: &str) -> String {
        match self.peek() {
            None => "unexpected end of JSON input".to_owned(),
            Some(byte) => format!("invalid character {} {context}", quoted(byte)),
        }
    }

    fn document(&mut self) -> Scan {
        // An explicit stack, so that depth costs heap and not the thread's stack.
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.at += 1;
                    self.space();
                    let close = if bracket == b'{' { b'}' } else { b']' };
                    if self.peek() == Some(close) {
                        self.at += 1;
                    } else {
                        open.push(bracket);
                        if open.len() > DEPTH {
                            return Err("exceeded max depth".to_owned());
                        }
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            if !self.after_value(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Behind a value: closes what ends, and goes on to the next value. `false` at the end of the document.
    fn after_value(&mut self, open: &mut Vec<u8>) -> Result<bool, String> {
        loop {
            self.space();
            match (open.last(), self.peek()) {
                (None, None) => return Ok(false),
                (None, Some(_)) => return Err(self.unexpected("after top-level value")),
                (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) => {
                    self.at += 1;
                    open.pop();
                }
                (Some(b'{'), Some(b',')) => {
                    self.at += 1;
                    self.space();
                    self.key()?;
                    return Ok(true);
                }
                (Some(b'['), Some(b',')) => {
                    self.at += 1;
                    return Ok(true);
                }
                (Some(b'{'), _) => return Err(self.unexpected("after object key:value pair")),
                (Some(_), _) => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn key(&mut self) -> Scan {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("looking for beginning of object key string"));
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("after object key"));
        }
        self.at += 1;
        Ok(())
    }

    fn scalar(&mut self) -> Scan {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &str) -> Scan {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.unexpected(&format!("in literal {word} (expecting {})", quoted(expected))));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Scan {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(byte) if byte >= 0x20 => self.at += 1,
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Scan {
        match self.peek() {
            Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(self.unexpected("in \\u hexadecimal character escape"));
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(self.unexpected("in string escape code")),
        }
    }

    fn digits(&mut self, context: &str) -> Scan {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.unexpected(context));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Scan {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }
}

/// As Go quotes a character.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\n' => "'\\n'".to_owned(),
        b'\r' => "'\\r'".to_owned(),
        b'\t' => "'\\t'".to_owned(),
        byte if byte < 0x20 || byte == 0x7f => format!("'\\x{byte:02x}'"),
        byte => format!("'{}'", char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn errors_read_as_gos_do() {
        let check = |text: &str, expect: &str| {
            let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
            assert_eq!(super::words(text.as_bytes(), &error), expect, "{text}");
        };
        check("", "unexpected end of JSON input");
        check("{\"a\":", "unexpected end of JSON input");
        check(
            "{not",
            "invalid character 'n' looking for beginning of object key string",
        );
        check("{\"a\" 1}", "invalid character '1' after object key");
        check(
            "{\"a\":1 \"b\"}",
            "invalid character '\"' after object key:value pair",
        );
        check("[1 2]", "invalid character '2' after array element");
        check("[1,]", "invalid character ']' looking for beginning of value");
        check("{} x", "invalid character 'x' after top-level value");
        check("trux", "invalid character 'x' in literal true (expecting 'e')");
        check("\"a\nb\"", "invalid character '\\n' in string literal");
        check("\"\\q\"", "invalid character 'q' in string escape code");
        check("-x", "invalid character 'x' in numeric literal");
    }
}
