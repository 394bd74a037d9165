//! What `mq_open(3)` is told: flags and the attributes of a new queue.

use std::ops::BitOr;

use crate::limits::{
    DEFAULT_MESSAGE_BYTES, DEFAULT_MESSAGES, MESSAGE_OVERHEAD_BYTES, QUEUE_OVERHEAD_BYTES,
};
use crate::{Errno, IpcLimits};

/// How a queue is opened; combined with `|`. The bits are those of the plain import `mq_open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenFlags(u32);

impl OpenFlags {
    /// To receive: `O_RDONLY`, and with [`Self::WRITE`] `O_RDWR`.
    pub const READ: Self = Self(1);
    /// To send: `O_WRONLY`, and with [`Self::READ`] `O_RDWR`.
    pub const WRITE: Self = Self(1 << 1);
    /// To make the queue where it is missing: `O_CREAT`.
    pub const CREATE: Self = Self(1 << 2);
    /// With [`Self::CREATE`], to fail where it exists: `O_EXCL`. Means nothing alone, as on Linux.
    pub const EXCLUSIVE: Self = Self(1 << 3);
    /// Never to wait: `O_NONBLOCK`.
    pub const NONBLOCKING: Self = Self(1 << 4);

    const ALL: u32 = 0b1_1111;

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

/// The size of a queue, fixed when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Messages that it holds before it is full: `mq_maxmsg`, 1 to [`IpcLimits::max_messages`].
    pub max_messages: u32,
    /// The longest message, in bytes: `mq_msgsize`, 1 to [`IpcLimits::max_message_bytes`].
    pub message_bytes: u32,
}

impl Default for Attributes {
    /// 10 messages of 8192 bytes: `/proc/sys/fs/mqueue/msg_default` and `msgsize_default`.
    fn default() -> Self {
        Self {
            max_messages: DEFAULT_MESSAGES,
            message_bytes: DEFAULT_MESSAGE_BYTES,
        }
    }
}

impl Attributes {
    /// `EINVAL` unless a queue of this size may be made.
    pub(super) fn check(self, limits: &IpcLimits) -> Result<(), Errno> {
        let messages = (1..=limits.max_messages).contains(&self.max_messages);
        let bytes = (1..=limits.max_message_bytes).contains(&self.message_bytes);
        if messages && bytes {
            Ok(())
        } else {
            Err(Errno::Invalid)
        }
    }

    /// What a full queue of this size is charged for, in bytes.
    pub(super) fn charge_bytes(self) -> u64 {
        let message = u64::from(self.message_bytes) + MESSAGE_OVERHEAD_BYTES;
        // At most 2^32 times 2^32 + 64: only the sum can leave the range, and then nothing fits.
        u64::from(self.max_messages)
            .saturating_mul(message)
            .saturating_add(QUEUE_OVERHEAD_BYTES)
    }
}
