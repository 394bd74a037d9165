//! Utilities that show the tree of files: `ls`, `stat`, `du`, `df`.

use super::date::format_time;
use super::{Call, Fail, Options, Outcome};
use crate::io::strerror;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Without a modification time in the last half year `ls -l` shows the year (POSIX).
const HALF_YEAR: i64 = 15_778_476;

struct Entry {
    name: String,
    data: Metadata,
    link: Option<String>,
}

/// `ls [-1aAldhrtSRFip] [file…]`.
pub async fn ls(call: &mut Call<'_>) -> Outcome {
    let long = [
        ("all", 'a'),
        ("almost-all", 'A'),
        ("human-readable", 'h'),
        ("recursive", 'R'),
        ("color", 'Z'),
        ("full-time", 'l'),
    ];
    let options = call.options("1aAlhdrtSRFipLnogsCxcukqZ", &long)?;
    let names = if call.args.is_empty() {
        vec![".".to_owned()]
    } else {
        std::mem::take(&mut call.args)
    };
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    let mut status = 0;
    for name in &names {
        match entry(&call.path(name), name.clone()) {
            Ok(found) => {
                let followed =
                    call.path(name).is_dir() && !(found.data.is_symlink() && options.has('l'));
                if followed && !options.has('d') {
                    folders.push(name.clone())
                } else {
                    files.push(found)
                }
            }
            Err(error) => {
                call.warn(format!("cannot access '{name}': {}", strerror(&error)))
                    .await?;
                status = 2;
            }
        }
    }
    sort(&mut files, &options);
    let had_files = !files.is_empty();
    print(call, &files, &options).await?;
    folders.sort();
    folders.reverse();
    let headers = names.len() > 1 || options.has('R');
    let mut first = !had_files;
    while let Some(name) = folders.pop() {
        if headers {
            call.line(format!("{}{name}:", if first { "" } else { "\n" }))
                .await?;
        }
        first = false;
        let mut entries = match folder(&call.path(&name), &options) {
            Ok(entries) => entries,
            Err(error) => {
                call.warn(format!(
                    "cannot open directory '{name}': {}",
                    strerror(&error)
                ))
                .await?;
                status = 2;
                continue;
            }
        };
        sort(&mut entries, &options);
        if options.last_of("lngo").is_some() {
            let blocks: u64 = entries
                .iter()
                .map(|entry| entry.data.len().div_ceil(4096) * 4)
                .sum();
            call.line(format!("total {blocks}")).await?;
        }
        print(call, &entries, &options).await?;
        if options.has('R') {
            let inner = entries
                .iter()
                .filter(|entry| entry.data.is_dir() && entry.name != "." && entry.name != "..");
            let mut inner: Vec<String> = inner
                .map(|entry| format!("{}/{}", name.trim_end_matches('/'), entry.name))
                .collect();
            inner.reverse();
            folders.extend(inner);
        }
    }
    Ok(status)
}

fn entry(path: &Path, name: String) -> io::Result<Entry> {
    let data = path.symlink_metadata()?;
    let link = data.is_symlink().then(|| {
        fs::read_link(path)
            .map(|target| target.to_string_lossy().into_owned())
            .unwrap_or_default()
    });
    Ok(Entry { name, data, link })
}

fn folder(path: &Path, options: &Options) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    if options.has('a') {
        entries.push(entry(path, ".".into())?);
        entries.push(
            entry(path.parent().unwrap_or(path), "..".into())
                .or_else(|_| entry(path, "..".into()))?,
        );
    }
    for found in fs::read_dir(path)? {
        let found = found?;
        let name = found.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') || options.last_of("aA").is_some() {
            // What is removed meanwhile is not shown.
            entries.extend(entry(&found.path(), name));
        }
    }
    Ok(entries)
}

fn sort(entries: &mut [Entry], options: &Options) {
    match options.last_of("tS") {
        Some('t') => entries.sort_by_key(|entry| {
            (
                std::cmp::Reverse(entry.data.modified().ok()),
                entry.name.clone(),
            )
        }),
        Some(_) => {
            entries.sort_by_key(|entry| (std::cmp::Reverse(entry.data.len()), entry.name.clone()))
        }
        None => entries.sort_by(|left, right| left.name.cmp(&right.name)),
    }
    if options.has('r') {
        entries.reverse();
    }
}

/// The ten characters of the mode. WASI has no permissions: folders and files get the usual ones.
fn mode(data: &Metadata) -> &'static str {
    if data.is_symlink() {
        "lrwxrwxrwx"
    } else if data.is_dir() {
        "drwxr-xr-x"
    } else {
        "-rw-r--r--"
    }
}

fn seconds(data: &Metadata) -> i64 {
    let since = data
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or(0)
}

/// A size as `-h` shows it.
fn human(bytes: u64) -> String {
    let mut tenths = bytes.saturating_mul(10);
    for unit in ["", "K", "M", "G"] {
        if tenths < 10_240 || unit == "G" {
            let whole = tenths.div_ceil(10);
            return match unit {
                "" => bytes.to_string(),
                _ if tenths < 100 => format!("{}.{}{unit}", tenths / 10, tenths % 10),
                _ => format!("{whole}{unit}"),
            };
        }
        tenths = tenths.div_ceil(1024);
    }
    bytes.to_string()
}

async fn print(call: &mut Call<'_>, entries: &[Entry], options: &Options) -> Result<(), Fail> {
    let size = |entry: &Entry| {
        if options.has('h') {
            human(entry.data.len())
        } else {
            entry.data.len().to_string()
        }
    };
    let width = entries
        .iter()
        .map(|entry| size(entry).len())
        .max()
        .unwrap_or(0);
    let now = i64::try_from(UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())).unwrap_or(0);
    for entry in entries {
        let mark = match () {
            () if options.last_of("Fp").is_some() && entry.data.is_dir() => "/",
            () if options.has('F') && entry.data.is_symlink() => "@",
            () => "",
        };
        if options.last_of("lngo").is_none() {
            call.line(format!("{}{mark}", entry.name)).await?;
            continue;
        }
        let time = seconds(&entry.data);
        let recent = now - time < HALF_YEAR && time <= now + 3600;
        let time = format_time(if recent { "%b %e %H:%M" } else { "%b %e  %Y" }, time, 0);
        let owner = if options.has('n') { "0 0" } else { "root root" };
        let target = entry
            .link
            .as_ref()
            .map(|target| format!(" -> {target}"))
            .unwrap_or_default();
        let size = size(entry);
        call.line(format!(
            "{} 1 {owner} {size:>width$} {time} {}{mark}{target}",
            mode(&entry.data),
            entry.name
        ))
        .await?;
    }
    Ok(())
}

/// `stat [-c format] file…`.
pub async fn stat(call: &mut Call<'_>) -> Outcome {
    let options = call.options("c:Lft", &[("format", 'c'), ("printf", 'c')])?;
    let mut status = 0;
    for name in std::mem::take(&mut call.args) {
        let path = call.path(&name);
        let data = match if options.has('L') {
            path.metadata()
        } else {
            path.symlink_metadata()
        } {
            Ok(data) => data,
            Err(error) => {
                call.warn(format!("cannot stat '{name}': {}", strerror(&error)))
                    .await?;
                status = 1;
                continue;
            }
        };
        let kind = match () {
            () if data.is_dir() => "directory",
            () if data.is_symlink() => "symbolic link",
            () if data.len() == 0 => "regular empty file",
            () => "regular file",
        };
        let bits = if data.is_dir() { "755" } else { "644" };
        let time = format_time("%Y-%m-%d %H:%M:%S.000000000 +0000", seconds(&data), 0);
        let format = options.value('c').unwrap_or("  File: %n\n  Size: %s\t%F\nAccess: (0%a/%A)  Uid: (0/root)   Gid: (0/root)\nModify: %y");
        let mut text = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            match chars.next() {
                Some('n') => text.push_str(&name),
                Some('s') => text.push_str(&data.len().to_string()),
                Some('F') => text.push_str(kind),
                Some('a') => text.push_str(bits),
                Some('A') => text.push_str(mode(&data)),
                Some('u' | 'g') => text.push('0'),
                Some('U' | 'G') => text.push_str("root"),
                Some('Y' | 'X' | 'Z') => text.push_str(&seconds(&data).to_string()),
                Some('y' | 'x' | 'z') => text.push_str(&time),
                Some('h') => text.push('1'),
                other => text.extend(other),
            }
        }
        call.line(text).await?;
    }
    Ok(status)
}

/// `du [-sh] [file…]`.
pub async fn du(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "shkamcxd:b",
        &[
            ("summarize", 's'),
            ("human-readable", 'h'),
            ("max-depth", 'd'),
        ],
    )?;
    let names = if call.args.is_empty() {
        vec![".".to_owned()]
    } else {
        std::mem::take(&mut call.args)
    };
    let deepest = if options.has('s') {
        0
    } else {
        options
            .value('d')
            .and_then(|d| d.parse().ok())
            .unwrap_or(usize::MAX)
    };
    let mut status = 0;
    for name in names {
        let mut rows = Vec::new();
        match usage(&call.path(&name), &name, 0, &mut rows) {
            Ok(_) => {}
            Err(error) => {
                call.warn(format!("cannot access '{name}': {}", strerror(&error)))
                    .await?;
                status = 1;
            }
        }
        for (bytes, depth, is_dir, name) in rows {
            if depth <= deepest && (is_dir || depth == 0 || options.has('a')) {
                let size = if options.has('h') {
                    human(bytes)
                } else {
                    bytes.div_ceil(1024).to_string()
                };
                call.line(format!("{size}\t{name}")).await?;
            }
        }
    }
    Ok(status)
}

type Usage = (u64, usize, bool, String);

fn usage(path: &Path, name: &str, depth: usize, rows: &mut Vec<Usage>) -> io::Result<u64> {
    let data = path.symlink_metadata()?;
    // Blocks of 4 KiB, as most filesystems have them.
    let mut total = if data.is_dir() {
        4096
    } else {
        data.len().div_ceil(4096) * 4096
    };
    if data.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let inner = format!(
                "{}/{}",
                name.trim_end_matches('/'),
                entry.file_name().to_string_lossy()
            );
            total += usage(&entry.path(), &inner, depth + 1, rows).unwrap_or(0);
        }
    }
    rows.push((total, depth, data.is_dir(), name.to_owned()));
    Ok(total)
}

/// `df [-h]`: WASI tells no sizes of filesystems.
pub async fn df(call: &mut Call<'_>) -> Outcome {
    call.line("Filesystem     1K-blocks  Used Available Use% Mounted on")
        .await?;
    call.line("wasi                   -     -         -    - /")
        .await?;
    Ok(0)
}
