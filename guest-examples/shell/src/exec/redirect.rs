//! Redirections (XCU 2.7).

use super::Flow;
use crate::expand;
use crate::io::{Fd, strerror};
use crate::shell::Shell;
use crate::syntax::ast::{Redirect, RedirectKind};
use std::fs::OpenOptions;
use std::io;

/// Applies redirections to the shell's descriptors; the caller restores them. False, after a message, when one fails.
pub(super) async fn apply(shell: &mut Shell, redirects: &[Redirect]) -> Result<bool, Flow> {
    for redirect in redirects {
        if let Err(message) = one(shell, redirect).await? {
            shell.complain(&message).await;
            return Ok(false);
        }
    }
    Ok(true)
}

async fn one(shell: &mut Shell, redirect: &Redirect) -> Result<Result<(), String>, Flow> {
    let mut options = OpenOptions::new();
    let (word, implied, verb) = match &redirect.kind {
        RedirectKind::Read(word) => {
            options.read(true);
            (word, 0, "open")
        }
        RedirectKind::Write(word, clobber) => {
            options.write(true).create(true).truncate(true);
            if shell.options.noclobber && !clobber {
                let name = expand::text(shell, word).await?;
                if shell.path(&name).is_file() {
                    return Ok(Err(format!("cannot create {name}: File exists")));
                }
            }
            (word, 1, "create")
        }
        RedirectKind::Append(word) => {
            options.append(true).create(true);
            (word, 1, "create")
        }
        RedirectKind::ReadWrite(word) => {
            options.read(true).write(true).create(true).truncate(false);
            (word, 0, "create")
        }
        RedirectKind::Both(word, append) => {
            options.create(true).append(*append);
            if !append {
                options.write(true).truncate(true);
            }
            (word, 1, "create")
        }
        RedirectKind::Duplicate(word) => {
            let target = expand::text(shell, word).await?;
            return Ok(duplicate(shell, redirect.fd.unwrap_or(1), &target));
        }
        RedirectKind::HereDocument(body) => {
            let body = body.borrow().clone();
            let text = expand::text(shell, &body).await?;
            shell
                .fds
                .insert(redirect.fd.unwrap_or(0), Fd::text(text.into_bytes()));
            return Ok(Ok(()));
        }
        RedirectKind::HereString(word) => {
            let text = expand::text(shell, word).await? + "\n";
            shell
                .fds
                .insert(redirect.fd.unwrap_or(0), Fd::text(text.into_bytes()));
            return Ok(Ok(()));
        }
    };
    let name = expand::text(shell, word).await?;
    let fd = match open_path(shell, &name, &options) {
        Ok(fd) => fd,
        Err(error) => return Ok(Err(format!("cannot {verb} {name}: {}", strerror(&error)))),
    };
    if matches!(redirect.kind, RedirectKind::Both(..)) {
        shell.fds.insert(2, fd.clone());
    }
    shell.fds.insert(redirect.fd.unwrap_or(implied), fd);
    Ok(Ok(()))
}

/// Opens a file, or what the names in `/dev` and `/proc/*/fd` stand for: WASI has no devices.
///
/// # Errors
/// What the host says.
pub fn open_path(shell: &Shell, name: &str, options: &OpenOptions) -> io::Result<Fd> {
    let path = shell.path(name);
    let text = path.to_string_lossy();
    let descriptor = match text.as_ref() {
        "/dev/null" => return Ok(Fd::Null),
        "/dev/stdin" => Some(0),
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        // What the container's first process has open, whatever is redirected here: logging to it is common.
        "/proc/1/fd/1" => return Ok(Fd::Stdout),
        "/proc/1/fd/2" => return Ok(Fd::Stderr),
        other => other
            .strip_prefix("/dev/fd/")
            .or_else(|| other.strip_prefix("/proc/self/fd/"))
            .and_then(|n| n.parse().ok()),
    };
    if let Some(number) = descriptor {
        return shell
            .fd(number)
            .ok_or_else(|| io::ErrorKind::NotFound.into());
    }
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    options.open(path).map(Fd::file)
}

fn duplicate(shell: &mut Shell, number: u32, target: &str) -> Result<(), String> {
    if target == "-" {
        shell.fds.remove(&number);
        return Ok(());
    }
    let source = target
        .trim_end_matches('-')
        .parse()
        .ok()
        .and_then(|source| shell.fd(source));
    match source {
        Some(fd) => {
            shell.fds.insert(number, fd);
            Ok(())
        }
        None => Err(format!("{target}: Bad file descriptor")),
    }
}
