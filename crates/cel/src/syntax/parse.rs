//! The grammar, by recursive descent. Bounded in the length of the source, in nesting, and in the height of
//! the tree, so that whoever walks the tree later is safe.

mod primary;

use std::sync::Arc;

use smol_str::SmolStr;

use super::issue::Issues;
use super::token::{Token, tokens};
use super::tree::{Call, Expr, Id, Node, Select};
use super::{literal, macros};
use crate::value::Value;

/// The longest source, in characters, as upstream.
const LONGEST: usize = 100_000;
/// The deepest nesting, as upstream.
const DEEPEST: usize = 250;
/// The highest tree, macros expanded. Upstream has no such bound; no rule in use comes near it.
const HIGHEST: usize = 400;
/// How deep operators, selections and calls are within each other, as upstream.
const DEEPEST_WAY: u32 = 250;
/// The most nodes that a tree may have before a macro doubles part of it.
const MOST_NODES: usize = 100_000;

const EXPRESSION: &str = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, \
                          STRING, BYTES, IDENTIFIER}";

const ARGUMENTS: &str = "{'[', '{', '(', ')', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, \
                         STRING, BYTES, IDENTIFIER}";
const INDEX: &str = "{'[', '{', '(', '.', '-', '!', '?', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, \
                     STRING, BYTES, IDENTIFIER}";

/// A parsed expression: its tree, and where each node stands.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) root: Expr,
    /// The character that a node is found at, by number.
    pub(crate) offsets: Vec<usize>,
}

/// Parses `source`, macros expanded; `has_bind`: `cel.bind` among them.
pub(crate) fn parse(source: &str, has_bind: bool) -> Result<Parsed, Issues> {
    let characters: Vec<char> = source.chars().collect();
    let mut issues = Issues::default();
    if characters.len() > LONGEST {
        let size = characters.len();
        issues.report(
            0,
            format!("expression code point size exceeds limit: size: {size}, limit {LONGEST}"),
        );
        return Err(issues);
    }
    let tokens = tokens(&characters, &mut issues);
    let mut parser = Parser {
        tokens,
        at: 0,
        has_bind,
        depth: 0,
        open: 0,
        offsets: Vec::new(),
        ways: Vec::new(),
        issues,
    };
    let root = parser.whole();
    match root {
        Ok(root) if parser.issues.is_empty() => Ok(Parsed {
            root,
            offsets: parser.offsets,
        }),
        _ => Err(parser.issues),
    }
}

/// The fault is among the issues.
pub(super) struct Reported;

pub(super) type Step<T = Expr> = Result<T, Reported>;

pub(super) struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    has_bind: bool,
    depth: usize,
    /// Brackets that are open.
    open: usize,
    offsets: Vec<usize>,
    /// How deep the operators, selections and calls below a node are within each other, by its number.
    ways: Vec<u32>,
    issues: Issues,
}

impl Parser {
    fn whole(&mut self) -> Step {
        let root = self.expression()?;
        let token = self.peek().clone();
        if token != Token::End {
            // One token too many is extraneous; what stands before more of them is a mismatch.
            let is_last = self
                .tokens
                .get(self.at + 1)
                .is_none_or(|(_, next)| *next == Token::End);
            let what = if is_last { "extraneous" } else { "mismatched" };
            return self.syntax(format!("{what} input '{}' expecting <EOF>", token.text()));
        }
        Ok(root)
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, token)| token)
    }

    fn offset(&self) -> usize {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map_or(0, |(offset, _)| *offset)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn accept(&mut self, sign: &str) -> bool {
        let found = self.peek().is(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str, expecting: &str) -> Step<()> {
        if self.accept(sign) {
            return Ok(());
        }
        // At the end, one bracket that lacks is taken for written, as upstream's parser recovers.
        if *self.peek() == Token::End && self.open == 1 && matches!(expecting, "')'" | "']'") {
            let offset = self.offset();
            self.issues
                .report(offset, format!("Syntax error: missing {expecting} at '<EOF>'"));
            return Ok(());
        }
        let text = self.peek().text().to_owned();
        self.syntax(format!("mismatched input '{text}' expecting {expecting}"))
    }

    fn syntax<T>(&mut self, message: String) -> Step<T> {
        let offset = self.offset();
        self.issues.report(offset, format!("Syntax error: {message}"));
        Err(Reported)
    }

    /// Reports a fault at a node and gives a node to go on with.
    pub(super) fn fault(&mut self, at: Id, message: impl Into<String>) -> Expr {
        let offset = self.place(at);
        self.issues.report(offset, message);
        let id = self.id(offset);
        Expr::new(id, Node::Literal(Value::Null))
    }

    pub(super) fn place(&self, id: Id) -> usize {
        self.offsets.get(id).copied().unwrap_or_default()
    }

    /// Whether `cel.bind` is a macro.
    pub(super) fn has_bind(&self) -> bool {
        self.has_bind
    }

    /// Whether nothing more may be copied.
    pub(super) fn is_full(&self) -> bool {
        self.offsets.len() > MOST_NODES
    }

    pub(super) fn id(&mut self, offset: usize) -> Id {
        self.offsets.push(offset);
        self.offsets.len() - 1
    }

    /// A node, unless the tree gets too high with it.
    pub(super) fn node(&mut self, id: Id, node: Node) -> Expr {
        let expr = Expr::new(id, node);
        if expr.height <= HIGHEST {
            return expr;
        }
        self.fault(id, "max recursion depth exceeded")
    }

    pub(super) fn call(&mut self, id: Id, function: &str, arguments: Vec<Expr>) -> Expr {
        let call = Call {
            function: SmolStr::new(function),
            target: None,
            arguments,
        };
        self.node(id, Node::Call(Box::new(call)))
    }

    /// Notes that an operator, a selection or a call of `id` is around `parts`.
    fn around(&mut self, id: Id, parts: impl IntoIterator<Item = Id>) -> Step<()> {
        let below = parts.into_iter().map(|part| self.way(part)).max();
        let way = below.unwrap_or(0) + 1;
        if way > DEEPEST_WAY {
            self.issues.report_whole("max recursion depth exceeded");
            return Err(Reported);
        }
        self.set_way(id, way);
        Ok(())
    }

    fn way(&self, id: Id) -> u32 {
        self.ways.get(id).copied().unwrap_or(0)
    }

    fn set_way(&mut self, id: Id, way: u32) {
        if self.ways.len() <= id {
            self.ways.resize(self.offsets.len().max(id + 1), 0);
        }
        if let Some(place) = self.ways.get_mut(id) {
            *place = way;
        }
    }

    /// A bracket around `inner`.
    fn bracketed<T>(&mut self, inner: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        self.open += 1;
        let result = inner(self);
        self.open -= 1;
        result
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.issues
                .report_whole(format!("expression recursion limit exceeded: {DEEPEST}"));
            return Err(Reported);
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Step {
        self.nested(|parser| {
            let condition = parser.binary(0)?;
            let offset = parser.offset();
            if !parser.accept("?") {
                return Ok(condition);
            }
            let id = parser.id(offset);
            let then = parser.nested(|parser| parser.binary(0))?;
            parser.expect(":", "':'")?;
            let or_else = parser.expression()?;
            parser.around(id, [condition.id, then.id, or_else.id])?;
            Ok(parser.call(id, "_?_:_", vec![condition, then, or_else]))
        })
    }

    /// Operators of at least this rank.
    fn binary(&mut self, rank: usize) -> Step {
        let mut left = self.unary()?;
        while let Some((function, found)) = operator(self.peek()).filter(|(_, found)| *found >= rank) {
            if found < 2 {
                left = self.logical(left, function, found)?;
                continue;
            }
            let offset = self.offset();
            self.at += 1;
            let id = self.id(offset);
            let right = self.nested(|parser| parser.binary(found + 1))?;
            self.around(id, [left.id, right.id])?;
            left = self.call(id, function, vec![left, right]);
        }
        Ok(left)
    }

    /// `a && b && c` as a balanced tree, as upstream makes it.
    fn logical(&mut self, first: Expr, function: &'static str, rank: usize) -> Step {
        let mut terms = vec![first];
        let mut ids = Vec::new();
        while operator(self.peek()).is_some_and(|(_, found)| found == rank) {
            let offset = self.offset();
            self.at += 1;
            let term = self.nested(|parser| parser.binary(rank + 1))?;
            terms.push(term);
            ids.push(self.id(offset));
        }
        Ok(self.balanced(function, &mut terms.into_iter(), &ids))
    }

    fn balanced(&mut self, function: &str, terms: &mut dyn Iterator<Item = Expr>, ids: &[Id]) -> Expr {
        let middle = ids.len() / 2;
        let (before, after) = (
            ids.get(..middle).unwrap_or_default(),
            ids.get(middle + 1..).unwrap_or_default(),
        );
        let Some(id) = ids.get(middle).copied() else {
            let lost = self.offsets.len().saturating_sub(1);
            return terms
                .next()
                .unwrap_or_else(|| Expr::new(lost, Node::Literal(Value::Null)));
        };
        let left = self.balanced(function, terms, before);
        let right = self.balanced(function, terms, after);
        let way = self.way(left.id).max(self.way(right.id));
        self.set_way(id, way);
        self.call(id, function, vec![left, right])
    }

    fn unary(&mut self) -> Step {
        let offset = self.offset();
        for (sign, function) in [("!", "!_"), ("-", "-_")] {
            let mut count = 0;
            while self.peek().is(sign) {
                let is_literal = sign == "-"
                    && matches!(
                        self.tokens.get(self.at + 1),
                        Some((_, Token::Int(_) | Token::Float(_)))
                    );
                if is_literal && count == 0 {
                    break;
                }
                self.at += 1;
                count += 1;
            }
            if count == 0 {
                continue;
            }
            if *self.peek() == Token::End {
                return self.no_operand(sign);
            }
            if count % 2 == 0 {
                return self.member();
            }
            let id = self.id(offset);
            let operand = self.member()?;
            let way = self.way(operand.id);
            self.set_way(id, way);
            return Ok(self.call(id, function, vec![operand]));
        }
        self.member()
    }

    /// A sign at the end.
    fn no_operand(&mut self, sign: &str) -> Step {
        if sign == "!" {
            return self.syntax(format!("extraneous input '<EOF>' expecting {EXPRESSION}"));
        }
        let offset = self.offset();
        self.issues
            .report(offset, "Syntax error: no viable alternative at input '-'");
        self.syntax(format!("mismatched input '<EOF>' expecting {EXPRESSION}"))
    }

    fn member(&mut self) -> Step {
        let mut operand = self.primary()?;
        loop {
            let offset = self.offset();
            if self.accept(".") {
                operand = self.dot(operand, offset)?;
            } else if self.accept("[") {
                let function = if self.accept("?") { "_[?_]" } else { "_[_]" };
                let id = self.id(offset);
                let index = self.bracketed(|parser| {
                    parser.begins(INDEX)?;
                    let index = parser.expression()?;
                    parser.expect("]", "']'")?;
                    Ok(index)
                })?;
                self.around(id, [operand.id, index.id])?;
                operand = self.call(id, function, vec![operand, index]);
            } else {
                return Ok(operand);
            }
        }
    }

    fn dot(&mut self, operand: Expr, offset: usize) -> Step {
        let is_optional = self.accept("?");
        let name_offset = self.offset();
        let name = match self.next() {
            Token::Ident(name) if !matches!(name.as_str(), "true" | "false" | "null" | "in") => name,
            Token::Quoted(name) => {
                let id = self.id(name_offset);
                self.fault(id, "unsupported syntax: '`'");
                name
            }
            // An operator after a point: the parser goes on with it.
            Token::Ident(name) if name == "in" => {
                self.at -= 1;
                let offset = self.offset();
                self.issues
                    .report(offset, "Syntax error: no viable alternative at input '.in'");
                return Ok(operand);
            }
            token => {
                self.at -= 1;
                let text = token.text().to_owned();
                return self.syntax(match token {
                    Token::Ident(_) => format!("mismatched input '{text}' expecting IDENTIFIER"),
                    _ => format!("no viable alternative at input '.{text}'").replace("<EOF>", ""),
                });
            }
        };
        let open = self.offset();
        if !is_optional && self.accept("(") {
            let id = self.id(open);
            let arguments = self.arguments()?;
            let parts: Vec<Id> = arguments.iter().map(|argument| argument.id).collect();
            self.around(id, parts.into_iter().chain([operand.id]))?;
            let way = self.way(id);
            let made = macros::method(self, id, &name, operand, arguments)?;
            self.set_way(made.id, way);
            return Ok(made);
        }
        let id = self.id(offset);
        if is_optional {
            let field = self.id(name_offset);
            let field = Expr::new(field, Node::Literal(Value::from(Arc::<str>::from(name))));
            self.around(id, [operand.id])?;
            return Ok(self.call(id, "_?._", vec![operand, field]));
        }
        self.around(id, [operand.id])?;
        let select = Select {
            operand,
            field: SmolStr::from(name),
            is_test: false,
        };
        Ok(self.node(id, Node::Select(Box::new(select))))
    }

    fn arguments(&mut self) -> Step<Vec<Expr>> {
        self.bracketed(Self::arguments_within)
    }

    fn arguments_within(&mut self) -> Step<Vec<Expr>> {
        let mut arguments = Vec::new();
        if self.accept(")") {
            return Ok(arguments);
        }
        self.begins(ARGUMENTS)?;
        if self.accept(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if !self.accept(",") {
                self.expect(")", "{')', ','}")?;
                return Ok(arguments);
            }
        }
    }

    fn primary(&mut self) -> Step {
        let offset = self.offset();
        match self.next() {
            Token::Sign("(") => self.bracketed(|parser| {
                let inner = parser.expression()?;
                parser.expect(")", "')'")?;
                Ok(inner)
            }),
            Token::Sign("[") => self.bracketed(|parser| parser.list(offset)),
            Token::Sign("{") => self.bracketed(|parser| parser.map(offset)),
            Token::Sign("-") => {
                let token = self.next();
                self.number(offset, &token, "-")
            }
            Token::Sign(".") => match self.next() {
                Token::Ident(name) => self.named(offset, offset + 1, &name, "."),
                token => {
                    self.at -= 1;
                    let text = token.text().to_owned();
                    self.syntax(format!("mismatched input '{text}' expecting IDENTIFIER"))
                }
            },
            Token::Ident(name) if name != "in" => self.named(offset, offset, &name, ""),
            token @ (Token::Int(_) | Token::Uint(_) | Token::Float(_)) => self.number(offset, &token, ""),
            Token::String(text) => {
                let value = literal::string(&text).map(|text| Value::from(Arc::<str>::from(text)));
                Ok(self.literal(offset, value))
            }
            Token::Bytes(text) => {
                let value = literal::bytes(&text).map(|bytes| Value::Bytes(bytes.into()));
                Ok(self.literal(offset, value))
            }
            Token::Ident(name) => {
                self.at -= 1;
                let message = format!("Syntax error: mismatched input '{name}' expecting {EXPRESSION}");
                self.issues.report(offset, message);
                // The operator is left where it is: the parser goes on with it.
                let id = self.id(offset);
                Ok(Expr::new(id, Node::Literal(Value::Null)))
            }
            token => {
                self.at -= 1;
                self.no_expression(&token)
            }
        }
    }

    /// Where an expression is one of several things that may come, `expecting` names them.
    fn begins(&mut self, expecting: &str) -> Step<()> {
        let token = self.peek().clone();
        if token.begins_expression() {
            return Ok(());
        }
        let next = self.tokens.get(self.at + 1).map(|(_, next)| next);
        let closes = if expecting == ARGUMENTS { ")" } else { "?" };
        let is_extra = *self.peek() != Token::End
            && next.is_some_and(|next| next.begins_expression() || next.is(closes));
        let text = token.text();
        if is_extra {
            let offset = self.offset();
            let message = format!("Syntax error: extraneous input '{text}' expecting {expecting}");
            self.issues.report(offset, message);
            self.at += 1;
            return Ok(());
        }
        self.syntax(format!("mismatched input '{text}' expecting {expecting}"))
    }

    /// A token that begins no expression: skipped if the next one does, as upstream's parser recovers.
    fn no_expression(&mut self, token: &Token) -> Step {
        let text = token.text().to_owned();
        let next = self.tokens.get(self.at + 1).map(|(_, next)| next);
        if *token != Token::End && next.is_some_and(Token::begins_expression) {
            let offset = self.offset();
            let message = format!("Syntax error: extraneous input '{text}' expecting {EXPRESSION}");
            self.issues.report(offset, message);
            self.at += 1;
            return self.nested(Self::primary);
        }
        self.syntax(format!("mismatched input '{text}' expecting {EXPRESSION}"))
    }
}

/// The function of an operator, and its rank: the higher, the tighter it binds.
fn operator(token: &Token) -> Option<(&'static str, usize)> {
    Some(match token {
        Token::Ident(word) if word == "in" => ("@in", 2),
        Token::Sign(sign) => match *sign {
            "||" => ("_||_", 0),
            "&&" => ("_&&_", 1),
            "<" => ("_<_", 2),
            "<=" => ("_<=_", 2),
            ">" => ("_>_", 2),
            ">=" => ("_>=_", 2),
            "==" => ("_==_", 2),
            "!=" => ("_!=_", 2),
            "+" => ("_+_", 3),
            "-" => ("_-_", 3),
            "*" => ("_*_", 4),
            "/" => ("_/_", 4),
            "%" => ("_%_", 4),
            _ => return None,
        },
        _ => return None,
    })
}
