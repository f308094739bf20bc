//! What names may look like: upstream's checks, each answering with upstream's messages word for word.
//!
//! Every check returns the list of what is wrong, empty when the text is fine. Which check a field needs is
//! the kind's knowledge and stands with its strategy.

/// The longest DNS label.
pub const LABEL_MAX: usize = 63;
/// The longest DNS subdomain.
pub const SUBDOMAIN_MAX: usize = 253;
/// The most bytes that all annotations of an object may have together.
pub const ANNOTATIONS_MAX: usize = 256 * 1024;

const LABEL: Rule = Rule {
    message: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    regex: "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    examples: &["my-name", "123-abc"],
};
const SUBDOMAIN: Rule = Rule {
    message: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    regex: r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
    examples: &["example.com"],
};
const SUBDOMAIN_WITH_UNDERSCORE: Rule = Rule {
    message: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
    regex: r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*",
    examples: &["example.com"],
};
const WILDCARD: Rule = Rule {
    message: "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    regex: r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
    examples: &["*.example.com"],
};
const LABEL_1035: Rule = Rule {
    message: "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    regex: "[a-z]([-a-z0-9]*[a-z0-9])?",
    examples: &["my-name", "abc-123"],
};
const QUALIFIED: Rule = Rule {
    message: "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    regex: "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]",
    examples: &["MyName", "my.name", "123-abc"],
};
const LABEL_VALUE: Rule = Rule {
    message: "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    regex: "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
    examples: &["MyValue", "my_value", "12345"],
};
const CONFIG_KEY: Rule = Rule {
    message: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    regex: "[-._a-zA-Z0-9]+",
    examples: &["key.name", "KEY_NAME", "key-name"],
};
const ENV_NAME: Rule = Rule {
    message: "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
    regex: "[-._a-zA-Z][-._a-zA-Z0-9]*",
    examples: &["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
};
const C_IDENTIFIER: Rule = Rule {
    message: "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
    regex: "[A-Za-z_][A-Za-z0-9_]*",
    examples: &["my_name", "MY_NAME", "MyName"],
};
const HTTP_HEADER: Rule = Rule {
    message: "a valid HTTP header must consist of alphanumeric characters or '-'",
    regex: "[-A-Za-z0-9]+",
    examples: &["X-Header-Name"],
};
const PERCENT: Rule = Rule {
    message: "a valid percent string must be a numeric string followed by an ending '%'",
    regex: "[0-9]+%",
    examples: &["1%", "93%"],
};
const RELAXED_ENV_NAME: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";

/// What a name must look like and how upstream says so.
struct Rule {
    message: &'static str,
    regex: &'static str,
    examples: &'static [&'static str],
}

impl Rule {
    /// Upstream's `RegexError`, its doubled blanks included.
    fn text(&self) -> String {
        let mut text = format!("{} (e.g. ", self.message);
        for (at, example) in self.examples.iter().enumerate() {
            if at > 0 {
                text.push_str(" or ");
            }
            text.push_str(&format!("'{example}', "));
        }
        text.push_str(&format!("regex used for validation is '{}')", self.regex));
        text
    }
}

/// Upstream's `MaxLenError`.
pub fn too_long(max: usize) -> String {
    format!("must be no more than {max} characters")
}

/// The same as upstream's newer checks word it.
fn too_many_bytes(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

/// A DNS-1123 label: names of namespaces, containers, volumes.
pub fn dns1123_label(value: &str) -> Vec<String> {
    let mut errors = length(value, LABEL_MAX);
    if !is_label(value) {
        errors.push(if is_subdomain(value) {
            "must not contain dots".to_owned()
        } else {
            LABEL.text()
        });
    }
    errors
}

/// A DNS-1123 subdomain: the names of most kinds.
pub fn dns1123_subdomain(value: &str) -> Vec<String> {
    let mut errors = length(value, SUBDOMAIN_MAX);
    if !is_subdomain(value) {
        errors.push(SUBDOMAIN.text());
    }
    errors
}

/// A DNS-1123 subdomain whose parts may hold underscores, but not end in one: where resolvers search.
pub fn dns1123_subdomain_with_underscore(value: &str) -> Vec<String> {
    let mut errors = length(value, SUBDOMAIN_MAX);
    let is_part = |part: &str| {
        let rest = part.strip_prefix('_').unwrap_or(part);
        is_label(&rest.replace('_', "-"))
    };
    if !value.split('.').all(is_part) {
        errors.push(SUBDOMAIN_WITH_UNDERSCORE.text());
    }
    errors
}

/// `*.` and a DNS-1123 subdomain: hosts of an Ingress.
pub fn wildcard_dns1123_subdomain(value: &str) -> Vec<String> {
    let mut errors = length(value, SUBDOMAIN_MAX);
    if !value.strip_prefix("*.").is_some_and(is_subdomain) {
        errors.push(WILDCARD.text());
    }
    errors
}

/// A DNS-1035 label: names of services.
pub fn dns1035_label(value: &str) -> Vec<String> {
    let mut errors = length(value, LABEL_MAX);
    if !is_label(value) || !value.starts_with(|c: char| c.is_ascii_lowercase()) {
        errors.push(LABEL_1035.text());
    }
    errors
}

/// An optional DNS prefix, `/`, and a name: keys of labels and annotations, names of resources.
pub fn qualified_name(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let name = match value.split_once('/') {
        None => value,
        Some((_, name)) if name.contains('/') => {
            return vec![format!(
                "a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                QUALIFIED.text()
            )];
        }
        Some(("", name)) => {
            errors.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            if prefix.len() > SUBDOMAIN_MAX {
                errors.push(format!("prefix part {}", too_many_bytes(SUBDOMAIN_MAX)));
            }
            if !is_subdomain(prefix) {
                errors.push(format!("prefix part {}", SUBDOMAIN.text()));
            }
            name
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        errors.push(format!("name part {}", too_many_bytes(LABEL_MAX)));
    }
    if !is_qualified(name) {
        errors.push(format!("name part {}", QUALIFIED.text()));
    }
    errors
}

/// The value of a label; empty is fine.
pub fn label_value(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > LABEL_MAX {
        errors.push(too_many_bytes(LABEL_MAX));
    }
    if !value.is_empty() && !is_qualified(value) {
        errors.push(LABEL_VALUE.text());
    }
    errors
}

/// What can be one segment of a URL's path: names of RBAC objects and of CRDs' instances.
pub fn path_segment(value: &str) -> Vec<String> {
    if value == "." || value == ".." {
        return vec![format!("may not be '{value}'")];
    }
    path_segment_prefix(value)
}

/// What can begin one segment of a URL's path: a `generateName`.
pub fn path_segment_prefix(value: &str) -> Vec<String> {
    ["/", "%"]
        .iter()
        .filter(|bad| value.contains(**bad))
        .map(|bad| format!("may not contain '{bad}'"))
        .collect()
}

/// An IANA service name: names of container ports.
pub fn port_name(value: &str) -> Vec<String> {
    let mut errors = length(value, 15);
    if value.is_empty() || !value.bytes().all(|b| is_lower_alphanumeric(b) || b == b'-') {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !value.bytes().any(|b| b.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if value.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if value.starts_with('-') || value.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// A port from 1 to 65535.
pub fn port_number(port: i64) -> Vec<String> {
    in_range(port, 1, 65535)
}

/// Upstream's `InclusiveRangeError`, when `value` is not between the two.
pub fn in_range(value: i64, low: i64, high: i64) -> Vec<String> {
    if (low..=high).contains(&value) {
        Vec::new()
    } else {
        vec![format!("must be between {low} and {high}, inclusive")]
    }
}

/// The name of an environment variable as `envFrom` takes it over from keys (upstream's older rule).
pub fn strict_env_name(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let is_valid = is_config_key(value) && !value.starts_with(|c: char| c.is_ascii_digit());
    if !is_valid {
        errors.push(ENV_NAME.text());
    }
    errors.extend(directory_prefix(value));
    errors
}

/// The name of an environment variable (upstream's relaxed rule, in force since 1.34).
pub fn env_name(value: &str) -> Vec<String> {
    if value.is_empty() {
        return vec!["environment variable name must be non-empty".to_owned()];
    }
    if value.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'=') {
        Vec::new()
    } else {
        vec![RELAXED_ENV_NAME.to_owned()]
    }
}

/// A key of a ConfigMap's or Secret's data.
pub fn config_map_key(value: &str) -> Vec<String> {
    let mut errors = length(value, SUBDOMAIN_MAX);
    if !is_config_key(value) {
        errors.push(CONFIG_KEY.text());
    }
    errors.extend(directory_prefix(value));
    errors
}

/// A C identifier.
pub fn c_identifier(value: &str) -> Vec<String> {
    let starts = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        Vec::new()
    } else {
        vec![C_IDENTIFIER.text()]
    }
}

/// The name of an HTTP header.
pub fn http_header(value: &str) -> Vec<String> {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        Vec::new()
    } else {
        vec![HTTP_HEADER.text()]
    }
}

/// Such as `25%`.
pub fn percent(value: &str) -> Vec<String> {
    match value.strip_suffix('%') {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => Vec::new(),
        _ => vec![PERCENT.text()],
    }
}

/// How upstream looks at a `generateName` with a name's rule: a trailing dash is not yet the end.
pub fn mask_trailing_dash(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{rest}a"),
        _ => prefix.to_owned(),
    }
}

/// The name upstream makes of a `generateName`: the prefix, cut at 58 bytes, and five characters drawn from
/// `random`.
pub fn generate(prefix: &str, random: u64) -> String {
    let mut end = prefix.len().min(LABEL_MAX - 5);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = prefix.get(..end).unwrap_or_default().to_owned();
    name.push_str(&random_suffix(random, 5));
    name
}

/// `length` characters drawn from `random`, of those that make no words (at most 13 are worth their entropy).
pub fn random_suffix(random: u64, length: usize) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rest = random;
    let mut suffix = String::with_capacity(length);
    for _ in 0..length {
        let at = (rest % ALPHABET.len() as u64) as usize;
        rest /= ALPHABET.len() as u64;
        suffix.push(ALPHABET.get(at).copied().map_or('b', char::from));
    }
    suffix
}

fn length(value: &str, max: usize) -> Vec<String> {
    if value.len() > max {
        vec![too_long(max)]
    } else {
        Vec::new()
    }
}

/// A key becomes a file's name, so it must not climb.
fn directory_prefix(value: &str) -> Option<String> {
    match value {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        _ if value.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

fn is_lower_alphanumeric(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn is_label(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.first().copied().is_some_and(is_lower_alphanumeric)
        && bytes.last().copied().is_some_and(is_lower_alphanumeric)
        && bytes.iter().all(|b| is_lower_alphanumeric(*b) || *b == b'-')
}

fn is_subdomain(value: &str) -> bool {
    value.split('.').all(is_label)
}

fn is_qualified(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_config_key(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: fn(&str) -> Vec<String>, good: &[&str], bad: &[&str]) {
        for value in good {
            assert_eq!(rule(value), Vec::<String>::new(), "{value} should be fine");
        }
        for value in bad {
            assert!(!rule(value).is_empty(), "{value} should be refused");
        }
    }

    #[test]
    fn accepts_what_upstream_accepts_and_refuses_the_rest() {
        let long = "a".repeat(64);
        check(
            dns1123_label,
            &["a", "a-b", "1"],
            &["", "A", "a.b", "-a", "a-", "ä", &long],
        );
        check(
            dns1123_subdomain,
            &["a", "a.b-c.d", "1.2"],
            &["", "a..b", ".a", "a.", "A.b", "a_b"],
        );
        check(dns1035_label, &["a", "a-1"], &["", "1a", "-a", "a.b", &long]);
        check(
            wildcard_dns1123_subdomain,
            &["*.a.b"],
            &["*", "a.b", "*.", "*.*.b"],
        );
        check(
            qualified_name,
            &["a", "A_b.c", "a.b/C"],
            &["", "/a", "a/", "a/b/c", "A/b", "a b", "-a"],
        );
        check(label_value, &["", "a", "A_b.c-1"], &["-", "a!", "a ", &long]);
        check(path_segment, &["a:b", "system:x"], &[".", "..", "a/b", "a%b"]);
        check(
            port_name,
            &["http", "a-1"],
            &["", "1", "a--b", "-a", "a-", "Http", "aaaaaaaaaaaaaaaa"],
        );
        check(env_name, &["A", "a.b", "1 x"], &["", "A=", "ä", "a\n"]);
        check(strict_env_name, &["A", "a.b"], &["", "1a", "A=", "..a"]);
        check(
            config_map_key,
            &["a", ".x", "A_b.c"],
            &["", ".", "..", "..a", "a/b"],
        );
        check(percent, &["1%"], &["%", "1", "a%"]);
    }

    #[test]
    fn words_its_refusals_as_upstream_does() {
        assert_eq!(
            config_map_key("b/c"),
            [
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
            ]
        );
        assert_eq!(
            qualified_name("bad key!"),
            [
                "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ]
        );
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
        assert_eq!(
            dns1123_subdomain(&"x".repeat(254)),
            ["must be no more than 253 characters"]
        );
    }

    #[test]
    fn generates_names_that_fit_a_label() {
        let name = generate(&"a".repeat(80), 0);
        assert_eq!(name, format!("{}bbbbb", "a".repeat(58)));
        assert_eq!(generate("web-", 28), "web-ccbbb");
        assert_eq!(generate(&"ä".repeat(40), 1).len(), 63);
        assert_eq!(mask_trailing_dash("web-"), "weba");
    }
}
