//! What custom resources are served by, made once for all tenants whose CustomResourceDefinitions say the same.

use std::sync::{Arc, LazyLock};

use serde_json::Value;
use sha2::{Digest, Sha256};
use warren_apimachinery::Object;
use warren_cel::Shared;
use warren_registry::definition::Definition;

/// What a CustomResourceDefinition asks to be served, or why it cannot be.
pub type Known = Result<Arc<Definition>, String>;

/// All that any tenant holds, by the hash of what they are made of.
static SHARED: LazyLock<Shared<[u8; 32], Known>> = LazyLock::new(Shared::default);

/// What a kept CustomResourceDefinition asks to be served. It depends on the `spec` and on whether it is going.
pub fn shared(crd: &Object) -> Arc<Known> {
    let field = |name: &str| crd.field(name).unwrap_or_default();
    let status = serde_json::from_slice(&field("status")).unwrap_or(Value::Null);
    let status = serde_json::json!({"status": status});
    let mut hasher = Sha256::new();
    hasher.update([u8::from(super::is_terminating(&status))]);
    hasher.update(field("spec"));
    SHARED.find_or_insert(&hasher.finalize().into(), || {
        super::definition(&crd.to_value()).map(Arc::new)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::value::ValueExt;

    use super::*;

    fn crd(uid: &str, terminating: &str) -> Value {
        json!({"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1",
            "metadata": {"name": "widgets.acme.com", "uid": uid},
            "spec": {"group": "acme.com", "names": {"kind": "Widget", "plural": "widgets"}, "versions": [
                {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]},
            "status": {"conditions": [{"type": "Terminating", "status": terminating}]}})
    }

    fn made(crd: &Value) -> Arc<Known> {
        shared(&Object::from_value(crd))
    }

    #[test]
    fn tenants_with_the_same_spec_share_what_is_served() {
        let one = made(&crd("1", "False"));
        assert!(Arc::ptr_eq(&one, &made(&crd("2", "False"))));
        let going = made(&crd("1", "True"));
        assert!(!Arc::ptr_eq(&one, &going));
        let refuses = |known: &Known| known.as_ref().unwrap().strategy.refuses_new().is_some();
        assert_eq!((refuses(&one), refuses(&going)), (false, true));
        let mut other = crd("1", "False");
        other.set("/spec/versions/0/schema/openAPIV3Schema/description", "other");
        assert!(!Arc::ptr_eq(&one, &made(&other)));
    }

    #[test]
    fn nothing_is_kept_of_definitions_that_nobody_serves() {
        let mut crd = crd("1", "False");
        crd.set("/spec/group", "gone.acme.com");
        let weak = Arc::downgrade(&made(&crd));
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn a_schema_is_compiled_when_an_object_needs_it() {
        let mut crd = crd("1", "False");
        crd.set(
            "/spec/versions/0/schema/openAPIV3Schema/description",
            "not compiled yet",
        );
        let known = made(&crd);
        let definition = known.as_ref().as_ref().unwrap();
        let source = warren_schema::Source::of(crd.at("/spec/versions/0/schema/openAPIV3Schema"));
        assert!(!source.is_compiled());
        assert!(
            definition
                .strategy
                .validate(&json!({"metadata": {"name": "a"}}))
                .is_empty()
        );
        assert!(source.is_compiled());
    }
}
