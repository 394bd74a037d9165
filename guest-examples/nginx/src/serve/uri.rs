//! The path of a request: decoded, without `.`, `..` and doubled slashes, never outside of the root.

/// The path and the query of a request's target; `None` when the path leaves the root or is none.
#[must_use]
pub fn split(target: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let target = origin_form(target);
    let (path, query) = match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (target.get(..at)?, target.get(at + 1..)?),
        None => (target, &[][..]),
    };
    let path = path.split(|byte| *byte == b'#').next()?;
    Some((normalize(path)?, query.to_vec()))
}

/// An absolute URI as if it had been asked of its host; the host is in `Host` too.
fn origin_form(target: &[u8]) -> &[u8] {
    let rest = target
        .strip_prefix(b"http://")
        .or_else(|| target.strip_prefix(b"https://"));
    match rest {
        Some(rest) => match rest.iter().position(|byte| matches!(byte, b'/' | b'?')) {
            Some(at) => rest.get(at..).unwrap_or(b"/"),
            None => b"/",
        },
        None => target,
    }
}

/// Decodes and simplifies a path.
#[must_use]
pub fn normalize(path: &[u8]) -> Option<Vec<u8>> {
    if path.first() != Some(&b'/') {
        return None;
    }
    if !path.contains(&b'%') && !path.windows(2).any(|pair| pair == b"//" || pair == b"/.") {
        return Some(path.to_vec());
    }
    let decoded = decode(path)?;
    if decoded.contains(&0) {
        return None;
    }
    let mut out: Vec<u8> = Vec::with_capacity(decoded.len());
    let mut segments = decoded.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"" if !is_last => {}
            b"." if !is_last => {}
            b"." => out.push(b'/'),
            b".." => {
                let parent = out.iter().rposition(|byte| *byte == b'/')?;
                out.truncate(parent);
                if is_last {
                    out.push(b'/');
                }
            }
            segment => {
                out.push(b'/');
                out.extend_from_slice(segment);
            }
        }
    }
    Some(out)
}

/// Replaces `%XX`; `None` for a broken one.
fn decode(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let (digits, behind) = behind.split_at_checked(2)?;
            out.push(u8::try_from(http_loop::decimal::parse_hex(digits)?).ok()?);
            rest = behind;
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    Some(out)
}

/// Appends a path with the bytes escaped that may not stand in a URI, or in a header.
pub fn push_escaped(out: &mut Vec<u8>, path: &[u8]) {
    for byte in path {
        match byte {
            b'%'
            | b'?'
            | b'#'
            | b'"'
            | b'<'
            | b'>'
            | b'\\'
            | b'^'
            | b'`'
            | b'{'
            | b'|'
            | b'}'
            | 0..=b' '
            | 0x7f.. => {
                out.push(b'%');
                for digit in [byte >> 4, byte & 15] {
                    out.push(if digit < 10 {
                        b'0' + digit
                    } else {
                        b'A' + digit - 10
                    });
                }
            }
            byte => out.push(*byte),
        }
    }
}

/// Appends text with HTML's special characters replaced.
pub fn push_html(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            byte => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_become_plain_or_are_refused() {
        let table: [(&str, Option<(&str, &str)>); 15] = [
            ("/", Some(("/", ""))),
            ("/a/b.html?x=1?2", Some(("/a/b.html", "x=1?2"))),
            ("/a%20b%2Fc", Some(("/a b/c", ""))),
            ("//a///b/", Some(("/a/b/", ""))),
            ("/a/./b/../c", Some(("/a/c", ""))),
            ("/a/..", Some(("/", ""))),
            ("/a/.", Some(("/a/", ""))),
            ("/%2e%2e/etc/passwd", None),
            ("/../etc/passwd", None),
            ("/a/../../etc", None),
            ("/a%00b", None),
            ("/a%2", None),
            ("/a%zz", None),
            ("http://host/p?q", Some(("/p", "q"))),
            ("*", None),
        ];
        for (target, expected) in table {
            let expected =
                expected.map(|(path, query)| (path.as_bytes().to_vec(), query.as_bytes().to_vec()));
            assert_eq!(split(target.as_bytes()), expected, "{target}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leaves_the_root(path in "(/|\\.|%2[eEfF]|%5c|a|\\\\){0,24}") {
            if let Some(plain) = normalize(format!("/{path}").as_bytes()) {
                prop_assert!(plain.starts_with(b"/"));
                prop_assert!(!plain.split(|byte| *byte == b'/').any(|segment| segment == b".."));
            }
        }

        #[test]
        fn escaping_is_undone_by_decoding(path in proptest::collection::vec(1_u8.., 0..40)) {
            let mut escaped = Vec::new();
            push_escaped(&mut escaped, &path);
            prop_assert_eq!(decode(&escaped), Some(path));
        }
    }
}
