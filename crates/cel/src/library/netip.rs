//! What Go's `net/netip` says of text that is no address.

use super::strings::quoted;

/// What is wrong, and where.
type Fault<'t> = (&'static str, Option<&'t str>);

/// The fault of an address that does not parse.
pub(super) fn fault(text: &str) -> String {
    let (what, at) = match text.find(['.', ':', '%']).and_then(|at| text.as_bytes().get(at)) {
        Some(b'.') => ipv4(text).err(),
        Some(b':') => ipv6(text).err(),
        Some(_) => Some(("missing IPv6 address", None)),
        None => None,
    }
    .unwrap_or(("unable to parse IP", None));
    let at = at.map(|at| format!(" (at {})", quoted(at))).unwrap_or_default();
    format!("ParseAddr({}): {what}{at}", quoted(text))
}

fn ipv4(text: &str) -> Result<(), Fault<'_>> {
    let (mut value, mut fields, mut digits) = (0, 0, 0);
    for (at, c) in text.char_indices() {
        let rest = text.get(at..);
        if let Some(digit) = c.to_digit(10) {
            if digits == 1 && value == 0 {
                return Err(("IPv4 field has octet with leading zero", None));
            }
            value = value * 10 + digit;
            digits += 1;
            if value > 255 {
                return Err(("IPv4 field has value >255", None));
            }
        } else if c == '.' {
            if digits == 0 || at + 1 == text.len() {
                return Err(("IPv4 field must have at least one digit", rest));
            }
            if fields == 3 {
                return Err(("IPv4 address too long", None));
            }
            fields += 1;
            (value, digits) = (0, 0);
        } else {
            return Err(("unexpected character", rest));
        }
    }
    if fields < 3 {
        return Err(("IPv4 address too short", None));
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<(), Fault<'_>> {
    let mut rest = match text.split_once('%') {
        Some((_, "")) => return Err(("zone must be a non-empty string", None)),
        Some((address, _)) => address,
        None => text,
    };
    let mut ellipsis = rest.strip_prefix("::").map(|after| rest = after).is_some();
    if ellipsis && rest.is_empty() {
        return Ok(());
    }
    let mut groups = 0;
    while groups < 8 {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 4 {
            return Err(("each group must have 4 or less digits", Some(rest)));
        }
        if digits == 0 {
            return Err((
                "each colon-separated field must have at least one digit",
                Some(rest),
            ));
        }
        let after = rest.get(digits..).unwrap_or_default();
        if after.starts_with('.') {
            if !ellipsis && groups != 6 {
                return Err((
                    "embedded IPv4 address must replace the final 2 fields of the address",
                    Some(rest),
                ));
            }
            if groups > 6 {
                return Err((
                    "too many hex fields to fit an embedded IPv4 at the end of the address",
                    Some(rest),
                ));
            }
            ipv4(rest)?;
            groups += 2;
            rest = "";
            break;
        }
        groups += 1;
        rest = after;
        if rest.is_empty() {
            break;
        }
        let Some(after) = rest.strip_prefix(':') else {
            return Err(("unexpected character, want colon", Some(rest)));
        };
        if after.is_empty() {
            return Err(("colon must be followed by more characters", Some(rest)));
        }
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            if ellipsis {
                return Err(("multiple :: in address", Some(rest)));
            }
            ellipsis = true;
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
    }
    if !rest.is_empty() {
        return Err(("trailing garbage after address", Some(rest)));
    }
    match (groups < 8, ellipsis) {
        (true, false) => Err(("address string too short", None)),
        (false, true) => Err(("the :: must expand to at least one field of zeros", None)),
        _ => Ok(()),
    }
}
