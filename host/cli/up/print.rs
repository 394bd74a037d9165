//! Log lines on standard output: `POD/CONTAINER | line`, coloured on a terminal, or one JSON object a line.

use std::collections::HashMap;
use std::io::{self, Write};

use anstyle::Style;
use serde_json::json;
use wasmpod::{LogItem, LogLine};

use crate::args::LogFormat;
use crate::paint;

/// Writes log lines of all containers to one stream.
pub(crate) struct Printer<W> {
    out: W,
    format: LogFormat,
    /// The colours that were given out, by container.
    styles: HashMap<String, Style>,
    width: usize,
    /// Whose line is not at its end yet: a long line comes in parts.
    open: Option<String>,
}

impl<W: Write> Printer<W> {
    /// Writes to `out`.
    pub(crate) fn new(out: W, format: LogFormat) -> Self {
        Self {
            out,
            format,
            styles: HashMap::new(),
            width: 0,
            open: None,
        }
    }

    /// Takes note of a `POD/CONTAINER` name, to line all of them up; colours go round in this order.
    pub(crate) fn learn(&mut self, name: &str) {
        if !self.styles.contains_key(name) {
            let style = paint::container(self.styles.len());
            self.styles.insert(name.to_owned(), style);
            self.width = self.width.max(name.len());
        }
    }

    /// Writes one line, or the part of one that there is, or how much is missing.
    pub(crate) fn item(&mut self, name: &str, item: &LogItem) -> io::Result<()> {
        match (item, self.format) {
            (LogItem::Line(line), LogFormat::Text) => self.text(name, &line.text, line.is_partial),
            (LogItem::Line(line), LogFormat::Json) => self.json(name, line),
            (LogItem::Lost { bytes }, LogFormat::Text) => self.text(
                name,
                format!("[{bytes} bytes of this log are lost: it was written faster than read]")
                    .as_bytes(),
                false,
            ),
            (LogItem::Lost { bytes }, LogFormat::Json) => {
                let (pod, container) = name.split_once('/').unwrap_or((name, ""));
                writeln!(
                    self.out,
                    "{}",
                    json!({"pod": pod, "container": container, "lostBytes": bytes})
                )
            }
        }
    }

    /// Lets go of what is buffered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn text(&mut self, name: &str, text: &[u8], is_partial: bool) -> io::Result<()> {
        let goes_on = self.open.as_deref() == Some(name);
        if !goes_on {
            if self.open.is_some() {
                self.out.write_all(b"\n")?;
            }
            let style = self.styles.get(name).copied().unwrap_or_default();
            write!(
                self.out,
                "{style}{name:width$} |{style:#} ",
                width = self.width
            )?;
        }
        self.out.write_all(text)?;
        if is_partial {
            if !goes_on {
                self.open = Some(name.to_owned());
            }
            return Ok(());
        }
        self.open = None;
        self.out.write_all(b"\n")
    }

    fn json(&mut self, name: &str, line: &LogLine) -> io::Result<()> {
        let (pod, container) = name.split_once('/').unwrap_or((name, ""));
        let object = json!({
            "time": line.time,
            "pod": pod,
            "container": container,
            "stream": line.stream.as_str(),
            "partial": line.is_partial,
            "message": String::from_utf8_lossy(&line.text),
        });
        writeln!(self.out, "{object}")
    }
}

#[cfg(test)]
mod tests {
    use wasmpod::LogStream;

    use super::*;

    fn line(text: &str, is_partial: bool) -> LogItem {
        LogItem::Line(LogLine {
            attempt: 0,
            time: "2026-11-21T10:00:00Z".to_owned(),
            stream: LogStream::Stdout,
            is_partial,
            text: text.into(),
        })
    }

    fn printed(format: LogFormat, items: &[(&str, LogItem)]) -> String {
        let mut printer = Printer::new(Vec::new(), format);
        printer.learn("web/a");
        printer.learn("web/long");
        for (name, item) in items {
            printer.item(name, item).unwrap();
        }
        let text = String::from_utf8(printer.out).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn names_line_up_and_long_lines_are_put_together() {
        let items = [
            ("web/a", line("one", false)),
            ("web/long", line("begin, ", true)),
            ("web/long", line("end", false)),
            ("web/long", line("cut", true)),
            ("web/a", line("two", false)),
        ];
        let expected = "web/a    | one\nweb/long | begin, end\nweb/long | cut\nweb/a    | two\n";
        assert_eq!(printed(LogFormat::Text, &items), expected);
    }

    #[test]
    fn json_tells_everything_of_a_line() {
        let text = printed(
            LogFormat::Json,
            &[
                ("web/a", line("one", false)),
                ("web/a", LogItem::Lost { bytes: 7 }),
            ],
        );
        let objects: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(objects[0]["message"], "one");
        assert_eq!(objects[0]["stream"], "stdout");
        assert_eq!(objects[1]["lostBytes"], 7);
    }
}
