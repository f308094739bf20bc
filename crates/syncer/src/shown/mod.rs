//! What a virtual cluster is shown of its host, read-only: classes by selector (`class`), objects of namespaces by
//! mapping (`mapped`, `mapping`), and the definitions of custom resources (`definition`). What a tenant changes of it is
//! brought back; what it deletes is made again. An object of the tenant's own of the same name is left alone.

mod class;
mod classes;
mod definition;
mod gateway;
mod mapped;
mod mapping;

pub(crate) use self::class::ShownClasses;
pub(crate) use self::classes::CLASSES;
pub(crate) use self::definition::{Definitions, definitions};
pub(crate) use self::mapped::{
    MAPPED, Mapped, Setting as MappedSetting, mapped, reconcile as reconcile_mapped, shown_at, virtual_keys,
};
pub(crate) use self::mapping::Mapping;
