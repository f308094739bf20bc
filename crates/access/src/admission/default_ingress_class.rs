//! DefaultIngressClass: an ingress that names no class gets the default one.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::{INGRESS_CLASSES, INGRESSES};
use warren_apimachinery::value::ValueExt;

use super::Asked;
use super::asked::default_class;

const MARK: &str = "ingressclass.kubernetes.io/is-default-class";
const LEGACY_CLASS: &str = "kubernetes.io/ingress.class";

pub(super) fn mutate(cx: &Asked<'_>, ingress: &mut Value) -> Result<(), Status> {
    let names_class = !ingress.at("/spec/ingressClassName").is_null()
        || !ingress.at("/metadata/annotations").field(LEGACY_CLASS).is_null();
    if !cx.creates(&INGRESSES) || names_class {
        return Ok(());
    }
    if let Some(class) = default_class(cx.all(&INGRESS_CLASSES, None), &[MARK]) {
        ingress.set("/spec/ingressClassName", class);
    }
    Ok(())
}
