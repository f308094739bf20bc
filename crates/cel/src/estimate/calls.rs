//! What one overload of a function may cost, and how large its result may be.

use super::range::Range;
use super::{Coster, Path, Step};
use crate::library::is_nominal;
use crate::syntax::{Expr, Node};
use crate::typing::Type;
use crate::value::Value;

const PER_CHARACTER: f64 = 0.1;
const PER_PATTERN_CHARACTER: f64 = 0.25;

/// Cost and size of the result, if that is known.
type Estimated = (Range, Option<Range>);

impl Coster<'_> {
    /// The cost of calling an overload, arguments included.
    pub(super) fn overload_cost(
        &mut self,
        expr: &Expr,
        (function, overload): (&str, &str),
        target: Option<&Expr>,
        arguments: &[Expr],
        costs: &[Range],
    ) -> Estimated {
        let sum = costs.iter().fold(Range::fixed(0), |sum, cost| sum.plus(*cost));
        if let Some((cost, size)) = self
            .of_lists(overload, target, arguments)
            .or_else(|| self.of_kubernetes(function, overload, target, arguments))
        {
            return (cost.plus(sum), size);
        }
        match (overload, arguments, costs) {
            ("logical_or" | "logical_and", _, [one, two]) => {
                let max = one.plus(*two).max;
                (Range { min: one.min, max }, None)
            }
            ("conditional", [_, then, or_else], [condition, one, two]) => {
                let size = self.size_or_unknown(then).union(self.size_or_unknown(or_else));
                if let (Some(one), Some(two)) = (self.entries_of(then), self.entries_of(or_else)) {
                    self.entries.insert(expr.id, one.union(two));
                }
                (condition.plus(one.union(*two)), Some(size))
            }
            ("add_string" | "add_bytes" | "add_list", [one, two], _) => {
                let size = self.size_or_unknown(one).plus(self.size_or_unknown(two));
                if let (Some(one), Some(two)) = (self.entries_of(one), self.entries_of(two)) {
                    self.entries.insert(expr.id, one.union(two));
                }
                let cost = if overload == "add_list" {
                    Range::fixed(1)
                } else {
                    size.scaled(PER_CHARACTER)
                };
                (cost.plus(sum), Some(size))
            }
            _ => {
                let (cost, size) = self.of_language(overload, target, arguments);
                (cost.plus(sum), size)
            }
        }
    }

    fn of_language(&mut self, overload: &str, target: Option<&Expr>, arguments: &[Expr]) -> Estimated {
        let compares = overload.starts_with("less_") || overload.starts_with("greater_");
        let is_long = overload.ends_with("_string") || overload.ends_with("_bytes");
        match (overload, target, arguments) {
            ("string_format", Some(target), _) => (self.size_or_unknown(target).scaled(PER_CHARACTER), None),
            ("string_to_bytes", _, [text]) => {
                let size = self.size_or_unknown(text);
                let made = Range {
                    min: size.min,
                    max: size.max.wrapping_mul(4),
                };
                (size.scaled(PER_CHARACTER), Some(made))
            }
            ("bytes_to_string", _, [bytes]) => {
                let size = self.size_or_unknown(bytes);
                let made = Range {
                    min: size.min / 4,
                    max: size.max,
                };
                (size.scaled(PER_CHARACTER), Some(made))
            }
            ("strings_quote", _, [text]) => {
                let size = self.size_or_unknown(text);
                let made = Range {
                    min: size.min.wrapping_add(2),
                    max: size.max.wrapping_mul(2).wrapping_add(2),
                };
                (size.scaled(PER_CHARACTER), Some(made))
            }
            ("starts_with_string" | "ends_with_string", _, [part]) => {
                (self.size_or_unknown(part).scaled(PER_CHARACTER), None)
            }
            ("in_list", _, [_, list]) => (self.size_or_unknown(list), None),
            ("matches_string", Some(target), [pattern]) => {
                let text = self
                    .size_or_unknown(target)
                    .plus(Range::fixed(1))
                    .scaled(PER_CHARACTER);
                let pattern = self.size_or_unknown(pattern).scaled(PER_PATTERN_CHARACTER);
                (text.times(pattern), None)
            }
            ("contains_string", Some(target), [part]) => {
                let text = self.size_or_unknown(target).scaled(PER_CHARACTER);
                let part = self.size_or_unknown(part).scaled(PER_CHARACTER);
                (text.times(part), None)
            }
            (_, _, [one, two]) if matches!(overload, "equals" | "not_equals") || (compares && is_long) => {
                let most = self.size_or_unknown(one).max.min(self.size_or_unknown(two).max);
                let cost = Range {
                    min: u64::from(most > 0),
                    max: most,
                };
                (cost.scaled(PER_CHARACTER), None)
            }
            _ => (Range::fixed(1), None),
        }
    }

    /// The sets and lists extensions.
    fn of_lists(&mut self, overload: &str, target: Option<&Expr>, arguments: &[Expr]) -> Option<Estimated> {
        let made = |factor: f64, size: Range| (size.scaled(factor).plus(Range::fixed(11)), Some(size));
        let factor = if overload.contains("_string_") || overload.contains("_bytes_") {
            2.0 + PER_CHARACTER
        } else {
            2.0
        };
        Some(match (overload, target, arguments) {
            (
                "list_sets_contains_list" | "list_sets_intersects_list" | "list_sets_equivalent_list",
                _,
                [one, two],
            ) => {
                let twice = if overload == "list_sets_equivalent_list" {
                    2.0
                } else {
                    1.0
                };
                let product = self.size_or_unknown(one).times(self.size_or_unknown(two));
                (product.scaled(twice).plus(Range::fixed(1)), None)
            }
            ("list_slice", Some(target), [start, end]) => {
                let size = self.size_or_unknown(target);
                let length = number(end, size.max).wrapping_sub(number(start, 0));
                made(1.0, Range::fixed(length))
            }
            ("lists_range", _, [count]) => made(1.0, Range::fixed(number(count, u64::MAX))),
            ("list_reverse", Some(target), _) => made(1.0, self.size_or_unknown(target)),
            ("list_flatten" | "list_flatten_int", Some(target), arguments) => {
                let depth = arguments.first().map_or(1, |depth| number(depth, u64::MAX));
                made(depth as f64, self.size_or_unknown(target))
            }
            ("list_distinct", Some(target), _) => {
                let size = self.size_or_unknown(target);
                made(2.0, size.times(size))
            }
            (_, Some(_), [keys]) if overload.ends_with("_sortByAssociatedKeys") => {
                let size = self.size_or_unknown(keys);
                made(factor, size.times(size))
            }
            (_, Some(target), []) if overload.starts_with("list_") && overload.ends_with("_sort") => {
                let size = self.size_or_unknown(target);
                made(factor, size.times(size))
            }
            _ => return None,
        })
    }

    /// Kubernetes' libraries, by the name of the function.
    fn of_kubernetes(
        &mut self,
        function: &str,
        overload: &str,
        target: Option<&Expr>,
        arguments: &[Expr],
    ) -> Option<Estimated> {
        if is_nominal(function) {
            return Some((Range::fixed(1), None));
        }
        let first = arguments.first();
        Some(match (function, target, first) {
            ("check", ..) => (Range::fixed(350_000), None),
            ("fieldSelector" | "labelSelector", _, Some(selector)) => {
                let length = self.size_or_unknown(selector);
                let requirements = length.scaled(0.5).scaled(50.0);
                (
                    Range::fixed(10)
                        .plus(length.scaled(PER_CHARACTER))
                        .plus(requirements),
                    None,
                )
            }
            ("isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf", Some(target), _) => {
                (self.traversal(target), None)
            }
            ("url" | "jsonpatch.escapeKey", _, Some(text)) => self.scan(text, 1.0, true),
            ("lowerAscii" | "upperAscii" | "substring" | "trim", Some(target), _) => {
                self.scan(target, 1.0, true)
            }
            ("replace", Some(target), Some(_)) => self.replace(target, arguments)?,
            ("split", Some(target), _) => {
                let size = self.size_or_unknown(target);
                let most = match arguments.get(1).and_then(Expr::literal) {
                    Some(Value::Int(most)) => *most as u64,
                    _ => size.max,
                };
                (
                    size.scaled(2.0 * PER_CHARACTER),
                    Some(Range { min: 0, max: most }),
                )
            }
            ("join", Some(target), _) => self.join(target, first),
            ("find" | "findAll", Some(target), Some(pattern)) => {
                let size = self.size_or_unknown(target);
                let text = size.plus(Range::fixed(1)).scaled(PER_CHARACTER);
                let pattern = self.size_or_unknown(pattern).scaled(PER_PATTERN_CHARACTER);
                let made = Range {
                    min: 0,
                    max: size.max,
                };
                (text.times(pattern), Some(made))
            }
            ("ip", ..) if overload == "cidr_ip" => (Range::fixed(1), None),
            (
                "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver",
                _,
                Some(text),
            ) => self.scan(text, 1.0, false),
            ("ip.isCanonical", _, Some(text)) => self.scan(text, 2.0, false),
            ("containsIP" | "containsCIDR", _, Some(other)) => {
                let bytes = Range { min: 4, max: 16 };
                let mut cost = bytes.plus(bytes).scaled(PER_CHARACTER);
                if function == "containsCIDR" {
                    cost = cost.plus(bytes.scaled(PER_CHARACTER)).plus(Range::fixed(1));
                }
                if overload.ends_with("_string") {
                    cost = cost.plus(self.size_or_unknown(other).scaled(PER_CHARACTER));
                }
                (cost, None)
            }
            ("validate", _, Some(text)) => {
                let text = self.size_or_unknown(text).scaled(PER_CHARACTER);
                (text.scaled(128.0 * PER_PATTERN_CHARACTER), None)
            }
            ("_==_", ..) => self.opaque_equality(arguments)?,
            _ => return None,
        })
    }

    fn scan(&mut self, text: &Expr, factor: f64, keeps_size: bool) -> Estimated {
        let size = self.size_or_unknown(text);
        (size.scaled(factor * PER_CHARACTER), keeps_size.then_some(size))
    }

    fn opaque_equality(&mut self, arguments: &[Expr]) -> Option<Estimated> {
        let [one, two] = arguments else { return None };
        let kind = self.checked.type_of(one.id);
        if kind != self.checked.type_of(two.id) {
            return None;
        }
        let Type::Opaque(name) = kind else { return None };
        let cost = match *name {
            "kubernetes.NamedFormat" => Range { min: 1, max: 64 }.scaled(PER_CHARACTER),
            "kubernetes.URL" => {
                let most = self.size(two).map_or(1, |size| size.max);
                Range { min: 1, max: most }.scaled(PER_CHARACTER)
            }
            _ => Range::fixed(1),
        };
        Some((cost, None))
    }

    /// The size of the elements of a list.
    fn element_size(&self, list: &Expr) -> Option<(Type, Range)> {
        let Type::List(element) = self.checked.type_of(list.id) else {
            return None;
        };
        let mut path: Path = self.rooted_path(list);
        let size = if path.is_empty() {
            None
        } else {
            path.push(Step::Items);
            self.declared_size(&path)
        };
        Some(((**element).clone(), size.unwrap_or(Range::UNKNOWN)))
    }

    fn traversal(&mut self, target: &Expr) -> Range {
        let size = self.size_or_unknown(target);
        match self.element_size(target) {
            Some((kind, element)) => {
                let mut each = Range::fixed(1);
                if matches!(kind, Type::String | Type::Bytes) {
                    each = each.plus(element.scaled(PER_CHARACTER));
                }
                size.times(each)
            }
            None => size.scaled(PER_CHARACTER),
        }
    }

    fn join(&mut self, target: &Expr, separator: Option<&Expr>) -> Estimated {
        let length = self.size_or_unknown(target);
        let mut size = match self.element_size(target) {
            Some((_, element)) => length.times(element),
            None => Range::fixed(0),
        };
        if let Some(separator) = separator {
            let between = Range {
                min: length.min.saturating_sub(1),
                max: length.max.saturating_sub(1),
            };
            size = size.plus(self.size_or_unknown(separator).times(between));
        }
        (size.scaled(PER_CHARACTER), Some(size))
    }

    fn replace(&mut self, target: &Expr, arguments: &[Expr]) -> Option<Estimated> {
        let [old, new, ..] = arguments else { return None };
        let size = self.size_or_unknown(target);
        let (old, new) = (self.size_or_unknown(old), self.size_or_unknown(new));
        let each = |text: u64, part: u64| (text as f64 / part as f64).ceil() as u64;
        let (most, kept_most) = if old.min == 0 {
            (size.max.saturating_add(1), size.max)
        } else if new.max <= old.min {
            (0, size.max)
        } else {
            (each(size.max, old.min), 0)
        };
        let (least, kept_least) = if old.max == 0 {
            (size.min.saturating_add(1), size.min)
        } else if old.max <= new.min {
            (0, size.min)
        } else {
            (each(size.min, old.max), 0)
        };
        let count = Range {
            min: least,
            max: most,
        };
        let kept = Range {
            min: kept_least,
            max: kept_most,
        };
        let made = count.times(new).plus(kept);
        Some((size.scaled(2.0 * PER_CHARACTER), Some(made)))
    }
}

/// A constant number; negative ones are zero.
fn number(expr: &Expr, otherwise: u64) -> u64 {
    match &expr.node {
        Node::Literal(Value::Int(number)) => u64::try_from(*number).unwrap_or(0),
        _ => otherwise,
    }
}
