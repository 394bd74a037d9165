//! Which message a receiver wants: `msgtyp` and `MSG_EXCEPT` of `msgop(2)`.

use crate::messages::{Found, Messages};

/// Which message a receiver wants; of those, always the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Select {
    /// Any: `msgtyp` 0.
    Any,
    /// Of this type: `msgtyp` greater than 0.
    Type(i64),
    /// Of another type: with `MSG_EXCEPT`.
    Except(i64),
    /// Of the least type that is this or less: `msgtyp` less than 0.
    Least(i64),
}

impl Select {
    /// What `msgrcv` is told. `MSG_EXCEPT` only counts with a type, as on Linux.
    #[must_use]
    pub const fn new(msgtyp: i64, except: bool) -> Self {
        match msgtyp {
            0 => Self::Any,
            1.. if except => Self::Except(msgtyp),
            1.. => Self::Type(msgtyp),
            // The least number has no counterpart; every type is less than it would be.
            _ => Self::Least(msgtyp.saturating_neg()),
        }
    }

    /// Whether it takes a message of this type, if there is no better.
    pub(super) const fn takes(self, message_type: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Type(wanted) => message_type == wanted,
            Self::Except(unwanted) => message_type != unwanted,
            Self::Least(most) => message_type <= most,
        }
    }

    pub(super) fn find(self, messages: &Messages<true>) -> Option<Found> {
        match self {
            Self::Any => messages.find_oldest(),
            Self::Type(wanted) => messages.find_key(wanted),
            Self::Except(unwanted) => messages.find_other(unwanted),
            Self::Least(most) => messages.find_lowest(most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_that_msgrcv_is_told_is_read_as_linux_does() {
        let table = [
            (0, false, Select::Any),
            (0, true, Select::Any),
            (7, false, Select::Type(7)),
            (7, true, Select::Except(7)),
            (-7, false, Select::Least(7)),
            (-7, true, Select::Least(7)),
            (i64::MIN, false, Select::Least(i64::MAX)),
        ];
        for (msgtyp, except, expected) in table {
            assert_eq!(Select::new(msgtyp, except), expected, "{msgtyp} {except}");
        }
    }
}
