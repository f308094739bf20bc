//! What Go's regular expressions say of a pattern that is none.

use warren_apimachinery::re2;

/// The fault of a pattern, if it has one.
pub(super) fn fault(pattern: &str) -> Option<String> {
    if let Some(repeat) = re2::excessive_repeat(pattern) {
        return Some(format!("error parsing regexp: invalid repeat count: `{repeat}`"));
    }
    let fault = warren_schema::pattern_fault(pattern)?;
    Some(in_gos_words(pattern).unwrap_or(fault))
}

fn in_gos_words(pattern: &str) -> Option<String> {
    const LOOKS: [(&str, &str); 4] = [("(?=", "(?="), ("(?!", "(?!"), ("(?<=", "(?<"), ("(?<!", "(?<")];
    let said = |what: &str, where_: &str| Some(format!("error parsing regexp: {what}: `{where_}`"));
    if let Some((_, shown)) = LOOKS.iter().find(|(look, _)| pattern.contains(look)) {
        return said("invalid or unsupported Perl syntax", shown);
    }
    if let Some(sign) = pattern.chars().next().filter(|sign| "*+?".contains(*sign)) {
        return said("missing argument to repetition operator", &sign.to_string());
    }
    let open = unclosed(pattern, '[', ']');
    if let Some(at) = open {
        return said("missing closing ]", pattern.get(at..).unwrap_or(pattern));
    }
    if unclosed(pattern, '(', ')').is_some() {
        return said("missing closing )", pattern);
    }
    None
}

/// Where the last bracket stands that is not closed.
fn unclosed(pattern: &str, open: char, close: char) -> Option<usize> {
    let mut stack = Vec::new();
    let mut is_escaped = false;
    for (at, c) in pattern.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if c == open {
            stack.push(at);
        } else if c == close {
            stack.pop();
        }
    }
    stack.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_in_gos_words() {
        assert_eq!(fault("^[a-z]+$"), None);
        assert_eq!(
            fault("[").as_deref(),
            Some("error parsing regexp: missing closing ]: `[`")
        );
        assert_eq!(
            fault("(?=a)").as_deref(),
            Some("error parsing regexp: invalid or unsupported Perl syntax: `(?=`")
        );
    }
}
