//! The wire format of every message that the built-in kinds need, from upstream's `generated.proto` files (numbers
//! and types) and the Go structs beside them (names in JSON, and which fields may be absent on the wire).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::go;

const OUTPUT: &str = "crates/apiserver/data/protobuf.tsv";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// Messages that are sent without being kinds of a group.
const MORE: &[&str] = &[
    "io.k8s.api.apidiscovery.v2.APIGroupDiscoveryList",
    "io.k8s.api.apidiscovery.v2beta1.APIGroupDiscoveryList",
    "io.k8s.apimachinery.pkg.apis.meta.v1beta1.PartialObjectMetadataList",
];
const MORE_META: &[&str] = &[
    "APIGroup",
    "APIGroupList",
    "APIResourceList",
    "APIVersions",
    "CreateOptions",
    "DeleteOptions",
    "PartialObjectMetadata",
    "PartialObjectMetadataList",
    "PatchOptions",
    "Status",
    "UpdateOptions",
    "WatchEvent",
];

/// A message: its fields by number, each as `name:type`, and the messages that they lead to.
#[derive(Default)]
struct Message {
    fields: BTreeMap<u32, String>,
    leads_to: BTreeSet<String>,
}

/// Writes the table. `source` holds Go packages, `kinds` are the names of the definitions that are kinds.
pub(super) fn write(source: &Path, kinds: impl Iterator<Item = String>) -> Result<()> {
    let mut messages = BTreeMap::new();
    let mut structs = go::Source::new(source.to_owned());
    for path in files(source)? {
        let text = std::fs::read_to_string(source.join(&path))?;
        let package = path.parent().and_then(Path::to_str).unwrap_or_default();
        read(&text, package, &mut structs, &mut messages).with_context(|| path.display().to_string())?;
    }
    let mut open: Vec<String> = kinds.filter(|name| messages.contains_key(name)).collect();
    open.extend(MORE.iter().map(|name| (*name).to_owned()));
    open.extend(MORE_META.iter().map(|name| format!("{META}.{name}")));
    let mut wanted = BTreeSet::new();
    while let Some(name) = open.pop() {
        let Some(message) = messages.get(&name) else {
            bail!("message {name} is not declared");
        };
        if wanted.insert(name) {
            open.extend(message.leads_to.iter().cloned());
        }
    }
    let mut text = String::new();
    for (name, message) in messages.iter().filter(|(name, _)| wanted.contains(*name)) {
        let fields: Vec<String> = message
            .fields
            .iter()
            .map(|(number, field)| format!("{number}:{field}"))
            .collect();
        text.push_str(&format!("{name}\t{}\n", fields.join(" ")));
    }
    std::fs::write(OUTPUT, text)?;
    Ok(())
}

/// The `generated.proto` files below `root`, relative to it.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = [
        "api",
        "apimachinery",
        "apiextensions-apiserver",
        "kube-aggregator",
    ]
    .map(PathBuf::from)
    .to_vec();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(root.join(&directory))? {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if entry.file_name() == "generated.proto" {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Reads the messages of one file.
fn read(
    text: &str,
    package: &str,
    structs: &mut go::Source,
    messages: &mut BTreeMap<String, Message>,
) -> Result<()> {
    let mut prefix = String::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("package ") {
            prefix = definition(name.trim_end_matches(';'));
        }
        let Some(name) = line.strip_prefix("message ").and_then(|l| l.strip_suffix(" {")) else {
            continue;
        };
        let mut message = Message::default();
        for line in lines.by_ref().take_while(|line| *line != "}") {
            if line.is_empty() || line.starts_with("//") {
                continue;
            }
            message.add(line, &prefix, &structs.wire(package, name)?)?;
        }
        messages.insert(format!("{prefix}.{name}"), message);
    }
    Ok(())
}

impl Message {
    /// Reads a field such as `optional .k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta metadata = 1;`.
    fn add(&mut self, line: &str, prefix: &str, told: &BTreeMap<u32, go::OnWire>) -> Result<()> {
        let (declaration, number) = line
            .trim_end_matches(';')
            .split_once(" = ")
            .with_context(|| format!("no field: {line}"))?;
        let number = number.parse().with_context(|| line.to_owned())?;
        let (label, name) = declaration.rsplit_once(' ').with_context(|| line.to_owned())?;
        let (mark, kind) = match label.split_once(' ') {
            Some(("optional", kind)) => ("", kind),
            Some(("repeated", kind)) => ("[", kind),
            Some(("map<string,", kind)) => ("{", kind.trim_end_matches('>')),
            _ => bail!("unknown label: {line}"),
        };
        let kind = match kind {
            "string" => "s".to_owned(),
            "bytes" => "y".to_owned(),
            "bool" => "b".to_owned(),
            "int32" | "int64" | "uint32" | "uint64" => "i".to_owned(),
            "double" => "d".to_owned(),
            message => {
                let name = match message.strip_prefix('.') {
                    Some(absolute) => definition(absolute),
                    None => format!("{prefix}.{message}"),
                };
                self.leads_to.insert(name.clone());
                name
            }
        };
        let told = told.get(&number);
        let mark = match (mark, told.is_some_and(|told| told.is_optional)) {
            ("", true) => "?",
            (mark, _) => mark,
        };
        let name = told.map_or(name, |told| told.json_name.as_str());
        self.fields.insert(number, format!("{name}:{mark}{kind}"));
        Ok(())
    }
}

/// The name that OpenAPI gives to a name of protobuf.
fn definition(name: &str) -> String {
    name.replacen("k8s.io.", "io.k8s.", 1)
        .replace("apiextensions_apiserver", "apiextensions-apiserver")
        .replace("kube_aggregator", "kube-aggregator")
}
