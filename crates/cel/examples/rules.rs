//! How long rules take: `rules FILE` reads lines as those of `tests/recorded` (a schema and a value, then expressions)
//! and says how long an expression takes to compile and to evaluate, and how much memory it keeps.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement at the terminal"
)]

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use warren_cel::{Bindings, Declared, Environment, Expression, Program};

/// Rounds of compiling and of evaluating.
const COMPILED: usize = 20;
const EVALUATED: usize = 200;

struct Rule {
    environment: Arc<Environment>,
    declared: Arc<Declared>,
    value: Arc<Value>,
    source: String,
}

impl Rule {
    fn compile(&self) -> Option<Program> {
        let expression = Expression::check(&self.environment, &self.source).ok()?;
        std::hint::black_box(expression.estimate());
        expression.program().ok()
    }
}

fn read(text: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut group: Option<(Arc<Environment>, Arc<Declared>, Arc<Value>)> = None;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(schema) = line.get("schema") {
            let declared = Declared::of_schema(schema, false).unwrap();
            let environment = Environment::new()
                .declared("self", "selfType", &declared)
                .declared("oldSelf", "selfType", &declared);
            let value = line.get("self").cloned().unwrap();
            group = Some((Arc::new(environment), declared, Arc::new(value)));
        } else if let (Some(source), Some((environment, declared, value))) =
            (line.get("expr").and_then(Value::as_str), &group)
        {
            rules.push(Rule {
                environment: Arc::clone(environment),
                declared: Arc::clone(declared),
                value: Arc::clone(value),
                source: source.to_owned(),
            });
        }
    }
    rules
}

/// Resident memory in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * 4096
}

fn main() {
    let path = std::env::args().nth(1).unwrap();
    let rules = read(&std::fs::read_to_string(path).unwrap());
    let warm: Vec<_> = rules.iter().filter_map(Rule::compile).collect();
    println!("{} expressions, {} compile", rules.len(), warm.len());
    let (before, start) = (resident(), Instant::now());
    let kept: Vec<_> = (0..COMPILED)
        .flat_map(|_| rules.iter().filter_map(Rule::compile))
        .collect();
    let each = start.elapsed() / u32::try_from(kept.len()).unwrap();
    let bytes = (resident() - before) / kept.len() as u64;
    println!("compile and estimate: {each:?} each, {bytes} bytes kept");
    let start = Instant::now();
    let (mut count, mut cost) = (0_u32, 0);
    for _ in 0..EVALUATED {
        for (rule, program) in rules.iter().zip(&warm) {
            let bindings = Bindings::new()
                .declared("self", &rule.value, &rule.declared)
                .declared("oldSelf", &rule.value, &rule.declared);
            let outcome = program.evaluate(&bindings);
            cost += std::hint::black_box(&outcome).cost;
            count += 1;
        }
    }
    let elapsed = start.elapsed();
    println!(
        "evaluate: {:?} each, {:.0} a second, cost {} each",
        elapsed / count,
        f64::from(count) / elapsed.as_secs_f64(),
        cost / u64::from(count)
    );
}
