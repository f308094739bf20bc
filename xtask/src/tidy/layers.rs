//! Which crate may use which: `xtask/layers.txt` is the whole truth.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;

/// Every line of `layers.txt` is `crate: used crates`; a crate may only use crates of earlier lines.
pub(crate) fn check(root: &Path, crates: &[String], findings: &mut Vec<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(root.join("xtask/layers.txt")).context("xtask/layers.txt")?;
    let mut allowed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
    {
        let (name, uses) = line
            .split_once(':')
            .with_context(|| format!("layers.txt: {line}"))?;
        let uses: Vec<&str> = uses.split_whitespace().collect();
        for used in uses.iter().filter(|used| !allowed.contains_key(*used)) {
            findings.push(format!(
                "xtask/layers.txt: {name} uses {used}, which does not stand above it"
            ));
        }
        allowed.insert(name.trim(), uses);
    }
    for name in crates {
        let Some(uses) = allowed.get(name.as_str()) else {
            findings.push(format!("xtask/layers.txt: does not name the crate {name}"));
            continue;
        };
        let manifest = fs::read_to_string(root.join("crates").join(name).join("Cargo.toml"))?;
        for used in dependencies(&manifest) {
            if !uses.contains(&used) {
                findings.push(format!(
                    "crates/{name}/Cargo.toml: {name} must not use {used} (xtask/layers.txt)"
                ));
            }
        }
    }
    Ok(())
}

/// Our own crates in `[dependencies]`; tests may use more.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.strip_prefix("warren-"))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
}
