//! The paths that are about no resource: discovery, the version, OpenID.

use serde_json::{Value, json};
use warren_apimachinery::GroupVersionKind;

use super::Dialect;
use super::definitions::Definitions;
use super::operation::{Operation, item};
use super::paths::{capital, group_name};

/// `/apis/apps/v1/`
pub(super) fn resources(
    kind: &GroupVersionKind,
    dialect: Dialect,
    definitions: &mut Definitions,
) -> (String, Value) {
    let (group, version) = (group_name(&kind.group), &kind.version);
    let path = match kind.group.as_str() {
        "" => format!("/api/{version}/"),
        group => format!("/apis/{group}/{version}/"),
    };
    let operation = Operation::plain(
        &format!("{group}_{version}"),
        &format!("get{}{}APIResources", capital(&group), capital(version)),
        "get available resources",
        definitions.meta("APIResourceList"),
    );
    let item = item(&path, "", &[operation], dialect);
    (path, item)
}

/// `/apis/apps/`
pub(super) fn group(name: &str, dialect: Dialect, definitions: &mut Definitions) -> (String, Value) {
    let short = group_name(name);
    let operation = Operation::plain(
        &short,
        &format!("get{}APIGroup", capital(&short)),
        "get information of a group",
        definitions.meta("APIGroup"),
    );
    let path = format!("/apis/{name}/");
    let item = item(&path, "", &[operation], dialect);
    (path, item)
}

/// The path of a document of its own, such as `version`; `None` for what is none.
pub(super) fn other(
    document: &str,
    dialect: Dialect,
    definitions: &mut Definitions,
) -> Option<(String, Value)> {
    let text = json!({"type": "string"});
    let available = "get available API versions";
    let operation = match document {
        "api" => Operation::plain(
            "core",
            "getCoreAPIVersions",
            available,
            definitions.meta("APIVersions"),
        ),
        "apis" => Operation::plain(
            "apis",
            "getAPIVersions",
            available,
            definitions.meta("APIGroupList"),
        ),
        "version" => Operation {
            consumes: vec!["application/json"],
            produces: vec!["application/json"],
            ..Operation::plain(
                "version",
                "getCodeVersion",
                "get the version information for this server",
                definitions.version(),
            )
        },
        ".well-known/openid-configuration" => Operation {
            consumes: Vec::new(),
            produces: vec!["application/json"],
            ..Operation::plain(
                "WellKnown",
                "getServiceAccountIssuerOpenIDConfiguration",
                "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
                text,
            )
        },
        "openid/v1/jwks" => Operation {
            consumes: Vec::new(),
            produces: vec!["application/jwk-set+json"],
            ..Operation::plain(
                "openid",
                "getServiceAccountIssuerOpenIDKeyset",
                "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)",
                text,
            )
        },
        _ => return None,
    };
    let path = format!("/{document}/");
    let item = item(&path, "", &[operation], dialect);
    Some((path, item))
}

/// The documents of [`other`].
pub(super) const OTHERS: [&str; 5] = [
    ".well-known/openid-configuration",
    "api",
    "apis",
    "openid/v1/jwks",
    "version",
];
