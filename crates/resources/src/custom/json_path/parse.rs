//! From text to steps, character by character as kubectl's library reads them.

use serde_json::Value;

use super::{Filter, Slice, Step};

/// How deep unions and filters may stand in each other; the library has no bound but its stack.
const DEEPEST: usize = 32;

/// Parses what stands between the braces of a template. What follows another brace is passed over.
pub(super) fn action(text: &str) -> Result<Vec<Step>, String> {
    nested(text, 0)
}

fn nested(text: &str, depth: usize) -> Result<Vec<Step>, String> {
    if depth > DEEPEST {
        return Err("expression nests too deeply".to_owned());
    }
    let mut parser = Parser {
        rest: text,
        steps: Vec::new(),
        depth,
    };
    parser.run()?;
    Ok(parser.steps)
}

struct Parser<'t> {
    rest: &'t str,
    steps: Vec<Step>,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes what `wanted` holds for.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.peek() {
            if self.rest.starts_with('}') {
                return Ok(());
            }
            if self.rest.starts_with("[?(") {
                self.skip(3);
                self.filter()?;
                continue;
            }
            if self.rest.starts_with("..") {
                self.skip(2);
                self.recursive()?;
                continue;
            }
            match c {
                '\r' | '\n' => return Err("unclosed action".to_owned()),
                ' ' | '@' | '$' => self.skip(1),
                '[' => {
                    self.skip(1);
                    self.brackets()?;
                }
                '"' | '\'' => self.quote(c)?,
                '.' => {
                    self.skip(1);
                    self.field();
                }
                '+' | '-' => self.number()?,
                c if c.is_numeric() => self.number()?,
                c if c == '_' || c.is_alphabetic() => self.word(),
                c => {
                    let code = u32::from(c);
                    return Err(format!("unrecognized character in action: U+{code:04X} '{c}'"));
                }
            }
        }
        Ok(())
    }

    fn recursive(&mut self) -> Result<(), String> {
        if self.steps.last() == Some(&Step::Recursive) {
            return Err("invalid multiple recursive descent".to_owned());
        }
        self.steps.push(Step::Recursive);
        if self.peek().is_some_and(|c| c == '_' || c.is_alphanumeric()) {
            self.field();
        } else if self.rest.starts_with('.') && !self.rest.starts_with("..") {
            // The dot of a third one.
            return Err("invalid multiple recursive descent".to_owned());
        }
        Ok(())
    }

    fn field(&mut self) {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| !is_terminator(*c)) {
            self.skip(c.len_utf8());
            if c != '\\' {
                name.push(c);
            } else if let Some(escaped) = self.peek() {
                self.skip(escaped.len_utf8());
                if escaped != '\\' {
                    name.push(escaped);
                }
            }
        }
        self.steps.push(if name == "*" {
            Step::Wildcard
        } else {
            Step::Field(name)
        });
    }

    fn word(&mut self) {
        let word = self.take_while(|c| !is_terminator(c));
        self.steps.push(match word {
            "true" => Step::Literal(true.into()),
            "false" => Step::Literal(false.into()),
            _ => Step::Word,
        });
    }

    fn number(&mut self) -> Result<(), String> {
        let sign = if self.rest.starts_with(['+', '-']) { 1 } else { 0 };
        let digits = self.rest.get(sign..).unwrap_or_default();
        let length = digits
            .find(|c: char| c != '.' && !c.is_numeric())
            .unwrap_or(digits.len());
        let text = self.rest.get(..sign + length).unwrap_or_default();
        self.skip(sign + length);
        let number = match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => Value::from(whole),
            (_, Ok(number)) => Value::from(number),
            _ => return Err(format!("cannot parse number {text}")),
        };
        self.steps.push(Step::Literal(number));
        Ok(())
    }

    fn quote(&mut self, mark: char) -> Result<(), String> {
        const UNTERMINATED: &str = "unterminated quoted string";
        self.skip(1);
        let mut text = String::new();
        loop {
            let Some(c) = self.peek().filter(|c| *c != '\n') else {
                return Err(UNTERMINATED.to_owned());
            };
            self.skip(c.len_utf8());
            match c {
                c if c == mark => break,
                '\\' => {
                    let Some(escaped) = self.peek() else {
                        return Err(UNTERMINATED.to_owned());
                    };
                    self.skip(escaped.len_utf8());
                    text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                }
                c => text.push(c),
            }
        }
        self.steps.push(Step::Literal(text.into()));
        Ok(())
    }

    fn brackets(&mut self) -> Result<(), String> {
        let end = self.rest.find([']', '\n']);
        let Some((inside, rest)) = end.and_then(|at| self.rest.split_at_checked(at)) else {
            return Err("unterminated array".to_owned());
        };
        if rest.starts_with('\n') {
            return Err("unterminated array".to_owned());
        }
        self.rest = rest;
        self.skip(1);
        if inside.contains(',') {
            let parts = inside
                .split(',')
                .map(|part| format!("[{}]", part.trim_matches(' ')));
            let lists: Result<Vec<_>, _> = parts.map(|part| nested(&part, self.depth + 1)).collect();
            self.steps.push(Step::Union(lists?));
            return Ok(());
        }
        let key = inside.strip_prefix('\'').and_then(|key| key.strip_suffix('\''));
        if let Some(key) = key.filter(|key| !key.contains('\'')) {
            self.steps.extend(nested(&format!(".{key}"), self.depth + 1)?);
            return Ok(());
        }
        self.steps.push(Step::Slice(slice(inside)?));
        Ok(())
    }

    fn filter(&mut self) -> Result<(), String> {
        let end = filter_end(self.rest)?;
        let (inside, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        let Some(rest) = rest.strip_prefix(")]") else {
            return Err("unclosed array expect ]".to_owned());
        };
        self.rest = rest;
        let is_sign = |c: char| matches!(c, '!' | '<' | '>' | '=');
        let left = inside.find(is_sign).filter(|at| *at > 0).unwrap_or(inside.len());
        let (left, tail) = inside.split_at_checked(left).unwrap_or((inside, ""));
        let signs = tail.find(|c| !is_sign(c)).unwrap_or(tail.len());
        let (operator, right) = tail.split_at_checked(signs).unwrap_or((tail, ""));
        let depth = self.depth + 1;
        let filter = if operator.is_empty() || right.is_empty() {
            Filter {
                left: nested(inside, depth)?,
                operator: String::new(),
                right: Vec::new(),
            }
        } else {
            Filter {
                left: nested(left, depth)?,
                operator: operator.to_owned(),
                right: nested(right, depth)?,
            }
        };
        self.steps.push(Step::Filter(Box::new(filter)));
        Ok(())
    }
}

/// Where the parenthesis of a filter closes: one within quotes does not.
fn filter_end(text: &str) -> Result<usize, String> {
    let mut quote: Option<char> = None;
    let (mut has_closed, mut before) = (false, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '\n' => break,
            '"' | '\'' => match quote {
                None => quote = Some(c),
                Some(open) if open == c && before != '\\' => has_closed = true,
                Some(_) => {}
            },
            ')' if quote.is_some() == has_closed => return Ok(at),
            _ => {}
        }
        before = c;
    }
    Err("unterminated filter".to_owned())
}

/// `*`, `n`, `from:to` or `from:to:by`, each of which may be left out.
fn slice(text: &str) -> Result<Slice, String> {
    let wrong = || format!("invalid array index {text}");
    let parts: Vec<&str> = if text == "*" {
        vec!["", ""]
    } else {
        text.split(':').collect()
    };
    let is_number = |part: &&str| {
        let digits = part.strip_prefix('-').unwrap_or(part);
        digits.bytes().all(|b| b.is_ascii_digit())
    };
    if parts.len() > 3 || !parts.iter().all(is_number) {
        return Err(wrong());
    }
    let number = |at: usize| match parts.get(at).copied().unwrap_or_default() {
        "" => Ok(None),
        part => part
            .parse::<i64>()
            .map(Some)
            .map_err(|_| format!("array index {part} is not a number")),
    };
    let (from, to, by) = (number(0)?, number(1)?, number(2)?);
    let is_index = parts.len() == 1;
    let to = if is_index {
        from.unwrap_or_default().checked_add(1)
    } else {
        to
    };
    Ok(Slice {
        from,
        to,
        is_index,
        by,
    })
}

fn is_terminator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}'
    )
}
