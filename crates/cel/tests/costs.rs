//! Costs are upstream's.

use warren_cel::{Attributes, Authorizer, Bindings, Decision, Environment, Expression, Type};

struct Allow;

impl Authorizer for Allow {
    fn authorize(&self, _: &Attributes) -> Decision {
        Decision {
            allowed: true,
            ..Decision::default()
        }
    }
}

#[test]
fn costs_are_estimated_and_counted_as_upstream_does() {
    let environment = Environment::new()
        .library(warren_cel::Library::JsonPatch)
        .variable("authorizer", Type::Opaque("kubernetes.authorization.Authorizer"));
    let mut wrong = Vec::new();
    for line in include_str!("costs.txt")
        .lines()
        .filter(|line| line.contains('\t'))
    {
        let mut columns = line.splitn(4, '\t');
        let mut column = || columns.next().unwrap();
        let (min, max, runtime, source) = (column(), column(), column(), column());
        let expression = match Expression::check(&environment, source) {
            Ok(expression) => expression,
            Err(error) => {
                wrong.push(format!("{source}: {error}"));
                continue;
            }
        };
        let estimate = expression.estimate();
        let found = format!("{} {}", estimate.min, estimate.max);
        if found != format!("{min} {max}") {
            wrong.push(format!("{source}: estimated {found}, should be {min} {max}"));
        }
        let outcome = expression
            .program()
            .unwrap()
            .evaluate(&Bindings::new().authorizer("authorizer", &Allow));
        if outcome.value.is_err() || (runtime != "-" && outcome.cost.to_string() != runtime) {
            wrong.push(format!(
                "{source}: cost {}, should be {runtime}; {:?}",
                outcome.cost,
                outcome.value.err()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
