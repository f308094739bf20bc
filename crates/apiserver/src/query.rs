//! The query of a request, decoded as Go's `url.ParseQuery` does; the first value of a name counts.

/// The parameters of a request, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query; what cannot be decoded is left out, as Go does.
    pub fn parse(text: Option<&str>) -> Self {
        let pairs = text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.contains(';'))
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name, true)?, decode(value, true)?))
            })
            .collect();
        Self(pairs)
    }

    /// The first value of `name`; `None` when it is not there.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The first value of `name`; empty when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.value(name).unwrap_or_default()
    }

    /// All values of `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Whether `name` is there and means yes, as upstream converts booleans: anything but `0` and `false`.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name)
            .is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// All parameters, in order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Percent-decodes; in queries a plus is a space. `None` for a broken escape or what is not UTF-8.
pub(crate) fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|b| *b == b'%' || (plus_is_space && *b == b'+')) {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'%' => {
                let high = char::from(*rest.next()?).to_digit(16)?;
                let low = char::from(*rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => *other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_as_go_does() {
        let query = Query::parse(Some("a=1%3D+x&b&a=2&bad=%zz&c;d=1&watch=true&w=0&v=False"));
        assert_eq!(query.value("a"), Some("1= x"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1= x", "2"]);
        assert_eq!(query.value("b"), Some(""));
        assert_eq!((query.value("bad"), query.value("c;d")), (None, None));
        assert!(query.flag("watch") && query.flag("b"));
        assert!(!query.flag("w") && !query.flag("v") && !query.flag("none"));
    }
}
