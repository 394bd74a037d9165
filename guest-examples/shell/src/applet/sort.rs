//! Utilities on lines and columns: `sort`, `uniq`, `cut`, `tr`, `seq`.

use super::{Call, Fail, Outcome};
use crate::escape::{Style, unescape};
use crate::expand::pattern::in_class;
use std::cmp::Ordering;

/// One key of `sort -k`: fields and characters from 1; 0 is the end of the line.
struct Key {
    from: (usize, usize),
    to: (usize, usize),
    flags: String,
}

/// `sort [-nrufbhVs] [-k key] [-t separator] [-o file] [file…]`.
pub async fn sort(call: &mut Call<'_>) -> Outcome {
    let long = [
        ("numeric-sort", 'n'),
        ("reverse", 'r'),
        ("unique", 'u'),
        ("key", 'k'),
        ("field-separator", 't'),
        ("output", 'o'),
        ("human-numeric-sort", 'h'),
        ("version-sort", 'V'),
    ];
    let options = call.options("nrufbhVsgdicCk:t:o:mMz", &long)?;
    let global: String = options
        .iter()
        .map(|(option, _)| option)
        .filter(|option| "nrfbhVgd".contains(*option))
        .collect();
    let mut keys = Vec::new();
    for (_, text) in options.iter().filter(|(option, _)| *option == 'k') {
        let (from, to) = text.split_once(',').unwrap_or((text, ""));
        let position = |text: &str| {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let (field, character) = digits.split_once('.').unwrap_or((digits, "0"));
            (field.parse().unwrap_or(0), character.parse().unwrap_or(0))
        };
        let own: String = text.chars().filter(char::is_ascii_alphabetic).collect();
        let flags = if own.is_empty() { global.clone() } else { own };
        keys.push(Key {
            from: position(from),
            to: position(to),
            flags,
        });
    }
    let separator = options
        .value('t')
        .and_then(|text| unescape(text, Style::Quote).0.first().copied())
        .map(char::from);
    let mut failed = false;
    let mut lines = Vec::new();
    for (_, input) in call.inputs(&mut failed).await? {
        while let Some(line) = call.next_text(&input).await? {
            lines.push(line);
        }
    }
    if failed {
        return Ok(2);
    }
    let compare = |left: &String, right: &String| {
        for key in &keys {
            let ordering = by(
                &key.flags,
                &extract(left, key, separator),
                &extract(right, key, separator),
            );
            if ordering.is_ne() {
                return ordering;
            }
        }
        if keys.is_empty() {
            by(&global, left, right)
        } else {
            Ordering::Equal
        }
    };
    if options.last_of("cC").is_some() {
        let sorted = lines
            .windows(2)
            .all(|pair| compare(&pair[0], &pair[1]).is_le());
        return Ok(i32::from(!sorted));
    }
    lines.sort_by(|left, right| {
        let last = if global.contains('r') {
            right.cmp(left)
        } else {
            left.cmp(right)
        };
        compare(left, right).then(if options.has('u') || options.has('s') {
            Ordering::Equal
        } else {
            last
        })
    });
    if options.has('u') {
        lines.dedup_by(|later, earlier| compare(earlier, later).is_eq());
    }
    let text: String = lines
        .iter()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect();
    match options.value('o') {
        Some(name) => std::fs::write(call.path(name), text)?,
        None => call.put(text).await?,
    }
    Ok(0)
}

fn extract(line: &str, key: &Key, separator: Option<char>) -> String {
    let chars: Vec<char> = line.chars().collect();
    // Where each field starts and ends.
    let mut fields: Vec<(usize, usize)> = Vec::new();
    let mut start = 0;
    match separator {
        Some(separator) => {
            for (at, c) in chars.iter().enumerate() {
                if *c == separator {
                    fields.push((start, at));
                    start = at + 1;
                }
            }
            fields.push((start, chars.len()));
        }
        None => {
            let mut at = 0;
            while at < chars.len() {
                start = at;
                while chars.get(at).is_some_and(|c| c.is_whitespace()) {
                    at += 1;
                }
                while chars.get(at).is_some_and(|c| !c.is_whitespace()) {
                    at += 1;
                }
                fields.push((start, at));
            }
        }
    }
    let begin = fields
        .get(key.from.0.saturating_sub(1))
        .map_or(chars.len(), |(start, _)| {
            start + key.from.1.saturating_sub(1)
        });
    let end = match key.to {
        (0, _) => chars.len(),
        (field, 0) => fields.get(field - 1).map_or(chars.len(), |(_, end)| *end),
        (field, character) => fields
            .get(field - 1)
            .map_or(chars.len(), |(start, _)| start + character),
    };
    chars
        .iter()
        .take(end.min(chars.len()))
        .skip(begin)
        .collect()
}

fn by(flags: &str, left: &str, right: &str) -> Ordering {
    let (left, right) = if flags.contains(['b', 'n', 'h', 'g']) {
        (left.trim_start(), right.trim_start())
    } else {
        (left, right)
    };
    let ordering = if flags.contains(['n', 'g']) {
        number(left).total_cmp(&number(right))
    } else if flags.contains('h') {
        human(left).total_cmp(&human(right))
    } else if flags.contains('V') {
        version(left, right)
    } else if flags.contains('f') {
        left.to_uppercase().cmp(&right.to_uppercase())
    } else {
        left.cmp(right)
    };
    if flags.contains('r') {
        ordering.reverse()
    } else {
        ordering
    }
}

/// The number in front of a text; without one it is 0.
pub fn number(text: &str) -> f64 {
    let text = text.trim_start();
    let mut end = 0;
    let mut seen = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '+' | '-' if at == 0 => {}
            '.' if !seen.0 && !seen.1 => seen.0 = true,
            'e' | 'E'
                if end > 0
                    && !seen.1
                    && text[at + 1..]
                        .trim_start_matches(['+', '-'])
                        .starts_with(|c: char| c.is_ascii_digit()) =>
            {
                seen.1 = true;
                continue;
            }
            '+' | '-' if seen.1 && matches!(text.as_bytes().get(at - 1), Some(b'e' | b'E')) => {
                continue;
            }
            c if c.is_ascii_digit() => {}
            _ => break,
        }
        if c.is_ascii_digit() || c == '.' {
            end = at + 1;
        }
    }
    text[..end].parse().unwrap_or(0.0)
}

fn human(text: &str) -> f64 {
    let unit = text
        .trim_start_matches(|c: char| c.is_ascii_digit() || ".+-".contains(c))
        .chars()
        .next();
    let power = unit
        .and_then(|unit| "KMGTP".find(unit.to_ascii_uppercase()))
        .map_or(0, |at| at + 1);
    number(text) * 1024_f64.powi(i32::try_from(power).unwrap_or(0))
}

fn version(left: &str, right: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(String, u64)> {
        let mut parts: Vec<(String, u64)> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(rest.len());
            let end = rest[digits..]
                .find(|c: char| !c.is_ascii_digit())
                .map_or(rest.len(), |end| digits + end);
            parts.push((
                rest[..digits].to_owned(),
                rest[digits..end].parse().unwrap_or(0),
            ));
            rest = &rest[end..];
        }
        parts
    };
    parts(left).cmp(&parts(right))
}

/// `uniq [-cdui] [-f fields] [-s characters] [input [output]]`.
pub async fn uniq(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "cduif:s:w:",
        &[
            ("count", 'c'),
            ("repeated", 'd'),
            ("unique", 'u'),
            ("ignore-case", 'i'),
        ],
    )?;
    let count_of = |option| {
        options
            .value(option)
            .and_then(|n| n.parse::<usize>().ok())
            .unwrap_or(0)
    };
    let (fields, skip) = (count_of('f'), count_of('s'));
    let key = |line: &str| {
        let mut rest = line;
        for _ in 0..fields {
            let blank = rest.trim_start();
            rest = &blank[blank.find(char::is_whitespace).unwrap_or(blank.len())..];
        }
        let rest: String = rest.chars().skip(skip).collect();
        if options.has('i') {
            rest.to_lowercase()
        } else {
            rest
        }
    };
    call.args.truncate(1);
    let mut failed = false;
    let mut current: Option<(String, usize)> = None;
    let inputs = call.inputs(&mut failed).await?;
    for (_, input) in &inputs {
        loop {
            let line = call.next_text(input).await?;
            if let (Some((before, count)), Some(line)) = (&mut current, &line)
                && key(before) == key(line)
            {
                *count += 1;
                continue;
            }
            let ended = line.is_none();
            if let Some((text, count)) = std::mem::replace(&mut current, line.map(|line| (line, 1)))
            {
                let shown = !((options.has('d') && count == 1) || (options.has('u') && count > 1));
                if shown {
                    let prefix = if options.has('c') {
                        format!("{count:7} ")
                    } else {
                        String::new()
                    };
                    call.line(prefix + &text).await?;
                }
            }
            if ended {
                break;
            }
        }
    }
    Ok(i32::from(failed))
}

/// Ranges of `cut`: from 1, the end included.
fn ranges(text: &str) -> Result<Vec<(usize, usize)>, Fail> {
    let invalid = || Fail::new(format!("invalid field value '{text}'"));
    text.split(',')
        .map(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            let from = if from.is_empty() {
                1
            } else {
                from.parse().map_err(|_| invalid())?
            };
            let to = if to.is_empty() {
                usize::MAX
            } else {
                to.parse().map_err(|_| invalid())?
            };
            if from == 0 || to < from {
                Err(invalid())
            } else {
                Ok((from, to))
            }
        })
        .collect()
}

/// `cut -f list [-d delimiter] [-s]`, `cut -c list`, `cut -b list`.
pub async fn cut(call: &mut Call<'_>) -> Outcome {
    let long = [
        ("fields", 'f'),
        ("delimiter", 'd'),
        ("characters", 'c'),
        ("bytes", 'b'),
        ("only-delimited", 's'),
        ("output-delimiter", 'o'),
        ("complement", 'C'),
    ];
    let options = call.options("f:d:c:b:sno:C", &long)?;
    let which = options
        .last_of("fcb")
        .ok_or_else(|| Fail::new("you must specify a list of bytes, characters, or fields"))?;
    let ranges = ranges(options.value(which).unwrap_or_default())?;
    let chosen =
        |at: usize| ranges.iter().any(|(from, to)| (*from..=*to).contains(&at)) != options.has('C');
    let delimiter = options
        .value('d')
        .and_then(|text| text.chars().next())
        .unwrap_or('\t');
    let joint = options
        .value('o')
        .map_or_else(|| delimiter.to_string(), str::to_owned);
    let mut failed = false;
    for (_, input) in call.inputs(&mut failed).await? {
        while let Some(line) = call.next_text(&input).await? {
            if which != 'f' {
                let kept = line
                    .chars()
                    .enumerate()
                    .filter(|(at, _)| chosen(at + 1))
                    .map(|(_, c)| c);
                call.line(kept.collect::<String>()).await?;
            } else if line.contains(delimiter) {
                let kept = line
                    .split(delimiter)
                    .enumerate()
                    .filter(|(at, _)| chosen(at + 1))
                    .map(|(_, field)| field);
                call.line(kept.collect::<Vec<_>>().join(&joint)).await?;
            } else if !options.has('s') {
                call.line(line).await?;
            }
        }
    }
    Ok(i32::from(failed))
}

/// The characters of a `tr` set.
fn set(text: &str) -> Vec<char> {
    let mut chars: Vec<char> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(class) = rest
            .strip_prefix("[:")
            .and_then(|inner| inner.split_once(":]"))
        {
            chars.extend(
                (0..=0x7f_u8)
                    .map(char::from)
                    .filter(|c| in_class(class.0, *c)),
            );
            rest = class.1;
            continue;
        }
        let one = |text: &str| -> (char, usize) {
            match text.chars().next() {
                Some('\\') => {
                    let octal = text[1..]
                        .chars()
                        .take(3)
                        .take_while(|c| c.is_digit(8))
                        .count();
                    let length = 1 + octal.max(text[1..].chars().next().map_or(0, char::len_utf8));
                    let escaped = &text[..length];
                    let bytes = unescape(escaped, Style::Quote).0;
                    match (bytes.as_slice(), escaped.chars().nth(1)) {
                        ([byte], _) => (char::from(*byte), length),
                        (_, Some(plain)) => (plain, length),
                        _ => ('\\', length),
                    }
                }
                Some(c) => (c, c.len_utf8()),
                None => ('\0', 0),
            }
        };
        let (first, length) = one(rest);
        rest = &rest[length..];
        if rest.starts_with('-') && rest.len() > 1 {
            let (last, length) = one(&rest[1..]);
            if last >= first {
                chars.extend(first..=last);
                rest = &rest[1 + length..];
                continue;
            }
        }
        chars.push(if length == 0 { c } else { first });
    }
    chars
}

/// `tr [-cCds] set1 [set2]`.
pub async fn tr(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "+cCdst",
        &[
            ("delete", 'd'),
            ("squeeze-repeats", 's'),
            ("complement", 'c'),
        ],
    )?;
    let complement = options.last_of("cC").is_some();
    let from = set(call
        .args
        .first()
        .ok_or_else(|| Fail::new("missing operand"))?);
    let to = call.args.get(1).map(|text| set(text));
    let squeezed = if options.has('s') {
        to.clone().unwrap_or_else(|| from.clone())
    } else {
        Vec::new()
    };
    let squeezes = |c: char| match (options.has('s'), complement && to.is_none()) {
        (false, _) => false,
        (true, true) => !squeezed.contains(&c),
        (true, false) => squeezed.contains(&c),
    };
    let input = call.stdin()?;
    let mut before = None;
    loop {
        let line = call.next_line(&input).await?;
        if line.is_empty() {
            return Ok(0);
        }
        let mut out = String::with_capacity(line.len());
        for c in String::from_utf8_lossy(&line).chars() {
            let place = from.iter().position(|known| *known == c);
            let c = match (place.is_some() != complement, &to) {
                (false, _) => c,
                (true, _) if options.has('d') => continue,
                (true, Some(to)) => {
                    let place = if complement {
                        usize::MAX
                    } else {
                        place.unwrap_or(usize::MAX)
                    };
                    to.get(place).or(to.last()).copied().unwrap_or(c)
                }
                (true, None) => c,
            };
            if before == Some(c) && squeezes(c) {
                continue;
            }
            before = Some(c);
            out.push(c);
        }
        call.put(out).await?;
    }
}

/// `seq [-w] [-s separator] [-f format] [first [step]] last`.
pub async fn seq(call: &mut Call<'_>) -> Outcome {
    // Negative numbers are no options.
    let mut options = (false, "\n".to_owned(), None);
    while let Some(first) = call
        .args
        .first()
        .cloned()
        .filter(|arg| arg.starts_with('-') && arg.parse::<f64>().is_err())
    {
        call.args.remove(0);
        match first.as_str() {
            "-w" => options.0 = true,
            "-s" if !call.args.is_empty() => options.1 = call.args.remove(0),
            "-f" if !call.args.is_empty() => options.2 = Some(call.args.remove(0)),
            _ if first.starts_with("-s") => first[2..].clone_into(&mut options.1),
            _ => return Err(Fail::new(format!("invalid option '{first}'"))),
        }
    }
    let parse = |text: &String| {
        text.parse::<f64>()
            .map_err(|_| Fail::new(format!("invalid floating point argument: '{text}'")))
    };
    let (first, step, last) = match call.args.as_slice() {
        [last] => (1.0, 1.0, parse(last)?),
        [first, last] => (parse(first)?, 1.0, parse(last)?),
        [first, step, last] => (parse(first)?, parse(step)?, parse(last)?),
        _ => return Err(Fail::new("missing operand")),
    };
    if step == 0.0 {
        return Err(Fail::new("invalid Zero increment value: '0'"));
    }
    let decimals = call
        .args
        .iter()
        .map(|arg| {
            arg.split_once('.')
                .map_or(0, |(_, decimals)| decimals.len())
        })
        .max()
        .unwrap_or(0);
    let width = if options.0 {
        format!("{first:.decimals$}")
            .len()
            .max(format!("{last:.decimals$}").len())
    } else {
        0
    };
    let mut at = 0_u32;
    let mut any = false;
    loop {
        let value = first + step * f64::from(at);
        if (step > 0.0 && value > last + step * 1e-9) || (step < 0.0 && value < last + step * 1e-9)
        {
            break;
        }
        if std::mem::replace(&mut any, true) {
            call.put(&options.1).await?;
        }
        let text = match &options.2 {
            Some(format) => {
                let bytes = crate::builtin::printf::format_all(
                    format,
                    &[value.to_string()],
                    &mut Vec::new(),
                );
                String::from_utf8_lossy(&bytes).into_owned()
            }
            None => format!("{value:0width$.decimals$}"),
        };
        call.put(text).await?;
        at += 1;
    }
    if any {
        call.put("\n").await?;
    }
    Ok(0)
}
