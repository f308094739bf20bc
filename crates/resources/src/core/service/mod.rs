//! Services.

mod addresses;
mod defaults;
mod table;
mod update;
mod validate;
mod validate_ips;
mod warnings;

pub(crate) use validate_ips::non_special_ip;

use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::field::Error;
use warren_apimachinery::value::ValueExt;
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
            name: NameRule::Dns1035Label,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        defaults::default(object);
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", json!({"loadBalancer": {}}));
        addresses::sync_on_create(object);
        addresses::default_families(object);
    }

    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        addresses::sync_on_update(new, old);
        addresses::drop_fields_of_the_old_type(new, old);
        addresses::keep_allocated(new, old);
        addresses::default_families(new);
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate::service(&mut errors, object);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        update::validate(&mut errors, new, old);
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        update::load_balancer_status(&mut errors, new);
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        warnings::warnings(new)
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

/// Whether the service asks for no address of its own.
fn is_headless(service: &Value) -> bool {
    match service.items("/spec/clusterIPs") {
        [only] => only.as_str() == Some("None"),
        _ => false,
    }
}

/// Whether services of this type have a cluster IP.
fn needs_cluster_ip(service: &Value) -> bool {
    matches!(
        service.text("/spec/type"),
        "ClusterIP" | "NodePort" | "LoadBalancer"
    )
}

/// Whether services of this type have node ports.
fn needs_node_port(service: &Value) -> bool {
    match service.text("/spec/type") {
        "NodePort" => true,
        "LoadBalancer" => service.at("/spec/allocateLoadBalancerNodePorts").as_bool() != Some(false),
        _ => false,
    }
}

/// Whether the service has a port for health checks of its load balancer.
fn needs_health_check(service: &Value) -> bool {
    service.text("/spec/type") == "LoadBalancer" && service.text("/spec/externalTrafficPolicy") == "Local"
}

/// Whether the service can be reached from outside.
fn is_external(service: &Value) -> bool {
    match service.text("/spec/type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !service.items("/spec/externalIPs").is_empty(),
        _ => false,
    }
}
