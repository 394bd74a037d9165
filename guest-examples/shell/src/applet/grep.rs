//! `grep`, and POSIX regular expressions for all who need them.

use super::{Call, Fail, Outcome};
use crate::io::strerror;
use regex_lite::{Regex, RegexBuilder};

/// A basic regular expression (XBD 9.3, with GNU's `\+`, `\?`, `\|`).
///
/// # Errors
/// The message.
pub fn basic_regex(text: &str, ignore_case: bool) -> Result<Regex, String> {
    build(&from_basic(text), ignore_case)
}

/// An extended regular expression (XBD 9.4).
///
/// # Errors
/// The message.
pub fn extended_regex(text: &str, ignore_case: bool) -> Result<Regex, String> {
    build(&brackets(text), ignore_case)
}

fn build(text: &str, ignore_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .case_insensitive(ignore_case)
        .build()
        .map_err(|error| error.to_string())
}

/// Copies one bracket expression, whose backslashes and brackets are plain in POSIX. `chars` stands behind the `[`.
fn copy_bracket(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            ']' if !first => break,
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            // awk and GNU tools know these escapes in brackets.
            '\\' if chars.peek().is_some_and(|next| "ntr/\\]".contains(*next)) => {
                let next = chars.next().unwrap_or('\\');
                if next != '/' {
                    out.push('\\');
                }
                out.push(next);
            }
            '\\' | '[' | ']' | '&' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
        first = false;
    }
    out.push(']');
}

fn brackets(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut start = true;
    while let Some(c) = chars.next() {
        match c {
            '[' => copy_bracket(&mut chars, &mut out),
            '\\' => match chars.next() {
                Some('<' | '>') => out.push_str("\\b"),
                Some(next) if next.is_ascii_alphanumeric() => out.extend(['\\', next]),
                Some(
                    '/' | '"' | '\'' | ' ' | ',' | ':' | ';' | '=' | '@' | '!' | '%' | '_' | '`',
                ) => {
                    // The engine refuses escapes that it does not need.
                    out.extend(text_before(&chars, text));
                }
                Some(next) => out.extend(['\\', next]),
                None => out.push_str("\\\\"),
            },
            '{' if start || !chars.peek().is_some_and(char::is_ascii_digit) => out.push_str("\\{"),
            c => out.push(c),
        }
        start = matches!(c, '(' | '|');
    }
    out
}

/// The character that has just been taken.
fn text_before(chars: &std::iter::Peekable<std::str::Chars<'_>>, text: &str) -> Option<char> {
    let left: usize = chars.clone().map(char::len_utf8).sum();
    text[..text.len() - left].chars().next_back()
}

fn from_basic(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    // Whether a `*` here is plain, and a `^` an anchor.
    let mut start = true;
    while let Some(c) = chars.next() {
        let was_start = std::mem::replace(&mut start, false);
        match c {
            '[' => copy_bracket(&mut chars, &mut out),
            '\\' => match chars.next() {
                Some(c @ ('(' | ')' | '{' | '}' | '+' | '?' | '|')) => {
                    out.push(c);
                    start = matches!(c, '(' | '|');
                }
                Some('<' | '>') => out.push_str("\\b"),
                Some(c @ ('n' | 't' | 'w' | 'W' | 's' | 'S' | 'b' | 'B' | 'd')) => {
                    out.extend(['\\', c])
                }
                Some(c) if c.is_ascii_punctuation() && ".*[]^$\\".contains(c) => {
                    out.extend(['\\', c])
                }
                Some(c) => out.push(c),
                None => out.push_str("\\\\"),
            },
            '*' if was_start => out.push_str("\\*"),
            '^' if !was_start => out.push_str("\\^"),
            '^' => {
                out.push('^');
                start = true;
            }
            '$' if chars.peek().is_some()
                && !matches!(
                    chars.clone().take(2).collect::<String>().as_str(),
                    "\\)" | "\\|"
                ) =>
            {
                out.push_str("\\$")
            }
            '(' | ')' | '{' | '}' | '+' | '?' | '|' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// `grep [-EFGivnclLqsowxrhHe:f:m:A:B:C:] [pattern] [file…]`.
pub async fn grep(call: &mut Call<'_>) -> Outcome {
    let long = [
        ("extended-regexp", 'E'),
        ("fixed-strings", 'F'),
        ("ignore-case", 'i'),
        ("invert-match", 'v'),
        ("count", 'c'),
        ("line-number", 'n'),
        ("quiet", 'q'),
        ("silent", 'q'),
        ("only-matching", 'o'),
        ("recursive", 'r'),
        ("word-regexp", 'w'),
        ("line-regexp", 'x'),
        ("files-with-matches", 'l'),
        ("no-filename", 'h'),
        ("with-filename", 'H'),
        ("max-count", 'm'),
        ("regexp", 'e'),
        ("color", 'Z'),
        ("colour", 'Z'),
        ("line-buffered", 'Z'),
        ("text", 'a'),
        ("no-messages", 's'),
        ("after-context", 'A'),
        ("before-context", 'B'),
    ];
    let options = call.options("EFGPivnclLqsowxrRhHae:f:m:A:B:C:UZ", &long)?;
    let mut patterns: Vec<String> = options
        .iter()
        .filter(|(option, _)| *option == 'e')
        .map(|(_, value)| value.to_owned())
        .collect();
    if let Some(name) = options.value('f') {
        let bytes = call
            .open(name)
            .map_err(|error| Fail::usage(format!("{name}: {}", strerror(&error))))?
            .read_to_end()
            .await?;
        patterns.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
    } else if patterns.is_empty() {
        if call.args.is_empty() {
            return Err(Fail::usage("usage: grep [OPTION]... PATTERNS [FILE]..."));
        }
        patterns = call.args.remove(0).lines().map(str::to_owned).collect();
        if patterns.is_empty() {
            patterns.push(String::new());
        }
    }
    let fixed = call.name == "fgrep" || options.last_of("EFGP") == Some('F');
    let extended = call.name == "egrep" || matches!(options.last_of("EFGP"), Some('E' | 'P'));
    let alternatives: Vec<String> = patterns
        .iter()
        .map(|pattern| match (fixed, extended) {
            (true, _) => regex_lite::escape(pattern),
            (_, true) => brackets(pattern),
            _ => from_basic(pattern),
        })
        .collect();
    let mut text = alternatives
        .iter()
        .map(|one| format!("(?:{one})"))
        .collect::<Vec<_>>()
        .join("|");
    if options.has('x') {
        text = format!("^(?:{text})$");
    } else if options.has('w') {
        text = format!("\\b(?:{text})\\b");
    }
    let regex = build(&text, options.has('i')).map_err(Fail::usage)?;

    let recursive = options.last_of("rR").is_some();
    if recursive {
        let starts = if call.args.is_empty() {
            vec![".".to_owned()]
        } else {
            std::mem::take(&mut call.args)
        };
        for start in starts {
            collect_files(call, &start);
        }
        if call.args.is_empty() {
            return Ok(1);
        }
    }
    let named = (call.args.len() > 1 || options.has('H') || recursive) && !options.has('h');
    let number = |option| {
        options
            .value(option)
            .or(options.value('C').filter(|_| option != 'm'))
            .and_then(|n| n.parse::<usize>().ok())
    };
    let (before, after, most) = (
        number('B').unwrap_or(0),
        number('A').unwrap_or(0),
        number('m').unwrap_or(usize::MAX),
    );
    let mut failed = false;
    let mut any = false;
    for (name, input) in call.inputs(&mut failed).await? {
        let label = if name == "-" {
            "(standard input)"
        } else {
            &name
        };
        let prefix = |separator: char, line: usize| {
            let mut prefix = if named {
                format!("{label}{separator}")
            } else {
                String::new()
            };
            if options.has('n') {
                prefix.push_str(&format!("{line}{separator}"));
            }
            prefix
        };
        let (mut count, mut line, mut context_left, mut last_shown) =
            (0_usize, 0_usize, 0_usize, 0_usize);
        let mut held: std::collections::VecDeque<(usize, String)> =
            std::collections::VecDeque::new();
        while count < most || context_left > 0 {
            let Some(text) = call.next_text(&input).await? else {
                break;
            };
            line += 1;
            let matched = count < most && regex.is_match(&text) != options.has('v');
            if !matched {
                if context_left > 0 {
                    context_left -= 1;
                    last_shown = line;
                    call.line(prefix('-', line) + &text).await?;
                } else if before > 0 {
                    held.push_back((line, text));
                    if held.len() > before {
                        held.pop_front();
                    }
                }
                continue;
            }
            any = true;
            count += 1;
            if options.has('q') {
                return Ok(0);
            }
            if options.last_of("lL").is_some() {
                break;
            }
            if options.has('c') {
                continue;
            }
            let first = held.front().map_or(line, |(line, _)| *line);
            if before + after > 0 && last_shown > 0 && first > last_shown + 1 {
                call.line("--").await?;
            }
            for (line, text) in held.drain(..) {
                call.line(prefix('-', line) + &text).await?;
            }
            last_shown = line;
            context_left = after;
            if options.has('o') {
                for found in regex.find_iter(&text).filter(|found| !found.is_empty()) {
                    call.line(prefix(':', line) + found.as_str()).await?;
                }
            } else {
                call.line(prefix(':', line) + &text).await?;
            }
        }
        match options.last_of("lLc") {
            Some('l') if count > 0 => call.line(label).await?,
            Some('L') if count == 0 => call.line(label).await?,
            Some('c') => {
                call.line(if named {
                    format!("{label}:{count}")
                } else {
                    count.to_string()
                })
                .await?
            }
            _ => {}
        }
    }
    Ok(match (any, failed) {
        (_, true) if !any || !options.has('q') => 2,
        (true, _) => 0,
        _ => 1,
    })
}

fn collect_files(call: &mut Call<'_>, name: &str) {
    let path = call.path(name);
    if !path.is_dir() {
        call.args.push(name.to_owned());
        return;
    }
    let Ok(entries) = path.read_dir() else {
        return;
    };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    for entry in names {
        collect_files(call, &format!("{}/{entry}", name.trim_end_matches('/')));
    }
}
