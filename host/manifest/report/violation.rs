//! One broken rule about one field, in the form of Kubernetes' `field.Error`.
//!
//! The words of [`ViolationKind`] and the order `path: Kind: value: detail` are those of
//! apimachinery's `pkg/util/validation/field`, so that a user of kubectl reads what he knows and
//! an API server can put the same data into `Status.details.causes`.

use std::fmt;

/// The kind of a broken rule; `Display` gives Kubernetes' word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViolationKind {
    /// The value breaks a rule.
    Invalid,
    /// A value must be there and is not.
    Required,
    /// A value that must be unique was used before.
    Duplicate,
    /// The value is none of a closed list.
    NotSupported,
    /// The value names something that does not exist.
    NotFound,
    /// The value is well-formed and not allowed here.
    Forbidden,
    /// A text is too long.
    TooLong,
    /// A list has too many elements.
    TooMany,
    /// The value has the wrong type; printed as an invalid value, as the API server does.
    TypeInvalid,
}

impl ViolationKind {
    /// The reason of this kind in a Status cause: `FieldValueInvalid`, …
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Invalid => "FieldValueInvalid",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::NotSupported => "FieldValueNotSupported",
            Self::NotFound => "FieldValueNotFound",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    /// Whether the message shows the value.
    const fn shows_value(self) -> bool {
        !matches!(self, Self::Required | Self::Forbidden | Self::TooLong)
    }
}

impl fmt::Display for ViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::NotSupported => "Unsupported value",
            Self::NotFound => "Not found",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
        })
    }
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field: `spec.containers[1].ports[0].containerPort`.
    pub path: String,
    /// What kind of rule.
    pub kind: ViolationKind,
    /// The value as it is printed (`70000`, `"dta"`), or `None` when the kind shows none.
    pub value: Option<String>,
    /// The rule in words; empty when the kind says enough.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The name of the rule, stable across wordings.
    pub rule_id: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.kind)?;
        if let Some(value) = self.value.as_ref().filter(|_| self.kind.shows_value()) {
            write!(f, ": {value}")?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}
