//! `find`.

use super::{Call, Fail, Outcome};
use crate::expand::pattern;
use crate::io::strerror;
use std::fs::Metadata;
use std::time::SystemTime;

/// An expression over a file.
enum Test {
    Name(String, bool),
    Path(String),
    Type(char),
    Empty,
    Size(std::cmp::Ordering, u64, u64),
    /// Age in units of so many seconds.
    Age(std::cmp::Ordering, u64, u64),
    Newer(SystemTime),
    Print(char),
    Delete,
    Prune,
    Exec(Vec<String>),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

struct Found {
    path: String,
    data: Metadata,
}

/// `find [path…] [-maxdepth n] [-mindepth n] [expression]`.
pub async fn find(call: &mut Call<'_>) -> Outcome {
    let args = std::mem::take(&mut call.args);
    let starts = args
        .iter()
        .take_while(|arg| !arg.starts_with('-') && *arg != "(" && *arg != "!")
        .count();
    let mut paths = args[..starts].to_vec();
    if paths.is_empty() {
        paths.push(".".into());
    }
    let mut rest: Vec<&str> = args[starts..].iter().map(String::as_str).collect();
    let mut depth = |name: &str| match rest.iter().position(|arg| *arg == name) {
        Some(at) if at + 1 < rest.len() => {
            let value = rest[at + 1].parse::<usize>().ok();
            rest.drain(at..at + 2);
            value
        }
        _ => None,
    };
    let (most, least) = (
        depth("-maxdepth").unwrap_or(usize::MAX),
        depth("-mindepth").unwrap_or(0),
    );
    rest.retain(|arg| !matches!(*arg, "-depth" | "-xdev" | "-mount" | "-follow"));
    let deletes = rest.contains(&"-delete");
    let acts = rest
        .iter()
        .any(|arg| matches!(*arg, "-print" | "-print0" | "-exec" | "-delete"));
    rest.reverse();
    let mut test = if rest.is_empty() {
        Test::And(Vec::new())
    } else {
        parse_or(call, &mut rest)?
    };
    if let Some(extra) = rest.last() {
        return Err(Fail::new(format!(
            "paths must precede expression: '{extra}'"
        )));
    }
    if !acts {
        test = Test::And(vec![test, Test::Print('\n')]);
    }
    let mut status = 0;
    // What is still to be visited, the next at the end.
    let mut stack: Vec<(String, usize, bool)> = paths
        .into_iter()
        .rev()
        .map(|path| (path, 0, false))
        .collect();
    while let Some((path, depth, visited)) = stack.pop() {
        let data = match call.path(&path).symlink_metadata() {
            Ok(data) => data,
            Err(error) => {
                call.warn(format!("'{path}': {}", strerror(&error))).await?;
                status = 1;
                continue;
            }
        };
        let is_dir = data.is_dir();
        let found = Found {
            path: path.clone(),
            data,
        };
        let mut pruned = false;
        // With -delete a folder comes after what is in it.
        if visited || !is_dir || !deletes {
            if depth >= least {
                evaluate(call, &test, &found, &mut pruned, &mut status).await?;
            }
        } else {
            stack.push((path.clone(), depth, true));
        }
        if is_dir && !visited && !pruned && depth < most {
            let Ok(entries) = call.path(&path).read_dir() else {
                continue;
            };
            let mut names: Vec<String> = entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            stack.extend(names.into_iter().rev().map(|name| {
                (
                    format!("{}/{name}", path.trim_end_matches('/')),
                    depth + 1,
                    false,
                )
            }));
        }
    }
    Ok(status)
}

/// The rest is a stack: its last element is the next argument.
fn parse_or(call: &Call<'_>, rest: &mut Vec<&str>) -> Result<Test, Fail> {
    let mut choices = vec![parse_and(call, rest)?];
    while rest.last().is_some_and(|arg| matches!(*arg, "-o" | "-or")) {
        rest.pop();
        choices.push(parse_and(call, rest)?);
    }
    Ok(Test::Or(choices))
}

fn parse_and(call: &Call<'_>, rest: &mut Vec<&str>) -> Result<Test, Fail> {
    let mut all = Vec::new();
    while let Some(next) = rest.last() {
        match *next {
            "-o" | "-or" | ")" => break,
            "-a" | "-and" => drop(rest.pop()),
            _ => all.push(parse_term(call, rest)?),
        }
    }
    Ok(Test::And(all))
}

fn parse_term(call: &Call<'_>, rest: &mut Vec<&str>) -> Result<Test, Fail> {
    let name = rest.pop().unwrap_or_default();
    let mut value = || {
        rest.pop()
            .map(str::to_owned)
            .ok_or_else(|| Fail::new(format!("missing argument to '{name}'")))
    };
    Ok(match name {
        "!" | "-not" => Test::Not(Box::new(parse_term(call, rest)?)),
        "(" => {
            let inner = parse_or(call, rest)?;
            rest.pop();
            inner
        }
        "-name" => Test::Name(value()?, false),
        "-iname" => Test::Name(value()?.to_lowercase(), true),
        "-path" | "-wholename" => Test::Path(value()?),
        "-type" => Test::Type(value()?.chars().next().unwrap_or('f')),
        "-empty" => Test::Empty,
        "-size" => {
            let (ordering, text) = signed(&value()?);
            let unit = match text.chars().last() {
                Some('c') => 1,
                Some('k') => 1 << 10,
                Some('M') => 1 << 20,
                Some('G') => 1 << 30,
                _ => 512,
            };
            let digits = text.trim_end_matches(['c', 'k', 'M', 'G', 'b', 'w']);
            Test::Size(
                ordering,
                digits
                    .parse()
                    .map_err(|_| Fail::new(format!("invalid -size '{text}'")))?,
                unit,
            )
        }
        "-mtime" | "-mmin" | "-atime" | "-ctime" => {
            let (ordering, text) = signed(&value()?);
            let count = text
                .parse()
                .map_err(|_| Fail::new(format!("invalid {name} '{text}'")))?;
            Test::Age(ordering, count, if name == "-mmin" { 60 } else { 86_400 })
        }
        "-newer" => {
            let file = value()?;
            let time = call.path(&file).metadata().and_then(|data| data.modified());
            Test::Newer(time.map_err(|error| Fail::new(format!("'{file}': {}", strerror(&error))))?)
        }
        "-print" => Test::Print('\n'),
        "-print0" => Test::Print('\0'),
        "-delete" => Test::Delete,
        "-prune" => Test::Prune,
        "-exec" => {
            let mut argv = Vec::new();
            loop {
                match value()?.as_str() {
                    // `+` collects: here each file gets its own command, which differs only in speed.
                    ";" | "+" => break,
                    word => argv.push(word.to_owned()),
                }
            }
            Test::Exec(argv)
        }
        "-true" => Test::And(Vec::new()),
        "-perm" | "-user" | "-group" => {
            value()?;
            Test::And(Vec::new())
        }
        _ => return Err(Fail::new(format!("unknown predicate '{name}'"))),
    })
}

fn signed(text: &str) -> (std::cmp::Ordering, String) {
    match text.chars().next() {
        Some('+') => (std::cmp::Ordering::Greater, text[1..].to_owned()),
        Some('-') => (std::cmp::Ordering::Less, text[1..].to_owned()),
        _ => (std::cmp::Ordering::Equal, text.to_owned()),
    }
}

fn evaluate<'t>(
    call: &'t mut Call<'_>,
    test: &'t Test,
    found: &'t Found,
    pruned: &'t mut bool,
    status: &'t mut i32,
) -> crate::rt::Fut<'t, Result<bool, Fail>> {
    Box::pin(async move {
        let base = found
            .path
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        Ok(match test {
            Test::Name(glob, false) => pattern::matches(glob, base),
            Test::Name(glob, true) => pattern::matches(glob, &base.to_lowercase()),
            Test::Path(glob) => pattern::matches(glob, &found.path),
            Test::Type('d') => found.data.is_dir(),
            Test::Type('l') => found.data.is_symlink(),
            Test::Type(kind) => *kind == 'f' && found.data.is_file(),
            Test::Empty if found.data.is_dir() => call
                .path(&found.path)
                .read_dir()
                .is_ok_and(|mut entries| entries.next().is_none()),
            Test::Empty => found.data.len() == 0,
            Test::Size(ordering, count, unit) => {
                found.data.len().div_ceil(*unit).cmp(count) == *ordering
            }
            Test::Age(ordering, count, unit) => {
                let age = found
                    .data
                    .modified()
                    .ok()
                    .and_then(|time| time.elapsed().ok())
                    .map_or(0, |age| age.as_secs());
                (age / unit).cmp(count) == *ordering
            }
            Test::Newer(than) => found.data.modified().is_ok_and(|time| time > *than),
            Test::Print(end) => {
                call.put(format!("{}{end}", found.path)).await?;
                true
            }
            Test::Delete => {
                let path = call.path(&found.path);
                let result = if found.data.is_dir() {
                    std::fs::remove_dir(path)
                } else {
                    std::fs::remove_file(path)
                };
                if let Err(error) = &result {
                    call.warn(format!(
                        "cannot delete '{}': {}",
                        found.path,
                        strerror(error)
                    ))
                    .await?;
                    *status = 1;
                }
                result.is_ok()
            }
            Test::Prune => {
                *pruned = true;
                true
            }
            Test::Exec(argv) => {
                let argv = argv
                    .iter()
                    .map(|arg| arg.replace("{}", &found.path))
                    .collect();
                call.run(argv).await? == 0
            }
            Test::Not(inner) => !evaluate(call, inner, found, pruned, status).await?,
            Test::And(all) => {
                let mut holds = true;
                for inner in all {
                    holds = holds && evaluate(call, inner, found, pruned, status).await?;
                }
                holds
            }
            Test::Or(choices) => {
                let mut holds = false;
                for inner in choices {
                    holds = holds || evaluate(call, inner, found, pruned, status).await?;
                }
                holds
            }
        })
    })
}
