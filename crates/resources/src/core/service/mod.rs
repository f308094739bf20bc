//! Services.

mod defaults;
mod external_ips;
mod table;
mod type_change;
mod update;
mod validate;
mod warnings;

pub(crate) use external_ips::non_special_ip;
pub(crate) use warnings::load_balancer_warnings;

use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::field::Error;
use warren_apimachinery::value::ValueExt;
use warren_registry::reserve::service::{
    is_headless, needs_cluster_ip, needs_health_check_port as needs_health_check,
};
use warren_registry::strategy::{Column, NameRule, Strategy, Traits};

use crate::check::Errors;
use crate::table::columns;

/// The strategy of services. Addresses and node ports are filled in by the registry's `Reserve`.
pub(crate) struct Service;

impl Strategy for Service {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            create_on_update: true,
            name: NameRule::DnsLabel,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        defaults::default(object);
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", json!({"loadBalancer": {}}));
        hide_internal_policy(object);
    }

    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        type_change::drop_fields_of_the_old_type(new, old);
        hide_internal_policy(new);
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate::service(&mut errors, object, None);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        update::validate(&mut errors, new, old);
        errors
    }

    /// Upstream looks at the change first.
    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = self.validate_update(new, old);
        validate::service(&mut errors, new, Some(old));
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        update::load_balancer_status(&mut errors, new, old);
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        warnings::warnings(new)
    }

    fn status_warnings(&self, new: &Value, _old: &Value) -> Vec<String> {
        load_balancer_warnings(new)
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        Box::new([
            ("spec.clusterIP".into(), object.text("/spec/clusterIP").into()),
            ("spec.type".into(), object.text("/spec/type").into()),
        ])
    }

    fn columns(&self) -> &'static [Column] {
        columns("services")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        table::cells(object, now)
    }
}

/// Upstream keeps the policy of a service that is a name, and shows it to nobody.
fn hide_internal_policy(service: &mut Value) {
    if !needs_cluster_ip(service) {
        service.take_at("/spec/internalTrafficPolicy");
    }
}

/// Whether the service can be reached from outside.
fn is_external(service: &Value) -> bool {
    match service.text("/spec/type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !service.items("/spec/externalIPs").is_empty(),
        _ => false,
    }
}
