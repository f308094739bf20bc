//! `/healthz`, `/livez`, `/readyz`: upstream's checks by name. All but the store's hold as soon as a cluster answers.

use http::{Response, StatusCode};

use crate::answer;
use crate::body::Body;
use crate::cluster::ClusterApi;
use crate::query::Query;

/// Names of the checks of kube-apiserver 1.36.2's `/healthz` and `/livez`.
const ALIVE: &str = include_str!("../data/healthz.txt");
/// The same for `/readyz`.
const READY: &str = include_str!("../data/readyz.txt");

/// An endpoint and its checks.
#[derive(Clone, Copy)]
struct Endpoint {
    name: &'static str,
    checks: &'static str,
}

const ENDPOINTS: [Endpoint; 3] = [
    Endpoint {
        name: "healthz",
        checks: ALIVE,
    },
    Endpoint {
        name: "livez",
        checks: ALIVE,
    },
    Endpoint {
        name: "readyz",
        checks: READY,
    },
];

/// All paths below `/healthz`, `/livez` and `/readyz`.
pub(crate) fn paths() -> impl Iterator<Item = String> {
    ENDPOINTS.into_iter().flat_map(|endpoint| {
        let own = std::iter::once(format!("/{}", endpoint.name));
        own.chain(
            endpoint
                .checks
                .lines()
                .map(move |check| format!("/{}/{check}", endpoint.name)),
        )
    })
}

/// A check of an endpoint and whether it holds.
pub(crate) struct CheckResult {
    pub(crate) endpoint: &'static str,
    pub(crate) name: &'static str,
    pub(crate) holds: bool,
}

/// All checks of all endpoints, by name.
pub(crate) fn results(cluster: &ClusterApi) -> Vec<CheckResult> {
    let mut all: Vec<CheckResult> = ENDPOINTS
        .into_iter()
        .flat_map(|endpoint| {
            endpoint.checks.lines().map(move |name| CheckResult {
                endpoint: endpoint.name,
                name,
                holds: holds(cluster, name),
            })
        })
        .collect();
    all.sort_unstable_by_key(|check| (check.name, check.endpoint));
    all
}

/// Answers a path if it is one of health; whatever the method, as upstream.
pub(crate) fn answer(cluster: &ClusterApi, path: &str, query: &Query) -> Option<Response<Body>> {
    let path = path.strip_prefix('/')?;
    let (name, check) = match path.split_once('/') {
        Some((name, check)) => (name, Some(check)),
        None => (path, None),
    };
    let endpoint = ENDPOINTS.into_iter().find(|endpoint| endpoint.name == name)?;
    let Some(check) = check else {
        return Some(all(cluster, endpoint, query));
    };
    let check = endpoint.checks.lines().find(|known| *known == check)?;
    Some(if holds(cluster, check) {
        // Alone of all texts, upstream writes this one without forbidding browsers to guess what it is.
        answer::with(StatusCode::OK, "text/plain; charset=utf-8", Body::full("ok"))
    } else {
        answer::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal server error: reason withheld\n",
        )
    })
}

fn holds(cluster: &ClusterApi, check: &str) -> bool {
    // A store whose journal failed is read-only: neither alive nor ready for a cluster's clients.
    !matches!(
        check,
        "etcd" | "storage-readiness" | "informer-sync" | "poststarthook/storage-readiness"
    ) || cluster.registry.store().failure().is_none()
}

fn all(cluster: &ClusterApi, endpoint: Endpoint, query: &Query) -> Response<Body> {
    let mut excluded: Vec<&str> = query.all("exclude").filter(|name| !name.is_empty()).collect();
    let mut lines = String::new();
    let mut failed = false;
    for check in endpoint.checks.lines() {
        let before = excluded.len();
        excluded.retain(|name| *name != check);
        if excluded.len() < before {
            lines.push_str(&format!("[+]{check} excluded: ok\n"));
        } else if holds(cluster, check) {
            lines.push_str(&format!("[+]{check} ok\n"));
        } else {
            failed = true;
            lines.push_str(&format!("[-]{check} failed: reason withheld\n"));
        }
    }
    if !excluded.is_empty() {
        excluded.sort_unstable();
        excluded.dedup();
        let names: Vec<String> = excluded.iter().map(|name| format!("{name:?}")).collect();
        lines.push_str(&format!(
            "warn: some health checks cannot be excluded: no matches for {}\n",
            names.join(",")
        ));
    }
    let name = endpoint.name;
    if failed {
        lines.push_str(&format!("{name} check failed\n"));
        return answer::text(StatusCode::INTERNAL_SERVER_ERROR, lines);
    }
    if query.value("verbose").is_some() {
        lines.push_str(&format!("{name} check passed\n"));
        return answer::text(StatusCode::OK, lines);
    }
    answer::text(StatusCode::OK, "ok")
}
