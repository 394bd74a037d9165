//! The time of a pod: one handle, given to everything that works for it.
//!
//! Two times, because they answer two questions. *Elapsed* time never jumps and decides when something is due; *wall*
//! time is what people read in a status or a log, and follows the host's clock when someone sets it. Both stand still
//! and move with tokio's paused clock when the handle is a [virtual](Clock::virtual_from) one, so that a test of ten
//! minutes of back-off takes milliseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use wasmpod_lifecycle::time::{Now, Timestamp};

/// A pod's source of time; cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall: Wall,
}

#[derive(Clone, Copy, Debug)]
enum Wall {
    /// The host's own clock.
    Host,
    /// Starts at this time after 1970 and moves with elapsed time.
    Virtual(Duration),
}

impl Clock {
    /// The host's time. Elapsed time counts from this call.
    #[must_use]
    pub fn host() -> Self {
        Self {
            start: Instant::now(),
            wall: Wall::Host,
        }
    }

    /// A time that begins at `start` and moves only with tokio's clock.
    #[must_use]
    pub fn virtual_from(start: Timestamp) -> Self {
        let since_1970 = Duration::try_from(start.duration_since(Timestamp::UNIX_EPOCH));
        Self {
            start: Instant::now(),
            wall: Wall::Virtual(since_1970.unwrap_or_default()),
        }
    }

    /// Time since this clock (or the one it was copied from) was made. Never jumps.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The moment of tokio's clock at which [`elapsed`](Self::elapsed) is `elapsed`.
    #[must_use]
    pub fn instant_at(&self, elapsed: Duration) -> Instant {
        self.start + elapsed
    }

    /// Wall time since 1970-01-01T00:00:00Z; zero if the host's clock stands before that.
    #[must_use]
    pub fn since_1970(&self) -> Duration {
        match self.wall {
            Wall::Host => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            Wall::Virtual(start) => start.saturating_add(self.elapsed()),
        }
    }

    /// Whole seconds of wall time since 1970, for times that are noted at every operation of a guest: it costs a few
    /// nanoseconds. It may be one tick of the kernel (10 ms at most) late.
    #[must_use]
    pub fn seconds_since_1970(&self) -> u64 {
        match self.wall {
            Wall::Host => coarse_seconds(),
            Wall::Virtual(_) => self.since_1970().as_secs(),
        }
    }

    /// Wall time as Kubernetes' types keep it.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        let since = self.since_1970();
        let nanoseconds = i32::try_from(since.subsec_nanos()).unwrap_or_default();
        i64::try_from(since.as_secs())
            .ok()
            .and_then(|seconds| Timestamp::new(seconds, nanoseconds).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// Both times at once, as `lifecycle` wants them.
    #[must_use]
    pub fn now(&self) -> Now {
        Now {
            elapsed: self.elapsed(),
            wall: self.timestamp(),
        }
    }
}

/// The kernel's own note of the time: reading it computes nothing (`CLOCK_REALTIME_COARSE` of `clock_gettime(2)`).
#[cfg(target_os = "linux")]
fn coarse_seconds() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    u64::try_from(now.tv_sec).unwrap_or_default()
}

/// Other systems have no such clock.
#[cfg(not(target_os = "linux"))]
fn coarse_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_are_those_of_the_wall_clock() {
        let clock = Clock::host();
        let before = clock.since_1970();
        let noted = clock.seconds_since_1970();
        let after = clock.since_1970();
        // The note may be a tick old, and a second may have passed within it.
        assert!(before.as_secs() <= noted + 1 && noted <= after.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn whole_seconds_of_a_virtual_clock_move_with_it() {
        let clock = Clock::virtual_from(Timestamp::UNIX_EPOCH);
        tokio::time::advance(Duration::from_millis(90_999)).await;
        assert_eq!(clock.seconds_since_1970(), 90);
    }
}
