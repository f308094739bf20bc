//! The `Strategy` trait: what a schema cannot say about a kind.

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field;
use warren_apimachinery::value::ValueExt;

/// Facts about a kind that steer the lifecycle of its writes.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// `metadata.generation` starts at 1 and rises when anything outside `metadata` and `status` changes.
    pub generation: bool,
    /// `status` is a subresource: dropped on create, kept on update, written alone through `/status`.
    pub status: bool,
    /// PUT on a name that does not exist creates it.
    pub create_on_update: bool,
    /// PUT without `resourceVersion` overwrites.
    pub unconditional_update: bool,
    /// What a name must be.
    pub name: NameRule,
    /// `Orphan` is the default propagation (as for Jobs); else background.
    pub orphan_by_default: bool,
}

/// What `metadata.name` must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// RFC 1123 subdomain, 253 characters: most kinds.
    DnsSubdomain,
    /// RFC 1123 label, 63 characters: namespaces.
    DnsLabel,
    /// RFC 1035 label: services (where the relaxed form is off).
    Dns1035Label,
    /// No slash, no percent, not `.` or `..`: RBAC.
    PathSegment,
    /// Checked by the strategy.
    Custom,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            generation: false,
            status: false,
            create_on_update: false,
            unconditional_update: true,
            name: NameRule::DnsSubdomain,
            orphan_by_default: false,
        }
    }
}

/// A column of `kubectl get`, as upstream's `TableColumnDefinition`.
#[derive(Clone, Copy, Debug)]
pub struct ColumnOf<'a> {
    /// The header, such as `Ready`; kubectl prints it in capitals.
    pub name: &'a str,
    /// `string`, `integer`, `date`, …
    pub kind: &'a str,
    /// `name` for the first column, else mostly empty.
    pub format: &'a str,
    /// 0 is always shown, 1 with `-o wide`.
    pub priority: u8,
    /// Upstream's description of the column.
    pub description: &'a str,
}

/// A column of a built-in kind.
pub type Column = ColumnOf<'static>;

/// Where a strategy's hook runs from.
pub struct Hook<'a> {
    /// The served version that the client speaks.
    pub version: &'a str,
    /// The time of the request.
    pub now: Timestamp,
}

/// What a kind adds to the lifecycle of a write. Hooks are pure functions of their arguments; each says when it
/// runs. All objects are in the storage version unless the hook says otherwise.
pub trait Strategy: Send + Sync + 'static {
    /// The kind's facts.
    fn traits(&self) -> Traits;

    /// Converts a decoded object of `version` into the storage version. Runs once after decoding.
    fn convert_to_storage(&self, _version: &str, _object: &mut Value) {}

    /// Converts an object of the storage version into `version`, before it is answered.
    fn convert_from_storage(&self, _version: &str, _object: &mut Value) {}

    /// What upstream's defaulting functions do beyond the schema's own defaults. Runs after the schema's
    /// defaults, on create, on update and after a patch. Must be idempotent.
    fn default(&self, _object: &mut Value) {}

    /// Runs before admission on create: drops and sets what clients may not. Status and generation are
    /// handled by `Traits`.
    fn prepare_for_create(&self, _object: &mut Value) {}

    /// Runs before admission on update, with the old object: keeps what clients may not change.
    fn prepare_for_update(&self, _new: &mut Value, _old: &Value) {}

    /// Runs on an update of `/status`, after everything but the status was taken from the old object.
    fn prepare_for_status_update(&self, _new: &mut Value, _old: &Value) {}

    /// Whether new conditions of a status get the time of the request where the client gave none.
    fn stamps_conditions(&self) -> bool {
        false
    }

    /// Runs after mutating admission on create, and on update before `validate_update`. `metadata` is
    /// validated by the registry.
    fn validate(&self, _object: &Value) -> Vec<field::Error> {
        Vec::new()
    }

    /// Runs on create, after `validate`: what only a new object must be.
    fn validate_create(&self, _object: &Value) -> Vec<field::Error> {
        Vec::new()
    }

    /// Runs on update, after `validate` of the new object.
    fn validate_update(&self, _new: &Value, _old: &Value) -> Vec<field::Error> {
        Vec::new()
    }

    /// Runs on update: the two above, in this order. A kind whose upstream looks at the change first, or takes what
    /// the old object had, has its own.
    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<field::Error> {
        let mut errors = self.validate(new);
        errors.extend(self.validate_update(new, old));
        errors
    }

    /// Runs on an update of `/status` in place of all above.
    fn validate_status_update(&self, _new: &Value, _old: &Value) -> Vec<field::Error> {
        Vec::new()
    }

    /// Runs on an update of a subresource that is neither `status` nor `scale` (`ephemeralcontainers`, `resize`,
    /// `finalize`, `approval`), after everything but that part was taken from the old object, in place of
    /// `validate` and `validate_update`.
    fn validate_subresource_update(
        &self,
        _subresource: &str,
        _new: &Value,
        _old: &Value,
    ) -> Vec<field::Error> {
        Vec::new()
    }

    /// Runs after validation: what goes into `Warning` headers.
    fn warnings(&self, _new: &Value, _old: Option<&Value>) -> Vec<String> {
        Vec::new()
    }

    /// The same on an update of `/status`, in place of `warnings`: most kinds have none.
    fn status_warnings(&self, _new: &Value, _old: &Value) -> Vec<String> {
        Vec::new()
    }

    /// The kind's selectable fields beyond `metadata.name` and `metadata.namespace`, each with its value
    /// (empty if unset). The set of paths must not depend on the object.
    fn fields(&self, _object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        Box::default()
    }

    /// The seconds that a deletion grants when the client asks for `requested` (`None`: did not say); `None`
    /// for kinds that are deleted at once.
    fn grace_period(&self, _object: &Value, _requested: Option<i64>) -> Option<i64> {
        None
    }

    /// Called for the first deletion of an object: one whose end takes more than its removal is given what holds it
    /// until then, and says so. Whether it was.
    fn begin_deletion(&self, _object: &mut Value, _now: Timestamp) -> bool {
        false
    }

    /// Why no object may be made now, as the client reads it with 405; `None` when one may.
    fn refuses_new(&self) -> Option<&'static str> {
        None
    }

    /// The columns of `kubectl get`.
    fn columns(&self) -> &'static [Column] {
        DEFAULT_COLUMNS
    }

    /// The columns where they are only known at run time (custom resources): they stand in for `columns`.
    fn own_columns(&self) -> Option<Vec<ColumnOf<'_>>> {
        None
    }

    /// What a table says of a row as a whole, as `TableRowCondition`s: that a pod ended, for one.
    fn row_conditions(&self, _object: &Value) -> Vec<Value> {
        Vec::new()
    }

    /// The cells of one object, one per column.
    fn cells(&self, object: &Value, _now: Timestamp) -> Vec<Value> {
        vec![
            object.at("/metadata/name").clone(),
            object.at("/metadata/creationTimestamp").clone(),
        ]
    }
}

/// Name and creation time: what upstream prints for kinds without a printer.
pub const DEFAULT_COLUMNS: &[Column] = &[
    Column {
        name: "Name",
        kind: "string",
        format: "name",
        priority: 0,
        description: "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
    },
    Column {
        name: "Created At",
        kind: "date",
        format: "",
        priority: 0,
        description: "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    },
];
