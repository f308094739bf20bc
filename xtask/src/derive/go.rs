//! Reads the little of Go that `types.go` files consist of: structs with tagged fields, and named types.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

const META: &str = "apimachinery/pkg/apis/meta/v1";

/// What a Go type is to JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pointer,
    List,
    Map,
    Text,
    Number,
    Boolean,
    Struct,
    /// A struct that is written as `null` when zero.
    Nullable,
    Quantity,
    IntOrString,
    Duration,
}

/// A field of a struct, embedded ones included.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) json_name: String,
    pub(super) default: Option<Value>,
    /// With package names, without pointers: `[]v1.Container`.
    type_text: String,
    kind: Kind,
    is_scalar_named: bool,
    omit_empty: bool,
    omit_zero: bool,
}

impl Field {
    /// The zero that Go writes when the field is unset; `None` when it leaves it out.
    pub(super) fn always(&self) -> Option<Value> {
        if self.omit_zero {
            return None;
        }
        let is_struct = matches!(
            self.kind,
            Kind::Struct | Kind::Nullable | Kind::Quantity | Kind::IntOrString | Kind::Duration
        );
        (is_struct || !self.omit_empty).then(|| match self.kind {
            Kind::Pointer | Kind::List | Kind::Map | Kind::Nullable => Value::Null,
            Kind::Text => json!(""),
            Kind::Number | Kind::IntOrString => json!(0),
            Kind::Boolean => json!(false),
            Kind::Struct => json!({}),
            Kind::Quantity => json!("0"),
            Kind::Duration => json!("0s"),
        })
    }

    /// Whether Go leaves the field out when it is there but empty.
    pub(super) fn is_droppable(&self) -> bool {
        let can_be_empty = matches!(
            self.kind,
            Kind::List | Kind::Map | Kind::Text | Kind::Number | Kind::Boolean
        );
        (self.omit_empty && can_be_empty) || (self.omit_zero && self.kind != Kind::Pointer)
    }

    /// The type's text where the schema would tell another.
    pub(super) fn untold_type(&self) -> Option<&str> {
        self.is_scalar_named.then_some(&self.type_text)
    }
}

/// What a Go struct tells about a field of its protobuf message.
pub(super) struct OnWire {
    /// `~` for a struct whose fields JSON puts into the one around it.
    pub(super) json_name: String,
    /// Whether it is left out when absent; what is not optional is always written.
    pub(super) is_optional: bool,
}

/// A named type as declared.
enum Declared {
    Struct(Vec<RawField>),
    Other(String),
}

struct RawField {
    name: Option<String>,
    type_text: String,
    tag: String,
    default: Option<String>,
}

#[derive(Default)]
struct Package {
    imports: HashMap<String, String>,
    types: HashMap<String, Declared>,
}

/// The unpacked Go source, read package by package as needed.
pub(super) struct Source {
    root: PathBuf,
    packages: HashMap<String, Package>,
}

/// The package (below `k8s.io/`) and type that a definition stands for; `None` for those not at hand.
pub(super) fn package_of(definition: &str) -> Option<(String, String)> {
    let path = definition.strip_prefix("io.k8s.")?;
    let (package, name) = path.rsplit_once('.')?;
    let package = package.replace('.', "/");
    let is_known = ["api/", META, "apiextensions-apiserver/"]
        .iter()
        .any(|p| package.starts_with(p));
    is_known.then(|| (package, name.to_owned()))
}

impl Source {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            packages: HashMap::new(),
        }
    }

    /// The JSON fields of a struct, embedded structs flattened; empty for types that are no structs.
    pub(super) fn fields(&mut self, package: &str, name: &str) -> Result<Vec<Field>> {
        self.load(package)?;
        let raw: Vec<(Option<String>, String, String, Option<String>)> =
            match self.packages.get(package).and_then(|p| p.types.get(name)) {
                Some(Declared::Struct(fields)) => fields
                    .iter()
                    .map(|f| {
                        (
                            f.name.clone(),
                            f.type_text.clone(),
                            f.tag.clone(),
                            f.default.clone(),
                        )
                    })
                    .collect(),
                Some(Declared::Other(target)) => {
                    let (package, name) = self.resolve(package, target);
                    return match package {
                        Some(package) if !target.starts_with(['[', '*']) => self.fields(&package, &name),
                        _ => Ok(Vec::new()),
                    };
                }
                None => return Ok(Vec::new()),
            };
        let mut all = Vec::new();
        for (field_name, type_text, tag, default) in raw {
            let mut options = json_tag(&tag).split(',');
            let json_name = options.next().unwrap_or_default().to_owned();
            let options: Vec<&str> = options.collect();
            if json_name == "-" {
                continue;
            }
            if json_name.is_empty() && (field_name.is_none() || options.contains(&"inline")) {
                let (package, name) = self.resolve(package, type_text.trim_start_matches('*'));
                if let Some(package) = package {
                    all.extend(self.fields(&package, &name)?);
                }
                continue;
            }
            let kind = self.kind(package, &type_text)?;
            let base = type_text.trim_start_matches('*').to_owned();
            all.push(Field {
                default: default.and_then(|text| marker(&text)),
                is_scalar_named: self.is_scalar_named(package, &base)?,
                type_text: qualified(package, &base),
                kind,
                omit_empty: options.contains(&"omitempty"),
                omit_zero: options.contains(&"omitzero"),
                json_name,
            });
        }
        Ok(all)
    }

    /// The fields of a struct by their number in protobuf; empty for types that are no structs.
    pub(super) fn wire(&mut self, package: &str, name: &str) -> Result<BTreeMap<u32, OnWire>> {
        self.load(package)?;
        let declared = self.packages.get(package).and_then(|p| p.types.get(name));
        let Some(Declared::Struct(fields)) = declared else {
            return Ok(BTreeMap::new());
        };
        let mut all = BTreeMap::new();
        for field in fields {
            let number = tag_of(&field.tag, "protobuf").split(',').nth(1);
            let mut options = json_tag(&field.tag).split(',');
            let json_name = options.next().unwrap_or_default();
            let json_name = match json_name {
                "-" => continue,
                "" if field.name.is_none() || options.any(|option| option == "inline") => "~",
                "" => continue,
                name => name,
            };
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                let field = OnWire {
                    json_name: json_name.to_owned(),
                    is_optional: field.type_text.starts_with('*') || field.type_text == "[]byte",
                };
                all.insert(number, field);
            }
        }
        Ok(all)
    }

    /// Whether the innermost element is a named scalar, or a map or list type with a name of its own, which a
    /// schema does not tell.
    fn is_scalar_named(&mut self, package: &str, type_text: &str) -> Result<bool> {
        let mut element = type_text;
        let mut is_map = false;
        loop {
            if let Some(rest) = element.strip_prefix("[]").or_else(|| element.strip_prefix('*')) {
                element = rest;
            } else if let Some((key, rest)) = element.strip_prefix("map[").and_then(|r| r.split_once(']')) {
                is_map |= key != "string";
                element = rest;
            } else {
                break;
            }
        }
        if is_builtin(element) {
            return Ok(is_map || element == "byte");
        }
        let kind = self.kind(package, element)?;
        Ok(is_map
            || matches!(
                kind,
                Kind::Text | Kind::Number | Kind::Boolean | Kind::Map | Kind::List
            ))
    }

    fn kind(&mut self, package: &str, type_text: &str) -> Result<Kind> {
        if type_text.starts_with('*') {
            return Ok(Kind::Pointer);
        }
        if type_text.starts_with("[]") {
            return Ok(Kind::List);
        }
        if type_text.starts_with("map[") {
            return Ok(Kind::Map);
        }
        match type_text {
            "string" => return Ok(Kind::Text),
            "bool" => return Ok(Kind::Boolean),
            "int32" | "int64" | "int" | "uint32" | "uint64" | "float64" | "uint16" | "int16" => {
                return Ok(Kind::Number);
            }
            _ => {}
        }
        let (target, name) = self.resolve(package, type_text);
        let Some(target) = target else {
            return Ok(match type_text {
                text if text.starts_with("resource.") || text.starts_with("apiresource.") => Kind::Quantity,
                text if text.starts_with("intstr.") => Kind::IntOrString,
                text if text.starts_with("types.") => Kind::Text,
                _ => Kind::Nullable,
            });
        };
        match (target.as_str(), name.as_str()) {
            (META, "Time" | "MicroTime" | "FieldsV1") => return Ok(Kind::Nullable),
            (META, "Duration") => return Ok(Kind::Duration),
            (
                _,
                "JSON" | "JSONSchemaPropsOrBool" | "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrStringArray",
            ) => {
                return Ok(Kind::Nullable);
            }
            _ => {}
        }
        self.load(&target)?;
        let declared = self.packages.get(&target).and_then(|p| p.types.get(&name));
        match declared {
            Some(Declared::Struct(_)) => Ok(Kind::Struct),
            Some(Declared::Other(text)) => {
                let text = text.clone();
                self.kind(&target, &text)
            }
            None => anyhow::bail!("type {type_text} of package {package} is not declared"),
        }
    }

    /// The package and name behind `v1.Container` or `Container`; no package for those not at hand.
    fn resolve(&self, package: &str, type_text: &str) -> (Option<String>, String) {
        let Some((alias, name)) = type_text.split_once('.') else {
            return (Some(package.to_owned()), type_text.to_owned());
        };
        let path = self.packages.get(package).and_then(|p| p.imports.get(alias));
        let path = path.and_then(|path| path.strip_prefix("k8s.io/"));
        let is_known = |path: &&str| path.starts_with("api/") || *path == META || path.starts_with("apiext");
        (path.filter(is_known).map(str::to_owned), name.to_owned())
    }

    fn load(&mut self, package: &str) -> Result<()> {
        if self.packages.contains_key(package) {
            return Ok(());
        }
        let mut loaded = Package::default();
        let directory = self.root.join(package);
        let entries = std::fs::read_dir(&directory).with_context(|| format!("package {package}"))?;
        for entry in entries {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default()
                .to_owned();
            let is_types = name.starts_with("types") && name.ends_with(".go");
            let is_meta = package == META
                && matches!(
                    name.as_str(),
                    "time.go"
                        | "group_version.go"
                        | "micro_time.go"
                        | "duration.go"
                        | "fieldsv1_byte.go"
                        | "watch.go"
                );
            if (is_types || is_meta) && !name.contains("swagger") && !name.ends_with("_test.go") {
                read(&std::fs::read_to_string(&path)?, &mut loaded);
            }
        }
        self.packages.insert(package.to_owned(), loaded);
        Ok(())
    }
}

fn is_builtin(text: &str) -> bool {
    matches!(
        text,
        "string"
            | "bool"
            | "int32"
            | "int64"
            | "int"
            | "uint32"
            | "uint64"
            | "float64"
            | "byte"
            | "uint16"
            | "int16"
    )
}

/// `Protocol` in package `…/v1` is printed as `v1.Protocol`.
fn qualified(package: &str, type_text: &str) -> String {
    let own = package.rsplit('/').next().unwrap_or_default();
    let split = type_text.rfind([']', '*']).map_or(0, |at| at + 1);
    let (head, element) = type_text.split_at(split);
    // Map keys are printed as their own types, such as `map[v1.ResourceName]…`.
    let head = match head.strip_prefix("map[").and_then(|h| h.split_once(']')) {
        Some((key, rest)) if !is_builtin(key) && !key.contains('.') => format!("map[{own}.{key}]{rest}"),
        _ => head.to_owned(),
    };
    let element = match element.split_once('.') {
        Some(("metav1" | "corev1", name)) => format!("v1.{name}"),
        Some(_) => element.to_owned(),
        None if is_builtin(element) => element.replace("byte", "uint8"),
        None => format!("{own}.{element}"),
    };
    format!("{head}{element}")
}

/// Reads one file's imports and types.
fn read(text: &str, package: &mut Package) {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = without_comment(line);
        if line == "import (" {
            for line in lines.by_ref().map(str::trim).take_while(|line| *line != ")") {
                let (alias, path) = line.split_once('"').unwrap_or_default();
                let path = path.trim_end_matches('"');
                let name = path.rsplit('/').next().unwrap_or_default();
                let alias = if alias.trim().is_empty() {
                    name
                } else {
                    alias.trim()
                };
                package.imports.insert(alias.to_owned(), path.to_owned());
            }
        } else if let Some(rest) = line.strip_prefix("type ") {
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let declared = match rest.trim() {
                "struct {" => Declared::Struct(fields(&mut lines)),
                "struct {}" | "struct{}" => Declared::Struct(Vec::new()),
                other => Declared::Other(other.trim_start_matches("= ").to_owned()),
            };
            package.types.insert(name.to_owned(), declared);
        }
    }
}

/// Reads the fields up to the struct's closing brace.
fn fields<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<RawField> {
    let mut fields = Vec::new();
    let mut default = None;
    let mut is_in_comment = false;
    for line in lines.take_while(|line| *line != "}") {
        let line = line.trim();
        is_in_comment |= line.starts_with("/*");
        if is_in_comment {
            is_in_comment = !line.ends_with("*/");
            continue;
        }
        if let Some(comment) = line.strip_prefix("//") {
            if let Some(marker) = comment.trim().strip_prefix("+default=") {
                default = Some(marker.to_owned());
            }
            continue;
        }
        let (declaration, tag) = line.split_once('`').unwrap_or((line, ""));
        let declaration = without_comment(declaration);
        let mut words = declaration.split_whitespace();
        let (first, second) = (words.next(), words.next());
        let Some(first) = first else {
            continue;
        };
        fields.push(RawField {
            name: second.map(|_| first.to_owned()),
            type_text: second.unwrap_or(first).to_owned(),
            tag: tag.trim_end_matches('`').to_owned(),
            default: default.take(),
        });
    }
    fields
}

fn without_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code).trim()
}

fn json_tag(tag: &str) -> &str {
    tag_of(tag, "json")
}

fn tag_of<'a>(tag: &'a str, key: &str) -> &'a str {
    tag.split_once(&format!("{key}:\""))
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("", |(value, _)| value)
}

/// The value of a `+default=` marker. Those that name a constant are the two of Azure's disks.
fn marker(text: &str) -> Option<Value> {
    match text {
        "ref(AzureSharedBlobDisk)" => Some(json!("Shared")),
        "ref(AzureDataDiskCachingReadWrite)" => Some(json!("ReadWrite")),
        _ => serde_json::from_str(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Protocol is text.
type Protocol string

type Inner struct {
	A string `json:"a,omitempty"`
}

type Outer struct {
	metav1.TypeMeta `json:",inline"`
	/*
		type Nonsense struct {
	*/
	// +default="TCP"
	Protocol Protocol `json:"protocol,omitempty" protobuf:"bytes,1"`
	Inner `json:",inline"`
	Status Inner `json:"status,omitempty"`
	Rules []Inner `json:"rules"` // a comment
	Count *int32 `json:"count"`
	Size resource.Quantity `json:"size,omitempty"`
	Gone Inner `json:"gone,omitzero"`
}
"#;

    #[test]
    fn reads_the_fields_of_a_struct_as_its_encoder_sees_them() {
        let mut source = Source::new(PathBuf::new());
        let mut package = Package::default();
        read(SOURCE, &mut package);
        source.packages.insert("api/x/v1".to_owned(), package);
        source.packages.insert(META.to_owned(), Package::default());
        let fields = source.fields("api/x/v1", "Outer").unwrap();
        let told: Vec<_> = fields
            .iter()
            .map(|f| {
                (
                    f.json_name.as_str(),
                    f.always(),
                    f.is_droppable(),
                    f.untold_type(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("protocol", None, true, Some("v1.Protocol")),
                ("a", None, true, None),
                ("status", Some(json!({})), false, None),
                ("rules", Some(Value::Null), false, None),
                ("count", Some(Value::Null), false, None),
                ("size", Some(json!("0")), false, None),
                ("gone", None, true, None),
            ]
        );
        assert_eq!(fields[0].default, Some(json!("TCP")));
    }
}
