//! One call of a utility or built-in.

use crate::exec::{self, Flow};
use crate::io::{Fd, strerror};
use crate::shell::Shell;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;

/// Output is written when so many bytes are waiting, at the end, and before anything that may take time.
const OUTPUT_BYTES: usize = 8 * 1024;

/// Why a call did not end with a status of its own.
#[derive(Debug)]
pub enum Fail {
    /// The way out of the shell: `exit`, `break`.
    Flow(Flow),
    /// What the host says; the message is the error's alone.
    Io(io::Error),
    /// The message, without the utility's name, and the exit status.
    Message(String, i32),
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Flow> for Fail {
    fn from(flow: Flow) -> Self {
        Self::Flow(flow)
    }
}

impl Fail {
    /// A failure with status 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into(), 1)
    }

    /// A failure with status 2: wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Message(message.into(), 2)
    }
}

/// A call: the shell in which it happens, its name and arguments, and its output so far.
pub struct Call<'a> {
    /// Variables, descriptors, where paths start.
    pub shell: &'a mut Shell,
    /// As it was called, without a folder.
    pub name: String,
    /// Without the name; without the options once [`Call::options`] has taken them.
    pub args: Vec<String>,
    out: Vec<u8>,
}

/// The options of a call, in their order.
#[derive(Debug, Default)]
pub struct Options(Vec<(char, String)>);

impl Options {
    /// Whether it was given.
    pub fn has(&self, option: char) -> bool {
        self.0.iter().any(|(given, _)| *given == option)
    }

    /// The last value of an option.
    pub fn value(&self, option: char) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(given, _)| *given == option)
            .map(|(_, value)| value.as_str())
    }

    /// All options with their values.
    pub fn iter(&self) -> impl Iterator<Item = (char, &str)> {
        self.0
            .iter()
            .map(|(option, value)| (*option, value.as_str()))
    }

    /// The last given of some options.
    pub fn last_of(&self, options: &str) -> Option<char> {
        self.0
            .iter()
            .rev()
            .map(|(given, _)| *given)
            .find(|given| options.contains(*given))
    }
}

impl<'a> Call<'a> {
    /// A call without output yet.
    pub fn new(shell: &'a mut Shell, name: String, args: Vec<String>) -> Self {
        Self {
            shell,
            name,
            args,
            out: Vec::new(),
        }
    }

    /// Takes the options out of the arguments. `spec` is as in getopt(3): letters, each with a colon when it has a value; a
    /// leading `+` stops at the first operand. `long` gives the letters of long names.
    ///
    /// # Errors
    /// Wrong usage: an unknown option, a missing value.
    pub fn options(&mut self, spec: &str, long: &[(&str, char)]) -> Result<Options, Fail> {
        let in_order = spec.starts_with('+');
        let wants_value = |option: char| spec.contains(&format!("{option}:"));
        let mut options = Vec::new();
        let mut operands = Vec::new();
        let mut args = std::mem::take(&mut self.args).into_iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                operands.extend(args.by_ref());
            } else if let Some(name) = arg.strip_prefix("--") {
                let (name, value) = name
                    .split_once('=')
                    .map_or((name, None), |(name, value)| (name, Some(value)));
                let Some((_, option)) = long.iter().find(|(known, _)| *known == name) else {
                    return Err(Fail::Message(
                        format!("unrecognized option '--{name}'"),
                        self.usage_status(),
                    ));
                };
                let value = match value {
                    Some(value) => value.to_owned(),
                    None if wants_value(*option) => args.next().unwrap_or_default(),
                    None => String::new(),
                };
                options.push((*option, value));
            } else if arg.len() > 1 && arg.starts_with('-') {
                for (at, option) in arg.char_indices().skip(1) {
                    if option == ':' || option == '+' || !spec.contains(option) {
                        return Err(Fail::Message(
                            format!("invalid option -- '{option}'"),
                            self.usage_status(),
                        ));
                    }
                    let mut value = String::new();
                    if wants_value(option) {
                        value = match &arg[at + option.len_utf8()..] {
                            "" => args.next().ok_or_else(|| {
                                Fail::Message(
                                    format!("option requires an argument -- '{option}'"),
                                    self.usage_status(),
                                )
                            })?,
                            rest => rest.to_owned(),
                        };
                    }
                    options.push((option, value));
                    if wants_value(option) {
                        break;
                    }
                }
            } else {
                operands.push(arg);
                if in_order {
                    operands.extend(args.by_ref());
                }
            }
        }
        self.args = operands;
        Ok(Options(options))
    }

    fn usage_status(&self) -> i32 {
        if matches!(
            self.name.as_str(),
            "ls" | "grep" | "egrep" | "fgrep" | "sort" | "test" | "[" | "diff" | "cmp"
        ) {
            2
        } else {
            1
        }
    }

    /// The file that an operand names, for the host.
    pub fn path(&self, name: &str) -> PathBuf {
        self.shell.path(name)
    }

    /// Adds to the output.
    ///
    /// # Errors
    /// When it has to be written and cannot be.
    pub async fn put(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Fail> {
        self.out.extend_from_slice(bytes.as_ref());
        if self.out.len() >= OUTPUT_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// Adds a line to the output.
    ///
    /// # Errors
    /// As [`Call::put`].
    pub async fn line(&mut self, text: impl AsRef<str>) -> Result<(), Fail> {
        self.out.extend_from_slice(text.as_ref().as_bytes());
        self.put(b"\n").await
    }

    /// Writes what is waiting.
    ///
    /// # Errors
    /// What the descriptor says.
    pub async fn flush(&mut self) -> Result<(), Fail> {
        if self.out.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.out);
        match self.shell.fd(1) {
            Some(fd) => Ok(fd.write(&bytes).await?),
            None => Err(Fail::new("write error: Bad file descriptor")),
        }
    }

    /// A diagnostic: `NAME: MESSAGE` on stderr.
    ///
    /// # Errors
    /// When the output before it cannot be written.
    pub async fn warn(&mut self, message: impl AsRef<str>) -> Result<(), Fail> {
        self.flush().await?;
        if let Some(fd) = self.shell.fd(2) {
            // Nowhere is left to report a broken stderr to.
            let _ = fd
                .write(format!("{}: {}\n", self.name, message.as_ref()).as_bytes())
                .await;
        }
        Ok(())
    }

    /// A diagnostic about a file: `NAME: FILE: REASON`.
    ///
    /// # Errors
    /// As [`Call::warn`].
    pub async fn warn_about(&mut self, file: &str, error: &io::Error) -> Result<(), Fail> {
        self.warn(format!("{file}: {}", strerror(error))).await
    }

    /// Opens an operand for reading; `-` is stdin.
    ///
    /// # Errors
    /// What the host says.
    pub fn open(&self, name: &str) -> io::Result<Fd> {
        if name == "-" {
            return self.stdin();
        }
        exec::open_path(self.shell, name, OpenOptions::new().read(true))
    }

    /// Stdin.
    ///
    /// # Errors
    /// When it is closed.
    pub fn stdin(&self) -> io::Result<Fd> {
        self.shell
            .fd(0)
            .ok_or_else(|| io::Error::other("Bad file descriptor"))
    }

    /// The operands as inputs, stdin when there is none. A file that cannot be opened is reported, and `failed` is set.
    ///
    /// # Errors
    /// When the output before a report cannot be written.
    pub async fn inputs(&mut self, failed: &mut bool) -> Result<Vec<(String, Fd)>, Fail> {
        let names = if self.args.is_empty() {
            vec!["-".to_owned()]
        } else {
            self.args.clone()
        };
        let mut inputs = Vec::new();
        for name in names {
            match self.open(&name) {
                Ok(fd) => inputs.push((name, fd)),
                Err(error) => {
                    self.warn_about(&name, &error).await?;
                    *failed = true;
                }
            }
        }
        Ok(inputs)
    }

    /// The next line of an input with its newline; nothing at the end. Output that waits is written before a wait.
    ///
    /// # Errors
    /// What the descriptors say.
    pub async fn next_line(&mut self, input: &Fd) -> Result<Vec<u8>, Fail> {
        if !input.has_buffered() {
            self.flush().await?;
        }
        Ok(input.read_until(b'\n').await?)
    }

    /// As [`Call::next_line`], as text without its newline.
    ///
    /// # Errors
    /// As [`Call::next_line`].
    pub async fn next_text(&mut self, input: &Fd) -> Result<Option<String>, Fail> {
        let mut line = self.next_line(input).await?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(Some(String::from_utf8(line).unwrap_or_else(|error| {
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })))
    }

    /// Runs another command in this shell, as `xargs` and `env` do.
    ///
    /// # Errors
    /// The way out of the shell.
    pub async fn run(&mut self, argv: Vec<String>) -> Result<i32, Fail> {
        self.flush().await?;
        let mut argv = argv;
        if argv.is_empty() {
            return Ok(0);
        }
        let name = argv.remove(0);
        Ok(Box::pin(exec::command::call_program(self.shell, name, argv)).await?)
    }
}
