//! What quoted literals stand for.

const UNABLE: &str = "unable to unescape string";
const OCTAL: &str = "unable to unescape octal sequence in string";
const NO_CHARACTER: &str = "invalid unicode code point";

/// The content of a string literal, quotes and prefix included in `literal`.
pub(super) fn string(literal: &str) -> Result<String, &'static str> {
    let bytes = unquote(literal, false)?;
    String::from_utf8(bytes).map_err(|_| NO_CHARACTER)
}

/// The content of a bytes literal.
pub(super) fn bytes(literal: &str) -> Result<Vec<u8>, &'static str> {
    unquote(literal.get(1..).unwrap_or_default(), true)
}

fn unquote(literal: &str, is_bytes: bool) -> Result<Vec<u8>, &'static str> {
    let literal = literal.replace("\r\n", "\n").replace('\r', "\n");
    let (is_raw, literal) = match literal.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, literal.as_str()),
    };
    let inner = ["'''", "\"\"\"", "'", "\""].iter().find_map(|quote| {
        let inner = literal.strip_prefix(quote)?;
        inner.strip_suffix(quote)
    });
    let inner = inner.ok_or(UNABLE)?;
    if is_raw || !inner.contains('\\') {
        return Ok(inner.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        if c == '\\' {
            rest = escape(rest, is_bytes, &mut out)?;
        } else {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    Ok(out)
}

/// Reads what follows a backslash, and gives the rest.
fn escape<'a>(text: &'a str, is_bytes: bool, out: &mut Vec<u8>) -> Result<&'a str, &'static str> {
    let c = text.chars().next().ok_or(UNABLE)?;
    let rest = text.get(c.len_utf8()..).unwrap_or_default();
    let plain = match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '\'' | '"' | '`' | '?' => c as u8,
        'x' | 'X' => return number(rest, 2, 16, is_bytes, out).map_err(|_| UNABLE),
        'u' if !is_bytes => return number(rest, 4, 16, false, out),
        'U' if !is_bytes => return number(rest, 8, 16, false, out),
        '0'..='3' => return number(text, 3, 8, is_bytes, out).map_err(|_| OCTAL),
        _ => return Err(UNABLE),
    };
    out.push(plain);
    Ok(rest)
}

fn number<'a>(
    text: &'a str,
    digits: usize,
    radix: u32,
    is_byte: bool,
    out: &mut Vec<u8>,
) -> Result<&'a str, &'static str> {
    let (number, rest) = text.split_at_checked(digits).ok_or(UNABLE)?;
    let is_plain = number.bytes().all(|b| b.is_ascii_alphanumeric());
    let value = u32::from_str_radix(number, radix)
        .ok()
        .filter(|_| is_plain)
        .ok_or(UNABLE)?;
    if is_byte {
        out.push(u8::try_from(value).map_err(|_| UNABLE)?);
    } else {
        let c = char::from_u32(value).ok_or(NO_CHARACTER)?;
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(rest)
}
