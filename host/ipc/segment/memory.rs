//! What a host provides for a segment: bytes that containers share.

use std::any::Any;
use std::fmt;

use crate::Errno;

/// The memory of one segment. Its methods may run on several threads at once, and while guests change
/// what they have mapped; implementations must make that no undefined behaviour.
///
/// All ranges and alignments are checked by [`Segment`](super::Segment) against the size that
/// `resize` was told last, and against an older one while it runs: then what is read beyond the
/// new end is zero or what was there, and what is written there is lost.
///
/// A host finds its own type again by `(memory as &dyn Any).downcast_ref()`.
pub trait SegmentMemory: Any + Send + Sync + fmt::Debug {
    /// Changes the size in bytes. Bytes that come are zero, also those that were there once before.
    ///
    /// What a guest has mapped must stay accessible to it when the size shrinks.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the host has no memory left; only when it grows, and then nothing has changed.
    fn resize(&self, old: u64, new: u64) -> Result<(), Errno>;

    /// Copies bytes out.
    fn read(&self, offset: u64, into: &mut [u8]);

    /// Copies bytes in.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the host has no memory left.
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno>;

    /// Does a sequentially consistent operation on an aligned little-endian word of 32 bits; returns
    /// what was there before.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the host has no memory left.
    fn update_u32(&self, offset: u64, op: AtomicOp<u32>) -> Result<u32, Errno>;

    /// Does a sequentially consistent operation on an aligned little-endian word of 64 bits; returns
    /// what was there before.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the host has no memory left.
    fn update_u64(&self, offset: u64, op: AtomicOp<u64>) -> Result<u64, Errno>;
}

/// Makes the memory of new segments.
pub trait SegmentProvider: Send + Sync {
    /// Memory for a new segment, of size 0.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the host has none left.
    fn make(&self) -> Result<Box<dyn SegmentMemory>, Errno>;

    /// Whether guests can have its memory as a part of their own, so that it is worth having numbers there which they
    /// change without a call.
    fn is_mappable(&self) -> bool {
        false
    }
}

/// An atomic operation on a word, `T` being `u32` or `u64`. Adding wraps around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtomicOp<T> {
    /// Changes nothing.
    Load,
    /// Puts this value there.
    Store(T),
    /// Puts this value there; as `Store`, for symmetry with the WebAssembly instruction.
    Exchange(T),
    /// Adds this value.
    Add(T),
    /// Keeps the bits that are set in this value.
    And(T),
    /// Sets the bits that are set in this value.
    Or(T),
    /// Inverts the bits that are set in this value.
    Xor(T),
    /// Puts `new` there if `expected` is there.
    CompareExchange {
        /// What must be there.
        expected: T,
        /// What comes there.
        new: T,
    },
}

macro_rules! apply {
    ($word:ty) => {
        impl AtomicOp<$word> {
            /// The word after the operation; `None` when it does not change.
            #[must_use]
            pub fn apply(self, old: $word) -> Option<$word> {
                match self {
                    Self::Load => None,
                    Self::Store(new) | Self::Exchange(new) => Some(new),
                    Self::Add(value) => Some(old.wrapping_add(value)),
                    Self::And(value) => Some(old & value),
                    Self::Or(value) => Some(old | value),
                    Self::Xor(value) => Some(old ^ value),
                    Self::CompareExchange { expected, new } => (old == expected).then_some(new),
                }
            }
        }
    };
}

apply!(u32);
apply!(u64);
