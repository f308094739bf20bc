//! Output negotiation: which media type, and which transformation (Table, PartialObjectMetadata), a client accepts.
//!
//! Follows upstream's two steps: its router looks at the bare media types of built-in resources, its serialisers at
//! the clauses with their parameters.

use std::borrow::Cow;

use warren_apimachinery::status::Details;
use warren_apimachinery::{Status, StatusReason};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// The stored bytes as they are.
    Json,
    /// JSON, indented.
    Pretty,
    /// YAML.
    Yaml,
    /// Kubernetes' protobuf.
    Protobuf,
}

impl Encoding {
    /// The `Content-Type` that goes with it.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::Pretty => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    /// The `Content-Type` of a watch.
    pub(crate) const fn stream_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
            Self::Json | Self::Pretty | Self::Yaml => "application/json",
        }
    }
}

/// What a client wants instead of the objects themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The objects.
    Whole,
    /// `Table` of `meta.k8s.io` in this version.
    Table(&'static str),
    /// `PartialObjectMetadata` or its list, in this version.
    Metadata(&'static str),
}

/// What was agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) encoding: Encoding,
    pub(crate) shape: Shape,
}

/// What is asked for, as far as it decides what can be agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// An object of a built-in kind, or an action on it.
    Builtin,
    /// Objects of a built-in kind: a list, or a watch of them.
    BuiltinList,
    /// What is only posted to, such as a review: there are no rows of it.
    Posted,
    /// What a custom resource definition defines: its objects have no form in protobuf.
    Custom,
    /// A `Status`, or a document of discovery: no other shape.
    Plain,
}

impl Offer {
    fn allows(self, encoding: Encoding, shape: &Shape) -> bool {
        match (self, shape) {
            (Self::Custom, Shape::Whole) | (_, Shape::Table(_)) if encoding == Encoding::Protobuf => false,
            (_, Shape::Whole) => true,
            (Self::Plain, _) | (Self::Posted, Shape::Table(_)) => false,
            _ => true,
        }
    }
}

/// What every endpoint serves, in the order of preference.
pub(crate) const SERVED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
/// What watches serve.
const STREAMS: &str = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

/// One clause of an `Accept` header.
#[derive(Debug, PartialEq)]
pub(crate) struct Clause<'a> {
    pub(crate) main: &'a str,
    pub(crate) sub: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f64,
}

impl<'a> Clause<'a> {
    pub(crate) fn parameter(&self, name: &str) -> &'a str {
        let found = self.parameters.iter().rfind(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The encodings that it fits, the preferred first.
    pub(crate) fn encodings(&self) -> &'static [Encoding] {
        match (self.main, self.sub) {
            ("application", "json") => &[Encoding::Json],
            ("application", "yaml") => &[Encoding::Yaml],
            ("application", "vnd.kubernetes.protobuf") => &[Encoding::Protobuf],
            ("application" | "*", "*") => &[Encoding::Json, Encoding::Yaml, Encoding::Protobuf],
            _ => &[],
        }
    }

    /// Whether it goes before another, by the rule of the Go library that upstream uses.
    fn precedes(&self, other: &Self) -> bool {
        self.quality > other.quality
            || (self.main != "*" && other.main == "*")
            || (self.sub != "*" && other.sub == "*")
    }
}

/// Splits an `Accept` header, best first.
pub(crate) fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut all: Vec<Clause<'_>> = Vec::new();
    for clause in header.split(',').filter_map(clause) {
        // The rule is no order, so how it is applied shows: Go inserts one after the other.
        let mut at = all.len();
        while at > 0 && all.get(at - 1).is_some_and(|before| clause.precedes(before)) {
            at -= 1;
        }
        all.insert(at, clause);
    }
    all
}

fn clause(text: &str) -> Option<Clause<'_>> {
    let mut parts = text.split(';');
    let media = parts.next()?.trim_matches(' ');
    let (main, sub) = match media.split_once('/') {
        Some((main, sub)) if !sub.is_empty() && !sub.contains('/') => (main.trim(), sub.trim()),
        None if media == "*" => ("*", "*"),
        _ => return None,
    };
    let mut quality = 1.0;
    let mut parameters = Vec::new();
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name.trim_matches(' ') {
            _ if value.is_empty() || value.contains('=') => {}
            "q" => quality = value.parse().unwrap_or(0.0),
            name => parameters.push((name, value.trim_matches(' '))),
        }
    }
    Some(Clause {
        main,
        sub,
        parameters,
        quality,
    })
}

/// What most clients accept, decided without looking at what is asked for.
pub(crate) fn plain(header: Option<&str>, pretty: bool) -> Option<Accepted> {
    let is_plain = matches!(header.unwrap_or_default(), "" | "application/json" | "*/*");
    is_plain.then_some(Accepted {
        encoding: if pretty { Encoding::Pretty } else { Encoding::Json },
        shape: Shape::Whole,
    })
}

/// Agrees on the output of a request. `pretty` is whether JSON is for people.
///
/// # Errors
/// 406 when nothing of what the client accepts is served.
pub(crate) fn object(header: Option<&str>, pretty: bool, offer: Offer) -> Result<Accepted, Status> {
    if let Some(accepted) = plain(header, pretty) {
        return Ok(accepted);
    }
    let header = header.unwrap_or_default();
    check_route(header, offer)?;
    let (mut accepted, wants_pretty) = agree(header, offer).ok_or_else(|| not_acceptable(SERVED))?;
    if accepted.encoding == Encoding::Json && (pretty || wants_pretty) {
        accepted.encoding = Encoding::Pretty;
    }
    Ok(accepted)
}

/// Agrees on the output of a watch.
///
/// # Errors
/// 406 when nothing of what the client accepts is served.
pub(crate) fn stream(header: Option<&str>, offer: Offer) -> Result<Accepted, Status> {
    let accepted = object(header, false, offer)?;
    match accepted.encoding {
        Encoding::Yaml => Err(not_acceptable(STREAMS)),
        Encoding::Pretty => Ok(Accepted {
            encoding: Encoding::Json,
            ..accepted
        }),
        _ => Ok(accepted),
    }
}

/// What upstream's router refuses of a path that answers JSON only.
///
/// # Errors
/// 406
pub(crate) fn json_alone(header: Option<&str>) -> Result<(), Status> {
    match header {
        Some(header) if !header.is_empty() && !names_any(header, "application/json") => {
            Err(router_refusal("application/json"))
        }
        _ => Ok(()),
    }
}

/// Whether a header names one of these media types, or all there are.
fn names_any(header: &str, served: &str) -> bool {
    header.split(',').any(|part| {
        let media = part.split(';').next().unwrap_or_default().trim();
        media == "*/*" || served.split(", ").any(|served| served == media)
    })
}

/// What upstream's router refuses for built-in resources: it knows no parameters, and of wildcards only `*/*`.
fn check_route(header: &str, offer: Offer) -> Result<(), Status> {
    let produced = match offer {
        Offer::Builtin | Offer::Posted => Cow::Borrowed(SERVED),
        Offer::BuiltinList => Cow::Owned(format!("{SERVED}, {STREAMS}")),
        Offer::Custom | Offer::Plain => return Ok(()),
    };
    if names_any(header, SERVED) {
        Ok(())
    } else {
        Err(router_refusal(&produced))
    }
}

/// 406 in the words of upstream's router.
fn router_refusal(produced: &str) -> Status {
    let why = format!("406: Not Acceptable\n\nAvailable representations: {produced}");
    Status::new(StatusReason::NotAcceptable, why).with_details(Details::default())
}

/// The first clause that is served, and whether it asks for indented JSON.
fn agree(header: &str, offer: Offer) -> Option<(Accepted, bool)> {
    clauses(header).iter().find_map(|clause| {
        let shape = shape(clause)?;
        if !matches!(clause.parameter("stream"), "" | "watch") || !matches!(clause.parameter("sv"), "" | "v1")
        {
            return None;
        }
        let encoding = *clause
            .encodings()
            .iter()
            .find(|encoding| offer.allows(**encoding, &shape))?;
        let is_pretty = clause.parameter("pretty") == "1";
        Some((Accepted { encoding, shape }, is_pretty))
    })
}

/// The transformation that a clause asks for; `None` when it is not served, so that the next clause counts.
fn shape(clause: &Clause<'_>) -> Option<Shape> {
    let (kind, group, version) = (
        clause.parameter("as"),
        clause.parameter("g"),
        clause.parameter("v"),
    );
    if (kind, group, version) == ("", "", "") {
        return Some(Shape::Whole);
    }
    let version = match (group, version) {
        ("meta.k8s.io", "v1") => "v1",
        ("meta.k8s.io", "v1beta1") => "v1beta1",
        _ => return None,
    };
    match kind {
        "Table" => Some(Shape::Table(version)),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => Some(Shape::Metadata(version)),
        _ => None,
    }
}

/// 406 with upstream's words.
pub(crate) fn not_acceptable(accepted: &str) -> Status {
    Status::new(
        StatusReason::NotAcceptable,
        format!("only the following media types are accepted: {accepted}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, offer: Offer, expect: Option<(Encoding, Shape)>) {
        let got = object(Some(header), false, offer)
            .ok()
            .map(|a| (a.encoding, a.shape));
        assert_eq!(got, expect, "{header} {offer:?}");
    }

    #[test]
    fn there_are_no_rows_of_what_is_only_posted_to() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        check(table, Offer::Posted, None);
        let whole = Some((Encoding::Json, Shape::Whole));
        check(&format!("{table},application/json"), Offer::Posted, whole);
    }

    #[test]
    fn the_best_clause_that_is_served_wins() {
        use Encoding::{Json, Pretty, Protobuf, Yaml};
        let check = |header, expect| check(header, Offer::Builtin, expect);
        check("", Some((Json, Shape::Whole)));
        check("*/*", Some((Json, Shape::Whole)));
        check("application/yaml", Some((Yaml, Shape::Whole)));
        check("application/json;pretty=1", Some((Pretty, Shape::Whole)));
        check("application/json;pretty=true", Some((Json, Shape::Whole)));
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            Some((Json, Shape::Table("v1"))),
        );
        check(
            "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json",
            Some((Json, Shape::Whole)),
        );
        check(
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
            Some((Protobuf, Shape::Metadata("v1"))),
        );
        check(
            "application/json;as=Nothing;g=x;v=v1, application/json",
            Some((Json, Shape::Whole)),
        );
        check(
            "application/json;q=0.1, application/yaml;q=0.9",
            Some((Yaml, Shape::Whole)),
        );
        check(
            "application/vnd.kubernetes.protobuf",
            Some((Protobuf, Shape::Whole)),
        );
        check("*/*;q=0.9, application/yaml;q=0.1", Some((Yaml, Shape::Whole)));
        check("application/json;sv=v2", None);
        check("application/json;as=Table", None);
        check("application/*", None);
        check("text/html", None);
    }

    #[test]
    fn what_has_no_protobuf_is_served_as_the_next_clause_says() {
        use Encoding::{Json, Protobuf};
        let both = "application/vnd.kubernetes.protobuf,application/json";
        check(both, Offer::Custom, Some((Json, Shape::Whole)));
        check("application/vnd.kubernetes.protobuf", Offer::Custom, None);
        check(
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            Offer::Custom,
            Some((Protobuf, Shape::Metadata("v1"))),
        );
        check(both, Offer::Plain, Some((Protobuf, Shape::Whole)));
    }

    #[test]
    fn watches_are_refused_in_yaml() {
        let refused = stream(Some("application/yaml,application/json"), Offer::BuiltinList).unwrap_err();
        assert_eq!(
            refused.message(),
            "only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
        );
        let accepted = stream(Some("application/json;stream=watch"), Offer::BuiltinList).unwrap();
        assert_eq!(accepted.encoding, Encoding::Json);
    }

    #[test]
    fn what_the_router_does_not_know_is_refused_in_its_words() {
        let refused = object(Some("application/cbor"), false, Offer::Builtin).unwrap_err();
        assert_eq!(
            refused.message(),
            "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf"
        );
    }
}
