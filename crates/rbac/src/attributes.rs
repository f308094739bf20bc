//! What is asked for: the verb and its object, as an authoriser sees them.

/// The attributes of one request, as upstream's `authorizer.Attributes` without the user.
///
/// Borrowed, so that asking costs nothing. A request for a path outside the API has `path` set and everything
/// but the verb empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// `get`, `list`, `watch`, `create`, …; for other paths the HTTP method in lower case.
    pub verb: &'a str,
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The version; no rule looks at it.
    pub version: &'a str,
    /// The plural resource.
    pub resource: &'a str,
    /// Such as `status`; empty for the object itself.
    pub subresource: &'a str,
    /// The namespace; empty at the cluster scope.
    pub namespace: &'a str,
    /// The name; empty for collections.
    pub name: &'a str,
    /// The path of a request that is not for a resource; else empty.
    pub path: &'a str,
    /// The field selector of a collection, as it was asked; no rule looks at it, but nodes are let in by it.
    pub fields: &'a str,
}

impl<'a> Attributes<'a> {
    /// A request for a path that is not a resource, such as `/metrics`.
    pub fn path(verb: &'a str, path: &'a str) -> Self {
        Self {
            verb,
            path,
            ..Self::default()
        }
    }

    /// Whether a resource is asked for.
    pub fn is_resource(&self) -> bool {
        self.path.is_empty()
    }

    /// Upstream's sentence about a refusal: `User "x" cannot list resource "pods" in API group "" in the
    /// namespace "y"`.
    pub fn refusal(&self, user: &str) -> String {
        let verb = self.verb;
        if !self.is_resource() {
            return format!("User {user:?} cannot {verb} path {:?}", self.path);
        }
        let resource = if self.subresource.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        };
        let what = format!(
            "User {user:?} cannot {verb} resource {resource:?} in API group {:?}",
            self.group
        );
        if self.namespace.is_empty() {
            format!("{what} at the cluster scope")
        } else {
            format!("{what} in the namespace {:?}", self.namespace)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(attributes: Attributes<'_>, expect: &str) {
        assert_eq!(attributes.refusal("x"), expect);
    }

    #[test]
    fn refusals_read_as_upstream_words_them() {
        let list = Attributes {
            verb: "list",
            group: "apps",
            resource: "deployments",
            ..Attributes::default()
        };
        check(
            Attributes {
                namespace: "y",
                ..list
            },
            "User \"x\" cannot list resource \"deployments\" in API group \"apps\" in the namespace \"y\"",
        );
        check(
            list,
            "User \"x\" cannot list resource \"deployments\" in API group \"apps\" at the cluster scope",
        );
        check(
            Attributes {
                verb: "update",
                resource: "pods",
                subresource: "status",
                ..Attributes::default()
            },
            "User \"x\" cannot update resource \"pods/status\" in API group \"\" at the cluster scope",
        );
        check(
            Attributes::path("get", "/metrics"),
            "User \"x\" cannot get path \"/metrics\"",
        );
    }
}
