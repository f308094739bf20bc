//! Why a patch was refused, and the `Status` that upstream answers for it.

use warren_apimachinery::Status;
use warren_apimachinery::status::{Details, StatusReason};

/// A patch that cannot be applied. The caller of the API is to blame for every variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is not of the form its type asks for: 400 with this message.
    #[error("{0}")]
    Malformed(String),
    /// More operations than a JSON patch may have: 413.
    #[error("the allowed maximum operations in a JSON patch is {limit}, got {found}")]
    TooManyOperations {
        /// How many may be.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// The patch does not fit the object (a failed `test`, a path that is not there): 422. Upstream keeps
    /// the text from clients; authors of webhooks read it.
    #[error("the patch does not fit the object: {0}")]
    DoesNotFit(String),
    /// The patch has the form but not the content that it needs: upstream answers 500 without a reason.
    #[error("{0}")]
    Unclassified(String),
}

impl PatchError {
    /// Whether all that is wrong is that a `test` of a JSON patch was not met.
    pub fn is_failed_test(&self) -> bool {
        matches!(self, Self::DoesNotFit(why) if why.starts_with("testing value ") && why.ends_with(" failed: test failed"))
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::Malformed(message.into())
    }
}

impl From<PatchError> for Status {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::Malformed(message) => Self::bad_request(message),
            PatchError::TooManyOperations { limit, found } => Self::new(
                StatusReason::RequestEntityTooLarge,
                format!(
                    "Request entity too large: The allowed maximum operations in a JSON patch is {limit}, got {found}"
                ),
            ),
            PatchError::DoesNotFit(_) => Self::new(
                StatusReason::Invalid,
                "the server rejected our request due to an error in our request",
            )
            .with_details(Details::default()),
            PatchError::Unclassified(message) => Self::unclassified(message),
        }
    }
}
