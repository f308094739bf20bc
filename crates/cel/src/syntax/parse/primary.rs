//! Literals, names, messages, lists and maps.

use smol_str::SmolStr;

use super::{Parser, Step};
use crate::escape::is_reserved;
use crate::syntax::macros;
use crate::syntax::token::Token;
use crate::syntax::tree::{Entry, Expr, FieldValue, List, Node};
use crate::value::Value;

impl Parser {
    pub(super) fn literal(&mut self, offset: usize, value: Result<Value<'static>, &str>) -> Expr {
        let id = self.id(offset);
        match value {
            Ok(value) => Expr::new(id, Node::Literal(value)),
            Err(message) => self.fault(id, message),
        }
    }

    pub(super) fn number(&mut self, offset: usize, token: &Token, sign: &str) -> Step {
        let value = match token {
            Token::Int(text) => match text.strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(&format!("{sign}{digits}"), 16),
                None => format!("{sign}{text}").parse(),
            }
            .map(Value::Int)
            .map_err(|_| "invalid int literal"),
            Token::Uint(text) => {
                let digits = text.trim_end_matches(['u', 'U']);
                match digits.strip_prefix("0x") {
                    Some(digits) => u64::from_str_radix(digits, 16),
                    None => digits.parse(),
                }
                .map(Value::Uint)
                .map_err(|_| "invalid uint literal")
            }
            Token::Float(text) => format!("{sign}{text}")
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
                .map(Value::Double)
                .ok_or("invalid double literal"),
            token => {
                self.at -= 1;
                return self.no_expression(token);
            }
        };
        Ok(self.literal(offset, value))
    }

    /// An identifier, a call or a message.
    pub(super) fn named(&mut self, start: usize, offset: usize, name: &str, dot: &str) -> Step {
        let constant = match name {
            _ if !dot.is_empty() => None,
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            _ => None,
        };
        if let Some(value) = constant {
            return Ok(self.literal(offset, Ok(value)));
        }
        if let Some(message) = self.message(name, dot)? {
            return Ok(message);
        }
        let open = self.offset();
        let is_call = self.accept("(");
        if is_reserved(name) {
            let id = self.id(start);
            let fault = self.fault(id, format!("reserved identifier: {name}"));
            if is_call {
                self.arguments()?;
            }
            return Ok(fault);
        }
        let full = format!("{dot}{name}");
        if !is_call {
            let id = self.id(offset);
            return Ok(Expr::new(id, Node::Ident(SmolStr::from(full))));
        }
        let id = self.id(open);
        let arguments = self.arguments()?;
        macros::function(self, id, &full, arguments)
    }

    /// `a.b.Name{…}`, if that is what follows.
    fn message(&mut self, first: &str, dot: &str) -> Step<Option<Expr>> {
        let mut name = format!("{dot}{first}");
        let mut ahead = self.at;
        while let (Some((_, point)), Some((_, Token::Ident(part)))) =
            (self.tokens.get(ahead), self.tokens.get(ahead + 1))
        {
            if !point.is(".") {
                break;
            }
            name.push('.');
            name.push_str(part);
            ahead += 2;
        }
        let Some((offset, brace)) = self.tokens.get(ahead) else {
            return Ok(None);
        };
        if !brace.is("{") {
            return Ok(None);
        }
        let offset = *offset;
        self.at = ahead + 1;
        self.bracketed(|parser| parser.fields(offset, name)).map(Some)
    }

    fn fields(&mut self, offset: usize, name: String) -> Step {
        let id = self.id(offset);
        let mut fields = Vec::new();
        while !self.accept("}") {
            let is_optional = self.accept("?");
            let Token::Ident(field) = self.next() else {
                self.at -= 1;
                let text = self.peek().text().to_owned();
                return self.syntax(format!(
                    "mismatched input '{text}' expecting {{'}}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}}"
                ));
            };
            let colon = self.offset();
            self.expect(":", "':'")?;
            let field_id = self.id(colon);
            let value = self.expression()?;
            fields.push(FieldValue {
                id: field_id,
                field: SmolStr::from(field),
                value,
                is_optional,
            });
            if !self.accept(",") {
                self.expect("}", "{'}', ','}")?;
                break;
            }
        }
        Ok(self.node(id, Node::Struct(SmolStr::from(name), fields)))
    }

    /// `[,]` and `{,}` are empty.
    fn lone_comma(&mut self, close: &str) {
        let next = self.tokens.get(self.at + 1);
        if self.peek().is(",") && next.is_some_and(|(_, next)| next.is(close)) {
            self.at += 1;
        }
    }

    pub(super) fn list(&mut self, offset: usize) -> Step {
        let id = self.id(offset);
        let mut list = List::default();
        self.lone_comma("]");
        while !self.accept("]") {
            if self.accept("?") {
                list.optional.push(list.elements.len());
            }
            list.elements.push(self.expression()?);
            if !self.accept(",") {
                self.expect("]", "{']', ','}")?;
                break;
            }
        }
        Ok(self.node(id, Node::List(list)))
    }

    pub(super) fn map(&mut self, offset: usize) -> Step {
        let id = self.id(offset);
        let mut entries = Vec::new();
        self.lone_comma("}");
        while !self.accept("}") {
            let is_optional = self.accept("?");
            let key = self.expression()?;
            self.expect(":", "':'")?;
            let value = self.expression()?;
            entries.push(Entry {
                key,
                value,
                is_optional,
            });
            if !self.accept(",") {
                self.expect("}", "{'}', ','}")?;
                break;
            }
        }
        Ok(self.node(id, Node::Map(entries)))
    }
}
