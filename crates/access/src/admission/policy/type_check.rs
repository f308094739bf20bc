//! `status.typeChecking` of validating policies: what their expressions would say if `object` and `params` had the
//! types of the kinds that the policy names. Nothing is evaluated, and nothing here decides about writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::GroupVersionKind;
use warren_apimachinery::value::ValueExt;
use warren_cel::{Declared, Expression, Field, Identity, Kind, Object, Type, escape, typed_environment};
use warren_registry::Catalogue;
use warren_registry::definition::Definition;
use warren_schema::{Ref, Schema};

/// The kinds that are looked at, of all that a policy names.
const KINDS_MAX: usize = 10;
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The warnings for a policy: `{fieldRef, warning}`, in upstream's words.
pub fn type_warnings(catalogue: &Catalogue, policy: &Value) -> Vec<Value> {
    let spec = policy.field("spec");
    let checker = Checker {
        kinds: kinds(catalogue, spec),
        parameters: parameters(catalogue, spec.field("paramKind")),
        variables: spec.items("/variables"),
    };
    let mut warnings = Vec::new();
    for (at, validation) in spec.items("/validations").iter().enumerate() {
        for field in ["expression", "messageExpression"] {
            let source = validation.field(field).as_str().unwrap_or_default();
            let warning = checker.check(source);
            if !warning.is_empty() && !source.is_empty() {
                let place = format!("spec.validations[{at}].{field}");
                warnings.push(json!({"fieldRef": place, "warning": warning}));
            }
        }
    }
    warnings
}

/// A kind and what is known of its objects; nothing, where upstream shows expressions nothing of it.
type Known = (GroupVersionKind, Option<Arc<Declared>>);

struct Checker<'a> {
    kinds: Vec<Known>,
    /// `None` for a policy without parameters; the kind's name and its type if that is served.
    parameters: Option<Option<(SmolStr, Arc<Declared>)>>,
    variables: &'a [Value],
}

impl Checker<'_> {
    /// What is wrong with an expression, for each kind; empty where nothing is.
    fn check(&self, source: &str) -> String {
        let mut all = Vec::new();
        for (kind, declared) in &self.kinds {
            if let Err(why) = self.check_for(kind, declared.as_ref(), source) {
                let GroupVersionKind { group, version, kind } = kind;
                all.push(format!("{group}/{version}, Kind={kind}: {why}\n"));
            }
        }
        all.join("\n")
    }

    fn check_for(
        &self,
        kind: &GroupVersionKind,
        declared: Option<&Arc<Declared>>,
        source: &str,
    ) -> Result<(), String> {
        let object = declared.map(|declared| (kind.kind.as_str(), declared));
        let parameters = self.parameters.as_ref();
        let parameters =
            parameters.map(|known| known.as_ref().map(|(name, declared)| (name.as_str(), declared)));
        let mut types: Vec<(String, Type)> = Vec::new();
        for variable in self.variables {
            let environment = typed_environment(object, parameters, &types);
            let checked = Expression::check(&environment, variable.text("/expression"));
            let found = checked.map_or(Type::Dyn, |checked| checked.result_type().clone());
            types.push((variable.text("/name").to_owned(), found));
        }
        let environment = typed_environment(object, parameters, &types);
        match Expression::check(&environment, source) {
            Ok(_) => Ok(()),
            Err(why) => Err(why.to_string()),
        }
    }
}

/// The kinds of the resources that a policy's rules name, in order; resources without a kind and all that wildcards
/// stand for are left out.
fn kinds(catalogue: &Catalogue, spec: &Value) -> Vec<Known> {
    let mut found = BTreeSet::new();
    'rules: for rule in spec.items("/matchConstraints/resourceRules") {
        let texts = |pointer: &str| {
            let mut texts: Vec<&str> = rule.items(pointer).iter().filter_map(Value::as_str).collect();
            texts.sort_unstable();
            texts
        };
        let (groups, versions) = (texts("/apiGroups"), texts("/apiVersions"));
        if groups.iter().chain(&versions).any(|text| text.contains('*')) {
            continue;
        }
        let mut count = 0;
        for group in groups {
            for version in &versions {
                for resource in texts("/resources") {
                    for kind in of_resource(catalogue, [group, version, resource]) {
                        found.insert(kind);
                        count += 1;
                        if count == KINDS_MAX {
                            break 'rules;
                        }
                    }
                }
            }
        }
    }
    found
        .into_iter()
        .filter_map(|kind| declared_kind(catalogue, &kind).map(|declared| (kind, declared)))
        .collect()
}

/// The kinds that a resource may mean: of any group, where none is named.
fn of_resource(catalogue: &Catalogue, [group, version, resource]: [&str; 3]) -> Vec<GroupVersionKind> {
    let is_meant = |found: &&Arc<Definition>| {
        (found.plural == resource || found.singular == resource)
            && (group.is_empty() || found.group == group)
            && found.version(version).is_some()
    };
    let kinds = catalogue.iter().filter(is_meant).map(|found| GroupVersionKind {
        group: found.group.clone(),
        version: version.into(),
        kind: found.kind.clone(),
    });
    kinds.collect()
}

fn parameters(catalogue: &Catalogue, kind: &Value) -> Option<Option<(SmolStr, Arc<Declared>)>> {
    if kind.is_null() {
        return None;
    }
    let api_version = kind.text("/apiVersion");
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let kind = GroupVersionKind {
        group: group.into(),
        version: version.into(),
        kind: kind.text("/kind").into(),
    };
    let declared = declared_kind(catalogue, &kind).flatten();
    Some(declared.map(|declared| (kind.kind, declared)))
}

/// What is known of a kind; `None` for one that is not served.
fn declared_kind(catalogue: &Catalogue, kind: &GroupVersionKind) -> Option<Option<Arc<Declared>>> {
    let found = catalogue.kind(&kind.group, &kind.kind)?;
    let schema = &found.version(&kind.version)?.schema;
    Some(declared(schema, Place::Root, &mut Vec::new()))
}

/// Where a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is an object of the API.
    Root,
    /// It is part of one.
    Within,
}

/// What a schema declares, as upstream shows the types of kinds: quantities and values of any kind are left out.
/// `above` are the definitions that it stands in, so that one within itself ends as an object without fields.
fn declared(schema: &Ref, place: Place, above: &mut Vec<SmolStr>) -> Option<Arc<Declared>> {
    let Ref::Named(name) = schema else {
        return of_schema(&schema.get(), place, above);
    };
    if above.contains(name) {
        return Some(object(BTreeMap::new()));
    }
    if name.ends_with(".RawExtension") {
        return Some(object(BTreeMap::new()));
    }
    above.push(name.clone());
    let found = of_schema(&schema.get(), place, above);
    above.pop();
    found
}

fn of_schema(schema: &Schema, place: Place, above: &mut Vec<SmolStr>) -> Option<Arc<Declared>> {
    use warren_schema::Type as Of;
    let place = if schema.embedded { Place::Root } else { place };
    let kind = match (schema.kind, schema.format.as_deref()) {
        (Of::Quantity | Of::Any, _) => return None,
        (Of::IntOrString, _) => Kind::IntOrString,
        (Of::Boolean, _) => Kind::Bool,
        (Of::Integer, _) => Kind::Int,
        (Of::Number, _) => Kind::Double,
        (Of::String, Some("byte")) => Kind::Bytes,
        (Of::String, Some("duration")) => Kind::Duration,
        (Of::String, Some("date")) => Kind::Date,
        (Of::String, Some("date-time")) => Kind::Timestamp,
        (Of::String, _) => Kind::String,
        (Of::Array, _) => Kind::List {
            element: declared(schema.items.as_ref()?, Place::Within, above)?,
            identity: Identity::Place,
        },
        (Of::Object, _) => match &schema.additional {
            Some(values) => Kind::Map(declared(values, Place::Within, above)?),
            None => return Some(object(fields(schema, place, above))),
        },
    };
    Some(Arc::new(Declared::new(kind)))
}

fn fields(schema: &Schema, place: Place, above: &mut Vec<SmolStr>) -> BTreeMap<SmolStr, Field> {
    let mut fields = BTreeMap::new();
    let mut insert = |name: &SmolStr, declared: Option<Arc<Declared>>| {
        if let (Some(declared), Some(escaped)) = (declared, escape(name)) {
            let name = name.clone();
            fields.insert(SmolStr::from(escaped), Field { name, declared });
        }
    };
    for (name, child) in &schema.properties {
        insert(name, declared(child, Place::Within, above));
    }
    if place == Place::Root {
        let text = || Some(Arc::new(Declared::new(Kind::String)));
        insert(&"apiVersion".into(), text());
        insert(&"kind".into(), text());
        let metadata = Ref::Named(OBJECT_META.into());
        insert(&"metadata".into(), declared(&metadata, Place::Within, above));
    }
    fields
}

fn object(fields: BTreeMap<SmolStr, Field>) -> Arc<Declared> {
    Arc::new(Declared::new(Kind::Object(Object::of(fields))))
}
