//! What Go's regular expressions say of a pattern that is none.

use warren_apimachinery::{re2, regexp};

/// The fault of a pattern, if it has one: Go's words where it is Go that refuses it, else why it is too large for us.
pub(super) fn fault(pattern: &str) -> Option<String> {
    if let Some(fault) = regexp::fault(pattern) {
        return Some(fault);
    }
    if let Some(repeat) = re2::excessive_repeat(pattern) {
        return Some(format!("error parsing regexp: invalid repeat count: `{repeat}`"));
    }
    warren_schema::pattern_fault(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_in_gos_words() {
        assert_eq!(fault("^[a-z]+$"), None);
        assert_eq!(fault("^{.*}$"), None);
        for (pattern, expect) in [
            ("[", "missing closing ]: `[`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
        ] {
            assert_eq!(
                fault(pattern).as_deref(),
                Some(format!("error parsing regexp: {expect}").as_str())
            );
        }
    }
}
