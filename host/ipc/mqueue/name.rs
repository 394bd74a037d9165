//! What a queue may be called: `mq_overview(7)` for the form, `mq_open(3)` for the errors.
//!
//! Which error wins when several apply is not in the man pages; it is as Linux and its C library
//! answer: the missing slash first, then the second slash or a dot name, then the length.

use crate::Errno;
use crate::limits::NAME_MAX;

/// The name without its slash.
pub(super) fn parse_name(name: &str) -> Result<&str, Errno> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_linux_does() {
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
            assert_eq!(parse_name(name), expected, "{name:?}");
        }
    }
}
