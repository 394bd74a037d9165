//! Subscriptions and events of `poll_oneoff`, as they lie in the guest's memory.
//!
//! Layout: `wasi_snapshot_preview1`, records `subscription` (48 bytes) and `event` (32 bytes).

use super::errno::EINVAL;
use crate::host::guest_memory::Failure;

/// Bytes of a subscription.
pub(super) const SUBSCRIPTION_BYTES: usize = 48;
/// Bytes of an event.
pub(super) const EVENT_BYTES: usize = 32;

/// `eventtype`
const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

/// `subclockflags::subscription_clock_abstime`
const ABSOLUTE: u16 = 1;
/// `eventrwflags::fd_readwrite_hangup`
const HANGUP: u16 = 1;

/// `clockid`
const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

/// What a guest wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) userdata: u64,
    pub(super) to: To,
}

/// What a subscription is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// A moment: in so many nanoseconds, or at that time of the clock.
    Clock(ClockId, Moment),
    /// A moment of a clock that there is not.
    NoClock,
    /// Something to read from this descriptor.
    Read(i32),
    /// Room to write to this descriptor.
    Write(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockId {
    Realtime,
    Monotonic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Nanoseconds from now.
    In(u64),
    /// Nanoseconds of the clock.
    At(u64),
}

impl Subscription {
    /// Reads one; a type that is not there is `EINVAL`.
    pub(super) fn read(bytes: &[u8; SUBSCRIPTION_BYTES]) -> Result<Self, Failure> {
        let word = |at: usize| u32::from_le_bytes(array(bytes, at));
        let long = |at: usize| u64::from_le_bytes(array(bytes, at));
        let [kind] = array(bytes, 8);
        let to = match kind {
            CLOCK => {
                let timeout = long(24);
                let flags = u16::from_le_bytes(array(bytes, 40));
                let moment = if flags & ABSOLUTE == 0 {
                    Moment::In(timeout)
                } else {
                    Moment::At(timeout)
                };
                match word(16) {
                    REALTIME => To::Clock(ClockId::Realtime, moment),
                    MONOTONIC => To::Clock(ClockId::Monotonic, moment),
                    _ => To::NoClock,
                }
            }
            FD_READ => To::Read(word(16).cast_signed()),
            FD_WRITE => To::Write(word(16).cast_signed()),
            _ => return Err(EINVAL),
        };
        let userdata = long(0);
        Ok(Self { userdata, to })
    }

    /// The event that it has come to pass.
    pub(super) const fn event(self, of: Happening) -> Event {
        let kind = match self.to {
            To::Clock(..) | To::NoClock => CLOCK,
            To::Read(_) => FD_READ,
            To::Write(_) => FD_WRITE,
        };
        Event {
            userdata: self.userdata,
            kind,
            of,
        }
    }
}

/// `N` bytes from `at` on, all within the subscription.
fn array<const N: usize>(bytes: &[u8; SUBSCRIPTION_BYTES], at: usize) -> [u8; N] {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
    bytes.copied().unwrap_or([0; N])
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A moment has come, or there is room to write.
    Ready,
    /// So many bytes can be read; or the end has come.
    Readable { bytes: u64, hangup: bool },
    /// It cannot be waited for.
    Failed(Failure),
}

/// What a guest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    userdata: u64,
    kind: u8,
    of: Happening,
}

impl Event {
    /// As the guest reads it.
    pub(super) fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let (errno, bytes, hangup) = match self.of {
            Happening::Ready => (0, 0, false),
            Happening::Readable { bytes, hangup } => (0, bytes, hangup),
            Happening::Failed(failure) => (failure.errno(), 0, false),
        };
        let errno = u16::try_from(errno).unwrap_or(u16::MAX);
        let flags = if hangup { HANGUP } else { 0 };
        let mut event = [0; EVENT_BYTES];
        let mut put = |at: usize, field: &[u8]| {
            let places = event.iter_mut().skip(at).zip(field);
            places.for_each(|(place, byte)| *place = *byte);
        };
        put(0, &self.userdata.to_le_bytes());
        put(8, &errno.to_le_bytes());
        put(10, &[self.kind]);
        put(16, &bytes.to_le_bytes());
        put(24, &flags.to_le_bytes());
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: u8, fields: &[(usize, &[u8])]) -> [u8; SUBSCRIPTION_BYTES] {
        let mut bytes = [0; SUBSCRIPTION_BYTES];
        bytes[..8].copy_from_slice(&0x1122_3344_5566_7788_u64.to_le_bytes());
        bytes[8] = kind;
        for (at, field) in fields {
            bytes[*at..at + field.len()].copy_from_slice(field);
        }
        bytes
    }

    #[test]
    fn a_subscription_is_read_where_its_fields_are() {
        let long = 0x0102_0304_0506_0708_u64;
        let timeout: (usize, &[u8]) = (24, &long.to_le_bytes());
        for (raw, to) in [
            (
                bytes(0, &[timeout]),
                To::Clock(ClockId::Realtime, Moment::In(long)),
            ),
            (
                bytes(0, &[(16, &[1]), timeout, (40, &[1])]),
                To::Clock(ClockId::Monotonic, Moment::At(long)),
            ),
            (bytes(0, &[(16, &[2]), timeout]), To::NoClock),
            (bytes(1, &[(16, &[9, 1])]), To::Read(265)),
            (bytes(2, &[(16, &[0xff; 4])]), To::Write(-1)),
        ] {
            let read = Subscription::read(&raw).unwrap();
            assert_eq!((read.userdata, read.to), (0x1122_3344_5566_7788, to));
        }
        assert_eq!(Subscription::read(&bytes(3, &[])), Err(EINVAL));
    }

    #[test]
    fn an_event_has_its_fields_where_a_guest_reads_them() {
        let read = Subscription::read(&bytes(1, &[])).unwrap();
        let (bytes, hangup) = (0x0807_0605, true);
        let event = read.event(Happening::Readable { bytes, hangup }).to_bytes();
        assert_eq!(
            event[..12],
            [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 0, 1, 0]
        );
        assert_eq!(event[16..26], [5, 6, 7, 8, 0, 0, 0, 0, 1, 0]);
        let event = read.event(Happening::Failed(EINVAL)).to_bytes();
        assert_eq!((event[8], event[16], event[24]), (28, 0, 0));
    }
}
