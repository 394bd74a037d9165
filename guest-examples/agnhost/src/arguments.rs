//! Options as Go's flag package takes them: `--name=value`, `--name value`, one dash or two.

/// The options of one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments(Vec<(String, String)>);

impl Arguments {
    /// Reads all options; `known` are their names.
    ///
    /// # Errors
    /// The first argument that is no option, or not one of these, or has no value.
    pub(crate) fn parse(args: &[String], known: &[&str]) -> Result<Self, String> {
        let mut options = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let option = arg
                .strip_prefix("--")
                .or_else(|| arg.strip_prefix('-'))
                .ok_or_else(|| format!("\"{arg}\" is no option"))?;
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, args.next().cloned()),
            };
            if !known.contains(&name) {
                return Err(format!("unknown flag: --{name}"));
            }
            let value = value.ok_or_else(|| format!("flag needs an argument: --{name}"))?;
            options.push((name.to_owned(), value));
        }
        Ok(Self(options))
    }

    /// The values of an option, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// An option that is a number.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        match self.all(name).last() {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| format!("invalid argument \"{text}\" for \"--{name}\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_their_value_behind_a_sign_or_a_blank() {
        let args = ["--a=1", "-b", "2", "--a", "3"].map(str::to_owned);
        let options = Arguments::parse(&args, &["a", "b"]).unwrap();
        assert_eq!(options.all("a").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(options.number("b", 0_u16), Ok(2));
        assert_eq!(options.number("c", 7_u16), Ok(7));
        for wrong in [&["x"][..], &["--c=1"], &["--a"]] {
            let wrong: Vec<String> = wrong.iter().map(|arg| (*arg).to_owned()).collect();
            assert!(Arguments::parse(&wrong, &["a"]).is_err(), "{wrong:?}");
        }
    }
}
