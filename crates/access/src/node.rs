//! Who is a node: the name that a kubelet's credentials carry.

use warren_apimachinery::UserInfo;

const PREFIX: &str = "system:node:";
const GROUP: &str = "system:nodes";

/// The name of the node that the user is; empty for one that has no name, `None` for others.
pub(crate) fn name_of(user: &UserInfo) -> Option<&str> {
    let name = user.name.strip_prefix(PREFIX)?;
    user.groups.iter().any(|group| group == GROUP).then_some(name)
}
