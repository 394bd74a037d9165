//! How long ago, and when, as kubectl writes it (apimachinery pkg/util/duration, HumanDuration; RFC 1123 times).

use jiff::{Timestamp, tz::TimeZone};
use wasmpod_api::human_duration;

/// How long ago `then` was.
pub(crate) fn since(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map_or_else(
        || "<unknown>".to_owned(),
        |then| human_duration(now.duration_since(then)),
    )
}

/// A moment in this machine's time zone: `Sat, 21 Nov 2026 14:37:13 +0000`.
pub(crate) fn rfc1123(moment: Timestamp, zone: &TimeZone) -> String {
    moment
        .to_zoned(zone.clone())
        .strftime("%a, %d %b %Y %H:%M:%S %z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_the_zone() {
        let moment: Timestamp = "2026-11-01T04:05:06Z".parse().unwrap();
        assert_eq!(
            rfc1123(moment, &TimeZone::UTC),
            "Sun, 01 Nov 2026 04:05:06 +0000"
        );
    }
}
