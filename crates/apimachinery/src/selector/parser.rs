//! The grammar of a label selector's text, with upstream's order of looking and its errors.

use std::collections::BTreeSet;

use super::lexer::{Token, tokens};
use super::{Operator, Requirement, SelectorError, checked_key};
use crate::field::Path;

/// Whether `in` and `notin` are words here.
#[derive(Clone, Copy)]
enum Context {
    KeyAndOperator,
    Values,
}

struct Parser {
    tokens: std::vec::IntoIter<(Token, String)>,
}

/// Reads all requirements, in the order of the text.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser {
        tokens: tokens(text).into_iter(),
    };
    parser.requirements().map_err(SelectorError)
}

impl Parser {
    fn peek(&self, context: Context) -> (Token, &str) {
        let Some((token, literal)) = self.tokens.as_slice().first() else {
            return (Token::End, "");
        };
        (as_seen(*token, context), literal)
    }

    fn next(&mut self, context: Context) -> (Token, String) {
        let (token, literal) = self.tokens.next().unwrap_or((Token::End, String::new()));
        (as_seen(token, context), literal)
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, String> {
        let mut all = Vec::new();
        loop {
            match self.peek(Context::Values) {
                (Token::Word | Token::Not, _) => {
                    let requirement = self.requirement();
                    all.push(requirement.map_err(|why| format!("unable to parse requirement: {why}"))?);
                    match self.next(Context::Values) {
                        (Token::End, _) => return Ok(all),
                        (Token::Comma, _) => match self.peek(Context::Values) {
                            (Token::Word | Token::Not, _) => {}
                            (_, found) => {
                                return Err(format!("found '{found}', expected: identifier after ','"));
                            }
                        },
                        (_, found) => {
                            return Err(format!("found '{found}', expected: ',' or 'end of string'"));
                        }
                    }
                }
                (Token::End, _) => return Ok(all),
                (_, found) => {
                    return Err(format!(
                        "found '{found}', expected: !, identifier, or 'end of string'"
                    ));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut first = self.next(Context::Values);
        let is_negated = first.0 == Token::Not;
        if is_negated {
            first = self.next(Context::Values);
        }
        let (Token::Word, key) = first else {
            return Err(format!("found '{}', expected: identifier", first.1));
        };
        checked_key(&key, &Path::root())?;
        if is_negated {
            return made(&key, Operator::DoesNotExist, BTreeSet::new());
        }
        if let (Token::End | Token::Comma, _) = self.peek(Context::Values) {
            return made(&key, Operator::Exists, BTreeSet::new());
        }
        let operator = match self.next(Context::KeyAndOperator) {
            (Token::In, _) => Operator::In,
            (Token::NotIn, _) => Operator::NotIn,
            (Token::Equals, _) => Operator::Equals,
            (Token::DoubleEquals, _) => Operator::DoubleEquals,
            (Token::NotEquals, _) => Operator::NotEquals,
            (Token::Greater, _) => Operator::GreaterThan,
            (Token::Less, _) => Operator::LessThan,
            (_, found) => {
                return Err(format!("found '{found}', expected: in, notin, =, ==, !=, gt, lt"));
            }
        };
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => BTreeSet::from([self.exact_value()?]),
        };
        made(&key, operator, values)
    }

    fn exact_value(&mut self) -> Result<String, String> {
        if let (Token::End | Token::Comma, _) = self.peek(Context::Values) {
            return Ok(String::new());
        }
        match self.next(Context::Values) {
            (Token::Word, value) => Ok(value),
            (_, found) => Err(format!("found '{found}', expected: identifier")),
        }
    }

    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        match self.next(Context::Values) {
            (Token::Open, _) => {}
            (_, found) => return Err(format!("found '{found}' expected: '('")),
        }
        match self.peek(Context::Values) {
            (Token::Word | Token::Comma, _) => {
                let values = self.list()?;
                match self.next(Context::Values) {
                    (Token::Close, _) => Ok(values),
                    (_, found) => Err(format!("found '{found}', expected: ')'")),
                }
            }
            (Token::Close, _) => {
                self.next(Context::Values);
                // As upstream: an empty list holds the empty value.
                Ok(BTreeSet::from([String::new()]))
            }
            (_, found) => Err(format!("found '{found}', expected: ',', ')' or identifier")),
        }
    }

    /// Values and commas up to the closing bracket, which stays; a missing value is the empty one.
    fn list(&mut self) -> Result<BTreeSet<String>, String> {
        let mut values = BTreeSet::new();
        loop {
            match self.next(Context::Values) {
                (Token::Word, value) => {
                    values.insert(value);
                    match self.peek(Context::Values) {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(values),
                        (_, found) => return Err(format!("found '{found}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        values.insert(String::new());
                    }
                    match self.peek(Context::Values) {
                        (Token::Close, _) => {
                            values.insert(String::new());
                            return Ok(values);
                        }
                        (Token::Comma, _) => {
                            self.next(Context::Values);
                            values.insert(String::new());
                        }
                        _ => {}
                    }
                }
                (_, found) => return Err(format!("found '{found}', expected: ',', or identifier")),
            }
        }
    }
}

fn as_seen(token: Token, context: Context) -> Token {
    match (context, token) {
        (Context::Values, Token::In | Token::NotIn) => Token::Word,
        _ => token,
    }
}

fn made(key: &str, operator: Operator, values: BTreeSet<String>) -> Result<Requirement, String> {
    Requirement::new(key, operator, values).map_err(|SelectorError(why)| why)
}
