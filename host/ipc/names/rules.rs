//! What an object may be called: `mq_overview(7)`, `sem_overview(7)`, `shm_overview(7)` for the form.
//!
//! Which error wins when several apply is not in the man pages; it is as Linux and its C library
//! answer. They treat the slash at the beginning differently: the kernel, which judges the names of
//! queues, wants exactly one; the library, which makes the two others files, wants any number.

use crate::Errno;
use crate::limits::{NAME_MAX, SEMAPHORE_NAME_MAX};

/// The name of a queue without its slash.
pub(crate) fn parse_queue_name(name: &str) -> Result<&str, Errno> {
    // A C string cannot hold a NUL; the C library's check for the slash is the closest relative.
    let rest = name
        .strip_prefix('/')
        .filter(|rest| !rest.contains('\0'))
        .ok_or(Errno::Invalid)?;
    match rest {
        "" => Err(Errno::NoEntry),
        "." | ".." => Err(Errno::Access),
        _ if rest.contains('/') => Err(Errno::Access),
        _ if rest.len() > NAME_MAX => Err(Errno::NameTooLong),
        _ => Ok(rest),
    }
}

/// The name of a semaphore without slashes.
pub(crate) fn parse_semaphore_name(name: &str) -> Result<&str, Errno> {
    parse_file_name(name, SEMAPHORE_NAME_MAX)
}

/// The name of a shared memory object without slashes.
pub(crate) fn parse_shared_memory_name(name: &str) -> Result<&str, Errno> {
    match parse_file_name(name, NAME_MAX)? {
        "." | ".." => Err(Errno::Invalid),
        name => Ok(name),
    }
}

fn parse_file_name(name: &str, most_bytes: usize) -> Result<&str, Errno> {
    let rest = name.trim_start_matches('/');
    if rest.is_empty() || rest.contains(['/', '\0']) {
        Err(Errno::Invalid)
    } else if rest.len() > most_bytes {
        Err(Errno::NameTooLong)
    } else {
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_queues_are_judged_as_linux_does() {
        let longest = format!("/{}", "n".repeat(NAME_MAX));
        let too_long = format!("{longest}n");
        let too_long_with_slash = format!("/a/{}", "n".repeat(300));
        let two_bytes_each = format!("/{}", "é".repeat(128));
        let table: [(&str, Result<&str, Errno>); 14] = [
            ("/work", Ok("work")),
            ("/with space", Ok("with space")),
            ("/...", Ok("...")),
            (&longest, Ok(&longest[1..])),
            ("", Err(Errno::Invalid)),
            ("work", Err(Errno::Invalid)),
            ("/a\0b", Err(Errno::Invalid)),
            ("/", Err(Errno::NoEntry)),
            ("/.", Err(Errno::Access)),
            ("/..", Err(Errno::Access)),
            ("//", Err(Errno::Access)),
            (&too_long_with_slash, Err(Errno::Access)),
            (&too_long, Err(Errno::NameTooLong)),
            (&two_bytes_each, Err(Errno::NameTooLong)),
        ];
        for (name, expected) in table {
            assert_eq!(parse_queue_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn names_of_semaphores_and_shared_memory_are_judged_as_the_c_library_does() {
        let n = |count: usize| format!("/{}", "n".repeat(count));
        let (n251, n252, n255, n256) = (n(251), n(252), n(255), n(256));
        let ok = |name| Ok(name);
        let bad = Err(Errno::Invalid);
        let long = Err(Errno::NameTooLong);
        let table: [(&str, Result<&str, Errno>, Result<&str, Errno>); 13] = [
            ("/work", ok("work"), ok("work")),
            ("work", ok("work"), ok("work")),
            ("//work", ok("work"), ok("work")),
            ("", bad, bad),
            ("/", bad, bad),
            ("//", bad, bad),
            ("/a/b", bad, bad),
            ("/a\0b", bad, bad),
            ("/.", ok("."), bad),
            (&n251, ok(&n251[1..]), ok(&n251[1..])),
            (&n252, long, ok(&n252[1..])),
            (&n255, long, ok(&n255[1..])),
            (&n256, long, long),
        ];
        for (name, semaphore, shared_memory) in table {
            assert_eq!(parse_semaphore_name(name), semaphore, "{name:?}");
            assert_eq!(parse_shared_memory_name(name), shared_memory, "{name:?}");
        }
    }
}
