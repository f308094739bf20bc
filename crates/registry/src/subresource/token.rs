//! `serviceaccounts/token`: a signed token for a service account, bound to an object or free.

use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Object, ObjectKey, Resource, Status, resource, time};
use warren_patch::OwnershipUpdate;
use warren_schema::{builtin, definition_for};

use crate::admission;
use crate::decode::Expected;
use crate::metadata;
use crate::operation::Operation;
use crate::token::{BoundObject, TokenClaims};

const TOKEN_REQUEST: Expected<'static> = Expected {
    group: "authentication.k8s.io",
    version: "v1",
    kind: "TokenRequest",
};
const DEFAULT_SECONDS: i64 = 3600;
const MIN_SECONDS: i64 = 600;
const MAX_SECONDS: i64 = 1 << 32;

/// Name and uid of the node of the bound pod.
type Node = Option<(String, String)>;

impl Operation<'_> {
    /// Answers a `TokenRequest` with its `status`.
    pub(super) async fn issue_token(&self, mut request: Value) -> Result<Value, Status> {
        request = self.registry.decode_part(self.cx, TOKEN_REQUEST, request)?;
        metadata::settle_namespace(&mut request, self.definition, &self.key.namespace)?;
        let account = self.registry.get(self.definition, self.key)?;
        check_name(&request, &self.key.name)?;
        check_uid(&request, &account)?;
        if request.at("/spec/expirationSeconds").is_null() {
            request.set("/spec/expirationSeconds", DEFAULT_SECONDS);
        }
        check_expiration(&request)?;
        self.own_request(&mut request);
        self.mutate(admission::Operation::Create, &mut request, None)
            .await?;
        let (bound, node) = self.bound_object(request.at("/spec/boundObjectRef"))?;
        let now = self.registry.now();
        request.set("/metadata/name", self.key.name.as_str());
        request.set("/metadata/namespace", self.key.namespace.as_str());
        request.set("/metadata/creationTimestamp", time::format(now));
        self.admit(admission::Operation::Create, Some(&request), None)
            .await?;
        let claims = TokenClaims {
            namespace: &self.key.namespace,
            service_account: &self.key.name,
            uid: &account.meta().uid,
            audiences: request
                .items("/spec/audiences")
                .iter()
                .filter_map(|audience| audience.as_str().map(str::to_owned))
                .collect(),
            expiration_seconds: request.int("/spec/expirationSeconds").unwrap_or(DEFAULT_SECONDS),
            bound,
            node,
            now,
        };
        let issued = self.registry.tokens.issue(&claims)?;
        request.set("/kind", "TokenRequest");
        request.set("/apiVersion", "authentication.k8s.io/v1");
        request.set("/metadata/uid", account.meta().uid.as_str());
        request.set("/spec/audiences", issued.audiences);
        if let Some(spec) = request.object_at("/spec") {
            spec.entry("boundObjectRef").or_insert(Value::Null);
        }
        request.set(
            "/status",
            json!({"token": issued.token, "expirationTimestamp": time::format(issued.expires)}),
        );
        Ok(request)
    }

    /// Says who owns what of the request, as of any object that is written.
    fn own_request(&self, request: &mut Value) {
        let schema = definition_for(TOKEN_REQUEST.group, TOKEN_REQUEST.version, TOKEN_REQUEST.kind);
        let Some(schema) = schema.and_then(builtin) else {
            return;
        };
        warren_patch::update(OwnershipUpdate {
            schema: &schema,
            before: None,
            after: request,
            manager: self.cx.field_manager,
            api_version: "authentication.k8s.io/v1",
            subresource: "token",
            now: &time::format(self.registry.now()),
            reset: &[&["status"]],
            in_version: &|_, _, _| None,
        });
    }

    /// Looks up what the token shall be bound to, and the pod's node.
    fn bound_object(&self, reference: &Value) -> Result<(Option<BoundObject>, Node), Status> {
        if reference.is_null() {
            return Ok((None, None));
        }
        let (kind, name) = (reference.text("/kind"), reference.text("/name"));
        let group_version = reference.text("/apiVersion");
        let (resource, key) = match (group_version, kind) {
            ("v1" | "", "Pod") => (resource::PODS, self.neighbour(name)),
            ("v1" | "", "Secret") => (resource::SECRETS, self.neighbour(name)),
            ("v1" | "", "Node") => (resource::NODES, ObjectKey::cluster(name)),
            _ => {
                return Err(Status::bad_request(format!(
                    "cannot bind token to object of type {}, Kind={kind}",
                    if group_version.contains('/') {
                        group_version.to_owned()
                    } else {
                        format!("/{group_version}")
                    }
                )));
            }
        };
        let found = self
            .lookup(resource, &key)
            .ok_or_else(|| Status::not_found(&resource.group_resource(), name))?;
        let asked = reference.text("/uid");
        if !asked.is_empty() && asked != found.meta().uid {
            let why = format!(
                "the UID in the bound object reference ({asked}) does not match the UID in record. The object might have been deleted and then recreated"
            );
            return Err(Status::conflict(&GroupResource::new("", kind), name, &why));
        }
        let mut node = None;
        if kind == "Pod" {
            node = self.check_pod(&found)?;
        }
        let bound = BoundObject {
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: found.meta().uid.to_string(),
        };
        Ok((Some(bound), node))
    }

    /// The pod must run as this service account; answers its node.
    fn check_pod(&self, pod: &Object) -> Result<Node, Status> {
        let pod = pod.to_value();
        if pod.text("/spec/serviceAccountName") != self.key.name {
            return Err(Status::bad_request(format!(
                "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                self.key.name
            )));
        }
        let node = pod.text("/spec/nodeName");
        if node.is_empty() {
            return Ok(None);
        }
        let uid = self
            .lookup(resource::NODES, &ObjectKey::cluster(node))
            .map(|node| node.meta().uid.to_string())
            .unwrap_or_default();
        Ok(Some((node.to_owned(), uid)))
    }

    fn neighbour(&self, name: &str) -> ObjectKey {
        ObjectKey::namespaced(self.key.namespace.clone(), name)
    }

    fn lookup(&self, resource: Resource, key: &ObjectKey) -> Option<std::sync::Arc<Object>> {
        self.registry.store.latest(&resource.group_resource(), key)
    }
}

/// A request for a certain account is not answered for another one of that name.
fn check_uid(request: &Value, account: &Object) -> Result<(), Status> {
    let (asked, uid) = (request.text("/metadata/uid"), account.meta().uid.as_str());
    if asked.is_empty() || asked == uid {
        return Ok(());
    }
    let why = format!(
        "the UID in the token request ({asked}) does not match the UID of the service account ({uid})"
    );
    let resource = GroupResource::new(TOKEN_REQUEST.group, TOKEN_REQUEST.kind);
    Err(Status::conflict(&resource, &account.meta().name, &why))
}

/// A request that names an account must name the one of its path.
fn check_name(request: &Value, account: &str) -> Result<(), Status> {
    let name = request.text("/metadata/name");
    if name.is_empty() || name == account {
        return Ok(());
    }
    let path = Path::new("metadata").child("name");
    let error = Error::invalid(&path, name, "must match the service account name if specified");
    Err(invalid(account, &error))
}

fn invalid(account: &str, error: &Error) -> Status {
    let error = std::slice::from_ref(error);
    Status::invalid(TOKEN_REQUEST.group, TOKEN_REQUEST.kind, account, error)
}

fn check_expiration(request: &Value) -> Result<(), Status> {
    let seconds = request.int("/spec/expirationSeconds").unwrap_or_default();
    let why = if seconds < MIN_SECONDS {
        "may not specify a duration less than 10 minutes"
    } else if seconds > MAX_SECONDS {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(());
    };
    let error = Error::invalid(&Path::new("spec").child("expirationSeconds"), seconds, why);
    Err(invalid(request.text("/metadata/name"), &error))
}
