//! Accounts that allow only the secrets they list (a deprecated annotation), and which secrets a pod names.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;

use super::Asked;

/// Lists of containers, and what upstream calls one of each.
const CONTAINERS: [(&str, &str); 2] = [
    ("/spec/initContainers", "init container"),
    ("/spec/containers", "container"),
];

/// Whether the pod names a secret at all.
pub(super) fn any(pod: &Value) -> bool {
    !named(pod).is_empty()
}

/// Refuses a pod that names a secret which its account does not list.
pub(super) fn limit(cx: &Asked<'_>, pod: &Value, account: &Value) -> Result<(), Status> {
    let lists = |field: &str, name: &str| {
        account
            .items(field)
            .iter()
            .any(|secret| secret.text("/name") == name)
    };
    let refused = |place: String, what: &str| {
        let account = pod.text("/spec/serviceAccountName");
        let why = format!(
            "{place} is not allowed because service account {account} does not reference that {what}"
        );
        Err(cx.forbidden(pod, why))
    };
    if let Some((place, _)) = named(pod).into_iter().find(|(_, name)| !lists("/secrets", name)) {
        return refused(place, "secret");
    }
    for (at, secret) in pod.items("/spec/imagePullSecrets").iter().enumerate() {
        let name = secret.text("/name");
        if !lists("/imagePullSecrets", name) {
            return refused(format!("imagePullSecrets[{at}].name={name:?}"), "imagePullSecret");
        }
    }
    Ok(())
}

/// Where secrets are named, and which.
fn named(pod: &Value) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    for volume in pod.items("/spec/volumes") {
        let name = volume.text("/secret/secretName");
        if !name.is_empty() {
            found.push((format!("volume with secret.secretName={name:?}"), name));
        }
    }
    for (list, what) in CONTAINERS {
        for container in pod.items(list) {
            let place = format!("{what} {}", container.text("/name"));
            in_environment(&mut found, container, &place);
        }
    }
    found
}

fn in_environment<'a>(found: &mut Vec<(String, &'a str)>, container: &'a Value, place: &str) {
    for env in container.items("/env") {
        let name = env.text("/valueFrom/secretKeyRef/name");
        if !name.is_empty() {
            let variable = env.text("/name");
            let place = format!("{place} with envVar {variable} referencing secret.secretName={name:?}");
            found.push((place, name));
        }
    }
    for from in container.items("/envFrom") {
        let name = from.text("/secretRef/name");
        if !name.is_empty() {
            let place = format!("{place} with envFrom referencing secret.secretName={name:?}");
            found.push((place, name));
        }
    }
}
