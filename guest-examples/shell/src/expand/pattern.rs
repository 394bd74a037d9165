//! Patterns of the shell (XCU 2.14): `*`, `?`, `[…]` with ranges and classes; a backslash makes the next one plain.

/// Whether `pattern` matches all of `text`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    matches_chars(&pattern, &text)
}

/// As [`matches`], on characters.
pub fn matches_chars(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and up to where it has been tried to reach.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            None if t == text.len() => return true,
            None => None,
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(_) if t == text.len() => None,
            Some('?') => Some(1),
            Some('[') => match bracket(&pattern[p..], text[t]) {
                Some((length, true)) => Some(length),
                Some((_, false)) => None,
                None => (text[t] == '[').then_some(1),
            },
            Some('\\') if p + 1 < pattern.len() => (pattern[p + 1] == text[t]).then_some(2),
            Some(c) => (*c == text[t]).then_some(1),
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((after, reached))) if reached < text.len() => {
                star = Some((after, reached + 1));
                p = after;
                t = reached + 1;
            }
            (None, _) => return false,
        }
    }
}

/// The length of the bracket expression in front of `pattern` and whether it matches `c`; `None` when it is not closed.
fn bracket(pattern: &[char], c: char) -> Option<(usize, bool)> {
    let mut at = 1;
    let negated = matches!(pattern.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        match *pattern.get(at)? {
            ']' if at > first => return Some((at + 1, found != negated)),
            '[' if pattern.get(at + 1) == Some(&':') => {
                let close = pattern[at..]
                    .windows(2)
                    .position(|pair| pair == [':', ']'])?;
                let class: String = pattern[at + 2..at + close].iter().collect();
                found |= in_class(&class, c);
                at += close + 2;
            }
            mut low => {
                if low == '\\' {
                    at += 1;
                    low = *pattern.get(at)?;
                }
                at += 1;
                if pattern.get(at) == Some(&'-')
                    && pattern.get(at + 1).is_some_and(|end| *end != ']')
                {
                    found |= (low..=pattern[at + 1]).contains(&c);
                    at += 2;
                } else {
                    found |= low == c;
                }
            }
        }
    }
}

/// Whether `c` is in a POSIX character class.
pub fn in_class(class: &str, c: char) -> bool {
    match class {
        "alnum" => c.is_alphanumeric(),
        "alpha" => c.is_alphabetic(),
        "blank" => c == ' ' || c == '\t',
        "cntrl" => c.is_control(),
        "digit" => c.is_ascii_digit(),
        "graph" => !c.is_control() && !c.is_whitespace(),
        "lower" => c.is_lowercase(),
        "print" => !c.is_control(),
        "punct" => c.is_ascii_punctuation(),
        "space" => c.is_whitespace(),
        "upper" => c.is_uppercase(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

/// `text` so that a pattern matches exactly it.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "*?[]\\-!^".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The byte ranges of `text` at which a prefix that matches may end: the shortest, or the longest first.
pub fn prefix_end(pattern: &str, text: &str, longest: bool) -> Option<usize> {
    let mut ends: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    if longest {
        ends.reverse();
    }
    ends.into_iter().find(|end| matches(pattern, &text[..*end]))
}

/// Where a suffix that matches may start.
pub fn suffix_start(pattern: &str, text: &str, longest: bool) -> Option<usize> {
    let mut starts: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    if !longest {
        starts.reverse();
    }
    starts
        .into_iter()
        .find(|start| matches(pattern, &text[*start..]))
}
