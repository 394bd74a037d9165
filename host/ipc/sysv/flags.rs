//! How an object is asked for: the third argument of `msgget(2)`, `semget(2)`, `shmget(2)`.

use std::ops::BitOr;

/// The key of objects that have none: each is new.
pub const IPC_PRIVATE: i32 = 0;

/// Flags and permission bits; combined with `|`. The bits are Linux's, and those without a meaning
/// are ignored, as Linux does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct GetFlags(u32);

impl GetFlags {
    /// To make the object where it is missing: `IPC_CREAT`.
    pub const CREATE: Self = Self(0o1000);
    /// With [`Self::CREATE`], to fail where it exists: `IPC_EXCL`. Means nothing alone.
    pub const EXCLUSIVE: Self = Self(0o2000);

    /// The flags of these bits, as a guest gives them.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether all flags of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The permission bits of a new object.
    #[must_use]
    pub const fn mode(self) -> u32 {
        self.0 & MODE
    }
}

/// The permission bits.
pub(super) const MODE: u32 = 0o777;

impl BitOr for GetFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
