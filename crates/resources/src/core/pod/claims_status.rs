//! What a pod's status says of its claims of devices.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

/// Checks `resourceClaimStatuses` and `extendedResourceClaimStatus`.
pub(super) fn validate(errors: &mut Errors, path: &Path, new: &Value) {
    let mut seen = HashSet::new();
    let claims = new.items("/spec/resourceClaims");
    for (at, status) in new.items("/status/resourceClaimStatuses").iter().enumerate() {
        let (path, name) = (
            path.child("resourceClaimStatuses").index(at),
            status.text("/name"),
        );
        if !claims.iter().any(|claim| claim.text("/name") == name) {
            errors.push(Error::invalid(
                &path.child("name"),
                name,
                "must match the name of an entry in `spec.resourceClaims`",
            ));
        }
        if !seen.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        if let Some(claim) = status.field("resourceClaimName").as_str() {
            check::dns_subdomain(errors, &path.child("resourceClaimName"), claim);
        }
    }
    let extended = new.at("/status/extendedResourceClaimStatus");
    if !extended.is_null() {
        extended_claim(
            errors,
            &path.child("extendedResourceClaimStatus"),
            extended,
            new.field("spec"),
        );
    }
}

fn extended_claim(errors: &mut Errors, path: &Path, status: &Value, spec: &Value) {
    let mappings = status.items("/requestMappings");
    let list = path.child("requestMappings");
    if mappings.is_empty() {
        errors.push(Error::required(&list, "at least one request mapping is required"));
    }
    let mut seen = HashSet::new();
    for (at, mapping) in mappings.iter().enumerate() {
        let at = list.index(at);
        mapped(errors, &at, mapping, spec);
        check::dns_label(errors, &path.child("requestName"), mapping.text("/requestName"));
        let fields = ["containerName", "resourceName", "requestName"];
        let key = fields.map(|field| mapping.field(field).as_str().unwrap_or_default());
        if !seen.insert(key) {
            let repeated = fields.into_iter().zip(key);
            errors.extend(repeated.map(|(field, value)| Error::duplicate(&at.child(field), value)));
        }
    }
    let (claim, claim_path) = (status.text("/resourceClaimName"), path.child("resourceClaimName"));
    if check::required(errors, &claim_path, claim) {
        check::dns_subdomain(errors, &claim_path, claim);
    }
}

/// A mapping belongs to a container of the pod that asks for the resource.
fn mapped(errors: &mut Errors, path: &Path, mapping: &Value, spec: &Value) {
    let (name, resource) = (mapping.text("/containerName"), mapping.text("/resourceName"));
    let mut all = spec
        .items("/initContainers")
        .iter()
        .chain(spec.items("/containers"));
    match all.rfind(|container| container.text("/name") == name) {
        None => errors.push(Error::invalid(
            &path.child("containerName"),
            name,
            "must match the name of an entry in spec.initContainers.name or spec.containers.name",
        )),
        Some(container) if container.at("/resources/requests").field(resource).is_null() => {
            errors.push(Error::invalid(
                &path.child("resourceName"),
                resource,
                "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests",
            ));
        }
        Some(_) => {}
    }
}
