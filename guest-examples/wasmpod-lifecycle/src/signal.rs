//! Signals by name and number: signal(7), with the numbers of x86 and ARM.

use std::fmt;

/// The first and the last real-time signal.
const REAL_TIME: (u8, u8) = (34, 64);

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(u8);

macro_rules! standard {
    ($($name:ident = $number:literal),* $(,)?) => {
        impl Signal {
            $(
                #[doc = concat!("SIG", stringify!($name), ", ", stringify!($number), ".")]
                pub const $name: Self = Self($number);
            )*
        }

        /// The standard signals, in order.
        const NAMES: &[(&str, u8)] = &[$((stringify!($name), $number)),*];
    };
}

standard! {
    HUP = 1, INT = 2, QUIT = 3, ILL = 4, TRAP = 5, ABRT = 6, BUS = 7, FPE = 8, KILL = 9, USR1 = 10, SEGV = 11,
    USR2 = 12, PIPE = 13, ALRM = 14, TERM = 15, STKFLT = 16, CHLD = 17, CONT = 18, STOP = 19, TSTP = 20, TTIN = 21,
    TTOU = 22, URG = 23, XCPU = 24, XFSZ = 25, VTALRM = 26, PROF = 27, WINCH = 28, IO = 29, PWR = 30, SYS = 31,
}

impl Signal {
    /// The signal of that number; `None` unless it is 1 to 64.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        if number == 0 || number > REAL_TIME.1 {
            return None;
        }
        Some(Self(number))
    }

    /// The signal of that name, with or without `SIG`, in upper case: `TERM`, `SIGHUP`, `SIGRTMIN+3`; or of that number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Self::of_number(number);
        }
        let (first, last) = REAL_TIME;
        let name = text.strip_prefix("SIG").unwrap_or(text);
        if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Some(Self(*number));
        }
        let offset = |rest: &str, sign| match rest {
            "" => Some(0),
            rest => rest.strip_prefix(sign)?.parse::<u8>().ok(),
        };
        let number = match name.strip_prefix("RTMIN") {
            Some(rest) => first.checked_add(offset(rest, '+')?)?,
            None => last.checked_sub(offset(name.strip_prefix("RTMAX")?, '-')?)?,
        };
        (first..=last).contains(&number).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// All standard signals, in order of their numbers.
    pub fn standard() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(_, number)| Self(*number))
    }
}

impl fmt::Display for Signal {
    /// With `SIG` in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "SIGRTMIN+{}", self.0.saturating_sub(REAL_TIME.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_signal_7() {
        for (text, number, shown) in [
            ("TERM", 15, "SIGTERM"),
            ("SIGHUP", 1, "SIGHUP"),
            ("28", 28, "SIGWINCH"),
            ("RTMIN", 34, "SIGRTMIN+0"),
            ("SIGRTMIN+3", 37, "SIGRTMIN+3"),
            ("SIGRTMAX-1", 63, "SIGRTMIN+29"),
        ] {
            let signal = Signal::parse(text).unwrap();
            assert_eq!(
                (signal.number(), signal.to_string().as_str()),
                (number, shown)
            );
        }
        for wrong in [
            "", "0", "65", "SIG", "term", "RTMIN+31", "RTMAX-31", "RTMIN3",
        ] {
            assert_eq!(Signal::parse(wrong), None, "{wrong:?}");
        }
        assert!(Signal::standard().eq((1..=31).filter_map(Signal::of_number)));
    }
}
