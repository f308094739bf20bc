//! Whether text is base64 as Go's decoder takes it.

/// Checks standard base64 with padding; line breaks are ignored.
///
/// # Errors
/// Go's text, with the place of the first byte that is wrong.
pub fn checked(text: &str) -> Result<(), String> {
    let illegal = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    let mut digits = 0_usize;
    let mut padding = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\r' | b'\n' => {}
            b'=' if digits % 4 >= 2 && digits % 4 + padding < 4 => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            _ => return illegal(at),
        }
    }
    if (digits + padding).is_multiple_of(4) {
        Ok(())
    } else {
        illegal(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_padded_text_and_says_where_other_text_breaks() {
        for good in ["", "dg==", "dmF=", "dmFs", "dm\nFs"] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
        for (bad, at) in [
            ("?", 0),
            ("dg", 2),
            ("dg=", 3),
            ("d===", 1),
            ("dg==x", 4),
            ("dmFs=", 4),
        ] {
            assert_eq!(
                checked(bad),
                Err(format!("illegal base64 data at input byte {at}")),
                "{bad}"
            );
        }
    }
}
