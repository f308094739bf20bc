//! The versions of a custom resource: what each of them says of its objects, and a view of the resource for each where
//! there are several, with what stands between it and the version that objects are kept in.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_registry::conversion::{Conversion, ConvertedBy, Webhook};
use warren_registry::definition::{Definition, Version};
use warren_registry::strategy::Strategy;
use warren_schema::Source;

use super::strategy::Custom;
use super::{is_terminating, is_true, priority, version};

/// A version as a definition describes it.
pub(super) struct OwnVersion<'a> {
    pub(super) described: &'a Value,
    pub(super) version: Version,
    pub(super) strategy: Arc<Custom>,
    pub(super) is_served: bool,
    pub(super) is_stored: bool,
}

/// What differs between a resource and its views.
pub(super) struct ViewParts {
    pub(super) versions: Box<[Version]>,
    pub(super) views: Box<[Arc<Definition>]>,
    pub(super) conversion: Option<Arc<Conversion>>,
}

/// All versions, in upstream's order of preference.
///
/// # Errors
/// What a version says that cannot be served.
pub(super) fn read(crd: &Value) -> Result<Vec<OwnVersion<'_>>, String> {
    let terminating = is_terminating(crd);
    let all = crd.items("/spec/versions").iter();
    let mut all = all
        .map(|described| own(crd, described, terminating))
        .collect::<Result<Vec<_>, String>>()?;
    all.sort_by_key(|own| std::cmp::Reverse(priority(&own.version.name)));
    Ok(all)
}

fn own<'a>(crd: &Value, described: &'a Value, terminating: bool) -> Result<OwnVersion<'a>, String> {
    let source = Source::of(described.at("/schema/openAPIV3Schema"));
    let strategy = Custom::new(described, Arc::clone(&source), terminating)?;
    Ok(OwnVersion {
        described,
        version: version(crd, described, source),
        strategy: Arc::new(strategy),
        is_served: is_true(described, "served"),
        is_stored: is_true(described, "storage"),
    })
}

/// The versions that clients may speak.
pub(super) fn served(all: &[OwnVersion<'_>]) -> Box<[Version]> {
    let served = all.iter().filter(|own| own.is_served);
    served.map(|own| own.version.clone()).collect()
}

/// A view for each version; none where there is only one. `make` puts a definition together that shows a version.
pub(super) fn views(
    crd: &Value,
    all: &[OwnVersion<'_>],
    stored: &OwnVersion<'_>,
    make: impl Fn(&OwnVersion<'_>, ViewParts) -> Definition,
) -> Box<[Arc<Definition>]> {
    if all.len() < 2 {
        return Box::default();
    }
    let conversion = Arc::new(conversion(crd, all, stored));
    let view = |shown: &OwnVersion<'_>| {
        // Objects have their defaults when they come out of a conversion.
        let as_is = |own: &OwnVersion<'_>| Version {
            defaults_on_read: false,
            ..own.version.clone()
        };
        let known = |own: &&OwnVersion<'_>| own.is_served || own.version.name == shown.version.name;
        let parts = ViewParts {
            versions: all.iter().filter(known).map(as_is).collect(),
            views: Box::default(),
            conversion: Some(Arc::clone(&conversion)),
        };
        Arc::new(make(shown, parts))
    };
    all.iter().map(view).collect()
}

fn conversion(crd: &Value, all: &[OwnVersion<'_>], stored: &OwnVersion<'_>) -> Conversion {
    let mut hasher = DefaultHasher::new();
    for pointer in ["/spec/versions", "/spec/conversion"] {
        crd.at(pointer).to_string().hash(&mut hasher);
    }
    let asked = crd.at("/spec/conversion/webhook");
    let review_versions = asked.items("/conversionReviewVersions").iter();
    Conversion {
        group: crd.text("/spec/group").into(),
        kind: crd.text("/spec/names/kind").into(),
        kept: stored.version.name.clone(),
        keeper: Arc::clone(&stored.strategy) as Arc<dyn Strategy>,
        versions: all.iter().map(|own| own.version.clone()).collect(),
        converter: match crd.text("/spec/conversion/strategy") {
            "Webhook" => ConvertedBy::Webhook(Webhook {
                client_config: asked.at("/clientConfig").clone(),
                review_versions: review_versions
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            }),
            _ => ConvertedBy::Name,
        },
        fingerprint: hasher.finish(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::definition;
    use super::*;

    fn crd() -> Value {
        let version = |name: &str, served: bool, storage: bool| {
            json!({"name": name, "served": served, "storage": storage,
                "additionalPrinterColumns": [{"name": name, "type": "string", "jsonPath": ".spec.host"}],
                "schema": {"openAPIV3Schema": {"type": "object"}}})
        };
        json!({"spec": {
            "group": "acme.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "conversion": {"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1beta1", "v1"], "clientConfig": {"url": "https://convert"}}},
            "versions": [version("v1alpha1", false, false), version("v1", true, true), version("v2", true, false)]}})
    }

    #[test]
    fn each_version_has_a_view_of_its_own() {
        let resource = Arc::new(definition(&crd()).unwrap());
        let names = |definition: &Definition| -> Vec<String> {
            let versions = definition.versions.iter();
            versions.map(|version| version.name.to_string()).collect()
        };
        assert_eq!(names(&resource), ["v2", "v1"]);
        assert_eq!(resource.storage_version.version, "v1");
        assert!(resource.conversion.is_none());
        for (version, known) in [
            ("v2", vec!["v2", "v1"]),
            ("v1", vec!["v2", "v1"]),
            ("v1alpha1", vec!["v2", "v1", "v1alpha1"]),
        ] {
            let view = resource.view(version);
            assert_eq!(view.storage_version.version, version);
            assert_eq!(names(view), known);
            let columns = view.strategy.own_columns().unwrap();
            assert_eq!(columns.last().unwrap().name, version);
            let conversion = view.conversion.as_ref().unwrap();
            assert_eq!(conversion.kept, "v1");
            assert!(matches!(&conversion.converter, ConvertedBy::Webhook(webhook)
                if webhook.review_versions == ["v1beta1", "v1"] && webhook.client_config.text("/url") == "https://convert"));
        }
        assert!(std::ptr::eq(resource.view("v3"), &resource));
    }

    #[test]
    fn a_resource_of_one_version_has_no_views() {
        let mut crd = crd();
        let only = crd.at("/spec/versions/1").clone();
        crd.set("/spec/versions", vec![only]);
        assert!(definition(&crd).unwrap().views.is_empty());
    }

    #[test]
    fn whatever_changes_conversion_changes_its_fingerprint() {
        let print = |crd: &Value| {
            let resource = Arc::new(definition(crd).unwrap());
            resource.view("v1").conversion.as_ref().unwrap().fingerprint
        };
        let (before, mut changed) = (print(&crd()), crd());
        assert_eq!(before, print(&crd()));
        changed.set("/spec/conversion/webhook/clientConfig/url", "https://other");
        assert_ne!(before, print(&changed));
    }
}
