//! Reading a configuration from a file, for every command that takes one.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use warren_apimachinery::Value;
use warren_config::check::{Checked, Class, check_text};

use crate::terminal::warn;

/// What a file says, and what is to be said of it; `-` is standard input.
pub(super) fn look(file: &Path) -> anyhow::Result<(Value, Checked)> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
    } else {
        bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    check_text(&bytes).with_context(|| format!("{} cannot be used", file.display()))
}

/// The spec of a file: of a `vcluster.yaml`, or of a whole `VirtualCluster` object. Warns of what is ignored in it.
pub(crate) fn read_spec(file: &Path) -> anyhow::Result<Value> {
    let (spec, checked) = look(file)?;
    let spec = usable(spec, &checked).with_context(|| format!("{} cannot be used", file.display()))?;
    for finding in checked.of(Class::Ignored) {
        warn(&format!("ignored: {finding}"));
    }
    Ok(spec)
}

/// Refused here already, all at once and with lines, instead of in a condition of the object.
fn usable(spec: Value, checked: &Checked) -> anyhow::Result<Value> {
    let refused: Vec<_> = checked.of(Class::Refused).map(ToString::to_string).collect();
    if !refused.is_empty() {
        bail!("{}", refused.join("\n  "));
    }
    Ok(without_nulls(spec))
}

/// `null` is as good as absent, but an API server does not take it for a field of another type. Amounts keep theirs: it
/// takes a default away.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let kept = entries.into_iter().filter(|(_, value)| !value.is_null());
            let kept = kept.map(|(key, value)| match key.as_str() {
                "policies" => (key, value),
                _ => (key, without_nulls(value)),
            });
            Value::Object(kept.collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec_of(text: &str) -> anyhow::Result<Value> {
        let (spec, checked) = check_text(text.as_bytes())?;
        usable(spec, &checked)
    }

    #[test]
    fn a_vcluster_yaml_and_a_whole_object_give_the_same_spec() {
        let bare = spec_of("sync: {toHost: {ingresses: {enabled: true}, pods: null}}\n").unwrap();
        let whole =
            spec_of("kind: VirtualCluster\nspec: {sync: {toHost: {ingresses: {enabled: true}}}}\n").unwrap();
        assert_eq!(bare, whole);
        assert_eq!(spec_of("").unwrap(), json!({}));
    }

    #[test]
    fn all_that_is_not_supported_is_refused_by_name_and_line() {
        let error = spec_of("sync:\n  toHost:\n    gatewayApis: {enabled: true}\nsnyc: {}\n").unwrap_err();
        let expect = "sync.toHost.gatewayApis (line 3): unknown field; did you mean gatewayApi?\n  \
                      snyc (line 4): unknown field; did you mean sync?";
        assert_eq!(error.to_string(), expect);
        assert!(spec_of("sync: {}\nsync: {}\n").is_err());
    }
}
