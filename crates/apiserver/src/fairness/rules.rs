//! What a cluster's FlowSchemas and PriorityLevelConfigurations ask for, read once per content: which requests belong
//! together, and how many of them may run. Pure but for the memory of what was read.

use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use serde_json::Value;
use smol_str::SmolStr;
use warren_access::Attributes;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, UserInfo};
use warren_storage::Snapshot;

/// Seats of one cluster, as upstream's `--max-requests-inflight` and `--max-mutating-requests-inflight` together.
pub(super) const SEATS: u32 = 600;
/// How many requests may wait where upstream would let any number run.
const EXEMPT_MAY_WAIT: usize = 1_200;
/// How many different sets of rules are offered to other clusters.
const KNOWN: usize = 64;

static TABLES: LazyLock<[GroupResource; 2]> = LazyLock::new(|| {
    const GROUP: &str = "flowcontrol.apiserver.k8s.io";
    [
        GroupResource::new(GROUP, "flowschemas"),
        GroupResource::new(GROUP, "prioritylevelconfigurations"),
    ]
});

/// The rules of all clusters that hold the same objects.
pub(crate) struct Rules {
    tables: Snapshot,
    /// In the order in which they are tried.
    pub(super) schemas: Vec<Schema>,
    pub(super) levels: Vec<LevelSpec>,
}

/// One FlowSchema.
pub(super) struct Schema {
    pub(super) name: SmolStr,
    pub(super) uid: SmolStr,
    /// An index into the levels.
    pub(super) level: usize,
    pub(super) distinguisher: Distinguisher,
    precedence: i64,
    rules: Vec<Rule>,
}

/// What tells the flows of a schema apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distinguisher {
    None,
    User,
    Namespace,
}

struct Rule {
    subjects: Vec<Subject>,
    resources: Vec<ResourceRule>,
    paths: Vec<PathRule>,
}

enum Subject {
    User(SmolStr),
    Group(SmolStr),
    ServiceAccount { namespace: SmolStr, name: SmolStr },
}

struct ResourceRule {
    verbs: List,
    groups: List,
    resources: List,
    namespaces: List,
    cluster_scope: bool,
}

struct PathRule {
    verbs: List,
    paths: List,
}

/// One PriorityLevelConfiguration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LevelSpec {
    pub(super) name: SmolStr,
    pub(super) uid: SmolStr,
    /// Seats of its own.
    pub(super) nominal: u32,
    /// Of these, others may use so many while they are free.
    pub(super) lendable: u32,
    /// So many more it may use of others.
    pub(super) may_borrow: u32,
    pub(super) is_exempt: bool,
    pub(super) queuing: Option<Queuing>,
}

/// How requests of a level wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queuing {
    pub(super) queues: usize,
    pub(super) hand: usize,
    pub(super) length: usize,
}

/// Sets of rules that are in use, the latest last; at most `KNOWN`.
#[derive(Default)]
pub(crate) struct KnownRules(Mutex<Vec<Weak<Rules>>>);

impl KnownRules {
    /// The rules of a state: another cluster's if its objects are the same, else read anew.
    pub(super) fn of(&self, now: &Snapshot) -> Arc<Rules> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().rev().filter_map(Weak::upgrade);
        if let Some(rules) = found.into_iter().find(|rules| rules.is_of(now)) {
            return rules;
        }
        let rules = Arc::new(Rules::read(now));
        known.retain(|rules| rules.strong_count() > 0);
        if known.len() >= KNOWN {
            known.remove(0);
        }
        known.push(Arc::downgrade(&rules));
        rules
    }
}

impl Rules {
    /// Whether they still are what the cluster says.
    pub(super) fn is_of(&self, now: &Snapshot) -> bool {
        TABLES.iter().all(|table| self.tables.same(now, table))
    }

    fn read(now: &Snapshot) -> Self {
        let [schemas, levels] = &*TABLES;
        let mut specs: Vec<Value> = now.list(levels, None).map(|level| level.to_value()).collect();
        for name in ["exempt", "catch-all"] {
            if !specs.iter().any(|level| level.text("/metadata/name") == name) {
                specs.push(mandatory_level(name));
            }
        }
        let levels = levels_of(&specs);
        let mut all: Vec<Schema> = now
            .list(schemas, None)
            .filter_map(|schema| Schema::read(&schema.to_value(), &levels))
            .collect();
        all.sort_by(|a, b| (a.precedence, &a.name).cmp(&(b.precedence, &b.name)));
        let catch_all = levels.iter().position(|level| level.name == "catch-all");
        // Nobody is left without a level, whatever was deleted.
        all.push(Schema {
            name: "catch-all".into(),
            uid: SmolStr::default(),
            level: catch_all.unwrap_or_default(),
            distinguisher: Distinguisher::User,
            precedence: i64::MAX,
            rules: Vec::new(),
        });
        Self {
            tables: now.only(&*TABLES),
            schemas: all,
            levels,
        }
    }

    /// The first schema that a request belongs to; the last one takes what no other does.
    pub(super) fn classify(&self, user: &UserInfo, asked: &Attributes<'_>) -> Option<&Schema> {
        self.schemas
            .iter()
            .find(|schema| schema.matches(user, asked))
            .or(self.schemas.last())
    }
}

/// What upstream keeps by itself, should it be missing.
fn mandatory_level(name: &str) -> Value {
    let spec = match name {
        "exempt" => serde_json::json!({"type": "Exempt"}),
        _ => serde_json::json!({"type": "Limited", "limited": {
            "nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}}}),
    };
    serde_json::json!({"metadata": {"name": name}, "spec": spec})
}

fn levels_of(specs: &[Value]) -> Vec<LevelSpec> {
    let shares = |level: &Value| {
        let default = if is_exempt(level) { 0 } else { 30 };
        let shares = body(level).int("/nominalConcurrencyShares").unwrap_or(default);
        u64::try_from(shares).unwrap_or_default()
    };
    let total: u64 = specs.iter().map(shares).sum();
    specs
        .iter()
        .map(|level| level_of(level, part(shares(level), total.max(1))))
        .collect()
}

/// The share of all seats, rounded up as upstream does.
fn part(shares: u64, total: u64) -> u32 {
    let seats = (u64::from(SEATS) * shares).div_ceil(total);
    u32::try_from(seats).unwrap_or(SEATS)
}

fn is_exempt(level: &Value) -> bool {
    level.text("/spec/type") == "Exempt"
}

fn body(level: &Value) -> &Value {
    level.at(if is_exempt(level) {
        "/spec/exempt"
    } else {
        "/spec/limited"
    })
}

fn level_of(level: &Value, nominal: u32) -> LevelSpec {
    let (body, is_exempt) = (body(level), is_exempt(level));
    let percent = |field: &str| {
        let percent = u64::try_from(body.field(field).as_i64()?).ok()?;
        Some(u32::try_from((u64::from(nominal) * percent + 50) / 100).unwrap_or(u32::MAX))
    };
    let number = |field: &str, default: usize| {
        let found = body.at("/limitResponse/queuing").field(field).as_u64();
        found
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(default)
            .max(1)
    };
    let queuing = match body.text("/limitResponse/type") {
        _ if is_exempt => Some(Queuing {
            queues: 1,
            hand: 1,
            length: EXEMPT_MAY_WAIT,
        }),
        "Queue" => Some(Queuing {
            queues: number("queues", 64),
            hand: number("handSize", 8),
            length: number("queueLengthLimit", 50),
        }),
        _ => None,
    };
    LevelSpec {
        name: level.text("/metadata/name").into(),
        uid: level.text("/metadata/uid").into(),
        // Upstream lets exempt requests all run; here one tenant must not take the process from the others.
        nominal: if is_exempt { SEATS } else { nominal.max(1) },
        lendable: if is_exempt {
            0
        } else {
            percent("lendablePercent").unwrap_or_default()
        },
        may_borrow: if is_exempt {
            0
        } else {
            percent("borrowingLimitPercent").unwrap_or(SEATS)
        },
        is_exempt,
        queuing,
    }
}

impl Schema {
    /// `None` for one that names a level that is not there: nothing belongs to it.
    fn read(schema: &Value, levels: &[LevelSpec]) -> Option<Self> {
        let level = schema.text("/spec/priorityLevelConfiguration/name");
        Some(Self {
            name: schema.text("/metadata/name").into(),
            uid: schema.text("/metadata/uid").into(),
            level: levels.iter().position(|known| known.name == level)?,
            distinguisher: match schema.text("/spec/distinguisherMethod/type") {
                "ByUser" => Distinguisher::User,
                "ByNamespace" => Distinguisher::Namespace,
                _ => Distinguisher::None,
            },
            precedence: schema.int("/spec/matchingPrecedence").unwrap_or(1000),
            rules: schema.items("/spec/rules").iter().map(Rule::read).collect(),
        })
    }

    fn matches(&self, user: &UserInfo, asked: &Attributes<'_>) -> bool {
        self.rules.iter().any(|rule| rule.matches(user, asked))
    }
}

impl Rule {
    fn read(rule: &Value) -> Self {
        Self {
            subjects: rule.items("/subjects").iter().filter_map(Subject::read).collect(),
            resources: rule
                .items("/resourceRules")
                .iter()
                .map(ResourceRule::read)
                .collect(),
            paths: rule
                .items("/nonResourceRules")
                .iter()
                .map(PathRule::read)
                .collect(),
        }
    }

    fn matches(&self, user: &UserInfo, asked: &Attributes<'_>) -> bool {
        self.subjects.iter().any(|subject| subject.is(user))
            && if asked.is_resource() {
                self.resources.iter().any(|rule| rule.matches(asked))
            } else {
                self.paths.iter().any(|rule| rule.matches(asked))
            }
    }
}

impl Subject {
    fn read(subject: &Value) -> Option<Self> {
        let account = subject.at("/serviceAccount");
        Some(match subject.text("/kind") {
            "User" => Self::User(subject.text("/user/name").into()),
            "Group" => Self::Group(subject.text("/group/name").into()),
            "ServiceAccount" => Self::ServiceAccount {
                namespace: account.text("/namespace").into(),
                name: account.text("/name").into(),
            },
            _ => return None,
        })
    }

    fn is(&self, user: &UserInfo) -> bool {
        match self {
            Self::User(name) => name == "*" || *name == user.name,
            Self::Group(name) => name == "*" || user.groups.iter().any(|group| group == name.as_str()),
            Self::ServiceAccount { namespace, name } => user
                .name
                .strip_prefix("system:serviceaccount:")
                .and_then(|rest| rest.split_once(':'))
                .is_some_and(|(ns, own)| ns == namespace && (name == "*" || own == name)),
        }
    }
}

impl ResourceRule {
    fn read(rule: &Value) -> Self {
        Self {
            verbs: List::read(rule, "verbs"),
            groups: List::read(rule, "apiGroups"),
            resources: List::read(rule, "resources"),
            namespaces: List::read(rule, "namespaces"),
            cluster_scope: rule.at("/clusterScope").as_bool().unwrap_or_default(),
        }
    }

    fn matches(&self, asked: &Attributes<'_>) -> bool {
        self.verbs.has(asked.verb)
            && self.groups.has(asked.group)
            && self.resources.has_part(asked.resource, asked.subresource)
            && match asked.namespace {
                "" => self.cluster_scope,
                namespace => self.namespaces.has(namespace),
            }
    }
}

impl PathRule {
    fn read(rule: &Value) -> Self {
        Self {
            verbs: List::read(rule, "verbs"),
            paths: List::read(rule, "nonResourceURLs"),
        }
    }

    fn matches(&self, asked: &Attributes<'_>) -> bool {
        let below = |spec: &str| {
            let prefix = spec.strip_suffix('*').unwrap_or(spec);
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            let rest = asked.path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        self.verbs.has(asked.verb)
            && (self.paths.has(asked.path) || self.paths.items.iter().any(|spec| below(spec)))
    }
}

/// Texts, or all of them.
struct List {
    all: bool,
    items: Vec<SmolStr>,
}

impl List {
    fn read(rule: &Value, field: &str) -> Self {
        let items = rule
            .field(field)
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let items: Vec<SmolStr> = items.iter().filter_map(Value::as_str).map(SmolStr::new).collect();
        Self {
            all: items.iter().any(|item| item == "*"),
            items,
        }
    }

    fn has(&self, wanted: &str) -> bool {
        self.all || self.items.iter().any(|item| item == wanted)
    }

    fn has_part(&self, resource: &str, subresource: &str) -> bool {
        if subresource.is_empty() {
            return self.has(resource);
        }
        self.all
            || self
                .items
                .iter()
                .any(|item| item.split_once('/') == Some((resource, subresource)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(name: &str, groups: &[&str]) -> UserInfo {
        UserInfo {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..UserInfo::default()
        }
    }

    #[test]
    fn schemas_match_by_subject_and_by_resource_or_path() {
        let levels = levels_of(&[mandatory_level("exempt"), mandatory_level("catch-all")]);
        let schema = json!({"metadata": {"name": "s", "uid": "u"}, "spec": {
            "priorityLevelConfiguration": {"name": "catch-all"}, "distinguisherMethod": {"type": "ByUser"},
            "rules": [{"subjects": [{"kind": "ServiceAccount", "serviceAccount": {"namespace": "n", "name": "*"}},
                                    {"kind": "Group", "group": {"name": "g"}}],
                "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "pods/log"], "namespaces": ["a"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["/healthz", "/api/*"]}]}]}});
        let schema = Schema::read(&schema, &levels).unwrap();
        let pods = Attributes {
            verb: "get",
            resource: "pods",
            namespace: "a",
            ..Attributes::default()
        };
        let check = |who: &UserInfo, asked: Attributes<'_>, expect: bool| {
            assert_eq!(schema.matches(who, &asked), expect, "{} {asked:?}", who.name);
        };
        let (account, member) = (user("system:serviceaccount:n:x", &[]), user("j", &["g"]));
        check(&account, pods, true);
        check(&user("system:serviceaccount:m:x", &[]), pods, false);
        check(
            &member,
            Attributes {
                subresource: "log",
                ..pods
            },
            true,
        );
        check(
            &member,
            Attributes {
                subresource: "exec",
                ..pods
            },
            false,
        );
        check(
            &member,
            Attributes {
                namespace: "",
                ..pods
            },
            false,
        );
        check(
            &member,
            Attributes {
                namespace: "b",
                ..pods
            },
            false,
        );
        check(&member, Attributes { verb: "list", ..pods }, false);
        check(&member, Attributes::path("get", "/healthz"), true);
        check(&member, Attributes::path("get", "/healthz/ping"), true);
        check(&member, Attributes::path("get", "/healthzz"), false);
        check(&member, Attributes::path("post", "/api/v1"), true);
        check(&user("k", &[]), Attributes::path("post", "/api/v1"), false);
    }

    #[test]
    fn seats_follow_the_shares() {
        let level = |name: &str, shares: u32, lendable: u32| {
            json!({"metadata": {"name": name}, "spec": {"type": "Limited", "limited": {
                "nominalConcurrencyShares": shares, "lendablePercent": lendable,
                "limitResponse": {"type": "Queue", "queuing": {"queues": 4, "handSize": 2, "queueLengthLimit": 3}}}}})
        };
        let levels = levels_of(&[level("a", 100, 90), level("b", 50, 0), mandatory_level("exempt")]);
        let seats: Vec<(u32, u32)> = levels
            .iter()
            .map(|level| (level.nominal, level.lendable))
            .collect();
        assert_eq!(seats, [(400, 360), (200, 0), (SEATS, 0)]);
        assert_eq!(
            levels[0].queuing,
            Some(Queuing {
                queues: 4,
                hand: 2,
                length: 3
            })
        );
    }
}
