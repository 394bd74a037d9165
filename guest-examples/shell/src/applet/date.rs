//! `date`: always UTC, as containers are (no time zone data; `TZ` is ignored).

use super::{Call, Fail, Outcome};
use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAY_SECONDS: i64 = 86_400;

/// `date [-u] [-d time|-r file] [-I[unit]|-R] [+format]`.
pub async fn date(call: &mut Call<'_>) -> Outcome {
    // `-I` has its value only in the same word.
    let mut iso = None;
    call.args.retain(|arg| {
        match arg
            .strip_prefix("-I")
            .or_else(|| arg.strip_prefix("--iso-8601"))
        {
            Some(unit) => {
                iso = Some(unit.trim_start_matches('=').to_owned());
                false
            }
            None => true,
        }
    });
    let long = [
        ("utc", 'u'),
        ("universal", 'u'),
        ("date", 'd'),
        ("reference", 'r'),
        ("rfc-email", 'R'),
        ("rfc-3339", 'T'),
    ];
    let options = call.options("ud:r:RT:s:D:", &long)?;
    if options.has('s') {
        return Err(Fail::new("cannot set date: Operation not permitted"));
    }
    let (seconds, nanoseconds) =
        match (options.value('d'), options.value('r')) {
            (Some(text), _) => (
                parse(text).ok_or_else(|| Fail::new(format!("invalid date '{text}'")))?,
                0,
            ),
            (None, Some(name)) => {
                let modified = call.path(name).metadata().and_then(|data| data.modified());
                since_epoch(modified.map_err(|error| {
                    Fail::new(format!("{name}: {}", crate::io::strerror(&error)))
                })?)
            }
            (None, None) => since_epoch(SystemTime::now()),
        };
    let format = match (
        call.args.first().and_then(|arg| arg.strip_prefix('+')),
        iso.as_deref(),
        options.value('T'),
    ) {
        (Some(format), ..) => format.to_owned(),
        (None, Some("" | "date"), _) | (None, None, Some("date")) => "%Y-%m-%d".into(),
        (None, Some("ns"), _) => "%Y-%m-%dT%H:%M:%S,%N+00:00".into(),
        (None, Some("hours"), _) => "%Y-%m-%dT%H+00:00".into(),
        (None, Some("minutes"), _) => "%Y-%m-%dT%H:%M+00:00".into(),
        (None, Some(_), _) => "%Y-%m-%dT%H:%M:%S+00:00".into(),
        (None, None, Some(_)) => "%Y-%m-%d %H:%M:%S+00:00".into(),
        (None, None, None) if options.has('R') => "%a, %d %b %Y %H:%M:%S +0000".into(),
        // What Debian's date prints in the C locale.
        (None, None, None) => "%a %b %e %H:%M:%S UTC %Y".into(),
    };
    if let Some(extra) = call.args.iter().find(|arg| !arg.starts_with('+')) {
        return Err(Fail::new(format!("invalid date '{extra}'")));
    }
    call.line(format_time(&format, seconds, nanoseconds))
        .await?;
    Ok(0)
}

fn since_epoch(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (
            i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            after.subsec_nanos(),
        ),
        Err(before) => (
            -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
            0,
        ),
    }
}

/// Year, month and day of a day number since 1970-01-01, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted in eras of 400 years that start in March, so that leap days come last.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day number of a date.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A moment as strftime(3) with `format` has it; also awk's and `ls`'s.
pub fn format_time(format: &str, seconds: i64, nanoseconds: u32) -> String {
    let days = seconds.div_euclid(DAY_SECONDS);
    let second_of_day = seconds.rem_euclid(DAY_SECONDS);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (
        second_of_day / 3600,
        second_of_day / 60 % 60,
        second_of_day % 60,
    );
    let weekday = (days + 4).rem_euclid(7);
    let day_of_year = days - days_of(year, 1, 1) + 1;
    let name = |names: &[&'static str], at: i64| {
        usize::try_from(at)
            .ok()
            .and_then(|at| names.get(at))
            .copied()
            .unwrap_or_default()
    };
    let (day_name, month_name) = (name(&DAYS, weekday), name(&MONTHS, month - 1));
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut conversion = chars.next();
        // `%-d` and `%_d`: without zeros, and with blanks.
        let padding = conversion.filter(|c| "-_0^".contains(*c));
        if padding.is_some() {
            conversion = chars.next();
        }
        let digits = conversion.and_then(|c| c.to_digit(10));
        if digits.is_some() {
            conversion = chars.next();
        }
        let number = |value: i64, width: usize| match padding {
            Some('-') => value.to_string(),
            Some('_') => format!("{value:width$}"),
            _ => format!("{value:0width$}"),
        };
        let part = match conversion {
            Some('Y') => year.to_string(),
            Some('C') => number(year / 100, 2),
            Some('y') => number(year % 100, 2),
            Some('m') => number(month, 2),
            Some('d') => number(day, 2),
            Some('e') => format!("{day:2}"),
            Some('j') => number(day_of_year, 3),
            Some('H') => number(hour, 2),
            Some('k') => format!("{hour:2}"),
            Some('I') => number(twelve, 2),
            Some('l') => format!("{twelve:2}"),
            Some('M') => number(minute, 2),
            Some('S') => number(second, 2),
            Some('s') => seconds.to_string(),
            Some('N') => {
                let all = format!("{nanoseconds:09}");
                all.chars()
                    .take(digits.map_or(9, |digits| usize::try_from(digits).unwrap_or(9)))
                    .collect()
            }
            Some('p') => if hour < 12 { "AM" } else { "PM" }.into(),
            Some('P') => if hour < 12 { "am" } else { "pm" }.into(),
            Some('a') => day_name.chars().take(3).collect(),
            Some('A') => day_name.into(),
            Some('b' | 'h') => month_name.chars().take(3).collect(),
            Some('B') => month_name.into(),
            Some('u') => (if weekday == 0 { 7 } else { weekday }).to_string(),
            Some('w') => weekday.to_string(),
            Some('U') => number((day_of_year + 6 - weekday) / 7, 2),
            Some('W') => number((day_of_year + 6 - (weekday + 6) % 7) / 7, 2),
            Some('F') => format_time("%Y-%m-%d", seconds, nanoseconds),
            Some('T' | 'X') => format_time("%H:%M:%S", seconds, nanoseconds),
            Some('R') => format_time("%H:%M", seconds, nanoseconds),
            Some('D' | 'x') => format_time("%m/%d/%y", seconds, nanoseconds),
            Some('r') => format_time("%I:%M:%S %p", seconds, nanoseconds),
            Some('c') => format_time("%a %b %e %H:%M:%S %Y", seconds, nanoseconds),
            Some('z') => "+0000".into(),
            Some(':') => {
                chars.next();
                "+00:00".into()
            }
            Some('Z') => "UTC".into(),
            Some('n') => "\n".into(),
            Some('t') => "\t".into(),
            Some('%') => "%".into(),
            Some(other) => format!("%{other}"),
            None => "%".into(),
        };
        text.push_str(&if padding == Some('^') {
            part.to_uppercase()
        } else {
            part
        });
    }
    text
}

/// A moment in seconds since 1970: `@N`, `now`, `today`, `yesterday`, `tomorrow`, ISO 8601, `[±]N UNIT [ago]` behind any of
/// them.
pub fn parse(text: &str) -> Option<i64> {
    let now = since_epoch(SystemTime::now()).0;
    let text = text.trim();
    if let Some(number) = text.strip_prefix('@') {
        return number.split('.').next()?.parse().ok();
    }
    let mut seconds = None;
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        match word {
            "now" | "UTC" | "Z" => {}
            "today" => {}
            "yesterday" => seconds = Some(seconds.unwrap_or(now) - DAY_SECONDS),
            "tomorrow" => seconds = Some(seconds.unwrap_or(now) + DAY_SECONDS),
            _ if word.len() >= 8 && word.as_bytes().get(4) == Some(&b'-') => {
                let (day, time) = word.split_once('T').unwrap_or((word, ""));
                let mut parts = day.split('-').map(str::parse::<i64>);
                let (year, month, day) = (
                    parts.next()?.ok()?,
                    parts.next()?.ok()?,
                    parts.next()?.ok()?,
                );
                if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
                    return None;
                }
                seconds = Some(
                    days_of(year, month, day) * DAY_SECONDS
                        + if time.is_empty() {
                            0
                        } else {
                            time_of_day(time)?
                        },
                );
            }
            _ if word.contains(':') => {
                let base = seconds.unwrap_or(now);
                seconds = Some(base - base.rem_euclid(DAY_SECONDS) + time_of_day(word)?);
            }
            _ => {
                let (count, unit) = match word.parse::<i64>() {
                    Ok(count) => (count, words.next()?),
                    Err(_) if word == "next" => (1, words.next()?),
                    Err(_) if word == "last" => (-1, words.next()?),
                    Err(_) => return None,
                };
                let unit = match unit.trim_end_matches('s') {
                    "sec" | "second" => 1,
                    "min" | "minute" => 60,
                    "hour" => 3600,
                    "day" => DAY_SECONDS,
                    "week" => 7 * DAY_SECONDS,
                    _ => return None,
                };
                let sign = if words.next_if_eq(&"ago").is_some() {
                    -1
                } else {
                    1
                };
                seconds = Some(seconds.unwrap_or(now) + count * unit * sign);
            }
        }
    }
    Some(seconds.unwrap_or(now))
}

fn time_of_day(text: &str) -> Option<i64> {
    let text = text.trim_end_matches('Z').split(['+', '.', ',']).next()?;
    let mut parts = text.split(':').map(|part| part.parse::<i64>().ok());
    let hour = parts.next()??;
    let minute = parts.next().unwrap_or(Some(0))?;
    let second = parts.next().unwrap_or(Some(0))?;
    ((0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second))
        .then_some(hour * 3600 + minute * 60 + second)
}
