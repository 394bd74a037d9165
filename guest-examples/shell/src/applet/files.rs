//! Utilities that change the tree of files.

use super::{Call, Fail, Outcome};
use crate::io::strerror;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many names `mktemp` tries before it gives up.
const MKTEMP_ATTEMPTS: usize = 100;

/// `basename path [suffix]`.
pub async fn basename(call: &mut Call<'_>) -> Outcome {
    let options = call.options("as:", &[])?;
    let several = options.has('a') || options.has('s');
    let args = std::mem::take(&mut call.args);
    if args.is_empty() {
        return Err(Fail::new("missing operand"));
    }
    let suffix = options
        .value('s')
        .or(if several {
            None
        } else {
            args.get(1).map(String::as_str)
        })
        .unwrap_or_default();
    for path in args.iter().take(if several { args.len() } else { 1 }) {
        let trimmed = path.trim_end_matches('/');
        let base = if trimmed.is_empty() && !path.is_empty() {
            "/"
        } else {
            trimmed.rsplit('/').next().unwrap_or_default()
        };
        let base = base
            .strip_suffix(suffix)
            .filter(|base| !base.is_empty())
            .unwrap_or(base);
        call.line(base).await?;
    }
    Ok(0)
}

/// `dirname path…`.
pub async fn dirname(call: &mut Call<'_>) -> Outcome {
    for path in std::mem::take(&mut call.args) {
        let trimmed = path.trim_end_matches('/');
        let folder = match trimmed.rsplit_once('/') {
            Some((folder, _)) => folder.trim_end_matches('/'),
            None if path.starts_with('/') => "",
            None => ".",
        };
        call.line(if folder.is_empty() { "/" } else { folder })
            .await?;
    }
    Ok(0)
}

/// `mkdir [-p] [-m mode] directory…`.
pub async fn mkdir(call: &mut Call<'_>) -> Outcome {
    let options = call.options("pm:v", &[("parents", 'p'), ("mode", 'm'), ("verbose", 'v')])?;
    let mut status = 0;
    for name in operands(call)? {
        let path = call.path(&name);
        let result = if options.has('p') {
            fs::create_dir_all(&path)
        } else {
            fs::create_dir(&path)
        };
        match result {
            Err(error) if !(options.has('p') && path.is_dir()) => {
                call.warn(format!(
                    "cannot create directory '{name}': {}",
                    strerror(&error)
                ))
                .await?;
                status = 1;
            }
            _ if options.has('v') => {
                call.line(format!("mkdir: created directory '{name}'"))
                    .await?
            }
            _ => {}
        }
    }
    Ok(status)
}

fn operands(call: &mut Call<'_>) -> Result<Vec<String>, Fail> {
    if call.args.is_empty() {
        Err(Fail::new("missing operand"))
    } else {
        Ok(std::mem::take(&mut call.args))
    }
}

/// `rmdir [-p] directory…`.
pub async fn rmdir(call: &mut Call<'_>) -> Outcome {
    let options = call.options("pv", &[("parents", 'p')])?;
    let mut status = 0;
    for name in operands(call)? {
        let mut path = Path::new(&name).to_owned();
        loop {
            if let Err(error) = fs::remove_dir(call.shell.path(&path)) {
                call.warn(format!(
                    "failed to remove '{}': {}",
                    path.display(),
                    strerror(&error)
                ))
                .await?;
                status = 1;
                break;
            }
            if !options.has('p') || !path.pop() || path.as_os_str().is_empty() {
                break;
            }
        }
    }
    Ok(status)
}

/// `rm [-fr] file…`.
pub async fn rm(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "rRfivd",
        &[
            ("recursive", 'r'),
            ("force", 'f'),
            ("verbose", 'v'),
            ("dir", 'd'),
        ],
    )?;
    if call.args.is_empty() && options.has('f') {
        return Ok(0);
    }
    let recursive = options.has('r') || options.has('R');
    let mut status = 0;
    for name in operands(call)? {
        let path = call.path(&name);
        let result = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && options.has('f') => continue,
            Err(error) => Err(error),
            Ok(data) if data.is_dir() && recursive && path.parent().is_none() => Err(
                io::Error::other("it is dangerous to operate recursively on '/'"),
            ),
            Ok(data) if data.is_dir() && recursive => remove_tree(&path),
            Ok(data) if data.is_dir() && options.has('d') => fs::remove_dir(&path),
            Ok(data) if data.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => fs::remove_file(&path),
        };
        if let Err(error) = result {
            call.warn(format!("cannot remove '{name}': {}", strerror(&error)))
                .await?;
            status = 1;
        } else if options.has('v') {
            call.line(format!("removed '{name}'")).await?;
        }
    }
    Ok(status)
}

/// The folder and all in it. By hand: std's own needs descriptors of folders, which not every WASI host gives.
fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?
        } else {
            fs::remove_file(entry.path())?
        }
    }
    fs::remove_dir(path)
}

/// The sources of `cp`, `mv` and `ln`, and where each goes.
fn pairs(
    call: &Call<'_>,
    folder: Option<&str>,
    no_folder: bool,
) -> Result<Vec<(String, String)>, Fail> {
    let (sources, target) = match (folder, call.args.as_slice()) {
        (Some(folder), sources) => (sources, folder.to_owned()),
        (None, [sources @ .., target]) if !sources.is_empty() => (sources, target.clone()),
        _ => return Err(Fail::new("missing file operand")),
    };
    let into = !no_folder && call.path(&target).is_dir();
    if sources.len() > 1 && !into {
        return Err(Fail::new(format!("target '{target}' is not a directory")));
    }
    let goal = |source: &String| {
        let base = source
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        if into {
            format!("{}/{base}", target.trim_end_matches('/'))
        } else {
            target.clone()
        }
    };
    Ok(sources
        .iter()
        .map(|source| (source.clone(), goal(source)))
        .collect())
}

/// `cp [-rfnpuvaT] [-t directory] source… target`.
pub async fn cp(call: &mut Call<'_>) -> Outcome {
    let long = [
        ("recursive", 'r'),
        ("archive", 'a'),
        ("force", 'f'),
        ("no-clobber", 'n'),
        ("verbose", 'v'),
        ("parents", 'P'),
    ];
    let options = call.options("rRafnpuvdLPTHit:", &long)?;
    let recursive = options.last_of("rRa").is_some();
    let mut status = 0;
    for (source, target) in pairs(call, options.value('t'), options.has('T'))? {
        let (from, to) = (call.path(&source), call.path(&target));
        let skip = to.exists() && (options.has('n') || (options.has('u') && !newer(&from, &to)));
        let result = match from.metadata() {
            Err(error) => Err(error),
            Ok(_) if skip => continue,
            Ok(data) if data.is_dir() && !recursive => {
                call.warn(format!("-r not specified; omitting directory '{source}'"))
                    .await?;
                status = 1;
                continue;
            }
            Ok(_) if to.starts_with(&from) && to != from && from.is_dir() => {
                Err(io::Error::other("cannot copy a directory into itself"))
            }
            Ok(_) if to == from => Err(io::Error::other("source and target are the same file")),
            Ok(data) if data.is_dir() => copy_tree(&from, &to),
            Ok(_) => copy_file(&from, &to),
        };
        match result {
            Err(error) => {
                let missing = !from.exists();
                let what = if missing {
                    format!("cannot stat '{source}'")
                } else {
                    format!("cannot create '{target}'")
                };
                call.warn(format!("{what}: {}", strerror(&error))).await?;
                status = 1;
            }
            Ok(()) if options.has('v') => call.line(format!("'{source}' -> '{target}'")).await?,
            Ok(()) => {}
        }
    }
    Ok(status)
}

fn newer(left: &Path, right: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    modified(left) > modified(right)
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(to)?;
    io::copy(&mut source, &mut target).map(|_| ())
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    if !to.is_dir() {
        fs::create_dir(to)?;
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target)?
        } else {
            copy_file(&entry.path(), &target)?
        }
    }
    Ok(())
}

/// `mv [-fnvT] source… target`.
pub async fn mv(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "fnvuTit:",
        &[("force", 'f'), ("no-clobber", 'n'), ("verbose", 'v')],
    )?;
    let mut status = 0;
    for (source, target) in pairs(call, options.value('t'), options.has('T'))? {
        let (from, to) = (call.path(&source), call.path(&target));
        if options.has('n') && to.exists() {
            continue;
        }
        let result = fs::rename(&from, &to).or_else(|error| {
            // Another volume: copy, then remove. Hosts report it in several ways; a missing source is not one.
            if !from.exists() {
                return Err(error);
            }
            if from.is_dir() {
                copy_tree(&from, &to).and_then(|()| remove_tree(&from))
            } else {
                copy_file(&from, &to).and_then(|()| fs::remove_file(&from))
            }
        });
        match result {
            Err(error) if !from.exists() => {
                call.warn(format!("cannot stat '{source}': {}", strerror(&error)))
                    .await?;
                status = 1;
            }
            Err(error) => {
                call.warn(format!(
                    "cannot move '{source}' to '{target}': {}",
                    strerror(&error)
                ))
                .await?;
                status = 1;
            }
            Ok(()) if options.has('v') => {
                call.line(format!("renamed '{source}' -> '{target}'"))
                    .await?
            }
            Ok(()) => {}
        }
    }
    Ok(status)
}

/// `ln [-sfn] target… link`.
pub async fn ln(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "sfnvTrt:",
        &[("symbolic", 's'), ("force", 'f'), ("no-dereference", 'n')],
    )?;
    if let [only] = call.args.as_slice() {
        let base = only
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        call.args.push(base);
    }
    let mut status = 0;
    for (target, link) in pairs(
        call,
        options.value('t'),
        options.has('T') || options.has('n'),
    )? {
        let path = call.path(&link);
        if options.has('f') && path.symlink_metadata().is_ok() {
            fs::remove_file(&path)?;
        }
        let result = if options.has('s') {
            symlink(&target, &path)
        } else {
            fs::hard_link(call.path(&target), &path)
        };
        if let Err(error) = result {
            let kind = if options.has('s') { "symbolic" } else { "hard" };
            call.warn(format!(
                "failed to create {kind} link '{link}': {}",
                strerror(&error)
            ))
            .await?;
            status = 1;
        }
    }
    Ok(status)
}

/// `soft_link` is deprecated for Windows' sake, but it is all that stable std has for WASI.
#[expect(
    deprecated,
    reason = "std has no other stable way to make a symbolic link on WASI"
)]
pub(super) fn symlink(target: &str, link: &Path) -> io::Result<()> {
    fs::soft_link(target, link)
}

/// `touch [-c] [-amr] [-d time] file…`.
pub async fn touch(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "camhd:t:r:",
        &[("no-create", 'c'), ("date", 'd'), ("reference", 'r')],
    )?;
    let time = match (options.value('r'), options.value('d')) {
        (Some(name), _) => call
            .path(name)
            .metadata()
            .and_then(|data| data.modified())?,
        (None, Some(text)) => {
            let seconds = super::date::parse(text)
                .ok_or_else(|| Fail::new(format!("invalid date format '{text}'")))?;
            let offset = std::time::Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 {
                SystemTime::UNIX_EPOCH - offset
            } else {
                SystemTime::UNIX_EPOCH + offset
            }
        }
        (None, None) => SystemTime::now(),
    };
    let mut status = 0;
    for name in operands(call)? {
        let path = call.path(&name);
        if options.has('c') && !path.exists() {
            continue;
        }
        let result = if path.is_dir() {
            Ok(())
        } else {
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(&path)
                .and_then(|file| file.set_modified(time))
        };
        if let Err(error) = result {
            call.warn(format!("cannot touch '{name}': {}", strerror(&error)))
                .await?;
            status = 1;
        }
    }
    Ok(status)
}

/// `chmod`: WASI has no modes, so what exists is left as it is.
pub async fn chmod(call: &mut Call<'_>) -> Outcome {
    call.args
        .retain(|arg| !matches!(arg.as_str(), "-R" | "-v" | "-f" | "-c" | "--recursive"));
    owners(call).await
}

/// `chown` and `chgrp`: WASI has no owners.
pub async fn chown(call: &mut Call<'_>) -> Outcome {
    call.options("RvfcHLPh", &[("recursive", 'R')])?;
    owners(call).await
}

async fn owners(call: &mut Call<'_>) -> Outcome {
    if call.args.len() < 2 {
        return Err(Fail::new("missing operand"));
    }
    let mut status = 0;
    for name in call.args.split_off(1) {
        if let Err(error) = call.path(&name).symlink_metadata() {
            call.warn(format!("cannot access '{name}': {}", strerror(&error)))
                .await?;
            status = 1;
        }
    }
    Ok(status)
}

/// `mktemp [-d] [-p directory] [-t] [template]`.
pub async fn mktemp(call: &mut Call<'_>) -> Outcome {
    let options = call.options("dp:tuq", &[("directory", 'd'), ("tmpdir", 'p')])?;
    let template = call.args.first().cloned();
    let folder = options
        .value('p')
        .map(str::to_owned)
        .or_else(|| call.shell.get("TMPDIR"))
        .unwrap_or_else(|| "/tmp".into());
    let template = match template {
        Some(template) if options.has('p') || options.has('t') => format!("{folder}/{template}"),
        Some(template) => template,
        None => format!("{folder}/tmp.XXXXXXXXXX"),
    };
    let stem = template.trim_end_matches('X');
    let places = template.len() - stem.len();
    if places < 3 {
        return Err(Fail::new(format!("too few X's in template '{template}'")));
    }
    for _ in 0..MKTEMP_ATTEMPTS {
        let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let random = || {
            call.shell
                .get("RANDOM")
                .and_then(|text| text.parse::<usize>().ok())
                .unwrap_or_default()
        };
        let name: String = (0..places)
            .map(|_| char::from(letters[random() % letters.len()]))
            .collect();
        let name = format!("{stem}{name}");
        let path = call.path(&name);
        let result = if options.has('d') {
            fs::create_dir(&path)
        } else {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
                .map(drop)
        };
        match result {
            Ok(()) => {
                call.line(name).await?;
                return Ok(0);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(Fail::new(format!(
                    "failed to create file via template '{template}': {}",
                    strerror(&error)
                )));
            }
        }
    }
    Err(Fail::new(format!(
        "failed to create file via template '{template}': File exists"
    )))
}

/// `truncate -s size file…`.
pub async fn truncate(call: &mut Call<'_>) -> Outcome {
    let options = call.options("s:c", &[("size", 's')])?;
    let text = options
        .value('s')
        .ok_or_else(|| Fail::new("you must specify '--size'"))?;
    let (digits, unit) = match text.chars().last() {
        Some('k' | 'K') => (&text[..text.len() - 1], 1 << 10),
        Some('M') => (&text[..text.len() - 1], 1 << 20),
        Some('G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let size: u64 = digits
        .parse()
        .map_err(|_| Fail::new(format!("Invalid number: '{text}'")))?;
    for name in operands(call)? {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(call.path(&name))?
            .set_len(size.saturating_mul(unit))?;
    }
    Ok(0)
}

/// `readlink [-f] path…`, `realpath path…`.
pub async fn readlink(call: &mut Call<'_>) -> Outcome {
    let options = call.options("femnsqz", &[])?;
    let resolves = call.name == "realpath" || options.last_of("fem").is_some();
    let mut status = 0;
    for name in operands(call)? {
        let path = call.path(&name);
        let result = if resolves {
            resolve(&path)
        } else {
            fs::read_link(&path)
        };
        match result {
            Ok(path) => call.line(path.to_string_lossy()).await?,
            Err(error) => {
                if resolves {
                    call.warn_about(&name, &error).await?;
                }
                status = 1;
            }
        }
    }
    Ok(status)
}

/// The most links that one path may lead over (Linux: 40, then ELOOP).
const MAX_LINKS: usize = 40;

/// All links resolved; the last component need not exist.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut resolved = PathBuf::from("/");
    let mut rest: Vec<std::ffi::OsString> = path.iter().rev().map(Into::into).collect();
    // The root.
    rest.pop();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        let next = resolved.join(&name);
        match next.symlink_metadata() {
            Ok(data) if data.is_symlink() => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::other("Too many levels of symbolic links"));
                }
                let target = fs::read_link(&next)?;
                if target.is_absolute() {
                    resolved = PathBuf::from("/");
                }
                rest.extend(
                    target
                        .iter()
                        .filter(|part| *part != "/" && *part != ".")
                        .map(Into::into)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .rev(),
                );
            }
            Ok(_) => resolved = next,
            Err(_) if rest.is_empty() => resolved = next,
            Err(error) => return Err(error),
        }
    }
    Ok(resolved)
}
