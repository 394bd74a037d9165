//! Utilities that wait, run other commands, or tell about the environment.

use super::{Call, Fail, Outcome};
use crate::exec::{Flow, command};
use crate::io::Fd;
use crate::rt;
use crate::shell::{Shell, Value, Variable};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A time as `sleep` takes it: a number and `s`, `m`, `h` or `d`; `None` inside is for ever.
fn parse_duration(text: &str) -> Result<Option<Duration>, Fail> {
    let invalid = || Fail::new(format!("invalid time interval '{text}'"));
    let (number, unit) = match text.chars().last() {
        Some('s') => (&text[..text.len() - 1], 1.0),
        Some('m') => (&text[..text.len() - 1], 60.0),
        Some('h') => (&text[..text.len() - 1], 3600.0),
        Some('d') => (&text[..text.len() - 1], 86400.0),
        _ => (text, 1.0),
    };
    let number: f64 = number.parse().map_err(|_| invalid())?;
    if number.is_nan() || number < 0.0 {
        return Err(invalid());
    }
    Ok(Duration::try_from_secs_f64(number * unit).ok())
}

/// `sleep time…`, `usleep microseconds`.
pub async fn sleep(call: &mut Call<'_>) -> Outcome {
    if call.args.is_empty() {
        return Err(Fail::new("missing operand"));
    }
    let mut total = Some(Duration::ZERO);
    for arg in &call.args {
        let part = parse_duration(arg)?.map(|part| {
            if call.name == "usleep" {
                part / 1_000_000
            } else {
                part
            }
        });
        total = total
            .zip(part)
            .and_then(|(total, part)| total.checked_add(part));
    }
    rt::sleep(total).await;
    Ok(0)
}

/// `pause`: does nothing for as long as it is let, as the container of that name, which holds a pod open.
pub async fn pause(_: &mut Call<'_>) -> Outcome {
    rt::sleep(None).await;
    Ok(0)
}

/// `timeout [-s signal] [-k time] time command…`: 124 when the time is over.
pub async fn timeout(call: &mut Call<'_>) -> Outcome {
    call.options(
        "+s:k:v",
        &[
            ("preserve-status", 'v'),
            ("signal", 's'),
            ("kill-after", 'k'),
            ("foreground", 'v'),
        ],
    )?;
    if call.args.len() < 2 {
        return Err(Fail::Message("missing operand".into(), 125));
    }
    let limit = parse_duration(&call.args.remove(0))?.filter(|limit| !limit.is_zero());
    let argv = std::mem::take(&mut call.args);
    let mut child: Shell = call.shell.clone();
    child.traps.clear();
    child.is_replaced = false;
    let over = Cell::new(false);
    let mut work = Box::pin(async move { command::call(&mut child, argv).await });
    let mut clock = Box::pin(rt::sleep(limit));
    let result = std::future::poll_fn(|context| {
        use std::task::Poll;
        if let Poll::Ready(result) = work.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        clock.as_mut().poll(context).map(|()| {
            over.set(true);
            Ok(124)
        })
    })
    .await;
    match result {
        Ok(status) | Err(Flow::Exit(status)) => Ok(status),
        Err(flow) => Err(flow.into()),
    }
}

/// `env [-i] [-u name] [name=value…] [command…]`.
pub async fn env(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "+iu:0C:S:",
        &[
            ("ignore-environment", 'i'),
            ("unset", 'u'),
            ("null", '0'),
            ("chdir", 'C'),
        ],
    )?;
    let mut child = call.shell.clone();
    if options.has('i') || call.args.first().is_some_and(|arg| arg == "-") {
        child.variables.retain(|_, variable| !variable.exported);
        call.args.retain(|arg| arg != "-");
    }
    for (option, name) in options.iter() {
        match option {
            'u' => drop(child.variables.remove(name)),
            'C' => child.cwd = child.path(name),
            _ => {}
        }
    }
    let assignments = call.args.iter().take_while(|arg| arg.contains('=')).count();
    for assignment in call.args.drain(..assignments) {
        if let Some((name, value)) = assignment.split_once('=') {
            let value = Value::Scalar(value.to_owned());
            child.variables.insert(
                name.to_owned(),
                Variable {
                    value,
                    exported: true,
                    readonly: false,
                },
            );
        }
    }
    if call.args.is_empty() {
        let end = if options.has('0') { '\0' } else { '\n' };
        for (name, value) in child.environment() {
            call.put(format!("{name}={value}{end}")).await?;
        }
        return Ok(0);
    }
    let argv = std::mem::take(&mut call.args);
    let mut run = Call::new(&mut child, argv[0].clone(), Vec::new());
    run.run(argv).await
}

/// `printenv [name…]`.
pub async fn printenv(call: &mut Call<'_>) -> Outcome {
    let environment = call.shell.environment();
    if call.args.is_empty() {
        for (name, value) in environment {
            call.line(format!("{name}={value}")).await?;
        }
        return Ok(0);
    }
    let mut status = 0;
    for name in std::mem::take(&mut call.args) {
        match environment.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => call.line(value).await?,
            None => status = 1,
        }
    }
    Ok(status)
}

/// `nohup`, `nice`, `setsid`: there is no terminal, no priority and no session; the command runs.
pub async fn nohup(call: &mut Call<'_>) -> Outcome {
    call.options("+n:wc", &[])?;
    let argv = std::mem::take(&mut call.args);
    call.run(argv).await
}

/// `time command…`.
pub async fn time(call: &mut Call<'_>) -> Outcome {
    call.args.retain(|arg| arg != "-p");
    let start = Instant::now();
    let argv = std::mem::take(&mut call.args);
    let status = call.run(argv).await?;
    if let Some(fd) = call.shell.fd(2) {
        let seconds = start.elapsed().as_secs_f64();
        fd.write(format!("real {seconds:.2}\nuser 0.00\nsys 0.00\n").as_bytes())
            .await?;
    }
    Ok(status)
}

/// `watch [-n seconds] command…`: each turn below the one before, as there is no screen.
pub async fn watch(call: &mut Call<'_>) -> Outcome {
    let options = call.options("+n:td", &[("interval", 'n')])?;
    let pause = parse_duration(options.value('n').unwrap_or("2"))?;
    let script = call.args.join(" ");
    loop {
        command::script(call.shell, &script).await?;
        rt::sleep(pause).await;
    }
}

/// `which name…`.
pub async fn which(call: &mut Call<'_>) -> Outcome {
    let argv = std::mem::take(&mut call.args);
    let mut all = vec!["command".to_owned(), "-v".to_owned()];
    all.extend(argv.into_iter().filter(|arg| !arg.starts_with('-')));
    Ok(i32::from(call.run(all).await? != 0))
}

/// `xargs [-0rt] [-n count] [-I text] [-d delimiter] [command…]`.
pub async fn xargs(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "+0rtn:I:d:L:P:s:x",
        &[("null", '0'), ("no-run-if-empty", 'r'), ("max-args", 'n')],
    )?;
    let bytes = call.stdin()?.read_to_end().await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let replace = options.value('I');
    let items: Vec<String> = if options.has('0') {
        text.split('\0')
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    } else if let Some(delimiter) = options.value('d') {
        let delimiter = crate::escape::unescape(delimiter, crate::escape::Style::Quote).0;
        let delimiter = String::from_utf8_lossy(&delimiter).into_owned();
        text.trim_end_matches(delimiter.as_str())
            .split(delimiter.as_str())
            .map(str::to_owned)
            .collect()
    } else if replace.is_some() {
        text.lines()
            .map(|line| line.trim_start().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    } else {
        quoted_words(&text)
    };
    let argv = if call.args.is_empty() {
        vec!["echo".to_owned()]
    } else {
        std::mem::take(&mut call.args)
    };
    let count = options
        .value(if options.has('L') { 'L' } else { 'n' })
        .and_then(|n| n.parse().ok())
        .unwrap_or(usize::MAX);
    let mut calls: Vec<Vec<String>> = match replace {
        Some(mark) => items
            .iter()
            .map(|item| argv.iter().map(|arg| arg.replace(mark, item)).collect())
            .collect(),
        None => items
            .chunks(count.clamp(1, 5000))
            .map(|part| [&argv[..], part].concat())
            .collect(),
    };
    if calls.is_empty() && replace.is_none() && !options.has('r') {
        calls.push(argv);
    }
    // The commands read nothing of the list.
    let saved = call.shell.fds.insert(0, Fd::Null);
    let mut status = 0;
    for argv in calls {
        if options.has('t') {
            call.warn(argv.join(" ")).await?;
        }
        match call.run(argv).await? {
            0 => {}
            127 => {
                status = 127;
                break;
            }
            255 => {
                status = 124;
                break;
            }
            _ => status = 123,
        }
    }
    if let Some(saved) = saved {
        call.shell.fds.insert(0, saved);
    }
    Ok(status)
}

/// Words between blanks; quotes and backslashes protect.
fn quoted_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' | '"' => word
                .get_or_insert_default()
                .extend(chars.by_ref().take_while(|next| *next != c)),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// `yes [text…]`.
pub async fn yes(call: &mut Call<'_>) -> Outcome {
    let line = if call.args.is_empty() {
        "y\n".to_owned()
    } else {
        call.args.join(" ") + "\n"
    };
    loop {
        call.put(&line).await?;
    }
}

/// `expr`: integers, comparisons, `:`, `|`, `&`.
pub async fn expr(call: &mut Call<'_>) -> Outcome {
    let args = std::mem::take(&mut call.args);
    let mut rest = args.iter().map(String::as_str).collect::<Vec<_>>();
    rest.reverse();
    let value = expr_level(&mut rest, 0)?;
    if !rest.is_empty() {
        return Err(Fail::usage("syntax error"));
    }
    call.line(&value).await?;
    Ok(i32::from(value.is_empty() || value == "0"))
}

/// Operators of `expr` from the weakest.
const EXPR_LEVELS: [&[&str]; 6] = [
    &["|"],
    &["&"],
    &["=", "==", "!=", "<", "<=", ">", ">="],
    &["+", "-"],
    &["*", "/", "%"],
    &[":"],
];

/// The rest is a stack: its last element is the next argument.
fn expr_level(rest: &mut Vec<&str>, level: usize) -> Result<String, Fail> {
    let Some(operators) = EXPR_LEVELS.get(level) else {
        return expr_operand(rest);
    };
    let mut left = expr_level(rest, level + 1)?;
    while let Some(operator) = rest.last().copied().filter(|next| operators.contains(next)) {
        rest.pop();
        let right = expr_level(rest, level + 1)?;
        left = expr_apply(operator, &left, &right)?;
    }
    Ok(left)
}

fn expr_operand(rest: &mut Vec<&str>) -> Result<String, Fail> {
    match rest.pop() {
        None => Err(Fail::usage("syntax error: missing argument")),
        Some("(") => {
            let value = expr_level(rest, 0)?;
            if rest.pop() == Some(")") {
                Ok(value)
            } else {
                Err(Fail::usage("syntax error: expecting ')'"))
            }
        }
        Some("length") if !rest.is_empty() => {
            Ok(rest.pop().unwrap_or_default().chars().count().to_string())
        }
        Some(word) => Ok(word.to_owned()),
    }
}

fn expr_apply(operator: &str, left: &str, right: &str) -> Result<String, Fail> {
    let truthy = |text: &str| !text.is_empty() && text != "0";
    let numbers = left.parse::<i64>().ok().zip(right.parse::<i64>().ok());
    let ordering = numbers.map_or_else(|| left.cmp(right), |(left, right)| left.cmp(&right));
    let holds = match operator {
        "|" => return Ok(if truthy(left) { left } else { right }.to_owned()),
        "&" => {
            return Ok(if truthy(left) && truthy(right) {
                left
            } else {
                "0"
            }
            .to_owned());
        }
        "=" | "==" => ordering.is_eq(),
        "!=" => ordering.is_ne(),
        "<" => ordering.is_lt(),
        "<=" => ordering.is_le(),
        ">" => ordering.is_gt(),
        ">=" => ordering.is_ge(),
        ":" => {
            let regex =
                super::grep::basic_regex(&format!("^{}", right.trim_start_matches('^')), false)
                    .map_err(Fail::usage)?;
            let found = regex.captures(left);
            return Ok(match (found, regex.captures_len()) {
                (Some(found), 2..) => found
                    .get(1)
                    .map_or(String::new(), |group| group.as_str().to_owned()),
                (Some(found), _) => found
                    .get(0)
                    .map_or(0, |whole| whole.as_str().chars().count())
                    .to_string(),
                (None, 2..) => String::new(),
                (None, _) => "0".into(),
            });
        }
        _ => {
            let (left, right) = numbers.ok_or_else(|| Fail::usage("non-integer argument"))?;
            let value = match operator {
                "+" => left.checked_add(right),
                "-" => left.checked_sub(right),
                "*" => left.checked_mul(right),
                _ if right == 0 => return Err(Fail::usage("division by zero")),
                "/" => left.checked_div(right),
                _ => left.checked_rem(right),
            };
            return value
                .map(|value| value.to_string())
                .ok_or_else(|| Fail::usage("integer overflow"));
        }
    };
    Ok(i32::from(holds).to_string())
}
