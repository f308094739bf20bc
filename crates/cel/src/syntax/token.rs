//! Text to tokens.

use super::issue::Issues;

/// A word of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Int(String),
    Uint(String),
    Float(String),
    /// A literal with its quotes and prefix.
    String(String),
    Bytes(String),
    Ident(String),
    /// A name, with its backticks.
    Quoted(String),
    /// An operator or bracket.
    Sign(&'static str),
    End,
}

impl Token {
    /// As messages write it.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Int(text)
            | Self::Uint(text)
            | Self::Float(text)
            | Self::String(text)
            | Self::Bytes(text)
            | Self::Ident(text)
            | Self::Quoted(text) => text,
            Self::Sign(text) => text,
            Self::End => "<EOF>",
        }
    }

    pub(super) fn is(&self, sign: &str) -> bool {
        matches!(self, Self::Sign(text) if *text == sign)
    }

    /// Whether it can stand first in an expression.
    pub(super) fn begins_expression(&self) -> bool {
        match self {
            Self::Sign(text) => matches!(*text, "[" | "{" | "(" | "." | "-" | "!"),
            Self::Quoted(_) | Self::End => false,
            Self::Ident(text) => text != "in",
            _ => true,
        }
    }
}

const SIGNS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":",
    "+", "*", "/", "%",
];

/// Splits `source`; the number with a token is the character that it starts at.
pub(super) fn tokens(source: &[char], issues: &mut Issues) -> Vec<(usize, Token)> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let start = lexer.at;
        if start >= source.len() {
            tokens.push((start, Token::End));
            return tokens;
        }
        match lexer.next() {
            Some(token) => tokens.push((start, token)),
            None => {
                let text = lexer.unknown(start);
                issues.report(
                    start,
                    format!("Syntax error: token recognition error at: '{text}'"),
                );
            }
        }
    }
}

struct Lexer<'a> {
    source: &'a [char],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.source.get(self.at + ahead).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(c) = self.peek(0) {
            if matches!(c, '\t' | ' ' | '\r' | '\n' | '\u{c}') {
                self.at += 1;
            } else if c == '/' && self.peek(1) == Some('/') {
                while self.peek(0).is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
            } else {
                return;
            }
        }
    }

    /// What no token starts with: up to the character that shows that it is none.
    fn unknown(&mut self, start: usize) -> String {
        let length = match self.peek(0) {
            Some('&' | '|' | '=') => 2,
            Some(quote @ ('"' | '\'')) => 1 + self.closing(1, quote, false, false).err().unwrap_or(0),
            Some('`') => {
                let rest = self.source.get(start + 1..).unwrap_or_default();
                2 + rest.iter().take_while(|c| is_quotable(**c)).count()
            }
            _ => 1,
        };
        self.at = (start + length).min(self.source.len());
        self.source
            .get(start..self.at)
            .unwrap_or_default()
            .iter()
            .collect()
    }

    fn next(&mut self) -> Option<Token> {
        let c = self.peek(0)?;
        let dot_number = c == '.' && self.peek(1).is_some_and(|c| c.is_ascii_digit());
        if c.is_ascii_digit() || dot_number {
            return Some(self.number());
        }
        if let Some(literal) = self.quoted() {
            return Some(literal);
        }
        if c.is_ascii_alphabetic() || c == '_' {
            return Some(Token::Ident(
                self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'),
            ));
        }
        if c == '`' {
            return self.backticks();
        }
        let sign = SIGNS
            .into_iter()
            .find(|sign| sign.chars().enumerate().all(|(at, c)| self.peek(at) == Some(c)))?;
        self.at += sign.len();
        Some(Token::Sign(sign))
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> String {
        let rest = self.source.get(self.at..).unwrap_or_default();
        let text: String = rest.iter().take_while(|c| is_part(**c)).collect();
        self.at += text.chars().count();
        text
    }

    fn backticks(&mut self) -> Option<Token> {
        let rest = self.source.get(self.at + 1..)?;
        let name: String = rest.iter().take_while(|c| is_quotable(**c)).collect();
        let end = rest.get(name.len())?;
        (*end == '`' && !name.is_empty()).then(|| {
            self.at += name.len() + 2;
            Token::Quoted(format!("`{name}`"))
        })
    }

    fn number(&mut self) -> Token {
        if self.peek(0) == Some('0')
            && self.peek(1) == Some('x')
            && self.peek(2).is_some_and(|c| c.is_ascii_hexdigit())
        {
            self.at += 2;
            let digits = format!("0x{}", self.take_while(|c| c.is_ascii_hexdigit()));
            return self.unsigned_or(digits);
        }
        let mut text = self.take_while(|c| c.is_ascii_digit());
        let mut is_float = false;
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            is_float = true;
            text.push('.');
            text.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        if matches!(self.peek(0), Some('e' | 'E')) {
            let signed = usize::from(matches!(self.peek(1), Some('+' | '-')));
            if self.peek(1 + signed).is_some_and(|c| c.is_ascii_digit()) {
                text.extend(self.source.get(self.at..=self.at + signed).unwrap_or_default());
                self.at += 1 + signed;
                is_float = true;
                text.push_str(&self.take_while(|c| c.is_ascii_digit()));
            }
        }
        if is_float {
            return Token::Float(text);
        }
        self.unsigned_or(text)
    }

    fn unsigned_or(&mut self, digits: String) -> Token {
        if let Some(mark @ ('u' | 'U')) = self.peek(0) {
            self.at += 1;
            return Token::Uint(format!("{digits}{mark}"));
        }
        Token::Int(digits)
    }

    /// A literal in quotes with its prefix (`r`, `b`, `br`).
    fn quoted(&mut self) -> Option<Token> {
        let is_bytes = matches!(self.peek(0), Some('b' | 'B'));
        let mut at = usize::from(is_bytes);
        let is_raw = matches!(self.peek(at), Some('r' | 'R'));
        at += usize::from(is_raw);
        let quote = self.peek(at).filter(|c| matches!(c, '"' | '\''))?;
        let is_long = self.peek(at + 1) == Some(quote) && self.peek(at + 2) == Some(quote);
        let long = is_long.then(|| self.closing(at + 3, quote, true, is_raw).ok());
        // A long literal without an end starts with an empty one.
        let length = match long.flatten() {
            Some(length) => length,
            None => self.closing(at + 1, quote, false, is_raw).ok()?,
        };
        let text: String = self.source.get(self.at..self.at + length)?.iter().collect();
        self.at += length;
        Some(if is_bytes {
            Token::Bytes(text)
        } else {
            Token::String(text)
        })
    }

    /// How long the literal is whose content starts `from` here, or at which character it breaks off.
    fn closing(&self, from: usize, quote: char, is_long: bool, is_raw: bool) -> Result<usize, usize> {
        let mut at = from;
        loop {
            let c = self.peek(at).ok_or(at)?;
            if c == '\\' && !is_raw {
                at = self.escape(at + 1)?;
                continue;
            }
            if !is_long && matches!(c, '\n' | '\r') {
                return Err(at);
            }
            let is_end = c == quote
                && (!is_long || (self.peek(at + 1) == Some(quote) && self.peek(at + 2) == Some(quote)));
            if is_end {
                return Ok(at + if is_long { 3 } else { 1 });
            }
            at += 1;
        }
    }

    /// Where an escape ends whose letter is at `at`, or at which character it is none.
    fn escape(&self, at: usize) -> Result<usize, usize> {
        let digits = |from: usize, count: usize, is_digit: fn(char) -> bool| {
            let bad = (from..from + count).find(|at| !self.peek(*at).is_some_and(is_digit));
            bad.map_or(Ok(from + count), Err)
        };
        let is_hex = |c: char| c.is_ascii_hexdigit();
        match self.peek(at).ok_or(at)? {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`' => Ok(at + 1),
            'x' | 'X' => digits(at + 1, 2, is_hex),
            'u' => digits(at + 1, 4, is_hex),
            'U' => digits(at + 1, 8, is_hex),
            '0'..='3' => digits(at + 1, 2, |c| matches!(c, '0'..='7')),
            _ => Err(at),
        }
    }
}

/// Whether a name in backticks may have it.
fn is_quotable(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ' ')
}
