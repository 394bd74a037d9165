//! Finding objects: by labels ([`LabelSelector`]) and by fields ([`FieldSelector`]), as the query parameters
//! `labelSelector` and `fieldSelector` write them.

mod field;
mod label;

pub use field::FieldSelector;
pub use label::{LabelSelector, Requirement};

/// A text that is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse \"{text}\": {detail}")]
pub struct ParseSelectorError {
    /// The whole text.
    pub text: String,
    /// What is wrong with it.
    pub detail: String,
}
