//! Is this `vcluster.yaml` for us? Every finding at once: what is supported, what is ignored, what is refused and why.
//!
//! Three sources decide: the types of `spec` (by their JSON schema), the table of what they leave out (`fields.txt`),
//! and what only several fields together say (`together`). Reads no files.

mod fields;
mod place;
mod together;
mod walk;

use warren_apimachinery::Value;
use warren_apimachinery::decode::{DecodeError, Decoded, lines};
use warren_apimachinery::value::{ValueExt, decode_yaml};

pub(crate) use self::fields::{Row, rows};
use self::place::Place;
use crate::{ConfigError, KIND, VirtualClusterSpec};

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It cannot be as it is written.
    Refused,
    /// Nothing is done with it, and nothing is lost by that.
    Ignored,
    /// It holds.
    Supported,
}

impl Class {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Ignored => "ignored",
            Self::Supported => "supported",
        }
    }
}

/// One field and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Such as `sync.toHost.pods.enforceTolerations[0]`.
    pub path: String,
    /// The line of the text, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What becomes of it.
    pub class: Class,
    /// Why, and what to do instead; empty for what is supported.
    pub words: String,
}

/// A configuration that was looked at.
#[derive(Clone, Debug)]
pub struct Checked {
    /// One finding for each field that is set, in the order of the text.
    pub findings: Vec<Finding>,
    spec: VirtualClusterSpec,
}

impl Checked {
    /// The findings of a class.
    pub fn of(&self, class: Class) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.class == class)
    }

    /// Whether nothing is refused.
    pub fn is_valid(&self) -> bool {
        self.of(Class::Refused).next().is_none()
    }

    /// What is wanted.
    ///
    /// # Errors
    /// All that is refused, each with its path.
    pub fn into_spec(self) -> Result<VirtualClusterSpec, ConfigError> {
        if self.is_valid() {
            return Ok(self.spec);
        }
        let refused = self.of(Class::Refused).map(ToString::to_string);
        Err(ConfigError::Spec(refused.collect::<Vec<_>>().join("; ")))
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} (line {line}): {}", self.path, self.words),
            None => write!(f, "{}: {}", self.path, self.words),
        }
    }
}

/// Looks at the spec of a `VirtualCluster`, which is a whole `vcluster.yaml`.
pub fn check(spec: &Value) -> Checked {
    let mut findings = Vec::new();
    let kept = walk::walk(spec, &mut findings);
    let spec = serde_json::from_value::<VirtualClusterSpec>(kept);
    let spec = spec.unwrap_or_else(|error| {
        // The types know more than their schema says; there is no path then.
        findings.push((Place::default(), Class::Refused, error.to_string()));
        VirtualClusterSpec::default()
    });
    together::check(&spec, &mut |path, words| {
        findings.push((Place::parse(path), Class::Refused, words));
    });
    let findings = findings.into_iter().map(|(place, class, words)| Finding {
        path: place.to_string(),
        line: None,
        class,
        words,
    });
    Checked {
        findings: findings.collect(),
        spec,
    }
}

/// Looks at the text of a `vcluster.yaml` or of a whole `VirtualCluster` object, and says lines.
///
/// # Errors
/// When it is not YAML.
pub fn check_text(text: &[u8]) -> Result<(Value, Checked), DecodeError> {
    let Decoded { value, duplicates } = decode_yaml(text)?;
    let is_object = value.text("/kind") == KIND;
    let spec = match value {
        Value::Null => Value::Object(serde_json::Map::new()),
        object if is_object => object.at("/spec").clone(),
        spec => spec,
    };
    let mut checked = check(&spec);
    let lines = lines(text);
    let prefix = if is_object { "spec." } else { "" };
    for finding in &mut checked.findings {
        let mut place = Place::parse(&format!("{prefix}{}", finding.path));
        while finding.line.is_none() && !place.is_root() {
            finding.line = lines.get(&place.pointer()).copied();
            place.up();
        }
    }
    checked.findings.sort_by_key(|finding| finding.line);
    for duplicate in duplicates {
        checked.findings.push(Finding {
            path: "(text)".to_owned(),
            line: None,
            class: Class::Refused,
            words: duplicate,
        });
    }
    Ok((spec, checked))
}

#[cfg(test)]
mod tests;
