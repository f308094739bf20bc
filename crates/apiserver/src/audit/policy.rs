//! The audit policy: what is written down of which request. Pure; read from upstream's `audit.k8s.io/v1` `Policy`.

use serde_json::Value;
use warren_access::Attributes;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{UserInfo, decode_yaml};

/// How much is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    #[default]
    None,
    Metadata,
    Request,
    RequestResponse,
}

impl Level {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "None" => Self::None,
            "Metadata" => Self::Metadata,
            "Request" => Self::Request,
            "RequestResponse" => Self::RequestResponse,
            _ => return None,
        })
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}

/// When an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
}

impl Stage {
    const ALL: [Self; 4] = [
        Self::RequestReceived,
        Self::ResponseStarted,
        Self::ResponseComplete,
        Self::Panic,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }
}

/// What a policy says of one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) level: Level,
    pub(super) omitted: Vec<Stage>,
    pub(super) omits_managed_fields: bool,
}

/// What is written down of which request: the first rule that fits decides.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    verdict: Verdict,
    users: Vec<String>,
    groups: Vec<String>,
    verbs: Vec<String>,
    namespaces: Vec<String>,
    resources: Vec<GroupResources>,
    paths: Vec<String>,
}

#[derive(Clone, Debug)]
struct GroupResources {
    group: String,
    resources: Vec<String>,
    names: Vec<String>,
}

fn texts(value: &Value, field: &str) -> Vec<String> {
    let items = value
        .field(field)
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    items
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

impl Policy {
    /// Reads the YAML or JSON of a policy file.
    ///
    /// # Errors
    /// What is wrong, with the field's path.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let file = decode_yaml(text).map_err(|error| error.to_string())?.value;
        if file.text("/kind") != "Policy" || file.text("/apiVersion") != "audit.k8s.io/v1" {
            return Err("not a Policy of audit.k8s.io/v1".to_owned());
        }
        let rules = file.items("/rules");
        if rules.is_empty() {
            return Err("loaded illegal policy with 0 rules".to_owned());
        }
        let omitted = stages(&file, "omitStages")?;
        let omits_managed_fields = file.at("/omitManagedFields").as_bool().unwrap_or_default();
        let rules = rules.iter().enumerate().map(|(at, rule)| {
            let mut rule =
                Rule::read(rule, omits_managed_fields).map_err(|why| format!("rules[{at}].{why}"))?;
            rule.verdict.omitted.extend(&omitted);
            Ok(rule)
        });
        Ok(Self {
            rules: rules.collect::<Result<_, String>>()?,
        })
    }

    /// What to write of a request; nothing where no rule fits. `user` is `None` while nobody knows who asks.
    pub(super) fn verdict(&self, user: Option<&UserInfo>, asked: &Attributes<'_>) -> Verdict {
        let rule = self.rules.iter().find(|rule| rule.matches(user, asked));
        rule.map(|rule| rule.verdict.clone()).unwrap_or_default()
    }
}

fn stages(value: &Value, field: &str) -> Result<Vec<Stage>, String> {
    texts(value, field)
        .iter()
        .map(|name| {
            let stage = Stage::ALL.into_iter().find(|stage| stage.as_str() == name);
            stage.ok_or_else(|| {
                format!("{field}: Invalid value: {name:?}: allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic")
            })
        })
        .collect()
}

impl Rule {
    fn read(rule: &Value, omits_managed_fields: bool) -> Result<Self, String> {
        let level = Level::read(rule.text("/level"))
            .ok_or_else(|| format!("level: Unsupported value: {:?}", rule.text("/level")))?;
        let read = Self {
            verdict: Verdict {
                level,
                omitted: stages(rule, "omitStages")?,
                omits_managed_fields: rule
                    .at("/omitManagedFields")
                    .as_bool()
                    .unwrap_or(omits_managed_fields),
            },
            users: texts(rule, "users"),
            groups: texts(rule, "userGroups"),
            verbs: texts(rule, "verbs"),
            namespaces: texts(rule, "namespaces"),
            resources: rule
                .items("/resources")
                .iter()
                .map(GroupResources::read)
                .collect(),
            paths: texts(rule, "nonResourceURLs"),
        };
        let is_of_resources = !(read.resources.is_empty() && read.namespaces.is_empty());
        if is_of_resources && !read.paths.is_empty() {
            return Err(
                "nonResourceURLs: Invalid value: rules cannot apply to both regular resources and non-resource URLs"
                    .to_owned(),
            );
        }
        Ok(read)
    }

    fn matches(&self, user: Option<&UserInfo>, asked: &Attributes<'_>) -> bool {
        let any =
            |list: &[String], wanted: &dyn Fn(&String) -> bool| list.is_empty() || list.iter().any(wanted);
        if !any(&self.users, &|name| user.is_some_and(|user| user.name == *name))
            || !any(&self.groups, &|group| {
                user.is_some_and(|user| user.groups.contains(group))
            })
            || !any(&self.verbs, &|verb| verb == asked.verb)
        {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            return asked.is_resource()
                && any(&self.namespaces, &|namespace| namespace == asked.namespace)
                && (self.resources.is_empty() || self.resources.iter().any(|rule| rule.matches(asked)));
        }
        self.paths.is_empty()
            || (!asked.is_resource() && self.paths.iter().any(|spec| path_matches(spec, asked.path)))
    }
}

fn path_matches(spec: &str, path: &str) -> bool {
    spec == path
        || spec
            .strip_suffix('*')
            .is_some_and(|prefix| path.starts_with(prefix))
}

impl GroupResources {
    fn read(value: &Value) -> Self {
        Self {
            group: value.text("/group").to_owned(),
            resources: texts(value, "resources"),
            names: texts(value, "resourceNames"),
        }
    }

    fn matches(&self, asked: &Attributes<'_>) -> bool {
        if self.group != asked.group && self.group != "*" {
            return false;
        }
        let is_named = self.names.is_empty() || self.names.iter().any(|name| name == asked.name);
        self.resources.is_empty()
            || is_named
                && self.resources.iter().any(|spec| {
                    if spec == "*" {
                        return true;
                    }
                    match spec.split_once('/') {
                        None => asked.subresource.is_empty() && spec == asked.resource,
                        Some((resource, "*")) => resource == asked.resource,
                        Some((resource, sub)) => {
                            sub == asked.subresource && (resource == "*" || resource == asked.resource)
                        }
                    }
                })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n\
        - {level: None, users: ['system:kube-proxy'], verbs: [watch]}\n\
        - {level: None, nonResourceURLs: ['/healthz*', /version]}\n\
        - {level: Metadata, resources: [{group: '', resources: [secrets, 'serviceaccounts/token']}]}\n\
        - {level: RequestResponse, namespaces: [a], resources: [{group: apps}], omitManagedFields: false}\n\
        - {level: Request, resources: [{group: '', resources: ['pods/*'], resourceNames: [x]}], omitStages: [Panic]}\n\
        - {level: Metadata, userGroups: [auditors]}\n";

    fn check(asked: Attributes<'_>, user: &str, groups: &[&str], expect: Level) {
        let policy = Policy::read(POLICY.as_bytes()).unwrap();
        let user = UserInfo {
            name: user.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..UserInfo::default()
        };
        assert_eq!(policy.verdict(Some(&user), &asked).level, expect, "{asked:?}");
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let of = |verb: &'static str, group: &'static str, resource: &'static str| Attributes {
            verb,
            group,
            resource,
            ..Attributes::default()
        };
        check(of("watch", "", "services"), "system:kube-proxy", &[], Level::None);
        check(
            Attributes::path("get", "/healthz/ping"),
            "j",
            &["auditors"],
            Level::None,
        );
        check(of("get", "", "secrets"), "j", &[], Level::Metadata);
        let deployments = of("get", "apps", "deployments");
        check(
            Attributes {
                namespace: "a",
                ..deployments
            },
            "j",
            &[],
            Level::RequestResponse,
        );
        check(
            Attributes {
                namespace: "b",
                ..deployments
            },
            "j",
            &[],
            Level::None,
        );
        let log = Attributes {
            subresource: "log",
            name: "x",
            ..of("get", "", "pods")
        };
        check(log, "j", &[], Level::Request);
        check(Attributes { name: "y", ..log }, "j", &[], Level::None);
        check(deployments, "j", &["auditors"], Level::Metadata);
    }

    #[test]
    fn stages_are_left_out_by_the_policy_and_by_its_rules() {
        let policy = Policy::read(POLICY.as_bytes()).unwrap();
        let log = Attributes {
            verb: "get",
            resource: "pods",
            subresource: "log",
            name: "x",
            ..Attributes::default()
        };
        let verdict = policy.verdict(None, &log);
        assert_eq!(verdict.omitted, [Stage::Panic, Stage::RequestReceived]);
        assert!(verdict.omits_managed_fields);
    }

    #[test]
    fn malformed_policies_are_refused() {
        let read = |rules: &str| {
            let head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
            Policy::read(format!("{head}{rules}").as_bytes()).unwrap_err()
        };
        assert_eq!(read(""), "loaded illegal policy with 0 rules");
        assert_eq!(
            read("rules: [{level: Loud}]"),
            "rules[0].level: Unsupported value: \"Loud\""
        );
        assert!(read("rules: [{level: None, omitStages: [Late]}]").contains("allowed stages are"));
        assert!(
            read("rules: [{level: None, nonResourceURLs: [/x], namespaces: [a]}]")
                .contains("cannot apply to both")
        );
        assert!(Policy::read(b"kind: Pod").is_err());
    }
}
