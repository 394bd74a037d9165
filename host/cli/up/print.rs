//! Log lines on standard output: `POD/CONTAINER | line`, coloured on a terminal, or one JSON object a line.

use std::collections::HashMap;
use std::io::{self, Write};

use anstyle::Style;
use serde_json::json;
use wasmpod::LogLine;

use crate::args::LogFormat;
use crate::paint;

/// Writes log lines of all containers to one stream.
pub(crate) struct Printer<W> {
    out: W,
    format: LogFormat,
    /// The colours that were given out, by container.
    styles: HashMap<String, Style>,
    width: usize,
}

impl<W: Write> Printer<W> {
    /// Writes to `out`; `names` are the `POD/CONTAINER` names, to line them up.
    pub(crate) fn new(out: W, format: LogFormat, names: &[String]) -> Self {
        let width = names.iter().map(String::len).max().unwrap_or(0);
        let styles = names.iter().enumerate().map(|(index, name)| (name.clone(), paint::container(index))).collect();
        Self { out, format, styles, width }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, name: &str, line: &LogLine) -> io::Result<()> {
        match self.format {
            LogFormat::Text => {
                let style = self.styles.get(name).copied().unwrap_or_default();
                write!(self.out, "{style}{name:width$} |{style:#} ", width = self.width)?;
                self.out.write_all(&line.message)?;
                self.out.write_all(b"\n")
            }
            LogFormat::Json => {
                let (pod, container) = name.split_once('/').unwrap_or((name, ""));
                let object = json!({
                    "time": line.time,
                    "pod": pod,
                    "container": container,
                    "stream": line.stream.as_str(),
                    "message": String::from_utf8_lossy(&line.message),
                });
                writeln!(self.out, "{object}")
            }
        }
    }

    /// Lets go of what is buffered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
