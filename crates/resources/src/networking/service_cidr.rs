//! Service CIDRs.

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::address::{self, Cidr};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

/// One of each family.
const CIDRS_MAX: usize = 2;

/// The strategy of service CIDRs.
pub(crate) struct ServiceCidr;

impl Strategy for ServiceCidr {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", Map::new());
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, cidrs) = (Path::new("spec.cidrs"), object.items("/spec/cidrs"));
        if cidrs.is_empty() {
            errors.push(Error::required(&path, "at least one CIDR required"));
            return errors;
        }
        if cidrs.len() > CIDRS_MAX {
            let shown = format!(r#"{{"CIDRs":{}}}"#, object.at("/spec/cidrs"));
            errors.push(Error::invalid(&path, Value::Null, "may only hold up to 2 values").shown_as(shown));
            return errors;
        }
        for (at, cidr) in cidrs.iter().enumerate() {
            let cidr = cidr.as_str().unwrap_or_default();
            check::text(&mut errors, &path.index(at), cidr, address::canonical_cidr(cidr));
        }
        let families = cidrs
            .iter()
            .filter_map(|cidr| Some(Cidr::parse(cidr.as_str()?)?.address.is_ipv4()));
        if let [first, second] = families.collect::<Vec<_>>().as_slice()
            && first == second
        {
            errors.push(Error::invalid(
                &path,
                cidrs.to_vec(),
                "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
            ));
        }
        errors
    }

    /// What was there stays as it is, and is not looked at again; a range of the other family may be added.
    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let path = Path::new("spec.cidrs");
        let (now, before) = (new.items("/spec/cidrs"), old.items("/spec/cidrs"));
        let is_growth = before.len() == 1 && now.len() == CIDRS_MAX;
        if now.len() != before.len() && !is_growth {
            errors.push(Error::invalid(&path, now.to_vec(), check::IMMUTABLE));
            return errors;
        }
        for (at, (now, before)) in now.iter().zip(before).enumerate() {
            check::immutable(&mut errors, &path.index(at), now, before);
        }
        if is_growth {
            errors.extend(self.validate(new));
        }
        errors
    }

    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        self.validate_update(new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("servicecidrs.networking.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let cidrs = object.items("/spec/cidrs").iter().filter_map(Value::as_str);
        let cidrs: Vec<&str> = cidrs.collect();
        vec![name(object), cidrs.join(",").into(), age(object, now)]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_range_stays_and_may_get_one_of_the_other_family() {
        let cidrs = |cidrs: &[&str]| json!({"spec": {"cidrs": cidrs}});
        let old = cidrs(&["10.0.0.0/16"]);
        assert!(
            ServiceCidr
                .validate_update(&cidrs(&["10.0.0.0/16", "fd00::/112"]), &old)
                .is_empty()
        );
        assert_eq!(
            ServiceCidr.validate_update(&cidrs(&["10.1.0.0/16"]), &old).len(),
            1
        );
        assert_eq!(
            ServiceCidr
                .validate(&cidrs(&["10.0.0.0/16", "10.1.0.0/16"]))
                .len(),
            1
        );
        assert_eq!(
            ServiceCidr.validate(&cidrs(&[]))[0].to_string(),
            "spec.cidrs: Required value: at least one CIDR required"
        );
    }
}
