//! Sets of fields: a tree of path elements, each a member or on the way to one. Reads and writes `FieldsV1`.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map, Value};

use super::element::{ElementError, PathElement};

/// A set of fields of an object. A parent of a member is not a member by that.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Sorted by element. Every entry is a member or has children.
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    element: PathElement,
    member: bool,
    children: FieldSet,
}

impl FieldSet {
    /// The set without members.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// The set of these paths of field names.
    pub fn of_names(paths: &[&[&str]]) -> Self {
        let mut set = Self::new();
        for path in paths {
            let path: Vec<_> = path.iter().map(|name| PathElement::field(*name)).collect();
            set.insert(&path);
        }
        set
    }

    /// Whether it has no member.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds the field at `path`; the empty path is never a member.
    pub fn insert(&mut self, path: &[PathElement]) {
        if let Some((first, rest)) = path.split_first() {
            let entry = self.entry(first);
            if rest.is_empty() {
                entry.member = true;
            } else {
                entry.children.insert(rest);
            }
        }
    }

    /// Whether the field at `path` is a member.
    pub fn has(&self, path: &[PathElement]) -> bool {
        match path {
            [] => false,
            [last] => self.has_member(last),
            [first, rest @ ..] => self.below(first).is_some_and(|set| set.has(rest)),
        }
    }

    /// Whether `element` itself is a member.
    pub fn has_member(&self, element: &PathElement) -> bool {
        self.find(element).is_some_and(|entry| entry.member)
    }

    /// What is in the set below `element`; `None` when nothing is.
    pub fn below(&self, element: &PathElement) -> Option<&Self> {
        self.find(element)
            .map(|entry| &entry.children)
            .filter(|set| !set.is_empty())
    }

    /// The members of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        zip(self, other, |mine, theirs| match (mine, theirs) {
            (Some(mine), Some(theirs)) => Some(Entry {
                element: mine.element.clone(),
                member: mine.member || theirs.member,
                children: mine.children.union(&theirs.children),
            }),
            (one, another) => one.or(another).cloned(),
        })
    }

    /// The members of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        zip(self, other, |mine, theirs| {
            let (mine, theirs) = (mine?, theirs?);
            Entry::new(
                &mine.element,
                mine.member && theirs.member,
                mine.children.intersection(&theirs.children),
            )
        })
    }

    /// The members that `other` does not have. A member's children stay when only their parent is in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.subtract(other);
        out
    }

    /// Takes out the members that `other` has, as [`FieldSet::difference`] does.
    pub fn subtract(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        self.entries.retain_mut(|entry| match other.find(&entry.element) {
            None => true,
            Some(theirs) => {
                entry.member &= !theirs.member;
                entry.children.subtract(&theirs.children);
                entry.member || !entry.children.is_empty()
            }
        });
    }

    /// The members that neither are in `other` nor lie below a member of it.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        zip(self, other, |mine, theirs| {
            let mine = mine?;
            match theirs {
                None => Some(mine.clone()),
                Some(theirs) if theirs.member => None,
                Some(theirs) => Entry::new(
                    &mine.element,
                    mine.member,
                    mine.children.recursive_difference(&theirs.children),
                ),
            }
        })
    }

    /// Every member's path, a level's members before what lies below them.
    pub fn paths(&self) -> Vec<Vec<PathElement>> {
        let mut out = Vec::new();
        self.collect_paths(&mut Vec::new(), &mut out);
        out
    }

    /// Reads `fieldsV1`. Elements of an unknown kind are dropped, as upstream does.
    ///
    /// # Errors
    /// Where a key is no path element, or a value is not an object.
    pub fn parse(fields: &Value) -> Result<Self, ElementError> {
        match fields {
            Value::Null => Ok(Self::new()),
            Value::Object(map) => Ok(Self::parse_map(map)?.0),
            other => Err(ElementError::Malformed(format!(
                "expected an object, got {other}"
            ))),
        }
    }

    /// The set, and whether `.` stands in `map`.
    fn parse_map(map: &Map<String, Value>) -> Result<(Self, bool), ElementError> {
        let mut set = Self::new();
        let mut dot = false;
        for (key, value) in map {
            if key == "." {
                dot = true;
                continue;
            }
            let element = match PathElement::parse(key) {
                Ok(element) => element,
                Err(ElementError::Unknown) => continue,
                Err(error) => return Err(error),
            };
            let (children, itself) = match value {
                Value::Object(map) => Self::parse_map(map)?,
                Value::Null => (Self::new(), true),
                other => {
                    return Err(ElementError::Malformed(format!(
                        "expected an object, got {other}"
                    )));
                }
            };
            let entry = set.entry(&element);
            entry.member |= itself || children.is_empty();
            entry.children = children;
        }
        Ok((set, dot))
    }

    /// As `fieldsV1`.
    pub fn to_value(&self) -> Value {
        let mut out = Map::new();
        self.write_to(&mut out);
        Value::Object(out)
    }

    fn write_to(&self, out: &mut Map<String, Value>) {
        for entry in &self.entries {
            let mut below = Map::new();
            if entry.member && !entry.children.is_empty() {
                below.insert(".".into(), Value::Object(Map::new()));
            }
            entry.children.write_to(&mut below);
            out.insert(entry.element.encode(), Value::Object(below));
        }
    }

    /// Adds an entry, quickly when it comes in order.
    pub(crate) fn push(&mut self, element: PathElement, member: bool, children: Self) {
        if !member && children.is_empty() {
            return;
        }
        let in_order = self.entries.last().is_none_or(|last| last.element < element);
        if in_order {
            self.entries.push(Entry {
                element,
                member,
                children,
            });
        } else {
            let entry = self.entry(&element);
            entry.member |= member;
            let merged = entry.children.union(&children);
            entry.children = merged;
        }
    }

    /// Each element with whether it is a member and what lies below it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PathElement, bool, &Self)> {
        self.entries
            .iter()
            .map(|entry| (&entry.element, entry.member, &entry.children))
    }

    fn find(&self, element: &PathElement) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.element.cmp(element))
            .ok()?;
        self.entries.get(at)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "binary_search and insert answer an index that is there"
    )]
    fn entry(&mut self, element: &PathElement) -> &mut Entry {
        let at = self
            .entries
            .binary_search_by(|entry| entry.element.cmp(element))
            .unwrap_or_else(|at| {
                self.entries.insert(
                    at,
                    Entry {
                        element: element.clone(),
                        member: false,
                        children: Self::new(),
                    },
                );
                at
            });
        &mut self.entries[at]
    }

    fn collect_paths(&self, prefix: &mut Vec<PathElement>, out: &mut Vec<Vec<PathElement>>) {
        for entry in self.entries.iter().filter(|entry| entry.member) {
            let mut path = prefix.clone();
            path.push(entry.element.clone());
            out.push(path);
        }
        for entry in &self.entries {
            prefix.push(entry.element.clone());
            entry.children.collect_paths(prefix, out);
            prefix.pop();
        }
    }
}

impl Entry {
    fn new(element: &PathElement, member: bool, children: FieldSet) -> Option<Self> {
        (member || !children.is_empty()).then(|| Self {
            element: element.clone(),
            member,
            children,
        })
    }
}

/// Walks two sets in order and keeps what `join` answers for each element of either.
fn zip(
    a: &FieldSet,
    b: &FieldSet,
    join: impl Fn(Option<&Entry>, Option<&Entry>) -> Option<Entry>,
) -> FieldSet {
    let mut entries = Vec::with_capacity(a.entries.len());
    let (mut mine, mut theirs) = (a.entries.iter().peekable(), b.entries.iter().peekable());
    loop {
        let order = match (mine.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.element.cmp(&b.element),
        };
        let left = if order.is_le() { mine.next() } else { None };
        let right = if order.is_ge() { theirs.next() } else { None };
        entries.extend(join(left, right));
    }
    FieldSet { entries }
}

impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_value())
    }
}

/// The path as messages show it: `.spec.containers[name="x"].image`.
pub(crate) fn show(path: &[PathElement]) -> String {
    path.iter().map(ToString::to_string).collect()
}
