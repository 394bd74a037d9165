//! The size of a new queue, as `mq_open(3)` is told it.

use crate::limits::{
    DEFAULT_MESSAGE_BYTES, DEFAULT_MESSAGES, MESSAGE_OVERHEAD_BYTES, QUEUE_OVERHEAD_BYTES,
};
use crate::{Errno, IpcLimits};

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
    /// The size of a queue that is made without one: the pod's defaults, or its limits where they
    /// are less, as Linux has it.
    pub(super) fn of(limits: &IpcLimits) -> Self {
        Self {
            max_messages: limits.default_messages.min(limits.max_messages),
            message_bytes: limits.default_message_bytes.min(limits.max_message_bytes),
        }
    }

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
