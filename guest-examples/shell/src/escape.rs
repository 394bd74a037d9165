//! Backslash escapes, as `echo`, `printf` and `$'…'` know them.

/// Whose escapes are read; they differ in the octal form and in `\c`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `echo` and `printf %b`: `\0nnn`, and `\c` ends the output.
    Echo,
    /// The format of `printf`, and `$'…'`: `\nnn`.
    Quote,
}

/// The bytes that `text` stands for, and whether `\c` ended it.
pub fn unescape(text: &str, style: Style) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let [escape, tail @ ..] = rest else {
            bytes.push(b'\\');
            break;
        };
        rest = tail;
        match escape {
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'r' => bytes.push(b'\r'),
            b'a' => bytes.push(7),
            b'b' => bytes.push(8),
            b'e' | b'E' => bytes.push(27),
            b'f' => bytes.push(12),
            b'v' => bytes.push(11),
            b'\\' => bytes.push(b'\\'),
            b'\'' | b'"' if style == Style::Quote => bytes.push(*escape),
            b'c' if style == Style::Echo => return (bytes, true),
            b'0' if style == Style::Echo => bytes.push(number(&mut rest, 8, 3)),
            b'0'..=b'7' => {
                let mut digits = &text.as_bytes()[text.len() - rest.len() - 1..];
                bytes.push(number(&mut digits, 8, 3));
                rest = digits;
            }
            b'x' => bytes.push(number(&mut rest, 16, 2)),
            other => bytes.extend([b'\\', *other]),
        }
    }
    (bytes, false)
}

/// Reads up to `most` digits; what does not fit a byte is cut, as C does.
fn number(rest: &mut &[u8], base: u32, most: usize) -> u8 {
    let mut value = 0_u32;
    for _ in 0..most {
        let Some(digit) = rest
            .first()
            .and_then(|byte| char::from(*byte).to_digit(base))
        else {
            break;
        };
        value = value * base + digit;
        *rest = &rest[1..];
    }
    value.to_le_bytes()[0]
}
