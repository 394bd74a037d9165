//! How long ago, and when, as kubectl writes it (apimachinery pkg/util/duration, HumanDuration; RFC 1123 times).

use jiff::{Timestamp, tz::TimeZone};

/// A span of time in one or two units: `45s`, `3m10s`, `25m`, `5h2m`, `3d4h`, `12d`, `2y30d`.
pub(crate) fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |unit: i64, big: &str, part: i64, small: &str| match seconds % unit / part {
        0 => format!("{}{big}", seconds / unit),
        rest => format!("{}{big}{rest}{small}", seconds / unit),
    };
    match seconds {
        // A clock that is a second behind is no reason to complain.
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(MINUTE, "m", 1, "s"),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(HOUR, "h", MINUTE, "m"),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(DAY, "d", HOUR, "h"),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(YEAR, "y", DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// How long ago `then` was.
pub(crate) fn since(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map_or_else(
        || "<unknown>".to_owned(),
        |then| human(now.duration_since(then).as_secs()),
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
    fn spans_have_one_or_two_units() {
        for (seconds, shown) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (63_072_000 + 86_400 * 3, "2y3d"),
            (252_288_000, "8y"),
        ] {
            assert_eq!(human(seconds), shown, "{seconds}");
        }
    }

    #[test]
    fn a_moment_is_written_in_the_zone() {
        let moment: Timestamp = "2026-11-01T04:05:06Z".parse().unwrap();
        assert_eq!(
            rfc1123(moment, &TimeZone::UTC),
            "Sun, 01 Nov 2026 04:05:06 +0000"
        );
    }
}
