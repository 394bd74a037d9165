//! Utilities that pass text through: `cat`, `head`, `tail`, `wc`, `tee` and their like.

use super::{Call, Fail, Outcome};
use crate::io::Fd;
use crate::rt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

/// How often `tail -f` looks for more (coreutils: `--sleep-interval`, 1 s).
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// `cat [-nbsuvAET] [file…]`.
pub async fn cat(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "nbsuvAETet",
        &[("number", 'n'), ("show-all", 'A'), ("show-ends", 'E')],
    )?;
    let mut failed = false;
    let numbers = options.has('n') || options.has('b');
    let ends = options.has('E') || options.has('A') || options.has('e');
    let tabs = options.has('T') || options.has('A') || options.has('t');
    let (mut number, mut blank_before) = (0_u64, false);
    for (name, input) in call.inputs(&mut failed).await? {
        if !(numbers || ends || tabs || options.has('s')) {
            loop {
                let part = match input.read().await {
                    Ok(part) => part,
                    Err(error) => {
                        call.warn_about(&name, &error).await?;
                        failed = true;
                        break;
                    }
                };
                if part.is_empty() {
                    break;
                }
                call.put(part).await?;
                if !input.has_buffered() {
                    call.flush().await?;
                }
            }
            continue;
        }
        loop {
            let mut line = call.next_line(&input).await?;
            if line.is_empty() {
                break;
            }
            let newline = line.last() == Some(&b'\n');
            line.truncate(line.len() - usize::from(newline));
            let blank = line.is_empty();
            if options.has('s') && blank && std::mem::replace(&mut blank_before, blank) {
                continue;
            }
            blank_before = blank;
            if numbers && !(blank && options.has('b')) {
                number += 1;
                call.put(format!("{number:6}\t")).await?;
            }
            for byte in line {
                if tabs && byte == b'\t' {
                    call.put(b"^I").await?
                } else {
                    call.put([byte]).await?
                }
            }
            call.put(match (ends, newline) {
                (true, true) => "$\n",
                (false, true) => "\n",
                _ => "",
            })
            .await?;
        }
    }
    Ok(i32::from(failed))
}

/// How much `head` and `tail` take: lines or bytes, counted from the other end with a sign.
struct Amount {
    count: usize,
    bytes: bool,
    signed: bool,
}

fn amount(call: &mut Call<'_>, sign: char) -> Result<(Amount, super::Options), Fail> {
    // `-5` is `-n 5`.
    if let Some(first) = call.args.first_mut()
        && first.len() > 1
        && (first.starts_with('-') || (sign == '+' && first.starts_with('+')))
        && first[1..].chars().all(|c| c.is_ascii_digit())
    {
        *first = format!("-n{}", first.trim_start_matches('-'));
    }
    let long = [
        ("lines", 'n'),
        ("bytes", 'c'),
        ("quiet", 'q'),
        ("verbose", 'v'),
        ("follow", 'f'),
        ("retry", 'r'),
    ];
    let options = call.options("n:c:qvfFrs:", &long)?;
    let which = options.last_of("nc").unwrap_or('n');
    let text = options.value(which).unwrap_or("10");
    let signed = text.starts_with(sign);
    let digits = text.trim_start_matches(['+', '-']);
    let (digits, unit) = match digits.chars().last() {
        Some('k' | 'K') => (&digits[..digits.len() - 1], 1024),
        Some('M') => (&digits[..digits.len() - 1], 1024 * 1024),
        _ => (digits, 1),
    };
    let what = if which == 'c' { "bytes" } else { "lines" };
    let count: usize = digits
        .parse()
        .map_err(|_| Fail::new(format!("invalid number of {what}: '{text}'")))?;
    Ok((
        Amount {
            count: count.saturating_mul(unit),
            bytes: which == 'c',
            signed,
        },
        options,
    ))
}

async fn header(call: &mut Call<'_>, name: &str, first: bool) -> Result<(), Fail> {
    let name = if name == "-" { "standard input" } else { name };
    let gap = if first { "" } else { "\n" };
    call.line(format!("{gap}==> {name} <==")).await
}

/// `head [-n lines] [-c bytes] [file…]`.
pub async fn head(call: &mut Call<'_>) -> Outcome {
    let (amount, options) = amount(call, '-')?;
    let headers = (call.args.len() > 1 || options.has('v')) && !options.has('q');
    let mut failed = false;
    for (at, (name, input)) in call.inputs(&mut failed).await?.into_iter().enumerate() {
        if headers {
            header(call, &name, at == 0).await?;
        }
        if amount.signed {
            let all = input.read_to_end().await?;
            let end = if amount.bytes {
                all.len().saturating_sub(amount.count)
            } else {
                last_lines(&all, amount.count)
            };
            call.put(&all[..end]).await?;
            continue;
        }
        let mut left = amount.count;
        while left > 0 {
            if amount.bytes {
                let mut part = input.read().await?;
                if part.is_empty() {
                    break;
                }
                if part.len() > left {
                    input.unread(&part.split_off(left));
                }
                left -= part.len();
                call.put(part).await?;
            } else {
                let line = call.next_line(&input).await?;
                if line.is_empty() {
                    break;
                }
                left -= 1;
                call.put(line).await?;
            }
        }
    }
    Ok(i32::from(failed))
}

/// Where the last `count` lines start.
fn last_lines(text: &[u8], count: usize) -> usize {
    if count == 0 {
        return text.len();
    }
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let newlines = body
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, byte)| **byte == b'\n');
    newlines.map(|(at, _)| at + 1).nth(count - 1).unwrap_or(0)
}

/// Where the line with this number (from 1) starts.
fn line_start(text: &[u8], number: usize) -> usize {
    if number <= 1 {
        return 0;
    }
    let newlines = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    newlines
        .map(|(at, _)| at + 1)
        .nth(number - 2)
        .unwrap_or(text.len())
}

/// `tail [-fF] [-n lines] [-c bytes] [file…]`.
pub async fn tail(call: &mut Call<'_>) -> Outcome {
    let (amount, options) = amount(call, '+')?;
    let follow = options.has('f') || options.has('F');
    let retry = options.has('F') || options.has('r');
    let names = if call.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        std::mem::take(&mut call.args)
    };
    let headers = (names.len() > 1 || options.has('v')) && !options.has('q');
    let mut followed = Vec::new();
    let mut failed = false;
    for (at, name) in names.iter().enumerate() {
        let input = match call.open(name) {
            Ok(input) => input,
            Err(error) => {
                call.warn(format!(
                    "cannot open '{name}' for reading: {}",
                    crate::io::strerror(&error)
                ))
                .await?;
                failed = true;
                if retry {
                    followed.push((name.clone(), 0_u64));
                }
                continue;
            }
        };
        if headers {
            header(call, name, at == 0).await?;
        }
        let all = input.read_to_end().await?;
        let start = match (amount.bytes, amount.signed) {
            (true, true) => amount.count.saturating_sub(1).min(all.len()),
            (true, false) => all.len().saturating_sub(amount.count),
            (false, true) => line_start(&all, amount.count),
            (false, false) => last_lines(&all, amount.count),
        };
        call.put(&all[start..]).await?;
        if matches!(input, Fd::File(..)) {
            followed.push((name.clone(), u64::try_from(all.len()).unwrap_or_default()));
        }
    }
    call.flush().await?;
    if !follow || followed.is_empty() {
        return Ok(i32::from(failed));
    }
    let mut shown = names.last().cloned();
    loop {
        for (name, position) in &mut followed {
            let Ok(mut file) = File::open(call.path(name)) else {
                // Gone: with -F another of that name may come.
                *position = if retry { 0 } else { *position };
                continue;
            };
            let length = file.metadata().map_or(0, |data| data.len());
            if length < *position {
                call.warn(format!("{name}: file truncated")).await?;
                *position = 0;
            }
            if length == *position {
                continue;
            }
            if headers && shown.as_ref() != Some(name) {
                header(call, name, false).await?;
                shown = Some(name.clone());
            }
            file.seek(SeekFrom::Start(*position))?;
            let mut block = vec![0; crate::io::READ_BYTES];
            loop {
                let count = file.read(&mut block)?;
                if count == 0 {
                    break;
                }
                *position += u64::try_from(count).unwrap_or_default();
                call.put(&block[..count]).await?;
            }
            call.flush().await?;
        }
        // As GNU's: when nobody reads any more, there is nothing to wait for.
        if call.shell.fd(1).is_some_and(|fd| fd.is_broken()) {
            return Ok(crate::exec::BROKEN_PIPE);
        }
        rt::sleep(Some(FOLLOW_INTERVAL)).await;
    }
}

/// `wc [-clmwL] [file…]`.
pub async fn wc(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "clmwL",
        &[
            ("lines", 'l'),
            ("words", 'w'),
            ("bytes", 'c'),
            ("chars", 'm'),
        ],
    )?;
    let named = !call.args.is_empty();
    let mut failed = false;
    let mut rows: Vec<([usize; 5], String)> = Vec::new();
    for (name, input) in call.inputs(&mut failed).await? {
        let mut counts = [0_usize; 5];
        loop {
            let line = call.next_line(&input).await?;
            if line.is_empty() {
                break;
            }
            counts[0] += usize::from(line.last() == Some(&b'\n'));
            counts[1] += line
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .count();
            counts[2] += String::from_utf8_lossy(&line).chars().count();
            counts[3] += line.len();
            counts[4] = counts[4].max(
                String::from_utf8_lossy(&line)
                    .trim_end_matches('\n')
                    .chars()
                    .count(),
            );
        }
        rows.push((counts, name));
    }
    if rows.len() > 1 {
        let mut total = [0; 5];
        for (counts, _) in &rows {
            for (sum, count) in total.iter_mut().zip(counts).take(4) {
                *sum += count;
            }
            total[4] = total[4].max(counts[4]);
        }
        rows.push((total, "total".into()));
    }
    let chosen: Vec<usize> = [(0, 'l'), (1, 'w'), (2, 'm'), (3, 'c'), (4, 'L')]
        .into_iter()
        .filter(|(_, option)| {
            options.has(*option) || (options.last_of("clmwL").is_none() && "lwc".contains(*option))
        })
        .map(|(at, _)| at)
        .collect();
    let widest = rows
        .iter()
        .flat_map(|(counts, _)| counts.iter())
        .max()
        .map_or(1, |most| most.to_string().len());
    let width = if chosen.len() == 1 && rows.len() == 1 {
        1
    } else if named {
        widest
    } else {
        7
    };
    for (counts, name) in rows {
        let mut cells: Vec<String> = chosen
            .iter()
            .map(|at| format!("{:>width$}", counts[*at]))
            .collect();
        if named {
            cells.push(name);
        }
        call.line(cells.join(" ")).await?;
    }
    Ok(i32::from(failed))
}

/// `tee [-a] [file…]`.
pub async fn tee(call: &mut Call<'_>) -> Outcome {
    let options = call.options("aip", &[("append", 'a')])?;
    let mut open = std::fs::OpenOptions::new();
    open.create(true)
        .append(options.has('a'))
        .write(true)
        .truncate(!options.has('a'));
    let mut outputs = Vec::new();
    let mut status = 0;
    for name in call.args.clone() {
        match crate::exec::open_path(call.shell, &name, &open) {
            Ok(fd) => outputs.push(fd),
            Err(error) => {
                call.warn_about(&name, &error).await?;
                status = 1;
            }
        }
    }
    let input = call.stdin()?;
    loop {
        let part = input.read().await?;
        if part.is_empty() {
            return Ok(status);
        }
        for output in &outputs {
            output.write(&part).await?;
        }
        call.put(part).await?;
        call.flush().await?;
    }
}

/// `tac [file…]`: lines in reverse.
pub async fn tac(call: &mut Call<'_>) -> Outcome {
    let mut failed = false;
    for (_, input) in call.inputs(&mut failed).await? {
        let mut lines = Vec::new();
        while let Some(line) = call.next_text(&input).await? {
            lines.push(line);
        }
        for line in lines.into_iter().rev() {
            call.line(line).await?;
        }
    }
    Ok(i32::from(failed))
}

/// `rev [file…]`: characters of each line in reverse.
pub async fn rev(call: &mut Call<'_>) -> Outcome {
    let mut failed = false;
    for (_, input) in call.inputs(&mut failed).await? {
        while let Some(line) = call.next_text(&input).await? {
            call.line(line.chars().rev().collect::<String>()).await?;
        }
    }
    Ok(i32::from(failed))
}

/// `nl [file…]`: numbers before lines that are not empty.
pub async fn nl(call: &mut Call<'_>) -> Outcome {
    let options = call.options("b:w:s:v:n:", &[])?;
    let (all, mut number, mut failed) = (options.value('b') == Some("a"), 0_u64, false);
    for (_, input) in call.inputs(&mut failed).await? {
        while let Some(line) = call.next_text(&input).await? {
            if line.is_empty() && !all {
                call.line("       ").await?;
            } else {
                number += 1;
                call.line(format!("{number:6}\t{line}")).await?;
            }
        }
    }
    Ok(i32::from(failed))
}

/// `paste [-s] [-d delimiters] [file…]`.
pub async fn paste(call: &mut Call<'_>) -> Outcome {
    let options = call.options("sd:", &[("serial", 's'), ("delimiters", 'd')])?;
    let delimiters = crate::escape::unescape(
        options.value('d').unwrap_or("\t"),
        crate::escape::Style::Quote,
    )
    .0;
    let delimiters: Vec<char> = String::from_utf8_lossy(&delimiters).chars().collect();
    let mut failed = false;
    let mut columns: Vec<Vec<String>> = Vec::new();
    for (_, input) in call.inputs(&mut failed).await? {
        let mut lines = Vec::new();
        while let Some(line) = call.next_text(&input).await? {
            lines.push(line);
        }
        columns.push(lines);
    }
    let rows: Vec<Vec<String>> = if options.has('s') {
        columns
    } else {
        let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
        (0..longest)
            .map(|row| {
                columns
                    .iter()
                    .map(|column| column.get(row).cloned().unwrap_or_default())
                    .collect()
            })
            .collect()
    };
    for row in rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                line.extend(delimiters.get((at - 1) % delimiters.len().max(1)));
            }
            line.push_str(cell);
        }
        call.line(line).await?;
    }
    Ok(i32::from(failed))
}

/// `fold [-w width] [file…]`.
pub async fn fold(call: &mut Call<'_>) -> Outcome {
    let options = call.options("w:sb", &[("width", 'w')])?;
    let width: usize = options
        .value('w')
        .and_then(|width| width.parse().ok())
        .filter(|width| *width > 0)
        .unwrap_or(80);
    let mut failed = false;
    for (_, input) in call.inputs(&mut failed).await? {
        while let Some(line) = call.next_text(&input).await? {
            let chars: Vec<char> = line.chars().collect();
            if chars.is_empty() {
                call.line("").await?;
            }
            for part in chars.chunks(width) {
                call.line(part.iter().collect::<String>()).await?;
            }
        }
    }
    Ok(i32::from(failed))
}

/// `cmp [-s] file file`.
pub async fn cmp(call: &mut Call<'_>) -> Outcome {
    let options = call.options("s", &[("silent", 's'), ("quiet", 's')])?;
    let [left, right] = call.args.as_slice() else {
        return Err(Fail::usage("missing operand"));
    };
    let (left_name, right_name) = (left.clone(), right.clone());
    let left = call.open(&left_name)?.read_to_end().await?;
    let right = call.open(&right_name)?.read_to_end().await?;
    if left == right {
        return Ok(0);
    }
    if !options.has('s') {
        let at = left.iter().zip(&right).position(|(l, r)| l != r);
        match at {
            Some(at) => {
                let line = 1 + left[..at].iter().filter(|byte| **byte == b'\n').count();
                call.line(format!(
                    "{left_name} {right_name} differ: byte {}, line {line}",
                    at + 1
                ))
                .await?;
            }
            None => {
                let shorter = if left.len() < right.len() {
                    &left_name
                } else {
                    &right_name
                };
                call.warn(format!("EOF on {shorter}")).await?;
            }
        }
    }
    Ok(1)
}

/// The most lines of one side for which `diff` looks for the shortest difference: its table has the square of it.
const MAX_DIFF_LINES: usize = 4000;

/// `diff [-uq] file file`: always in the unified form, without context lines.
pub async fn diff(call: &mut Call<'_>) -> Outcome {
    let options = call.options("uqrNwbU:", &[("brief", 'q'), ("unified", 'u')])?;
    let [left_name, right_name] = call
        .args
        .clone()
        .try_into()
        .map_err(|_| Fail::usage("missing operand"))?;
    let read = async |call: &Call<'_>, name: &str| match call.open(name) {
        Ok(fd) => fd.read_to_end().await.map_err(Fail::from),
        Err(error) => Err(Fail::usage(format!(
            "{name}: {}",
            crate::io::strerror(&error)
        ))),
    };
    let left = String::from_utf8_lossy(&read(call, &left_name).await?).into_owned();
    let right = String::from_utf8_lossy(&read(call, &right_name).await?).into_owned();
    if left == right {
        return Ok(0);
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    if options.has('q') || old.len().max(new.len()) > MAX_DIFF_LINES {
        call.line(format!("Files {left_name} and {right_name} differ"))
            .await?;
        return Ok(1);
    }
    // Lengths of the longest common subsequence of the tails.
    let width = new.len() + 1;
    let mut common = vec![0_u16; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    call.line(format!("--- {left_name}\n+++ {right_name}"))
        .await?;
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let (from, to) = (i, j);
        while (i < old.len() || j < new.len())
            && !(i < old.len() && j < new.len() && old[i] == new[j])
        {
            if i < old.len()
                && (j == new.len() || common[(i + 1) * width + j] >= common[i * width + j + 1])
            {
                i += 1;
            } else {
                j += 1;
            }
        }
        call.line(format!(
            "@@ -{},{} +{},{} @@",
            from + 1,
            i - from,
            to + 1,
            j - to
        ))
        .await?;
        for line in &old[from..i] {
            call.line(format!("-{line}")).await?;
        }
        for line in &new[to..j] {
            call.line(format!("+{line}")).await?;
        }
    }
    Ok(1)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `base64 [-d] [-w columns] [file]`.
pub async fn base64(call: &mut Call<'_>) -> Outcome {
    let options = call.options("dw:i", &[("decode", 'd'), ("wrap", 'w')])?;
    let name = call.args.first().cloned().unwrap_or_else(|| "-".into());
    let bytes = call
        .open(&name)
        .map_err(|error| Fail::new(format!("{name}: {}", crate::io::strerror(&error))))?
        .read_to_end()
        .await?;
    if options.has('d') {
        let mut decoded = Vec::new();
        let (mut bits, mut count) = (0_u32, 0);
        for byte in bytes
            .into_iter()
            .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=')
        {
            let value = BASE64
                .iter()
                .position(|known| *known == byte)
                .ok_or_else(|| Fail::new("invalid input"))?;
            bits = (bits << 6) | u32::try_from(value).unwrap_or_default();
            count += 6;
            if count >= 8 {
                count -= 8;
                decoded.push((bits >> count).to_le_bytes()[0]);
            }
        }
        call.put(decoded).await?;
        return Ok(0);
    }
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0_u8; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(group);
        for at in 0..4_usize {
            let value = usize::try_from((bits >> (18 - 6 * at)) & 63).unwrap_or_default();
            text.push(if at <= chunk.len() {
                char::from(BASE64[value])
            } else {
                '='
            });
        }
    }
    let width: usize = options
        .value('w')
        .and_then(|width| width.parse().ok())
        .unwrap_or(76);
    if width == 0 {
        call.put(text).await?;
        return Ok(0);
    }
    for line in text.as_bytes().chunks(width) {
        call.line(String::from_utf8_lossy(line)).await?;
    }
    Ok(0)
}
