//! `sed` (XCU sed, with GNU's `-i`, `-E`, `I`, `+N` and one-line `a`, `i`, `c`).
//!
//! Not done: `y` with escapes, `l`, `w` to other files than the standard streams, back-references in a pattern.

use super::grep::{basic_regex, extended_regex};
use super::{Call, Fail, Outcome};
use crate::io::{Fd, strerror};
use regex_lite::Regex;
use std::collections::VecDeque;

/// How many lines one cycle may go through by `b`, `t` and `D`: a script that branches in a circle never ends.
const MAX_STEPS: usize = 10_000_000;

enum Address {
    Line(usize),
    Step(usize, usize),
    Last,
    Regex(Regex),
    /// `addr,+N`.
    Plus(usize),
}

struct Command {
    from: Option<Address>,
    to: Option<Address>,
    negated: bool,
    action: Action,
    /// In a range: the line at which it ends, if that is known.
    active: Option<Option<usize>>,
}

enum Action {
    Block(usize),
    EndBlock,
    Substitute {
        regex: Regex,
        with: String,
        global: bool,
        nth: usize,
        print: bool,
    },
    Translate(Vec<char>, Vec<char>),
    Text(char, String),
    Branch(char, String),
    Label(String),
    Quit(char, i32),
    Simple(char),
}

struct Script {
    commands: Vec<Command>,
    extended: bool,
}

/// `sed [-nEri] [-e script] [-f file] [script] [file…]`.
pub async fn sed(call: &mut Call<'_>) -> Outcome {
    // `-i` has its suffix only in the same word.
    let mut in_place = None;
    call.args.retain(|arg| {
        match arg
            .strip_prefix("-i")
            .or_else(|| arg.strip_prefix("--in-place"))
        {
            Some(suffix) => {
                in_place = Some(suffix.trim_start_matches('=').to_owned());
                false
            }
            None => true,
        }
    });
    let long = [
        ("quiet", 'n'),
        ("silent", 'n'),
        ("expression", 'e'),
        ("file", 'f'),
        ("regexp-extended", 'E'),
    ];
    let options = call.options("nErsuze:f:", &long)?;
    let mut texts = Vec::new();
    for (option, value) in options.iter() {
        match option {
            'e' => texts.push(value.to_owned()),
            'f' => {
                let bytes = call.open(value).map_err(|error| {
                    Fail::new(format!("can't read {value}: {}", strerror(&error)))
                })?;
                texts.push(String::from_utf8_lossy(&bytes.read_to_end().await?).into_owned());
            }
            _ => {}
        }
    }
    if texts.is_empty() {
        if call.args.is_empty() {
            return Err(Fail::new("no script specified"));
        }
        texts.push(call.args.remove(0));
    }
    let mut script = Script {
        commands: Vec::new(),
        extended: options.last_of("Er").is_some(),
    };
    script
        .parse(&texts.join("\n"))
        .map_err(|message| Fail::new(format!("-e expression: {message}")))?;
    let quiet = options.has('n');
    let Some(suffix) = in_place else {
        let mut failed = false;
        let inputs = call
            .inputs(&mut failed)
            .await?
            .into_iter()
            .map(|(_, input)| input)
            .collect();
        let status = Editor::new(inputs, quiet).run(call, &mut script).await?;
        return Ok(if failed { 2 } else { status });
    };
    let mut status = 0;
    for name in std::mem::take(&mut call.args) {
        let input = match call.open(&name) {
            Ok(input) => input,
            Err(error) => {
                call.warn(format!("can't read {name}: {}", strerror(&error)))
                    .await?;
                status = 2;
                continue;
            }
        };
        let buffer = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let saved = call
            .shell
            .fds
            .insert(1, Fd::Capture(std::rc::Rc::clone(&buffer)));
        let result = Editor::new(VecDeque::from([input]), quiet)
            .run(call, &mut script)
            .await;
        let flushed = call.flush().await;
        if let Some(saved) = saved {
            call.shell.fds.insert(1, saved);
        }
        flushed.and(result)?;
        if !suffix.is_empty() {
            std::fs::copy(call.path(&name), call.path(&format!("{name}{suffix}")))?;
        }
        std::fs::write(call.path(&name), buffer.take())?;
    }
    Ok(status)
}

impl Script {
    fn parse(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text;
        let mut blocks = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
            if rest.is_empty() {
                break;
            }
            if rest.starts_with('#') {
                rest = rest.split_once('\n').map_or("", |(_, after)| after);
                continue;
            }
            let from = self.address(&mut rest)?;
            let mut to = None;
            if from.is_some() {
                rest = rest.trim_start();
                if let Some(after) = rest.strip_prefix(',') {
                    rest = after.trim_start();
                    to = Some(self.address(&mut rest)?.ok_or("unexpected `,'")?);
                }
            }
            rest = rest.trim_start();
            let negated = rest.starts_with('!');
            rest = rest.trim_start_matches(['!', ' ']);
            let letter = rest.chars().next().ok_or("missing command")?;
            rest = &rest[letter.len_utf8()..];
            let action = match letter {
                '{' => {
                    blocks.push(self.commands.len());
                    Action::Block(0)
                }
                '}' => {
                    let start: usize = blocks.pop().ok_or("unexpected `}'")?;
                    let end = self.commands.len();
                    self.commands[start].action = Action::Block(end);
                    Action::EndBlock
                }
                's' => self.substitute(&mut rest)?,
                'y' => {
                    let delimiter = rest.chars().next().ok_or("unterminated `y' command")?;
                    rest = &rest[delimiter.len_utf8()..];
                    let from: Vec<char> = delimited(&mut rest, delimiter, false)?.chars().collect();
                    let to: Vec<char> = delimited(&mut rest, delimiter, false)?.chars().collect();
                    if from.len() != to.len() {
                        return Err("strings for `y' command are different lengths".into());
                    }
                    Action::Translate(from, to)
                }
                'a' | 'i' | 'c' => {
                    let mut body = rest.trim_start_matches([' ', '\t']);
                    if let Some(after) = body.strip_prefix('\\') {
                        body = after.strip_prefix('\n').unwrap_or(after);
                    }
                    let mut text = String::new();
                    loop {
                        let (line, after) = body.split_once('\n').unwrap_or((body, ""));
                        body = after;
                        let continues = line.ends_with('\\');
                        text.push_str(line.strip_suffix('\\').unwrap_or(line));
                        text.push('\n');
                        if !continues || body.is_empty() {
                            break;
                        }
                    }
                    rest = body;
                    Action::Text(letter, text)
                }
                ':' | 'b' | 't' | 'T' | 'r' | 'w' => {
                    let end = if letter == ':' {
                        rest.find(['\n', ';'])
                    } else {
                        rest.find(['\n', ';', '}'])
                    };
                    let end = end.unwrap_or(rest.len());
                    let name = rest[..end].trim().to_owned();
                    rest = &rest[end..];
                    if letter == ':' {
                        Action::Label(name)
                    } else {
                        Action::Branch(letter, name)
                    }
                }
                'q' | 'Q' => {
                    let digits = rest.trim_start_matches(' ');
                    let end = digits
                        .find(|c: char| !c.is_ascii_digit())
                        .unwrap_or(digits.len());
                    let status = digits[..end].parse().unwrap_or(0);
                    rest = &digits[end..];
                    Action::Quit(letter, status)
                }
                'p' | 'd' | 'n' | 'N' | 'D' | 'P' | 'g' | 'G' | 'h' | 'H' | 'x' | '=' | 'z' => {
                    Action::Simple(letter)
                }
                other => return Err(format!("unknown command: `{other}'")),
            };
            self.commands.push(Command {
                from,
                to,
                negated,
                action,
                active: None,
            });
        }
        if blocks.is_empty() {
            Ok(())
        } else {
            Err("unmatched `{'".into())
        }
    }

    fn address(&self, rest: &mut &str) -> Result<Option<Address>, String> {
        let number = |rest: &mut &str| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let value = rest[..end].parse::<usize>().unwrap_or(0);
            *rest = &rest[end..];
            value
        };
        Ok(match rest.chars().next() {
            Some(c) if c.is_ascii_digit() => {
                let first = number(rest);
                match rest.strip_prefix('~') {
                    Some(after) => {
                        *rest = after;
                        Some(Address::Step(first, number(rest)))
                    }
                    None => Some(Address::Line(first)),
                }
            }
            Some('$') => {
                *rest = &rest[1..];
                Some(Address::Last)
            }
            Some('+') => {
                *rest = &rest[1..];
                Some(Address::Plus(number(rest)))
            }
            Some(start @ ('/' | '\\')) => {
                *rest = &rest[1..];
                let mut delimiter = start;
                if start == '\\' {
                    delimiter = rest.chars().next().ok_or("unterminated address regex")?;
                    *rest = &rest[delimiter.len_utf8()..];
                }
                let pattern = delimited(rest, delimiter, true)?;
                let ignore_case = rest.starts_with('I');
                *rest = rest.trim_start_matches('I');
                Some(Address::Regex(self.regex(&pattern, ignore_case)?))
            }
            _ => None,
        })
    }

    fn regex(&self, pattern: &str, ignore_case: bool) -> Result<Regex, String> {
        if self.extended {
            extended_regex(pattern, ignore_case)
        } else {
            basic_regex(pattern, ignore_case)
        }
    }

    fn substitute(&self, rest: &mut &str) -> Result<Action, String> {
        let delimiter = rest.chars().next().ok_or("unterminated `s' command")?;
        *rest = &rest[delimiter.len_utf8()..];
        let pattern = delimited(rest, delimiter, true)?;
        let with = delimited(rest, delimiter, true)?;
        let (mut global, mut nth, mut print, mut ignore_case) = (false, 1, false, false);
        while let Some(flag) = rest.chars().next() {
            match flag {
                'g' => global = true,
                'p' => print = true,
                'i' | 'I' => ignore_case = true,
                'm' | 'M' | 'e' => {}
                c if c.is_ascii_digit() => {
                    nth = c
                        .to_digit(10)
                        .and_then(|n| usize::try_from(n).ok())
                        .unwrap_or(1)
                        .max(1)
                }
                _ => break,
            }
            *rest = &rest[1..];
        }
        Ok(Action::Substitute {
            regex: self.regex(&pattern, ignore_case)?,
            with,
            global,
            nth,
            print,
        })
    }
}

/// Text up to a delimiter. A delimiter that is escaped loses its backslash.
fn delimited(rest: &mut &str, delimiter: char, keeps_escapes: bool) -> Result<String, String> {
    let mut text = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, next)) if next == delimiter => text.push(next),
                Some((_, 'n')) => text.push_str(if keeps_escapes { "\\n" } else { "\n" }),
                Some((_, next)) => text.extend(['\\', next]),
                None => break,
            },
            c if c == delimiter => {
                *rest = &rest[at + c.len_utf8()..];
                return Ok(text);
            }
            c => text.push(c),
        }
    }
    Err("unterminated command".into())
}

/// What editing needs from line to line.
struct Editor {
    inputs: VecDeque<Fd>,
    quiet: bool,
    /// Read ahead, to know which line is the last.
    next: Option<String>,
    line: usize,
    pattern: String,
    hold: String,
    appended: String,
}

impl Editor {
    fn new(inputs: VecDeque<Fd>, quiet: bool) -> Self {
        let (pattern, hold, appended) = Default::default();
        Self {
            inputs,
            quiet,
            next: None,
            line: 0,
            pattern,
            hold,
            appended,
        }
    }

    async fn advance(&mut self, call: &mut Call<'_>) -> Result<Option<String>, Fail> {
        while let Some(input) = self.inputs.front() {
            if let Some(line) = call.next_text(input).await? {
                return Ok(Some(line));
            }
            self.inputs.pop_front();
        }
        Ok(None)
    }

    /// The next line into the pattern space; false at the end.
    async fn read(
        &mut self,
        call: &mut Call<'_>,
        append: bool,
        needs_last: bool,
    ) -> Result<bool, Fail> {
        let line = match self.next.take() {
            Some(line) => Some(line),
            None => self.advance(call).await?,
        };
        let Some(line) = line else {
            return Ok(false);
        };
        if needs_last {
            self.next = self.advance(call).await?;
        }
        self.line += 1;
        if append {
            self.pattern.push('\n');
            self.pattern.push_str(&line);
        } else {
            self.pattern = line;
        }
        Ok(true)
    }

    async fn run(&mut self, call: &mut Call<'_>, script: &mut Script) -> Outcome {
        // Only a script that asks for the last line must read ahead: others follow a live stream.
        let needs_last = script.commands.iter().any(|command| {
            matches!(command.from, Some(Address::Last))
                || matches!(command.to, Some(Address::Last))
                || matches!(command.action, Action::Simple('N' | 'n' | 'D'))
        });
        let mut restart = false;
        while restart || self.read(call, false, needs_last).await? {
            restart = false;
            let (mut at, mut substituted, mut deleted, mut quit) = (0, false, false, None);
            let mut steps = 0;
            while let Some(command) = script.commands.get_mut(at) {
                at += 1;
                steps += 1;
                if steps > MAX_STEPS {
                    return Err(Fail::new("the script branches in a circle"));
                }
                let selected = self.selects(command, needs_last) != command.negated;
                match &command.action {
                    Action::Block(end) if !selected => at = *end,
                    _ if !selected => {}
                    Action::Block(_) | Action::EndBlock | Action::Label(_) => {}
                    Action::Substitute {
                        regex,
                        with,
                        global,
                        nth,
                        print,
                    } => {
                        if let Some(text) = substitute(regex, with, &self.pattern, *global, *nth) {
                            self.pattern = text;
                            substituted = true;
                            if *print {
                                call.line(&self.pattern).await?;
                            }
                        }
                    }
                    Action::Translate(from, to) => {
                        let change = |c: char| {
                            from.iter()
                                .position(|known| *known == c)
                                .map_or(c, |place| to[place])
                        };
                        self.pattern = self.pattern.chars().map(change).collect();
                    }
                    Action::Text('a', text) => self.appended.push_str(text),
                    Action::Text('i', text) => call.put(text).await?,
                    Action::Text(_, text) => {
                        let in_range =
                            command.to.is_some() && command.active.is_some() && !command.negated;
                        if !in_range {
                            call.put(text).await?;
                        }
                        deleted = true;
                        break;
                    }
                    Action::Branch('r', name) => {
                        let text = std::fs::read(call.path(name)).unwrap_or_default();
                        self.appended.push_str(&String::from_utf8_lossy(&text));
                    }
                    Action::Branch('w', name) => {
                        if let Ok(fd) = crate::exec::open_path(
                            call.shell,
                            name,
                            std::fs::OpenOptions::new().append(true).create(true),
                        ) {
                            fd.write(format!("{}\n", self.pattern).as_bytes()).await?;
                        }
                    }
                    Action::Branch(letter, label) => {
                        let jumps = match letter {
                            't' => std::mem::take(&mut substituted),
                            'T' => !std::mem::take(&mut substituted),
                            _ => true,
                        };
                        if jumps {
                            let label = label.clone();
                            let found = script.commands.iter().position(|command| matches!(&command.action, Action::Label(name) if *name == label));
                            at = match found {
                                Some(found) => found,
                                None if label.is_empty() => script.commands.len(),
                                None => {
                                    return Err(Fail::new(format!(
                                        "can't find label for jump to `{label}'"
                                    )));
                                }
                            };
                        }
                    }
                    Action::Quit(letter, status) => {
                        quit = Some(*status);
                        deleted = *letter == 'Q';
                        break;
                    }
                    Action::Simple(letter) => match letter {
                        'p' => call.line(&self.pattern).await?,
                        'P' => {
                            call.line(self.pattern.split('\n').next().unwrap_or_default())
                                .await?
                        }
                        '=' => call.line(self.line.to_string()).await?,
                        'd' => {
                            deleted = true;
                            break;
                        }
                        'D' => {
                            deleted = true;
                            if let Some((_, after)) = self.pattern.split_once('\n') {
                                self.pattern = after.to_owned();
                                restart = true;
                            }
                            break;
                        }
                        'n' => {
                            // Without a next line `n` ends, and the end prints the pattern space.
                            if self.next.is_none() {
                                quit = Some(0);
                                break;
                            }
                            if !self.quiet {
                                call.line(&self.pattern).await?;
                            }
                            self.read(call, false, needs_last).await?;
                        }
                        'N' => {
                            if !self.read(call, true, needs_last).await? {
                                quit = Some(0);
                                break;
                            }
                        }
                        'g' => self.pattern.clone_from(&self.hold),
                        'G' => self.pattern = format!("{}\n{}", self.pattern, self.hold),
                        'h' => self.hold.clone_from(&self.pattern),
                        'H' => self.hold = format!("{}\n{}", self.hold, self.pattern),
                        'x' => std::mem::swap(&mut self.pattern, &mut self.hold),
                        _ => self.pattern.clear(),
                    },
                }
            }
            if !deleted && !self.quiet {
                call.line(&self.pattern).await?;
            }
            let appended = std::mem::take(&mut self.appended);
            call.put(appended).await?;
            if let Some(status) = quit {
                return Ok(status);
            }
        }
        Ok(0)
    }

    fn is_at(&self, address: &Address, knows_last: bool) -> bool {
        match address {
            Address::Line(number) => self.line == *number,
            Address::Step(first, step) => {
                self.line >= *first
                    && (self.line - first)
                        .checked_rem(*step)
                        .is_none_or(|rest| rest == 0 && *step > 0)
            }
            Address::Last => knows_last && self.next.is_none(),
            Address::Regex(regex) => regex.is_match(&self.pattern),
            Address::Plus(_) => false,
        }
    }

    fn selects(&self, command: &mut Command, knows_last: bool) -> bool {
        let Some(from) = &command.from else {
            return true;
        };
        let Some(to) = &command.to else {
            return self.is_at(from, knows_last);
        };
        match command.active {
            Some(end) => {
                let ends = match end {
                    Some(end) => self.line >= end,
                    None => self.is_at(to, knows_last),
                };
                // A range whose second line is already behind is only its first line.
                let over = matches!((end, to), (Some(end), Address::Line(_)) if self.line > end);
                if ends {
                    command.active = None;
                }
                !over
            }
            None if self.is_at(from, knows_last) => {
                command.active = match to {
                    Address::Line(number) if *number <= self.line => None,
                    Address::Line(number) => Some(Some(*number)),
                    Address::Plus(0) => None,
                    Address::Plus(count) => Some(Some(self.line + count)),
                    _ => Some(None),
                };
                true
            }
            None => matches!(from, Address::Line(0)),
        }
    }
}

/// The text after `s`; `None` when nothing matches.
fn substitute(regex: &Regex, with: &str, text: &str, global: bool, nth: usize) -> Option<String> {
    let mut result = String::new();
    let mut end = 0;
    let mut changed = false;
    for (at, found) in regex.captures_iter(text).enumerate() {
        if at + 1 < nth {
            continue;
        }
        let whole = found.get(0)?;
        result.push_str(&text[end..whole.start()]);
        result.push_str(&replacement(with, &found));
        end = whole.end();
        changed = true;
        if !global {
            break;
        }
    }
    result.push_str(&text[end..]);
    changed.then_some(result)
}

/// `&` and `\1` … `\9` filled in; `\U`, `\L`, `\u`, `\l`, `\E` change the case.
pub fn replacement(with: &str, found: &regex_lite::Captures<'_>) -> String {
    let mut result = String::new();
    let (mut case, mut once) = (None, None);
    let mut chars = with.chars();
    while let Some(c) = chars.next() {
        let group = |number: usize| {
            found
                .get(number)
                .map_or("", |group| group.as_str())
                .to_owned()
        };
        let piece = match c {
            '&' => group(0),
            '\\' => match chars.next() {
                Some(digit @ '0'..='9') => group(
                    digit
                        .to_digit(10)
                        .and_then(|d| usize::try_from(d).ok())
                        .unwrap_or(0),
                ),
                Some('n') => "\n".into(),
                Some('t') => "\t".into(),
                Some(letter @ ('U' | 'L')) => {
                    case = Some(letter);
                    continue;
                }
                Some('E') => {
                    case = None;
                    continue;
                }
                Some(letter @ ('u' | 'l')) => {
                    once = Some(letter);
                    continue;
                }
                Some(other) => other.to_string(),
                None => "\\".into(),
            },
            c => c.to_string(),
        };
        let piece = match case {
            Some('U') => piece.to_uppercase(),
            Some(_) => piece.to_lowercase(),
            None => piece,
        };
        match (once, piece.chars().next()) {
            (Some(letter), Some(first)) => {
                let first_length = first.len_utf8();
                result.push_str(&if letter == 'u' {
                    first.to_uppercase().to_string()
                } else {
                    first.to_lowercase().to_string()
                });
                result.push_str(&piece[first_length..]);
                once = None;
            }
            _ => result.push_str(&piece),
        }
    }
    result
}
