//! Service accounts: on the host they are only names, to which the host's owner may bind rights or an identity of a
//! cloud. Nothing of the tenant's tokens crosses, and no token of the host's is mounted.

use warren_apimachinery::resource;
use warren_apimachinery::value::ValueExt;

use crate::mirrored::{Carry, Row, Setting};

/// The kind.
pub(crate) const ROW: Row = Row {
    fields: &[],
    follows: &[],
    shape: |_, _, host| {
        host.set("/automountServiceAccountToken", false);
        Carry::Yes
    },
    ..Row::new("sync-service-accounts", resource::SERVICE_ACCOUNTS, |spec| {
        Setting::of(&spec.sync.to_host.service_accounts)
    })
};
