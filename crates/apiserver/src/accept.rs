//! Output negotiation: which media type, and which transformation (Table, PartialObjectMetadata), a client accepts.

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
}

impl Encoding {
    /// The `Content-Type` that goes with it.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::Pretty => "application/json",
            Self::Yaml => "application/yaml",
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

/// One clause of an `Accept` header.
#[derive(Debug, PartialEq)]
pub(crate) struct Clause<'a> {
    pub(crate) main: &'a str,
    pub(crate) sub: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl<'a> Clause<'a> {
    pub(crate) fn parameter(&self, name: &str) -> &'a str {
        self.parameters
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map_or("", |(_, v)| v)
    }
}

/// Splits an `Accept` header, best first.
pub(crate) fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut all: Vec<Clause<'_>> = header.split(',').filter_map(clause).collect();
    all.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    all
}

fn clause(text: &str) -> Option<Clause<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next()?;
    let (main, sub) = match media.split_once('/') {
        Some((main, sub)) => (main.trim(), sub.trim()),
        None if media == "*" => ("*", "*"),
        None => return None,
    };
    let mut quality = 1.0;
    let mut parameters = Vec::new();
    for (name, value) in parts.filter_map(|p| p.split_once('=')) {
        if name.trim() == "q" {
            quality = value.trim().parse().unwrap_or(1.0);
        } else {
            parameters.push((name.trim(), value.trim().trim_matches('"')));
        }
    }
    Some(Clause {
        main,
        sub,
        parameters,
        quality,
    })
}

/// Agrees on the output of an object or a list. `pretty` is the query parameter.
///
/// # Errors
/// 406 when nothing of what the client accepts is served.
pub(crate) fn object(accept: Option<&str>, pretty: bool) -> Result<Accepted, Status> {
    let json = if pretty { Encoding::Pretty } else { Encoding::Json };
    let plain = Accepted {
        encoding: json,
        shape: Shape::Whole,
    };
    let Some(header) = accept.filter(|header| !header.trim().is_empty()) else {
        return Ok(plain);
    };
    if matches!(header, "application/json" | "*/*") {
        return Ok(plain);
    }
    for clause in clauses(header) {
        let encoding = match (clause.main, clause.sub) {
            ("application", "json" | "*") | ("*", "*") => match clause.parameter("pretty") {
                "1" | "true" => Encoding::Pretty,
                _ => json,
            },
            ("application", "yaml") => Encoding::Yaml,
            _ => continue,
        };
        if let Some(shape) = shape(&clause) {
            return Ok(Accepted { encoding, shape });
        }
    }
    Err(not_acceptable("application/json, application/yaml"))
}

/// Agrees on the output of a watch.
///
/// # Errors
/// 406 when nothing of what the client accepts is served.
pub(crate) fn stream(accept: Option<&str>) -> Result<Accepted, Status> {
    let mut encoding = Encoding::Json;
    let mut shape_of = Shape::Whole;
    if let Some(header) = accept.filter(|header| !header.trim().is_empty()) {
        let agreed = clauses(header).into_iter().find_map(|clause| {
            let fits = matches!(
                (clause.main, clause.sub),
                ("application", "json" | "*") | ("*", "*")
            );
            fits.then(|| shape(&clause)).flatten()
        });
        match agreed {
            Some(shape) => shape_of = shape,
            None => return Err(not_acceptable("application/json;stream=watch")),
        }
        encoding = Encoding::Json;
    }
    Ok(Accepted {
        encoding,
        shape: shape_of,
    })
}

/// The transformation that a clause asks for; `None` when it is not served, so that the next clause counts.
fn shape(clause: &Clause<'_>) -> Option<Shape> {
    let kind = clause.parameter("as");
    if kind.is_empty() {
        return Some(Shape::Whole);
    }
    let version = match (clause.parameter("g"), clause.parameter("v")) {
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

    fn check(header: &str, expect: Option<(Encoding, Shape)>) {
        let got = object(Some(header), false).ok().map(|a| (a.encoding, a.shape));
        assert_eq!(got, expect, "{header}");
    }

    #[test]
    fn the_best_clause_that_is_served_wins() {
        use Encoding::{Json, Pretty, Yaml};
        check("", Some((Json, Shape::Whole)));
        check("*/*", Some((Json, Shape::Whole)));
        check("application/yaml", Some((Yaml, Shape::Whole)));
        check("application/json;pretty=1", Some((Pretty, Shape::Whole)));
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            Some((Json, Shape::Table("v1"))),
        );
        check(
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
            Some((Json, Shape::Metadata("v1"))),
        );
        check(
            "application/json;as=Nothing;g=x;v=v1, application/json",
            Some((Json, Shape::Whole)),
        );
        check(
            "application/json;q=0.1, application/yaml;q=0.9",
            Some((Yaml, Shape::Whole)),
        );
        check("application/vnd.kubernetes.protobuf", None);
        check("text/html", None);
    }
}
