//! Service account tokens: whether the objects that a token names still stand behind it.

use jiff::Timestamp;
use warren_apimachinery::resource::{NODES, PODS, SECRETS, SERVICE_ACCOUNTS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, UserInfo, name};
use warren_pki::{Claims, Named};
use warren_storage::Snapshot;

use crate::ISSUER;

/// An object that is being deleted still stands behind its tokens for this long.
const DELETION_LEEWAY_SECONDS: i64 = 60;

/// The node that a token's pod runs on, among the extra facts of a user.
pub(crate) const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

const PREFIX: &str = "authentication.kubernetes.io";

/// The user that checked claims name, or why they name nobody any more.
pub(crate) fn user_of(claims: &Claims, cluster: &Snapshot, time: Timestamp) -> Result<UserInfo, String> {
    claims.check_time(time).map_err(|error| error.to_string())?;
    if claims.iss != ISSUER {
        return Err("the token is of another issuer".to_owned());
    }
    let private = &claims.private;
    let namespace = private.namespace.as_str();
    let check = |resource: &Resource, namespace: &str, named: &Named| {
        let key = ObjectKey::namespaced(namespace, named.name.as_str());
        let found = cluster.get(&resource.group_resource(), &key);
        match found {
            Some(object) if object.meta().uid == named.uid && !deleted(object, time) => Ok(()),
            _ => Err(format!("{} {key} is gone or another one", resource.kind)),
        }
    };
    check(&SERVICE_ACCOUNTS, namespace, &private.serviceaccount)?;
    if let Some(secret) = &private.secret {
        check(&SECRETS, namespace, secret)?;
    }
    if let Some(pod) = &private.pod {
        check(&PODS, namespace, pod)?;
    }
    if let (Some(node), None) = (&private.node, &private.pod) {
        check(&NODES, "", node)?;
    }
    Ok(user(claims))
}

fn deleted(object: &Object, time: Timestamp) -> bool {
    object.meta().deleting
        && object
            .to_value()
            .text("/metadata/deletionTimestamp")
            .parse::<Timestamp>()
            .is_ok_and(|since| since.as_second() + DELETION_LEEWAY_SECONDS < time.as_second())
}

fn user(claims: &Claims) -> UserInfo {
    let private = &claims.private;
    let mut user = UserInfo {
        name: claims.sub.clone(),
        uid: private.serviceaccount.uid.clone(),
        groups: groups_of(&private.namespace),
        ..UserInfo::default()
    };
    let mut extra = |key: &str, value: &str| {
        if !value.is_empty() {
            user.extra
                .insert(format!("{PREFIX}/{key}"), vec![value.to_owned()]);
        }
    };
    if !claims.jti.is_empty() {
        extra("credential-id", &format!("JTI={}", claims.jti));
    }
    if let Some(pod) = &private.pod {
        extra("pod-name", &pod.name);
        extra("pod-uid", &pod.uid);
    }
    if let Some(node) = &private.node {
        extra("node-name", &node.name);
        extra("node-uid", &node.uid);
    }
    user
}

/// The groups of the service accounts of a namespace.
pub(crate) fn groups_of(namespace: &str) -> Vec<String> {
    vec![
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
    ]
}

/// Namespace and name of a service account's user name; `None` for one that no service account can have.
pub(crate) fn service_account_of(user: &str) -> Option<(&str, &str)> {
    let (namespace, account) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let is_one = name::dns1123_label(namespace).is_empty() && name::dns1123_subdomain(account).is_empty();
    is_one.then_some((namespace, account))
}
