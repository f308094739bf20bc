//! Expressions: whatever is written, compiling it and evaluating what compiles ends, and neither panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_cel::{Bindings, Environment, Expression, Type};

fuzz_target!(|data: &[u8]| {
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    let json = serde_json::json!({"a": 1, "b": ["x", 2.5, null], "c": {"d": true}});
    let environment = Environment::new().variable("self", Type::Dyn);
    if let Ok(expression) = Expression::check(&environment, source)
        && let Ok(program) = expression.program()
    {
        let _ = expression.estimate();
        let _ = program.evaluate(&Bindings::new().json("self", &json));
    }
});
