//! What expressions are, and what is said of those that are none.

use proptest::prelude::*;
use warren_cel::{Bindings, Environment, Expression, Program, Type};

#[test]
fn expressions_have_the_values_that_upstream_gives_them() {
    let environment = Environment::new();
    let mut wrong = Vec::new();
    for line in include_str!("expressions.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (source, wanted) = line.rsplit_once(" => ").unwrap();
        let found = match Program::compile(&environment, source) {
            Ok(program) => match program.evaluate(&Bindings::new()).value {
                Ok(value) => value.to_string(),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        if found != wanted {
            wrong.push(format!("{source}\n  is {found}\n  should be {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn faults_are_told_in_the_words_of_upstream() {
    let environment = Environment::new();
    for case in include_str!("faults.txt").split("\n\n") {
        let (source, wanted) = case.trim_end().split_once('\n').unwrap();
        let found = Program::compile(&environment, source).unwrap_err().to_string();
        assert_eq!(found, wanted, "{source}");
    }
}

#[test]
fn nesting_and_growth_are_bounded() {
    let environment = Environment::new();
    let deep = format!("{}1{}", "(".repeat(240), ")".repeat(240));
    assert!(Program::compile(&environment, &deep).is_ok());
    let long: String = "1".to_owned() + &" + 1".repeat(240);
    let program = Program::compile(&environment, &long).unwrap();
    assert_eq!(
        program.evaluate(&Bindings::new()).value.unwrap().to_string(),
        "241"
    );
    let wide = "true".to_owned() + &" && true".repeat(5_000);
    assert!(Program::compile(&environment, &wide).is_ok());
    for bomb in [
        format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        "1".to_owned() + &" + 1".repeat(5_000),
        "a".to_owned() + &".a".repeat(5_000),
        "[".repeat(5_000),
        "!".repeat(20_001) + "true",
        "optional.of(1)".to_owned() + &".optMap(x, x)".repeat(100),
    ] {
        let _ = Program::compile(&environment, &bomb);
    }
}

#[test]
fn hostile_expressions_end_soon() {
    let environment = Environment::new().variable("self", Type::Dyn);
    let json = serde_json::json!({"l": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]});
    let nested_maps = (0..15).fold("1".to_owned(), |inner, at| format!("self.l.map(v{at}, {inner})"));
    let nested_binds = (0..40).fold("1".to_owned(), |inner, at| {
        format!("optional.of({inner}).optMap(v{at}, v{at} + 1)")
    });
    for hostile in [
        format!("'a'.matches('{}')", "a".repeat(99_000)),
        format!("'a'.matches('{}')", "(a{1,100}){1,10}".repeat(5_000)),
        format!("'{}'.matches('(a*)*b')", "a".repeat(90_000)),
        format!("'a'.matches('{}{}')", "(".repeat(40_000), ")".repeat(40_000)),
        format!("'a'.matches('[{}]')", "a-z".repeat(30_000)),
        format!("'{}'.size()", "\u{1F600}".repeat(90_000)),
        "9".repeat(99_000),
        format!("0x{}", "F".repeat(99_000)),
        format!("[{}]", "1,".repeat(45_000)),
        format!(
            "{{{}}}",
            (0..9_000).map(|at| format!("{at}:1,")).collect::<String>()
        ),
        format!("'%{}d'.format([1])", "9".repeat(90_000)),
        "'%.99999999999f'.format([1.5])".to_owned(),
        format!("self{}", ".l".repeat(49_000)),
        format!("\"{}", "\\".repeat(49_000)),
        nested_maps,
        nested_binds,
        "lists.range(1000).map(a, lists.range(1000).map(b, 'x'.replace('', 'yyyyyyyyyy')))".to_owned(),
        "self.l.all(a, self.l.all(b, self.l.all(c, self.l.all(d, self.l.all(e, self.l.all(f, true))))))"
            .to_owned(),
        "['a'].map(x, 'aaaaaaaaaa'.split('').map(y, 'bbbbbbbbbb'.split('')))".to_owned(),
    ] {
        let Ok(expression) = Expression::check(&environment, &hostile) else {
            continue;
        };
        let _ = expression.estimate();
        if let Ok(program) = expression.program() {
            let outcome = program.evaluate_within(&Bindings::new().json("self", &json), 100_000);
            assert!(
                outcome.cost <= 200_000 || outcome.value.is_err(),
                "{}",
                outcome.cost
            );
        }
    }
}

#[test]
fn costs_are_limited() {
    let environment = Environment::new();
    for bomb in [
        "lists.range(2000).map(x, lists.range(2000).map(y, lists.range(2000)))",
        "lists.range(100000000)",
        "lists.range(100000).distinct()",
        "optional.of([1]).optMap(a, optional.of(a+a).optMap(b, optional.of(b+b).optMap(c, optional.of(c+c)\
         .optMap(d, optional.of(d+d).optMap(e, lists.range(100000).all(x, e.all(y, lists.range(100000).all(z, \
         true))))))))",
    ] {
        let program = Expression::check(&environment, bomb).unwrap().program().unwrap();
        let outcome = program.evaluate(&Bindings::new());
        assert_eq!(
            outcome.value.unwrap_err().to_string(),
            "operation cancelled: actual cost limit exceeded"
        );
    }
}

/// Pieces of which random expressions are made: mostly sense, mostly in the wrong place.
const PIECES: [&str; 40] = [
    "self",
    ".a",
    ".b",
    "[0]",
    "[?'a']",
    ".?c",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    " + ",
    " - ",
    " * ",
    " / ",
    " == ",
    " < ",
    " && ",
    " || ",
    "!",
    "-",
    "1",
    "2.5",
    "3u",
    "'x'",
    "b'y'",
    "null",
    "true",
    "has(self.a)",
    ".all(x, x > 1)",
    ".map(x, x)",
    ".size()",
    "type(",
    "duration('1h')",
    ".optMap(v, v)",
    "\\",
];

proptest! {
    #[test]
    fn whatever_is_written_ends_without_panic(picked in proptest::collection::vec(0..PIECES.len(), 0..14)) {
        let source: String = picked.iter().map(|at| PIECES[*at]).collect();
        let json = serde_json::json!({"a": 1, "b": ["x", 2.5, null], "c": {"d": true}});
        let environment = Environment::new().variable("self", Type::Dyn);
        if let Ok(expression) = Expression::check(&environment, &source)
            && let Ok(program) = expression.program()
        {
            let _ = expression.estimate();
            let _ = program.evaluate(&Bindings::new().json("self", &json));
        }
    }
}
