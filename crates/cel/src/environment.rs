//! What an expression may refer to: variables, types of objects, libraries of functions.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use smol_str::SmolStr;

use crate::declared::{Declared, Kind, Object};
use crate::library::{Function, Library};
use crate::typing::Type;

static OPEN: LazyLock<Arc<Declared>> = LazyLock::new(|| {
    let object = Object {
        open: true,
        ..Object::default()
    };
    Arc::new(Declared::new(Kind::Object(object)))
});

/// The names that an expression may use, with their types. The standard functions and Kubernetes' libraries
/// are always there.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Vec<(SmolStr, Type, Option<Arc<Declared>>)>,
    messages: BTreeMap<SmolStr, Arc<Declared>>,
    open_message: Option<SmolStr>,
    libraries: Vec<Library>,
    /// Sizes are known of what is reached from a variable only.
    sizes_by_name: bool,
}

impl Environment {
    /// An environment without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable.
    #[must_use]
    pub fn variable(mut self, name: &str, kind: Type) -> Self {
        let declared = match &kind {
            Type::Object(_, declared) => Some(Arc::clone(declared)),
            _ => None,
        };
        self.variables.push((SmolStr::new(name), kind, declared));
        self
    }

    /// Adds a variable that a schema describes. `type_name` is what messages call its type.
    #[must_use]
    pub fn declared(mut self, name: &str, type_name: &str, declared: &Arc<Declared>) -> Self {
        let kind = Type::of_declared(type_name, declared);
        self.variables
            .push((SmolStr::new(name), kind, Some(Arc::clone(declared))));
        self
    }

    /// Adds a variable that is an optional of what a schema describes.
    #[must_use]
    pub fn declared_optional(mut self, name: &str, type_name: &str, declared: &Arc<Declared>) -> Self {
        let kind = Type::optional(Type::of_declared(type_name, declared));
        self.variables
            .push((SmolStr::new(name), kind, Some(Arc::clone(declared))));
        self
    }

    /// Adds a type that expressions can make values of, such as `JSONPatch{op: 'add'}`; objects below it are
    /// named by the way to them.
    #[must_use]
    pub fn message(mut self, name: &str, declared: &Arc<Declared>) -> Self {
        self.messages.insert(SmolStr::new(name), Arc::clone(declared));
        self
    }

    /// Adds a type of objects of which nothing is known, and all types below it: `Object`, `Object.spec`, ….
    /// Values may have any fields; whether types and fields belong together is the user's to look at
    /// ([`Value::check_message_names`](crate::Value::check_message_names)).
    #[must_use]
    pub fn open_message(mut self, name: &str) -> Self {
        self.open_message = Some(SmolStr::new(name));
        self
    }

    /// Adds a library that Kubernetes has in some places only.
    #[must_use]
    pub fn library(mut self, library: Library) -> Self {
        self.libraries.push(library);
        self
    }

    /// Estimates sizes of what is reached from a variable only. Without it, as upstream does for rules of custom
    /// resources, whatever a way starts at is taken for the first variable that a schema describes.
    #[must_use]
    pub(crate) fn sizes_by_name(mut self) -> Self {
        self.sizes_by_name = true;
        self
    }

    /// Whether expressions may use a library's functions and macros.
    pub(crate) fn has(&self, library: Library) -> bool {
        library == Library::Standard || self.libraries.contains(&library)
    }

    pub(crate) fn find(&self, name: &str) -> Option<(usize, &Type)> {
        let at = self.variables.iter().position(|(known, ..)| known == name)?;
        self.variables.get(at).map(|(_, kind, _)| (at, kind))
    }

    pub(crate) fn variable_declared(&self, name: &str) -> Option<&Arc<Declared>> {
        let (_, _, declared) = self.variables.iter().find(|(known, ..)| known == name)?;
        declared.as_ref()
    }

    /// What describes the first variable that a schema describes.
    pub(crate) fn root_declared(&self) -> Option<&Arc<Declared>> {
        if self.sizes_by_name {
            return None;
        }
        self.variables
            .iter()
            .find_map(|(_, _, declared)| declared.as_ref())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.variables.iter().map(|(name, ..)| name)
    }

    /// The function of a name, if its library is here.
    pub(crate) fn function(&self, name: &str) -> Option<&'static Function> {
        let function = crate::library::function(name)?;
        self.has(function.library).then_some(function)
    }

    /// The object type that a name stands for, if values of it can be made.
    pub(crate) fn find_message(&self, name: &str) -> Option<Type> {
        if let Some(declared) = self.messages.get(name) {
            return Some(Type::of_declared(name, declared));
        }
        if let Some(open) = &self.open_message
            && let Some(rest) = name.strip_prefix(open.as_str())
            && (rest.is_empty() || rest.starts_with('.'))
        {
            return Some(Type::Object(SmolStr::new(name), Arc::clone(&OPEN)));
        }
        // `Object.spec.template`: the way from a message to an object below it.
        let (parent, field) = name.rsplit_once('.')?;
        let Type::Object(_, declared) = self.find_message(parent)? else {
            return None;
        };
        let Kind::Object(object) = &declared.kind else {
            return None;
        };
        let mut found = &object.field(field)?.declared;
        while let Kind::List { element, .. } | Kind::Map(element) = &found.kind {
            found = element;
        }
        Some(Type::of_declared(name, found)).filter(|found| matches!(found, Type::Object(..)))
    }
}
