//! Which webhooks and policies a request concerns, and as which version of its resource they see it.

use serde_json::Value;
use warren_apimachinery::resource::NAMESPACES;
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupVersionKind, GroupVersionResource, ObjectKey, Status};
use warren_registry::admission::{AdmissionRequest, Operation};
use warren_storage::Snapshot;

/// The kinds that webhooks are not asked about, so that no webhook can lock its own configuration.
const EXEMPT: &[&str] = &[
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
];

/// Whether no webhook is asked about a request.
pub(super) fn is_exempt(request: &AdmissionRequest<'_>) -> bool {
    let definition = request.definition;
    definition.group == "admissionregistration.k8s.io" && EXEMPT.contains(&definition.kind.as_str())
}

/// What a webhook, a policy or a policy's binding is about.
#[derive(Debug)]
pub(in crate::admission) struct Matching {
    rules: Vec<Rule>,
    excluded: Vec<Rule>,
    /// `Err` cannot happen for what validation let pass; it is the answer to every request then.
    namespaces: Result<LabelSelector, String>,
    objects: Result<LabelSelector, String>,
    /// `matchPolicy: Equivalent`: rules also match by the other versions of a resource.
    equivalent: bool,
}

impl Matching {
    /// Of a webhook (`rules`), of `matchConstraints` or `matchResources` (`resourceRules`).
    pub(in crate::admission) fn of(value: &Value, rules: &str) -> Self {
        let selector =
            |pointer: &str| LabelSelector::from_json(value.at(pointer)).map_err(|error| error.to_string());
        let all = |pointer: &str| value.items(pointer).iter().map(Rule::of).collect();
        Self {
            rules: all(rules),
            excluded: all("/excludeResourceRules"),
            namespaces: selector("/namespaceSelector"),
            objects: selector("/objectSelector"),
            equivalent: value.text("/matchPolicy") == "Equivalent",
        }
    }

    /// Whether it has no rules: a binding without them is about all that its policy is.
    pub(in crate::admission) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    fn finds(&self, request: &AdmissionRequest<'_>, rules: &[Rule]) -> Option<Seen> {
        let asked = Seen::as_asked(request);
        if rules.iter().any(|rule| rule.matches(request, &asked)) {
            return Some(asked);
        }
        if !self.equivalent {
            return None;
        }
        let others = Seen::equivalents(request);
        let mut matching = rules
            .iter()
            .filter_map(|rule| others.iter().find(|other| rule.matches(request, other)));
        matching.next().cloned()
    }
}

/// An entry of `rules`.
#[derive(Debug, Default)]
pub(super) struct Rule {
    /// `resourceNames` of policies; empty for all.
    names: Vec<String>,
    operations: Vec<String>,
    groups: Vec<String>,
    versions: Vec<String>,
    resources: Vec<String>,
    scope: String,
}

impl Rule {
    pub(super) fn of(rule: &Value) -> Self {
        let texts = |pointer: &str| -> Vec<String> {
            let items = rule.items(pointer).iter();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            names: texts("/resourceNames"),
            operations: texts("/operations"),
            groups: texts("/apiGroups"),
            versions: texts("/apiVersions"),
            resources: texts("/resources"),
            scope: rule.text("/scope").to_owned(),
        }
    }

    fn matches(&self, request: &AdmissionRequest<'_>, seen: &Seen) -> bool {
        let any = |items: &[String], wanted: &str| items.iter().any(|item| item == "*" || item == wanted);
        let is_named = self.names.is_empty() || self.names.iter().any(|name| *name == request.key.name);
        is_named
            && self.is_in_scope(request)
            && any(&self.operations, operation(request.operation))
            && any(&self.groups, &seen.resource.group)
            && any(&self.versions, &seen.resource.version)
            && self.resources.iter().any(|item| {
                let (resource, part) = item.split_once('/').unwrap_or((item, ""));
                (resource == "*" || resource == seen.resource.resource)
                    && (part == "*" || part == request.subresource.unwrap_or_default())
            })
    }

    /// A Namespace counts as of the cluster's scope.
    fn is_in_scope(&self, request: &AdmissionRequest<'_>) -> bool {
        match self.scope.as_str() {
            "Namespaced" => request.definition.is_namespaced(),
            "Cluster" => !request.definition.is_namespaced(),
            _ => true,
        }
    }
}

/// As reviews call an operation.
pub(in crate::admission) const fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}

/// A resource and its kind, in the version that a webhook asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::admission) struct Seen {
    pub(in crate::admission) resource: GroupVersionResource,
    pub(in crate::admission) kind: GroupVersionKind,
    /// Whether the object is converted for it; a subresource with a kind of its own never is.
    pub(in crate::admission) converts: bool,
}

impl Seen {
    /// As the client asked.
    pub(in crate::admission) fn as_asked(request: &AdmissionRequest<'_>) -> Self {
        let definition = request.definition;
        let own = request
            .subresource
            .and_then(|name| definition.subresource(name)?.kind.clone());
        let converts = own.is_none();
        Self {
            resource: GroupVersionResource {
                group: definition.group.clone(),
                version: request.version.into(),
                resource: definition.plural.clone(),
            },
            kind: own.unwrap_or_else(|| GroupVersionKind {
                group: definition.group.clone(),
                version: request.version.into(),
                kind: definition.kind.clone(),
            }),
            converts,
        }
    }

    /// The same objects under their other groups and versions.
    fn equivalents(request: &AdmissionRequest<'_>) -> Vec<Self> {
        let catalogue = request.registry.catalogue();
        let asked = Self::as_asked(request);
        let same = catalogue.iter().filter(|other| {
            other.storage == request.definition.storage
                && request
                    .subresource
                    .is_none_or(|name| other.subresource(name).is_some())
        });
        let all = same.flat_map(|definition| {
            definition.versions.iter().map(|version| {
                let own = request
                    .subresource
                    .and_then(|name| definition.subresource(name)?.kind.clone());
                Self {
                    resource: GroupVersionResource {
                        group: definition.group.clone(),
                        version: version.name.clone(),
                        resource: definition.plural.clone(),
                    },
                    converts: own.is_none(),
                    kind: own.unwrap_or_else(|| GroupVersionKind {
                        group: definition.group.clone(),
                        version: version.name.clone(),
                        kind: definition.kind.clone(),
                    }),
                }
            })
        });
        all.filter(|other| other.resource != asked.resource).collect()
    }
}

/// As which version a webhook is asked about a request; `None` when it is not asked.
///
/// `object` is the object as it is now, whatever its version.
///
/// # Errors
/// 404 for a namespace that is not there while the webhook selects namespaces.
pub(in crate::admission) fn seen_by(
    matching: &Matching,
    request: &AdmissionRequest<'_>,
    now: &Snapshot,
    object: Option<&Value>,
) -> Result<Option<Seen>, Status> {
    // Upstream tells of a missing namespace only where the rules match.
    let in_namespace = selects_namespace(matching, request, now, object);
    if in_namespace == Ok(false) || !selects_object(matching, request, object)? {
        return Ok(None);
    }
    if matching.finds(request, &matching.excluded).is_some() {
        return Ok(None);
    }
    let found = if matching.has_rules() {
        matching.finds(request, &matching.rules)
    } else {
        Some(Seen::as_asked(request))
    };
    match found {
        None => Ok(None),
        Some(seen) => in_namespace.map(|_| Some(seen)),
    }
}

fn selects_namespace(
    matching: &Matching,
    request: &AdmissionRequest<'_>,
    now: &Snapshot,
    object: Option<&Value>,
) -> Result<bool, Status> {
    let of_namespaces = NAMESPACES.is(&request.definition.group_resource());
    if !request.definition.is_namespaced() && !of_namespaces {
        return Ok(true);
    }
    let selector = matching.namespaces.as_ref().map_err(Status::internal)?;
    if selector.is_everything() {
        return Ok(true);
    }
    let writes = matches!(request.operation, Operation::Create | Operation::Update);
    if of_namespaces && request.subresource.is_none() && writes {
        return Ok(object.is_some_and(|object| selector.matches_map(object.at("/metadata/labels"))));
    }
    let name = namespace(request);
    let found = now.get(&NAMESPACES.group_resource(), &ObjectKey::cluster(name));
    let found = found.ok_or_else(|| Status::not_found(&NAMESPACES.group_resource(), name))?;
    Ok(selector.matches(found.meta()))
}

/// The namespace of a request; of a Namespace it is its own name.
pub(in crate::admission) fn namespace<'a>(request: &'a AdmissionRequest<'_>) -> &'a str {
    if NAMESPACES.is(&request.definition.group_resource()) {
        return &request.key.name;
    }
    &request.key.namespace
}

fn selects_object(
    matching: &Matching,
    request: &AdmissionRequest<'_>,
    object: Option<&Value>,
) -> Result<bool, Status> {
    let selector = matching.objects.as_ref().map_err(Status::internal)?;
    if selector.is_everything() {
        return Ok(true);
    }
    let selects = |object: &Value| selector.matches_map(object.at("/metadata/labels"));
    Ok(object.is_some_and(selects) || request.old.is_some_and(selects))
}
