//! The schedule of a cron job: five fields, or a word that stands for them.
//!
//! It reads what the API server reads, no more: minute, hour, day of the month, month, day of the
//! week, each with `*`, `?`, lists, ranges, steps and, for the last two, English names; the macros
//! `@yearly` `@annually` `@monthly` `@weekly` `@daily` `@midnight` `@hourly`; and `@every DURATION`
//! (crontab(5), and the Go library that Kubernetes documents). No seconds, no 7 for Sunday, no
//! `L`, `W` or `#`: a manifest that is right here has to be right in a cluster.
//!
//! When both days are restricted, one that matches is enough. A time that a change of the clocks
//! leaves out has no run; one that comes twice has two. Time zones are those of the IANA database
//! that is compiled in ([`time_zone`]).

use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};
use thiserror::Error;

use crate::duration;

/// How many years a schedule is followed to find its next time, as in Kubernetes; a schedule
/// without a time in them (30 February) has none.
const YEARS_AHEAD: i16 = 5;

/// The shortest time of `@every`; shorter ones are rounded up to it, as in Kubernetes.
const SHORTEST_EVERY: Duration = Duration::from_secs(1);

/// What is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// Not five fields.
    #[error("expected exactly 5 fields, found {found}: {text:?}")]
    Fields {
        /// How many there are.
        found: usize,
        /// The schedule.
        text: String,
    },
    /// An `@` word that is none of the macros.
    #[error("unrecognized descriptor: {word}")]
    Macro {
        /// The word.
        word: String,
    },
    /// A duration after `@every` that is none.
    #[error("failed to parse duration {text:?}: write hours, minutes and seconds, such as 1h30m")]
    Every {
        /// What stands there.
        text: String,
    },
    /// Neither a number nor a name of this field.
    #[error("{field}: failed to parse {text:?}")]
    Value {
        /// `minute`, `day of week`, …
        field: &'static str,
        /// What stands there.
        text: String,
    },
    /// A number outside of the field's range.
    #[error("{field}: {value} is not between {min} and {max}: {text}")]
    Range {
        /// `minute`, `day of week`, …
        field: &'static str,
        /// The number.
        value: u32,
        /// The lowest good one.
        min: u32,
        /// The highest good one.
        max: u32,
        /// The part of the field that it stands in.
        text: String,
    },
    /// A range whose beginning is after its end.
    #[error("{field}: beginning of range is beyond its end: {text}")]
    Backwards {
        /// `minute`, `day of week`, …
        field: &'static str,
        /// The range.
        text: String,
    },
    /// A step of zero.
    #[error("{field}: step of range should be a positive number: {text}")]
    Step {
        /// `minute`, `day of week`, …
        field: &'static str,
        /// The part with the step.
        text: String,
    },
}

/// The times at which something is to be done.
///
/// ```
/// use wasmpod_manifest::schedule::{Schedule, time_zone};
///
/// let schedule: Schedule = "30 3 * * sun".parse().unwrap();
/// let now = "2026-11-21T12:00:00Z".parse().unwrap();
/// let next = schedule.next_after(now, &time_zone("Etc/UTC").unwrap()).unwrap();
/// assert_eq!(next.to_string(), "2026-11-22T03:30:00Z");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Fields(Box<Fields>),
    Every(SignedDuration),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fields {
    minute: Set,
    hour: Set,
    day: Set,
    month: Set,
    weekday: Set,
}

/// The values of a field as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Set {
    bits: u64,
    /// Written with `*` or `?`: restricts nothing.
    star: bool,
}

/// What a field may hold.
struct Bounds {
    field: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const MINUTE: Bounds = bounds("minute", 0, 59, &[]);
const HOUR: Bounds = bounds("hour", 0, 23, &[]);
const DAY: Bounds = bounds("day of month", 1, 31, &[]);
const MONTH: Bounds = bounds("month", 1, 12, &MONTHS);
const WEEKDAY: Bounds = bounds("day of week", 0, 6, &WEEKDAYS);

const fn bounds(field: &'static str, min: u32, max: u32, names: &'static [&'static str]) -> Bounds {
    Bounds {
        field,
        min,
        max,
        names,
    }
}

/// The time zone of this name in the IANA database, whatever the host has; `None` when there is none.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

impl std::str::FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let text = text.trim();
        if text.starts_with('@') {
            return descriptor(text);
        }
        fields(text).map(|fields| Self(Kind::Fields(Box::new(fields))))
    }
}

impl Schedule {
    /// The first time after `time`, as the clocks of `zone` show it; `None` when there is none in five years.
    #[must_use]
    pub fn next_after(&self, time: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match &self.0 {
            Kind::Every(period) => {
                let next = time.checked_add(*period).ok()?;
                Timestamp::from_second(next.as_second()).ok()
            }
            Kind::Fields(fields) => fields.next_after(time, zone),
        }
    }
}

impl Fields {
    fn next_after(&self, time: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let minute = time.as_second().div_euclid(60).checked_add(1)?;
        let first = Timestamp::from_second(minute.checked_mul(60)?).ok()?;
        let mut at = first.to_zoned(zone.clone());
        let last_year = at.year().saturating_add(YEARS_AHEAD);
        while at.year() <= last_year {
            let step = if !self.month.has(at.month()) {
                next_month(&at)?
            } else if !self.is_day(&at) {
                at.tomorrow().ok()?.start_of_day().ok()?
            } else if !self.hour.has(at.hour()) {
                at.checked_add((60 - i64::from(at.minute())).minutes())
                    .ok()?
            } else if !self.minute.has(at.minute()) {
                at.checked_add(1.minute()).ok()?
            } else {
                return Some(at.timestamp());
            };
            at = step;
        }
        None
    }

    fn is_day(&self, at: &Zoned) -> bool {
        let day = self.day.has(at.day());
        let weekday = self.weekday.has(at.weekday().to_sunday_zero_offset());
        if self.day.star || self.weekday.star {
            day && weekday
        } else {
            day || weekday
        }
    }
}

fn next_month(at: &Zoned) -> Option<Zoned> {
    let first = at.date().first_of_month().checked_add(1.month()).ok()?;
    at.time_zone()
        .to_ambiguous_zoned(first.at(0, 0, 0, 0))
        .compatible()
        .ok()
}

impl Set {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.bits >> value & 1 == 1)
    }
}

fn descriptor(text: &str) -> Result<Schedule, ScheduleError> {
    let meant = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let Some(period) = text.strip_prefix("@every ") else {
                return Err(ScheduleError::Macro {
                    word: text.to_owned(),
                });
            };
            let every = every(period.trim()).ok_or_else(|| ScheduleError::Every {
                text: period.trim().to_owned(),
            })?;
            return Ok(Schedule(Kind::Every(every)));
        }
    };
    fields(meant).map(|fields| Schedule(Kind::Fields(Box::new(fields))))
}

/// The time between two runs, in whole seconds.
fn every(text: &str) -> Option<SignedDuration> {
    let whole = Duration::from_secs(duration::parse(text)?.as_secs());
    SignedDuration::try_from(whole.max(SHORTEST_EVERY)).ok()
}

fn fields(text: &str) -> Result<Fields, ScheduleError> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = parts.as_slice() else {
        return Err(ScheduleError::Fields {
            found: parts.len(),
            text: text.to_owned(),
        });
    };
    Ok(Fields {
        minute: set(minute, &MINUTE)?,
        hour: set(hour, &HOUR)?,
        day: set(day, &DAY)?,
        month: set(month, &MONTH)?,
        weekday: set(weekday, &WEEKDAY)?,
    })
}

fn set(text: &str, bounds: &Bounds) -> Result<Set, ScheduleError> {
    let mut set = Set {
        bits: 0,
        star: false,
    };
    for part in text.split(',') {
        let one = range(part, bounds)?;
        set.bits |= one.bits;
        set.star |= one.star;
    }
    Ok(set)
}

/// `*`, `5`, `1-5`, `*/15`, `10-50/5`, `5/15`.
fn range(text: &str, bounds: &Bounds) -> Result<Set, ScheduleError> {
    let (values, step) = match text.split_once('/') {
        Some((values, step)) => (values, Some(step)),
        None => (text, None),
    };
    let star = matches!(values, "*" | "?");
    let (first, mut last) = if star {
        (bounds.min, bounds.max)
    } else if let Some((first, last)) = values.split_once('-') {
        (value(first, bounds)?, value(last, bounds)?)
    } else {
        let one = value(values, bounds)?;
        (one, one)
    };
    let mut every = 1;
    if let Some(step) = step {
        every = number(step, bounds)?;
        if every == 0 {
            return Err(ScheduleError::Step {
                field: bounds.field,
                text: text.to_owned(),
            });
        }
        // `5/15` is "from 5 on".
        if !star && !values.contains('-') {
            last = bounds.max;
        }
    }
    for number in [first, last] {
        if !(bounds.min..=bounds.max).contains(&number) {
            return Err(ScheduleError::Range {
                field: bounds.field,
                value: number,
                min: bounds.min,
                max: bounds.max,
                text: text.to_owned(),
            });
        }
    }
    if first > last {
        return Err(ScheduleError::Backwards {
            field: bounds.field,
            text: text.to_owned(),
        });
    }
    let mut bits = 0_u64;
    let mut at = Some(first);
    while let Some(value) = at.filter(|value| *value <= last) {
        bits |= 1 << value;
        at = value.checked_add(every);
    }
    Ok(Set {
        bits,
        // A step of more than one restricts.
        star: star && every == 1,
    })
}

fn value(text: &str, bounds: &Bounds) -> Result<u32, ScheduleError> {
    let named = bounds
        .names
        .iter()
        .zip(bounds.min..)
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    match named {
        Some((_, value)) => Ok(value),
        None => number(text, bounds),
    }
}

fn number(text: &str, bounds: &Bounds) -> Result<u32, ScheduleError> {
    let wrong = || ScheduleError::Value {
        field: bounds.field,
        text: text.to_owned(),
    };
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::{Schedule, time_zone};
    use jiff::Timestamp;

    fn next(schedule: &str, zone: &str, after: &str) -> String {
        let schedule: Schedule = schedule.parse().unwrap();
        let after: Timestamp = after.parse().unwrap();
        schedule
            .next_after(after, &time_zone(zone).unwrap())
            .map_or_else(|| "never".to_owned(), |time| time.to_string())
    }

    #[test]
    fn each_schedule_has_the_next_time_that_cron_gives_it() {
        // 2026-11-21 is a Saturday.
        let now = "2026-11-21T12:34:56Z";
        for (schedule, wanted) in [
            ("* * * * *", "2026-11-21T12:35:00Z"),
            ("34 12 * * *", "2026-11-22T12:34:00Z"),
            ("*/15 * * * *", "2026-11-21T12:45:00Z"),
            ("5/20 * * * *", "2026-11-21T12:45:00Z"),
            ("0 0-6/2 * * *", "2026-11-22T00:00:00Z"),
            ("0 9 * * mon-FRI", "2026-11-23T09:00:00Z"),
            ("0 0 1 jan ?", "2027-01-01T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 0 31 4,6 *", "never"),
            // Both days are restricted: either will do.
            ("0 0 1 * 0", "2026-11-22T00:00:00Z"),
            // A star with a step restricts too.
            ("0 0 */10 * mon", "2026-11-23T00:00:00Z"),
            ("@hourly", "2026-11-21T13:00:00Z"),
            ("@daily", "2026-11-22T00:00:00Z"),
            ("@midnight", "2026-11-22T00:00:00Z"),
            ("@weekly", "2026-11-22T00:00:00Z"),
            ("@monthly", "2026-12-01T00:00:00Z"),
            ("@yearly", "2027-01-01T00:00:00Z"),
            ("@annually", "2027-01-01T00:00:00Z"),
            ("@every 1h30m", "2026-11-21T14:04:56Z"),
            ("@every 10ms", "2026-11-21T12:34:57Z"),
        ] {
            assert_eq!(next(schedule, "Etc/UTC", now), wanted, "{schedule}");
        }
    }

    #[test]
    fn a_time_zone_moves_the_time() {
        let now = "2026-11-21T12:00:00Z";
        assert_eq!(next("0 0 * * *", "Asia/Tokyo", now), "2026-11-21T15:00:00Z");
        assert!(time_zone("Atlantis/Capital").is_none());
    }

    #[test]
    fn a_time_that_the_clocks_leave_out_has_no_run_and_one_that_comes_twice_has_two() {
        let zone = "America/New_York";
        // 8 March 2026, 2:00 becomes 3:00.
        assert_eq!(
            next("30 2 * * *", zone, "2026-03-08T06:00:00Z"),
            "2026-03-09T06:30:00Z"
        );
        // 1 November 2026, 2:00 becomes 1:00.
        assert_eq!(
            next("30 1 * * *", zone, "2026-11-01T05:00:00Z"),
            "2026-11-01T05:30:00Z"
        );
        assert_eq!(
            next("30 1 * * *", zone, "2026-11-01T05:30:00Z"),
            "2026-11-01T06:30:00Z"
        );
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        for (schedule, wanted) in [
            ("", "expected exactly 5 fields, found 0: \"\""),
            ("* * * *", "expected exactly 5 fields, found 4: \"* * * *\""),
            ("61 * * * *", "minute: 61 is not between 0 and 59: 61"),
            ("* * * * 7", "day of week: 7 is not between 0 and 6: 7"),
            ("* * 0 * *", "day of month: 0 is not between 1 and 31: 0"),
            ("* * * foo *", "month: failed to parse \"foo\""),
            (
                "* 5-3 * * *",
                "hour: beginning of range is beyond its end: 5-3",
            ),
            (
                "*/0 * * * *",
                "minute: step of range should be a positive number: */0",
            ),
            ("@never", "unrecognized descriptor: @never"),
            (
                "@every soon",
                "failed to parse duration \"soon\": write hours, minutes and seconds, such as 1h30m",
            ),
        ] {
            let error = schedule.parse::<Schedule>().unwrap_err();
            assert_eq!(error.to_string(), wanted, "{schedule}");
        }
    }
}
