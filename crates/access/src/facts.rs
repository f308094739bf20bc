//! What the edge knows about a request before anybody is authenticated.

use std::collections::BTreeMap;

use jiff::Timestamp;
use warren_apimachinery::Status;
use warren_apimachinery::field::go_quote;
use warren_pki::ClientIdentity;

/// What a connection's client certificate is worth. The edge finds out once per connection
/// (`Access::identify`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// None was presented.
    #[default]
    Absent,
    /// One that does not hold: 401 unless other credentials do.
    Refused,
    /// One that names a client.
    Of(ClientIdentity),
}

/// The facts of one request, borrowed from the edge.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The connection's client certificate.
    pub certificate: &'a Certificate,
    /// The value of `Authorization`, if there is one.
    pub authorization: Option<&'a str>,
    /// Its path.
    pub path: &'a str,
    /// The time of the request.
    pub now: Timestamp,
}

/// The `Impersonate-*` headers of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impersonation {
    /// `Impersonate-User`
    pub user: String,
    /// `Impersonate-Uid`
    pub uid: String,
    /// `Impersonate-Group`, one per header.
    pub groups: Vec<String>,
    /// `Impersonate-Extra-*`, keys in lower case and unescaped.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Impersonation {
    /// Collects from all headers of a request (names in any case); `None` when nobody is impersonated.
    ///
    /// # Errors
    /// 400 when group, uid or extra come without a user.
    pub fn from_headers<'h>(
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    ) -> Result<Option<Self>, Status> {
        let mut found = Self::default();
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            let Some(which) = name.strip_prefix("impersonate-") else {
                continue;
            };
            match which {
                "user" if found.user.is_empty() => value.clone_into(&mut found.user),
                "uid" if found.uid.is_empty() => value.clone_into(&mut found.uid),
                "group" => found.groups.push(value.to_owned()),
                which => {
                    if let Some(key) = which.strip_prefix("extra-") {
                        found
                            .extra
                            .entry(unescape(key))
                            .or_default()
                            .push(value.to_owned());
                    }
                }
            }
        }
        if found == Self::default() {
            return Ok(None);
        }
        if found.user.is_empty() {
            return Err(Status::bad_request(format!(
                "requested {} without impersonating a user name",
                found.go_syntax()
            )));
        }
        Ok(Some(found))
    }

    /// As Go's `%#v` prints it, which is what upstream's refusal shows.
    fn go_syntax(&self) -> String {
        let list = |values: &[String]| -> String {
            let quoted: Vec<String> = values.iter().map(|value| go_quote(value)).collect();
            format!("[]string{{{}}}", quoted.join(", "))
        };
        let groups = match self.groups.is_empty() {
            true => "[]string(nil)".to_owned(),
            false => list(&self.groups),
        };
        let extra: Vec<String> = self
            .extra
            .iter()
            .map(|(key, values)| format!("{}:{}", go_quote(key), list(values)))
            .collect();
        let extra = match extra.is_empty() {
            true => "(nil)".to_owned(),
            false => format!("{{{}}}", extra.join(", ")),
        };
        format!(
            "&user.DefaultInfo{{Name:\"\", UID:{}, Groups:{groups}, Extra:map[string][]string{extra}}}",
            go_quote(&self.uid)
        )
    }
}

/// Percent-decodes a header name's part; what is no escape stays.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impersonation_is_read_from_headers_of_any_case() {
        let found = Impersonation::from_headers([
            ("Accept", "*/*"),
            ("Impersonate-User", "jane"),
            ("impersonate-group", "a"),
            ("Impersonate-Group", "b"),
            ("Impersonate-Extra-Acme.com%2Fproject", "p"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!((found.user.as_str(), found.groups.len()), ("jane", 2));
        assert_eq!(found.extra.get("acme.com/project"), Some(&vec!["p".to_owned()]));
        assert_eq!(Impersonation::from_headers([("Accept", "*/*")]).unwrap(), None);
    }

    #[test]
    fn groups_without_a_user_are_refused() {
        let refused = Impersonation::from_headers([("Impersonate-Group", "a")]).unwrap_err();
        assert_eq!(refused.code(), 400);
        assert_eq!(
            refused.message(),
            "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"a\"}, Extra:map[string][]string(nil)} without impersonating a user name"
        );
    }
}
