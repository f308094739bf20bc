//! `cargo xtask tidy`: the rules of the house that neither rustfmt nor clippy knows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::tools::root;

mod layers;
mod sizes;
mod text;

/// Checks everything and prints each finding with its place.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = root();
    let crates = crate_names(&root)?;
    let sources = sources(&root)?;
    let mut findings = Vec::new();
    layers::check(&root, &crates, &mut findings)?;
    sizes::check(&root, &sources, &mut findings)?;
    for source in &sources {
        text::check(source, &mut findings);
    }
    for document in ["ARCHITECTURE.md"] {
        let text = fs::read_to_string(root.join(document)).with_context(|| document.to_owned())?;
        for name in &crates {
            if !text.contains(&format!("`{name}`")) {
                findings.push(format!("{document}: does not name the crate `{name}`"));
            }
        }
    }
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings", findings.len());
    }
    Ok(())
}

/// A Rust file of ours.
struct Source {
    /// Relative to the repository.
    path: String,
    text: String,
}

impl Source {
    /// Whether it is part of what ships (not a test, bench or example).
    fn is_production(&self) -> bool {
        self.path.contains("/src/") && !self.path.ends_with("/tests.rs") && !self.path.contains("/tests/")
    }

    /// The lines before the tests.
    fn production_lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take_while(|line| *line != "#[cfg(test)]")
    }
}

fn crate_names(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn sources(root: &Path) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join("crates"), root.join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)?;
                let path = path.strip_prefix(root)?.to_string_lossy().into_owned();
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}
