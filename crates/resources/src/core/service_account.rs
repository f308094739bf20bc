//! Service accounts.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::pod_template::elements;
use crate::table::{age, columns, name};

const MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";

/// The strategy of service accounts. Tokens are the registry's `token` subresource.
pub(crate) struct ServiceAccount;

impl Strategy for ServiceAccount {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    fn prepare_for_create(&self, object: &mut Value) {
        only_names(object);
    }

    fn prepare_for_update(&self, new: &mut Value, _old: &Value) {
        only_names(new);
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let has = |object: &Value| !object.at("/metadata/annotations").field(MOUNTABLE).is_null();
        if has(new) && !old.is_some_and(has) {
            vec![format!(
                "metadata.annotations[{MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
            )]
        } else {
            Vec::new()
        }
    }

    fn columns(&self) -> &'static [Column] {
        columns("serviceaccounts")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), age(object, now)]
    }
}

/// References to secrets keep nothing but the name.
fn only_names(account: &mut Value) {
    for secret in elements(account, "/secrets") {
        if let Some(reference) = secret.as_object_mut() {
            reference.retain(|field, _| field == "name");
        }
    }
}
