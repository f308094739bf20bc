//! Tokens of a label selector's text.

/// A token and, by the caller, its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    Comma,
    Not,
    Equals,
    DoubleEquals,
    NotEquals,
    Greater,
    Less,
    In,
    NotIn,
    Word,
    End,
    /// Symbols that mean nothing.
    Bad,
}

/// All tokens of `text` with the text they came from; the last is `End`.
pub(super) fn tokens(text: &str) -> Vec<(Token, String)> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while let Some(first) = rest.chars().next() {
        let (token, length) = if is_symbol(first) {
            symbol(rest)
        } else {
            let length = rest.find(|c| is_symbol(c) || is_blank(c)).unwrap_or(rest.len());
            (Token::Word, length)
        };
        let (literal, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let (token, literal) = match (token, literal) {
            (Token::Word, "in") => (Token::In, literal.to_owned()),
            (Token::Word, "notin") => (Token::NotIn, literal.to_owned()),
            (Token::Bad, _) => (Token::Bad, format!("error expected: keyword found '{literal}'")),
            _ => (token, literal.to_owned()),
        };
        tokens.push((token, literal));
        rest = after.trim_start_matches(is_blank);
    }
    tokens.push((Token::End, String::new()));
    tokens
}

/// The longest symbol at the start of `text`, which starts with a symbol's character.
fn symbol(text: &str) -> (Token, usize) {
    const SYMBOLS: [(&str, Token); 9] = [
        ("==", Token::DoubleEquals),
        ("!=", Token::NotEquals),
        ("=", Token::Equals),
        ("!", Token::Not),
        ("(", Token::Open),
        (")", Token::Close),
        (",", Token::Comma),
        (">", Token::Greater),
        ("<", Token::Less),
    ];
    SYMBOLS
        .iter()
        .find(|(symbol, _)| text.starts_with(symbol))
        .map_or((Token::Bad, text.len()), |(symbol, token)| (*token, symbol.len()))
}

fn is_symbol(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
