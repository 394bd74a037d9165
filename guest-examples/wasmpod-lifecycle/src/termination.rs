//! Being asked to end.
//!
//! A program that calls [`requested`], [`wait`] or `subscribe` handles that from then on: it goes on when its container
//! is stopped, and should end by itself before the grace period is over. Until its first call, and for programs that
//! never ask, the signal that asks has its default action: SIGTERM ends the program at once.

use std::time::Duration;

use crate::{Signal, sys};

/// How much is left until the program is ended by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// So much of the grace period.
    Time(Duration),
    /// There is no limit: another process of the container has asked.
    Unlimited,
}

impl Left {
    /// From nanoseconds, of which the greatest number is no limit.
    #[cfg_attr(unix, expect(dead_code, reason = "no native kernel tells it"))]
    pub(crate) fn of_nanoseconds(left: u64, unlimited: u64) -> Self {
        if left >= unlimited {
            Self::Unlimited
        } else {
            Self::Time(Duration::from_nanos(left))
        }
    }
}

/// Handles termination from here on, or leaves it to the signal's default action again. The other functions do the
/// first as well.
pub fn handle(handled: bool) {
    sys::handle_termination(handled);
}

/// What is left, if the program was asked to end.
#[must_use]
pub fn requested() -> Option<Left> {
    sys::requested()
}

/// Waits until the program is asked to end, but no longer than `limit`; then as [`requested`].
#[must_use]
pub fn wait(limit: Option<Duration>) -> Option<Left> {
    sys::wait_for_termination(limit)
}

/// Which signal has asked: SIGTERM, or what the container's `lifecycle.stopSignal` names.
#[must_use]
pub fn signal() -> Option<Signal> {
    sys::termination_signal()
}

/// Ready when the program was asked to end, and stays so.
#[cfg(all(target_os = "wasi", target_env = "p2"))]
#[must_use]
pub fn subscribe() -> wasip2::io::poll::Pollable {
    sys::subscribe_to_termination()
}
