//! The line discipline of a terminal: what termios(3) describes, as a state machine without I/O.
//!
//! Typed bytes go in; what the guest will read, what the user sees, and signals come out ([`Typed`]). In canonical mode
//! (`ICANON`) a line can be edited until it is finished: erase (`^H` and DEL), kill (`^U`), word erase (`^W`); `^D`
//! hands over what there is, and on an empty line that is an end of file. `ISIG` turns `^C` and `^\` into signals,
//! `ICRNL` turns carriage returns into newlines, `ECHO` shows what is typed, and `ONLCR` turns a newline that is printed
//! into carriage return and newline. Characters are UTF-8 (`IUTF8`): erasing takes a whole one.
//!
//! What it deliberately does not do: flow control (`^S`), quoting (`^V`), reprinting (`^R`), delays, parity.

/// The longest line that can be edited, in bytes, its newline included (`N_TTY_BUF_SIZE` of Linux, termios(3)).
/// What is typed beyond it is dropped until the line is finished or shortened.
pub const MAX_CANONICAL_BYTES: usize = 4096;

const INTR: u8 = 0x03;
const EOF: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const TAB: u8 = b'\t';
const NEWLINE: u8 = b'\n';
const RETURN: u8 = b'\r';
const KILL: u8 = 0x15;
const WERASE: u8 = 0x17;
const QUIT: u8 = 0x1c;
const DELETE: u8 = 0x7f;

/// Columns between two tab stops.
const TAB_COLUMNS: usize = 8;

/// The switches of a terminal, in the words of termios(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalModes {
    /// Show what is typed.
    pub echo: bool,
    /// Collect lines that can be edited.
    pub icanon: bool,
    /// Turn `^C` and `^\` into signals.
    pub isig: bool,
    /// Turn a typed carriage return into a newline.
    pub icrnl: bool,
    /// Turn a printed newline into carriage return and newline.
    pub onlcr: bool,
}

impl Default for TerminalModes {
    /// All on, as a new terminal of Linux has them.
    fn default() -> Self {
        Self {
            echo: true,
            icanon: true,
            isig: true,
            icrnl: true,
            onlcr: true,
        }
    }
}

/// What a signal character sends to the terminal's foreground program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalSignal {
    /// `^C`: SIGINT.
    Interrupt,
    /// `^\`: SIGQUIT.
    Quit,
}

impl TerminalSignal {
    /// The signal's number, signal(7).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Quit => 3,
        }
    }
}

/// What one typed byte brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typed<'a> {
    /// Nothing for the guest yet.
    Nothing,
    /// The guest can read this; empty is an end of file that passes.
    Record(&'a [u8]),
    /// A signal; what the guest has not read is thrown away.
    Signal(TerminalSignal),
}

/// The state between two bytes.
#[derive(Debug, Default)]
pub(super) struct Discipline {
    pub(super) modes: TerminalModes,
    line: Vec<u8>,
    /// The line was handed over and is to be emptied before the next byte.
    is_taken: bool,
    /// Where the cursor is, from 0.
    column: usize,
    /// Where it was when the line began.
    start_column: usize,
}

impl Discipline {
    /// Takes one typed byte; `echo` gets what the user is to see.
    pub(super) fn type_byte(&mut self, byte: u8, echo: &mut Vec<u8>) -> Typed<'_> {
        if std::mem::take(&mut self.is_taken) {
            self.line.clear();
        }
        let modes = self.modes;
        let byte = if byte == RETURN && modes.icrnl {
            NEWLINE
        } else {
            byte
        };
        if modes.isig
            && let Some(signal) = signal_of(byte)
        {
            self.line.clear();
            self.show(byte, echo);
            self.newline(echo);
            return Typed::Signal(signal);
        }
        if !modes.icanon {
            self.show_plain(byte, echo);
            self.line.push(byte);
            return self.take();
        }
        match byte {
            BACKSPACE | DELETE => self.erase(echo),
            KILL => self.erase_while(echo, |_| true),
            WERASE => {
                self.erase_while(echo, |byte| byte == b' ' || byte == TAB);
                self.erase_while(echo, |byte| byte != b' ' && byte != TAB);
            }
            EOF => return self.take(),
            NEWLINE => {
                self.newline(echo);
                self.line.push(NEWLINE);
                return self.take();
            }
            _ if self.line.len() + 1 >= MAX_CANONICAL_BYTES => {}
            _ => {
                if self.line.is_empty() {
                    self.start_column = self.column;
                }
                self.line.push(byte);
                self.show(byte, echo);
            }
        }
        Typed::Nothing
    }

    /// Turns what a guest prints into what the user sees.
    pub(super) fn print(&mut self, bytes: &[u8], shown: &mut Vec<u8>) {
        for &byte in bytes {
            if byte == NEWLINE && self.modes.onlcr {
                shown.push(RETURN);
                self.column = 0;
            }
            shown.push(byte);
            self.column = after(self.column, byte);
        }
        // What is typed from here on stands behind what was printed.
        if self.line.is_empty() || self.is_taken {
            self.start_column = self.column;
        }
    }

    fn take(&mut self) -> Typed<'_> {
        self.is_taken = true;
        Typed::Record(&self.line)
    }

    /// Echoes a byte; control characters as `^C`.
    fn show(&mut self, byte: u8, echo: &mut Vec<u8>) {
        if !self.modes.echo {
            return;
        }
        if is_caret(byte) {
            echo.extend([b'^', byte ^ 0x40]);
            self.column += 2;
        } else {
            echo.push(byte);
            self.column = after(self.column, byte);
        }
    }

    /// Echoes a byte outside of canonical mode, where line ends are shown as such.
    fn show_plain(&mut self, byte: u8, echo: &mut Vec<u8>) {
        if byte == NEWLINE || byte == RETURN {
            self.newline(echo)
        } else {
            self.show(byte, echo)
        }
    }

    fn newline(&mut self, echo: &mut Vec<u8>) {
        if self.modes.echo {
            self.print(b"\n", echo);
        }
        self.start_column = self.column;
    }

    fn erase_while(&mut self, echo: &mut Vec<u8>, wanted: impl Fn(u8) -> bool) {
        while self.line.last().is_some_and(|byte| wanted(*byte)) {
            self.erase(echo);
        }
    }

    /// Erases the last character, on the screen too.
    fn erase(&mut self, echo: &mut Vec<u8>) {
        let Some(last) = self.line.iter().rposition(|byte| !is_continuation(*byte)) else {
            self.line.clear();
            return;
        };
        let is_tab = self.line.get(last) == Some(&TAB);
        self.line.truncate(last);
        if !self.modes.echo {
            return;
        }
        let column = self.line.iter().fold(self.start_column, |column, byte| {
            if is_caret(*byte) {
                column + 2
            } else {
                after(column, *byte)
            }
        });
        for _ in column..self.column {
            // Over a tab there is nothing to wipe out.
            echo.extend_from_slice(if is_tab { b"\x08" } else { b"\x08 \x08" });
        }
        self.column = column;
    }
}

const fn signal_of(byte: u8) -> Option<TerminalSignal> {
    match byte {
        INTR => Some(TerminalSignal::Interrupt),
        QUIT => Some(TerminalSignal::Quit),
        _ => None,
    }
}

/// Whether a typed byte is shown as a caret and a letter (`ECHOCTL`).
const fn is_caret(byte: u8) -> bool {
    (byte < 0x20 && byte != TAB && byte != NEWLINE) || byte == DELETE
}

const fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// The column after a byte was shown.
const fn after(column: usize, byte: u8) -> usize {
    match byte {
        RETURN => 0,
        BACKSPACE => column.saturating_sub(1),
        TAB => (column / TAB_COLUMNS + 1) * TAB_COLUMNS,
        0x20..0x7f => column + 1,
        _ if byte >= 0xc0 => column + 1,
        _ => column,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types `keys` and gives what the guest gets (records quoted, signals by name) and what the user sees.
    fn typed(modes: TerminalModes, keys: &str) -> (String, String) {
        let mut discipline = Discipline {
            modes,
            ..Discipline::default()
        };
        let (mut got, mut seen) = (String::new(), Vec::new());
        for byte in keys.bytes() {
            match discipline.type_byte(byte, &mut seen) {
                Typed::Nothing => {}
                Typed::Record(bytes) => {
                    got.push_str(&format!("{:?}", String::from_utf8_lossy(bytes)));
                }
                Typed::Signal(signal) => got.push_str(&format!("<{signal:?}>")),
            }
        }
        (got, String::from_utf8(seen).unwrap())
    }

    #[test]
    fn keys_become_lines_as_termios_says() {
        let on = TerminalModes::default();
        let no_echo = TerminalModes { echo: false, ..on };
        let raw = TerminalModes {
            icanon: false,
            echo: false,
            isig: false,
            icrnl: false,
            ..on
        };
        let no_signals = TerminalModes { isig: false, ..on };
        let back = "\x08 \x08";
        #[rustfmt::skip]
        let table: &[(&str, TerminalModes, &str, &str, &str)] = &[
            ("a line", on, "ls\r", r#""ls\n""#, "ls\r\n"),
            ("newline as it is", on, "ls\n", r#""ls\n""#, "ls\r\n"),
            ("nothing before its end", on, "ls", "", "ls"),
            ("two lines", on, "a\rb\r", r#""a\n""b\n""#, "a\r\nb\r\n"),
            ("erase with DEL", on, "lx\x7fs\r", r#""ls\n""#, &format!("lx{back}s\r\n")),
            ("erase with ^H", on, "lx\x08s\r", r#""ls\n""#, &format!("lx{back}s\r\n")),
            ("erase beyond the beginning", on, "\x7f\x7fa\r", r#""a\n""#, "a\r\n"),
            ("erase takes a whole character", on, "\u{e9}\x7fe\r", r#""e\n""#, &format!("\u{e9}{back}e\r\n")),
            ("erase of a control character", on, "\x01\x7fe\r", r#""e\n""#, &format!("^A{back}{back}e\r\n")),
            ("erase of a tab", on, "ab\t\x7f\r", r#""ab\n""#, &format!("ab\t{}\r\n", "\x08".repeat(6))),
            ("kill", on, "abc\x15d\r", r#""d\n""#, &format!("abc{}d\r\n", back.repeat(3))),
            ("word erase", on, "one two \x17x\r", r#""one x\n""#, &format!("one two {}x\r\n", back.repeat(4))),
            ("word erase of all", on, " a\x17\x17b\r", r#""b\n""#, &format!(" a{back}{back}b\r\n")),
            ("end of file", on, "\x04", r#""""#, ""),
            ("^D in a line hands it over", on, "ab\x04", r#""ab""#, "ab"),
            ("^D twice ends after a part of a line", on, "ab\x04\x04", r#""ab""""#, "ab"),
            ("interrupt drops the line", on, "ab\x03c\r", "<Interrupt>\"c\\n\"", "ab^C\r\nc\r\n"),
            ("quit", on, "ab\x1c", "<Quit>", "ab^\\\r\n"),
            ("without ISIG they are characters", no_signals, "\x03\r", "\"\\u{3}\\n\"", "^C\r\n"),
            ("without ECHO nothing is seen", no_echo, "a\x7fsecret\r", r#""secret\n""#, ""),
            ("raw", raw, "a\r\x03\x7f", "\"a\"\"\\r\"\"\\u{3}\"\"\\u{7f}\"", ""),
        ];
        for (name, modes, keys, got, seen) in table {
            let result = typed(*modes, keys);
            assert_eq!(result, ((*got).to_owned(), (*seen).to_owned()), "{name}");
        }
    }

    #[test]
    fn a_line_ends_at_4096_bytes_and_can_still_be_finished() {
        let keys = "x".repeat(2 * MAX_CANONICAL_BYTES) + "\r";
        let (got, seen) = typed(TerminalModes::default(), &keys);
        assert_eq!(got.len(), MAX_CANONICAL_BYTES - 1 + r#""\n""#.len());
        assert_eq!(seen.len(), MAX_CANONICAL_BYTES - 1 + "\r\n".len());
    }

    #[test]
    fn what_is_printed_gets_carriage_returns_and_moves_the_place_of_a_tab() {
        let mut discipline = Discipline::default();
        let mut seen = Vec::new();
        discipline.print(b"hi\n$ ", &mut seen);
        assert_eq!(seen, b"hi\r\n$ ");
        seen.clear();
        for byte in *b"\t\x7f" {
            let _: Typed<'_> = discipline.type_byte(byte, &mut seen);
        }
        assert_eq!(
            seen,
            [b"\t".as_slice(), &[8; 6]].concat(),
            "from column 8 back to 2"
        );
        discipline.modes.onlcr = false;
        seen.clear();
        discipline.print(b"a\n", &mut seen);
        assert_eq!(seen, b"a\n");
    }
}
