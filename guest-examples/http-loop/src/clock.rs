//! The time as the loop sees it: read once for each turn, so that handling a request costs no host call.

use crate::date;

/// A point on the monotonic clock, in nanoseconds.
pub type Instant = u64;

/// Nanoseconds of one second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds of one millisecond.
pub const MILLISECOND: u64 = 1_000_000;

/// The time of the present turn and its texts, which are made once a second.
#[derive(Debug, Default)]
pub struct Clock {
    now: Instant,
    /// Nanoseconds since the Unix epoch, minus the monotonic clock.
    offset: i128,
    /// The wall clock is asked again from here on.
    refresh_at: Instant,
    unix: u64,
    http: Vec<u8>,
    error_log: Vec<u8>,
    access_log: Vec<u8>,
}

impl Clock {
    /// Sets the time of this turn; `wall` gives the nanoseconds since the Unix epoch and is asked once a second.
    pub fn advance(&mut self, now: Instant, wall: impl FnOnce() -> u128) {
        self.now = now;
        if now >= self.refresh_at {
            let wall = wall();
            self.offset = i128::try_from(wall).unwrap_or(i128::MAX) - i128::from(now);
            let into_second = u64::try_from(wall % u128::from(SECOND)).unwrap_or(0);
            self.refresh_at = now.saturating_add(SECOND - into_second);
            self.write_texts(u64::try_from(wall / u128::from(SECOND)).unwrap_or(u64::MAX));
        }
    }

    fn write_texts(&mut self, unix: u64) {
        self.unix = unix;
        let parts = date::Parts::of(unix);
        self.http.clear();
        date::push_http(&mut self.http, &parts);
        self.error_log.clear();
        date::push_error_log(&mut self.error_log, &parts);
        self.access_log.clear();
        date::push_access_log(&mut self.access_log, &parts);
    }

    /// The monotonic time of this turn.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn unix(&self) -> u64 {
        self.unix
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_millis(&self) -> u64 {
        let nanos = i128::from(self.now).saturating_add(self.offset);
        u64::try_from(nanos / i128::from(MILLISECOND)).unwrap_or(0)
    }

    /// The value of a `Date` field.
    #[must_use]
    pub fn http_date(&self) -> &[u8] {
        &self.http
    }

    /// `2026/11/21 10:00:00`, as error logs begin.
    #[must_use]
    pub fn error_log_time(&self) -> &[u8] {
        &self.error_log
    }

    /// `21/Nov/2026:10:00:00 +0000`, as access logs have it.
    #[must_use]
    pub fn access_log_time(&self) -> &[u8] {
        &self.access_log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_asked_once_a_second_and_its_texts_follow_it() {
        let mut clock = Clock::default();
        let mut asked = 0;
        for millis in 0..2_500_u64 {
            clock.advance(millis * MILLISECOND, || {
                asked += 1;
                1_795_255_200 * u128::from(SECOND) + u128::from(millis * MILLISECOND)
            });
        }
        assert_eq!(asked, 3);
        assert_eq!(clock.http_date(), b"Sat, 21 Nov 2026 10:00:02 GMT");
        assert_eq!(clock.unix(), 1_795_255_202);
        assert_eq!(clock.unix_millis(), 1_795_255_202_499);
        assert_eq!(clock.access_log_time(), b"21/Nov/2026:10:00:02 +0000");
        assert_eq!(clock.error_log_time(), b"2026/11/21 10:00:02");
    }
}
