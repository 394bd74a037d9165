//! The flags with which a POSIX object is opened: `mq_open(3)`, `sem_open(3)`, `shm_open(3)`.

use std::ops::BitOr;

use crate::Errno;

/// How an object is opened; combined with `|`. The bits are those of the plain imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenFlags(u32);

impl OpenFlags {
    /// To receive, or to read: `O_RDONLY`, and with [`Self::WRITE`] `O_RDWR`. Nothing for semaphores.
    pub const READ: Self = Self(1);
    /// To send, or to write: `O_WRONLY`, and with [`Self::READ`] `O_RDWR`. Nothing for semaphores.
    pub const WRITE: Self = Self(1 << 1);
    /// To make the object where it is missing: `O_CREAT`.
    pub const CREATE: Self = Self(1 << 2);
    /// With [`Self::CREATE`], to fail where it exists: `O_EXCL`. Means nothing alone, as on Linux.
    pub const EXCLUSIVE: Self = Self(1 << 3);
    /// Never to wait: `O_NONBLOCK`. For queues.
    pub const NONBLOCKING: Self = Self(1 << 4);
    /// To empty it: `O_TRUNC`. For shared memory; `EINVAL` elsewhere.
    pub const TRUNCATE: Self = Self(1 << 5);

    const ALL: u32 = 0b11_1111;

    /// The flags of these bits, as a guest gives them.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bit that has no meaning.
    pub const fn from_bits(bits: u32) -> Result<Self, Errno> {
        if bits & !Self::ALL == 0 {
            Ok(Self(bits))
        } else {
            Err(Errno::Invalid)
        }
    }

    /// The bits of these flags.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all flags of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for OpenFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
