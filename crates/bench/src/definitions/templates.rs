//! The definitions that are made: those of files, in groups of other names.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};
use warren_apimachinery::decode_yaml;

/// See the module.
pub(super) struct Templates {
    all: Vec<Value>,
    prefix: String,
}

impl Templates {
    /// All definitions of these files, and of the files of these directories.
    pub(super) fn read(paths: &[PathBuf], prefix: &str) -> anyhow::Result<Self> {
        let mut all = Vec::new();
        for path in paths {
            for file in files(path)? {
                let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
                all.extend(definitions(&text)?);
            }
        }
        anyhow::ensure!(!all.is_empty(), "no CustomResourceDefinition in these files");
        Ok(Self {
            all,
            prefix: prefix.to_owned(),
        })
    }

    /// The one of a number.
    pub(super) fn made(&self, number: u32) -> Value {
        let count = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let (round, at) = (number / count, number % count);
        let template = usize::try_from(at).ok().and_then(|at| self.all.get(at));
        let mut made = template.cloned().unwrap_or_default();
        let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let group = format!("{}{round}.{}", self.prefix, text("/spec/group"));
        let name = format!("{}.{group}", text("/spec/names/plural"));
        for (pointer, value) in [("/spec/group", group), ("/metadata/name", name)] {
            if let Some(field) = made.pointer_mut(pointer) {
                *field = json!(value);
            }
        }
        made
    }

    /// How many bytes the JSON of the first ones has on average.
    pub(super) fn average(&self, count: u32) -> usize {
        let sizes = (0..count).map(|number| self.made(number).to_string().len());
        sizes.sum::<usize>() / usize::try_from(count).unwrap_or(1).max(1)
    }
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
    let mut all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    all.sort();
    Ok(all)
}

fn definitions(text: &str) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    for document in text.split("\n---") {
        if document.contains("kind: CustomResourceDefinition") {
            let mut value = decode_yaml(document.as_bytes())?.value;
            if let Some(object) = value.as_object_mut() {
                object.remove("status");
            }
            found.push(value);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_made_in_groups_of_their_own() {
        let text = "kind: Namespace\n---\nkind: CustomResourceDefinition\nmetadata: {name: a.x}\n\
            spec: {group: x, names: {plural: a}}\n---\nkind: CustomResourceDefinition\nmetadata: {name: b.x}\n\
            spec: {group: x, names: {plural: b}}\n";
        let templates = Templates {
            all: definitions(text).unwrap(),
            prefix: "p".to_owned(),
        };
        let made = templates.made(3);
        assert_eq!(made["metadata"]["name"], "b.p1.x");
        assert_eq!(made["spec"]["group"], "p1.x");
    }
}
