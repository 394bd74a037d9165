//! Calendar dates in the proleptic Gregorian calendar, in UTC: containers have no other time zone.
//!
//! Formats: RFC 9110 section 5.6.7 (IMF-fixdate, and its two obsolete forms when reading), and those of nginx's logs.

use crate::decimal::{parse_decimal, push_decimal, push_two_digits};

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const SECONDS_OF_DAY: u64 = 86_400;
/// No date after the year 9999 is written; later clocks show the last second of it.
const LAST_SECOND: u64 = 253_402_300_799;

/// A second of time, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// The full year.
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
    /// 1 to 31.
    pub day: u64,
    /// 0 is Sunday.
    pub weekday: u64,
    /// 0 to 23.
    pub hour: u64,
    /// 0 to 59.
    pub minute: u64,
    /// 0 to 59.
    pub second: u64,
}

impl Parts {
    /// Takes apart seconds since the Unix epoch.
    #[must_use]
    pub fn of(unix: u64) -> Self {
        let unix = unix.min(LAST_SECOND);
        let (days, second) = (unix / SECONDS_OF_DAY, unix % SECONDS_OF_DAY);
        // Years that begin in March put the leap day last; an era is 400 years, 146,097 days.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: of_year - (153 * march_month + 2) / 5 + 1,
            weekday: (days + 4) % 7,
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    /// Seconds since the Unix epoch; `None` for a date before it or one that no calendar has.
    #[must_use]
    pub fn to_unix(self) -> Option<u64> {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let length = match self.month {
            2 => 28 + u64::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        // A leap second (60) is read as the second after it.
        let in_range = (1970..=9999).contains(&self.year)
            && (1..=length).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60;
        if !in_range {
            return None;
        }
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let (era, year_of_era) = (year / 400, year % 400);
        let march_month = if self.month > 2 {
            self.month - 3
        } else {
            self.month + 9
        };
        let of_year = (153 * march_month + 2) / 5 + self.day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        let days = (era * 146_097 + of_era).checked_sub(719_468)?;
        Some(days * SECONDS_OF_DAY + self.hour * 3_600 + self.minute * 60 + self.second)
    }
}

/// Appends `Sat, 21 Nov 2026 10:00:00 GMT`.
pub fn push_http(out: &mut Vec<u8>, parts: &Parts) {
    out.extend_from_slice(name(&DAYS, parts.weekday).as_bytes());
    out.extend_from_slice(b", ");
    push_day(out, parts, b' ');
    out.push(b' ');
    push_clock(out, parts);
    out.extend_from_slice(b" GMT");
}

/// Appends `21/Nov/2026:10:00:00 +0000`.
pub fn push_access_log(out: &mut Vec<u8>, parts: &Parts) {
    push_day(out, parts, b'/');
    out.push(b':');
    push_clock(out, parts);
    out.extend_from_slice(b" +0000");
}

/// Appends `2026/11/21 10:00:00`.
pub fn push_error_log(out: &mut Vec<u8>, parts: &Parts) {
    push_decimal(out, parts.year);
    out.push(b'/');
    push_two_digits(out, parts.month);
    out.push(b'/');
    push_two_digits(out, parts.day);
    out.push(b' ');
    push_clock(out, parts);
}

/// Appends `2026-11-21T10:00:00+00:00`.
pub fn push_iso8601(out: &mut Vec<u8>, parts: &Parts) {
    push_decimal(out, parts.year);
    out.push(b'-');
    push_two_digits(out, parts.month);
    out.push(b'-');
    push_two_digits(out, parts.day);
    out.push(b'T');
    push_clock(out, parts);
    out.extend_from_slice(b"+00:00");
}

/// Appends `21-Nov-2026 10:00`, as directory listings have it.
pub fn push_listing(out: &mut Vec<u8>, parts: &Parts) {
    push_day(out, parts, b'-');
    out.push(b' ');
    push_two_digits(out, parts.hour);
    out.push(b':');
    push_two_digits(out, parts.minute);
}

fn push_day(out: &mut Vec<u8>, parts: &Parts, separator: u8) {
    push_two_digits(out, parts.day);
    out.push(separator);
    out.extend_from_slice(name(&MONTHS, parts.month.wrapping_sub(1)).as_bytes());
    out.push(separator);
    push_decimal(out, parts.year);
}

fn push_clock(out: &mut Vec<u8>, parts: &Parts) {
    push_two_digits(out, parts.hour);
    out.push(b':');
    push_two_digits(out, parts.minute);
    out.push(b':');
    push_two_digits(out, parts.second);
}

fn name<const N: usize>(names: &[&'static str; N], index: u64) -> &'static str {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index))
        .copied()
        .unwrap_or("")
}

/// Reads an HTTP date of any of the three forms into seconds since the Unix epoch.
#[must_use]
pub fn parse_http(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?;
    let mut words = text
        .split_ascii_whitespace()
        .flat_map(|word| word.split('-'));
    let first = words.next()?;
    let fields: Vec<&str> = words.collect();
    let (day, month, year, clock) = if first.ends_with(',') {
        match *fields.as_slice() {
            [day, month, year, clock, "GMT"] => (day, month, year, clock),
            _ => return None,
        }
    } else {
        match *fields.as_slice() {
            [month, day, clock, year] => (day, month, year, clock),
            _ => return None,
        }
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let mut year = parse_decimal(year.as_bytes())?;
    if year < 100 {
        // RFC 850 dates have two digits; nginx reads 70 to 99 as the twentieth century.
        year += if year < 70 { 2000 } else { 1900 };
    }
    let mut clock = clock.split(':').map(|part| parse_decimal(part.as_bytes()));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if clock.next().is_some() {
        return None;
    }
    let month = u64::try_from(month).ok()?;
    let day = parse_decimal(day.as_bytes())?;
    Parts {
        year,
        month,
        day,
        weekday: 0,
        hour,
        minute,
        second,
    }
    .to_unix()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_three_forms_of_rfc_9110_are_read() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_http(text.as_bytes()), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn dates_that_no_calendar_has_are_refused() {
        for text in [
            "",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37:11 GMT",
            "x, -",
        ] {
            assert_eq!(parse_http(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn formats_show_the_same_second_each_in_its_own_way() {
        let parts = Parts::of(784_111_777);
        let shown = |push: fn(&mut Vec<u8>, &Parts)| {
            let mut out = Vec::new();
            push(&mut out, &parts);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(push_http), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(shown(push_access_log), "06/Nov/1994:08:49:37 +0000");
        assert_eq!(shown(push_error_log), "1994/11/06 08:49:37");
        assert_eq!(shown(push_iso8601), "1994-11-06T08:49:37+00:00");
        assert_eq!(shown(push_listing), "06-Nov-1994 08:49");
    }

    proptest! {
        #[test]
        fn every_second_comes_back_from_its_text(unix in 0..=LAST_SECOND) {
            let parts = Parts::of(unix);
            prop_assert_eq!(parts.to_unix(), Some(unix));
            let mut out = Vec::new();
            push_http(&mut out, &parts);
            prop_assert_eq!(parse_http(&out), Some(unix));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse_http(&text);
        }
    }
}
