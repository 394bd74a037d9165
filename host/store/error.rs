//! Why the store refuses something, in the words of the API server.

use crate::Kind;

/// Why the store refuses something. The texts are those of an API server's `Status.message`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is an object of this kind and name already.
    #[error("{} \"{name}\" already exists", kind.qualified_plural())]
    AlreadyExists {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// There is no such object.
    #[error("{} \"{name}\" not found", kind.qualified_plural())]
    NotFound {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The write was made from an old copy, or for another object of the same name.
    #[error("Operation cannot be fulfilled on {} \"{name}\": {detail}", kind.qualified_plural())]
    Conflict {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// In which way.
        detail: String,
    },
    /// The changes after this resourceVersion are not kept any more: list again.
    #[error("too old resource version: {since} ({oldest})")]
    Expired {
        /// The version that was asked for.
        since: u64,
        /// The oldest one that can be had.
        oldest: u64,
    },
    /// The object must not be like this.
    #[error("{} \"{name}\" is invalid: {detail}", kind.name())]
    Invalid {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// `path: Kind: value: detail`, as a manifest's violations are told.
        detail: String,
    },
}

impl StoreError {
    /// `Status.reason`
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AlreadyExists { .. } => "AlreadyExists",
            Self::NotFound { .. } => "NotFound",
            Self::Conflict { .. } => "Conflict",
            Self::Expired { .. } => "Expired",
            Self::Invalid { .. } => "Invalid",
        }
    }
}
