//! The functions: one file per library, each a table of overloads. What a call costs is `evaluate::cost`'s and
//! `estimate`'s.

pub(crate) mod authorizer;
mod conversions;
mod extended;
pub(crate) mod format;
mod json_patch;
mod lists;
mod netip;
mod network;
mod operators;
mod optional;
pub(crate) mod printf;
mod quantity;
pub(crate) mod regex;
pub(crate) mod semver;
mod sets;
mod strings;
mod times;
pub(crate) mod url;

use std::collections::HashMap;
use std::sync::OnceLock;

use smol_str::{SmolStr, format_smolstr};

use crate::EvaluationError;
use crate::typing::{Type, signature};
use crate::value::Value;

pub use authorizer::{Attributes, Authorizer, Decision};
pub(crate) use conversions::{converts, is_conversion};

/// Functions of Kubernetes' libraries that cost one, whatever they are given.
const NOMINAL: [&str; 38] = [
    "add",
    "allowed",
    "asApproximateFloat",
    "asInteger",
    "compareTo",
    "error",
    "errored",
    "family",
    "format.named",
    "getEscapedPath",
    "getHost",
    "getHostname",
    "getPort",
    "getQuery",
    "getScheme",
    "group",
    "isGlobalUnicast",
    "isGreaterThan",
    "isInteger",
    "isLessThan",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isLoopback",
    "isUnspecified",
    "major",
    "masked",
    "minor",
    "name",
    "namespace",
    "patch",
    "path",
    "prefixLength",
    "reason",
    "resource",
    "serviceAccount",
    "sign",
    "sub",
    "subresource",
];

/// Whether a call costs one, whatever it is given.
pub(crate) fn is_nominal(function: &str) -> bool {
    NOMINAL.contains(&function)
}

/// Functions that are not everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// The language's own and those that Kubernetes has wherever it takes expressions.
    Standard,
    /// `jsonpatch.escapeKey`, for what makes patches.
    JsonPatch,
    /// `cel.bind`, for selectors of devices.
    Bindings,
    /// `math`, `base64`: not in Kubernetes, for Warren's own configuration.
    Extended,
}

/// What a function answers.
pub(crate) type Answer<'a> = Result<Value<'a>, EvaluationError>;
/// The code of an overload.
pub(crate) type Implementation = for<'a> fn(&[Value<'a>]) -> Answer<'a>;
/// Name, overload, signature and code.
pub(crate) type Row = (&'static str, &'static str, &'static str, Implementation);

/// A function with its overloads.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) library: Library,
    pub(crate) overloads: Vec<Overload>,
}

/// One way of calling a function.
#[derive(Debug)]
pub(crate) struct Overload {
    pub(crate) id: SmolStr,
    pub(crate) is_member: bool,
    pub(crate) parameters: Vec<Type>,
    pub(crate) result: Type,
    pub(crate) run: Implementation,
}

impl Function {
    /// Calls the overload that the arguments fit, of those that may be meant.
    pub(crate) fn call<'a>(&self, overloads: &[&'static Overload], arguments: &[Value<'a>]) -> Answer<'a> {
        let fitting = overloads.iter().find(|overload| {
            overload.parameters.len() == arguments.len()
                && overload
                    .parameters
                    .iter()
                    .zip(arguments)
                    .all(|(wanted, argument)| argument.fits(wanted))
        });
        match (fitting, self.overloads.first()) {
            (Some(overload), _) => (overload.run)(arguments),
            // Operators go by their operands, whatever is declared.
            (None, Some(any)) if self.is_operator() => {
                (any.run)(arguments).map_err(|_| self.no_overload(arguments))
            }
            (None, _) => Err(self.no_overload(arguments)),
        }
    }

    fn is_operator(&self) -> bool {
        self.name.starts_with(['_', '@', '!', '-'])
    }

    /// Upstream names an operator that the first operand has not got, and the types where none of several
    /// overloads takes them.
    fn no_overload(&self, arguments: &[Value<'_>]) -> EvaluationError {
        use Value::{Bool, Bytes, Double, Duration, Int, List, Map, String, Timestamp, Uint};
        let Some(first) = arguments.first() else {
            return no_such_overload();
        };
        let has_it = matches!(first, String(_) | Duration(_) | Timestamp(_))
            || match self.name {
                "_+_" => matches!(first, Bytes(_) | Double(_) | Int(_) | List(_) | Uint(_)),
                "_-_" | "_*_" | "_/_" => matches!(first, Double(_) | Int(_) | Uint(_)),
                "_%_" => matches!(first, Int(_) | Uint(_)),
                "-_" => matches!(first, Bool(_) | Double(_) | Int(_)),
                "_<_" | "_<=_" | "_>_" | "_>=_" => {
                    matches!(first, Bool(_) | Bytes(_) | Double(_) | Int(_) | Uint(_))
                }
                "size" => matches!(first, Bytes(_) | List(_) | Map(_)),
                _ => true,
            };
        let is_plain = matches!(
            self.name,
            "size" | "contains" | "startsWith" | "endsWith" | "matches" | "sort"
        );
        if !has_it {
            return EvaluationError::failed(format!("no such overload: {}", self.name));
        }
        if self.is_operator() || is_plain {
            return no_such_overload();
        }
        let kinds: Vec<SmolStr> = arguments
            .iter()
            .map(|argument| argument.type_of().runtime_name())
            .collect();
        EvaluationError::failed(format!("no such overload: {}({})", self.name, kinds.join(", ")))
    }
}

/// The fault of arguments that no code takes.
pub(crate) fn no_such_overload() -> EvaluationError {
    EvaluationError::failed("no such overload")
}

pub(crate) fn fail<'a>(message: impl Into<String>) -> Answer<'a> {
    Err(EvaluationError::failed(message))
}

/// The function of a name.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    static FUNCTIONS: OnceLock<HashMap<&'static str, Function>> = OnceLock::new();
    FUNCTIONS.get_or_init(registry).get(name)
}

fn registry() -> HashMap<&'static str, Function> {
    let mut functions = HashMap::new();
    let standard = [
        operators::TABLE,
        conversions::TABLE,
        times::TABLE,
        strings::TABLE,
        regex::TABLE,
        lists::TABLE,
        sets::TABLE,
        optional::TABLE,
        url::TABLE,
        network::TABLE,
        quantity::TABLE,
        semver::TABLE,
        format::TABLE,
        authorizer::TABLE,
    ];
    for (name, id, text, run) in standard.into_iter().flatten() {
        add(
            &mut functions,
            Library::Standard,
            name,
            (SmolStr::new_static(id), text, *run),
        );
    }
    for (name, id, text, run) in operators::comparisons().into_iter().chain(lists::typed()) {
        add(&mut functions, Library::Standard, name, (id, &text, run));
    }
    for name in format::NAMES {
        add(
            &mut functions,
            Library::Standard,
            name,
            (
                SmolStr::new_static(name),
                "() -> kubernetes.NamedFormat",
                optional::none,
            ),
        );
    }
    for (name, id, text, run) in json_patch::TABLE {
        add(
            &mut functions,
            Library::JsonPatch,
            name,
            (SmolStr::new_static(id), text, *run),
        );
    }
    for (name, id, text, run) in extended::TABLE {
        add(
            &mut functions,
            Library::Extended,
            name,
            (SmolStr::new_static(id), text, *run),
        );
    }
    functions
}

fn add(
    functions: &mut HashMap<&'static str, Function>,
    library: Library,
    name: &'static str,
    (id, text, run): (SmolStr, &str, Implementation),
) {
    let Some(signature) = signature(text) else {
        debug_assert!(false, "{name}: {text}");
        return;
    };
    let function = functions.entry(name).or_insert_with(|| Function {
        name,
        library,
        overloads: Vec::new(),
    });
    function.overloads.push(Overload {
        id,
        is_member: signature.is_member,
        parameters: signature.parameters,
        result: signature.result,
        run,
    });
}

/// The id of an overload that a table has once for each of several types.
fn typed_id(before: &str, kind: &str, after: &str) -> SmolStr {
    format_smolstr!("{before}{kind}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_signature_of_the_tables() {
        let functions = registry();
        assert!(functions.len() > 150, "{}", functions.len());
        let ids: Vec<&SmolStr> = functions
            .values()
            .flat_map(|function| function.overloads.iter().map(|overload| &overload.id))
            .collect();
        let distinct: std::collections::HashSet<&&SmolStr> = ids.iter().collect();
        assert_eq!(ids.len(), distinct.len());
    }
}
