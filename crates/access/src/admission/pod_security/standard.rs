//! Levels, versions, and what a namespace's labels say of them.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};

/// Before every label of Pod Security, and every annotation that it leaves in the audit log.
pub(super) const PREFIX: &str = "pod-security.kubernetes.io/";

/// How much is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    pub(in super::super) fn parse(text: &str) -> Result<Self, &'static str> {
        Ok(match text {
            "privileged" => Self::Privileged,
            "baseline" => Self::Baseline,
            "restricted" => Self::Restricted,
            _ => return Err("must be one of privileged, baseline, restricted"),
        })
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// Of which minor version of Kubernetes a level is meant; the newest that this server knows stands for all later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Version {
    Minor(u64),
    Latest,
}

impl Version {
    pub(in super::super) fn parse(text: &str) -> Result<Self, &'static str> {
        const BAD: &str = "must be \"latest\" or \"v1.x\"";
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let minor = text.strip_prefix("v1.").ok_or(BAD)?;
        let is_number = minor.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || (minor.len() > 1 && minor.starts_with('0')) {
            return Err(BAD);
        }
        match minor.parse::<i64>() {
            Ok(minor) => u64::try_from(minor).map(Self::Minor).map_err(|_| BAD),
            Err(_) => Err(BAD),
        }
    }
}

/// A level as a version understood it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Standard {
    pub(in super::super) level: Level,
    pub(in super::super) version: Version,
}

impl Standard {
    pub(super) const PRIVILEGED: Self = Self {
        level: Level::Privileged,
        version: Version::Latest,
    };

    /// Whether nothing can be told apart by them.
    pub(super) fn is_like(self, other: Self) -> bool {
        self == other || (self.level == Level::Privileged && other.level == Level::Privileged)
    }
}

impl std::fmt::Display for Standard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.version {
            Version::Latest => write!(f, "{}:latest", self.level.as_str()),
            Version::Minor(minor) => write!(f, "{}:v1.{minor}", self.level.as_str()),
        }
    }
}

/// What a namespace asks in its three modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Modes {
    pub(in super::super) enforce: Standard,
    pub(in super::super) audit: Standard,
    pub(in super::super) warn: Standard,
}

impl Modes {
    pub(super) const PRIVILEGED: Self = Self {
        enforce: Standard::PRIVILEGED,
        audit: Standard::PRIVILEGED,
        warn: Standard::PRIVILEGED,
    };

    pub(super) fn are_privileged(&self) -> bool {
        let levels = [self.enforce.level, self.audit.level, self.warn.level];
        levels.iter().all(|level| *level == Level::Privileged)
    }

    /// What labels say, `defaults` where they say nothing; and what of them makes no sense. A level to enforce that
    /// cannot be read counts as the strictest, one to tell of as none.
    pub(super) fn of<'l>(label: impl Fn(&str) -> Option<&'l str>, defaults: Self) -> (Self, Vec<Error>) {
        let mut modes = defaults;
        let mut read = Read {
            label: &label,
            errors: Vec::new(),
        };
        let enforces = read.standard("enforce", &mut modes.enforce, Level::Restricted);
        read.standard("audit", &mut modes.audit, Level::Privileged);
        read.standard("warn", &mut modes.warn, Level::Privileged);
        let says = |mode: &str| label(&format!("{PREFIX}{mode}")).is_some();
        // Who enforces is warned by the same, unless they say otherwise.
        if !says("warn") && enforces && modes.enforce.level > modes.warn.level {
            modes.warn.level = modes.enforce.level;
            if !says("warn-version") {
                modes.warn.version = modes.enforce.version;
            }
        }
        (modes, read.errors)
    }
}

struct Read<'a, F> {
    label: &'a F,
    errors: Vec<Error>,
}

impl<'l, F: Fn(&str) -> Option<&'l str>> Read<'_, F> {
    /// Whether there is a level that can be read.
    fn standard(&mut self, mode: &str, into: &mut Standard, otherwise: Level) -> bool {
        let mut is_good = false;
        if let Some(text) = (self.label)(&format!("{PREFIX}{mode}")) {
            let read = Level::parse(text);
            is_good = read.is_ok();
            into.level = read.unwrap_or(otherwise);
            self.tell(mode, text, read.err());
        }
        let mode = format!("{mode}-version");
        if let Some(text) = (self.label)(&format!("{PREFIX}{mode}")) {
            let read = Version::parse(text);
            into.version = read.unwrap_or(Version::Latest);
            self.tell(&mode, text, read.err());
        }
        is_good
    }

    fn tell(&mut self, mode: &str, text: &str, why: Option<&str>) {
        if let Some(why) = why {
            let path = Path::new("metadata.labels").key(&format!("{PREFIX}{mode}"));
            self.errors.push(Error::invalid(&path, Value::from(text), why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes(labels: &[(&str, &str)]) -> (String, usize) {
        let label = |key: &str| {
            let mut all = labels.iter();
            all.find(|(name, _)| key.strip_prefix(PREFIX) == Some(*name))
                .map(|(_, value)| *value)
        };
        let (modes, errors) = Modes::of(label, Modes::PRIVILEGED);
        let text = [modes.enforce, modes.audit, modes.warn].map(|standard| standard.to_string());
        (text.join(" "), errors.len())
    }

    #[test]
    fn labels_say_levels_and_versions() {
        for (labels, expect, errors) in [
            (
                &[][..],
                "privileged:latest privileged:latest privileged:latest",
                0,
            ),
            (
                &[("enforce", "baseline"), ("enforce-version", "v1.30")],
                "baseline:v1.30 privileged:latest baseline:v1.30",
                0,
            ),
            (
                &[("enforce", "restricted"), ("warn", "privileged")],
                "restricted:latest privileged:latest privileged:latest",
                0,
            ),
            (
                &[
                    ("enforce", "baseline"),
                    ("warn", "restricted"),
                    ("warn-version", "v1.7"),
                ],
                "baseline:latest privileged:latest restricted:v1.7",
                0,
            ),
            (
                &[("enforce", "x"), ("audit", "y"), ("warn", "z")],
                "restricted:latest privileged:latest privileged:latest",
                3,
            ),
            (
                &[
                    ("enforce-version", "v1.007"),
                    ("audit-version", "v1.+1"),
                    ("warn-version", "1.2"),
                ],
                "privileged:latest privileged:latest privileged:latest",
                3,
            ),
        ] {
            assert_eq!(modes(labels), (expect.to_owned(), errors), "{labels:?}");
        }
    }
}
