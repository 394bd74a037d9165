//! Colours: one place for which, one for whether.

use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};

use crate::args::ColorWhen;

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();

/// The colours that tell containers apart in logs; errors' red is left out.
const CONTAINERS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
];

/// The colour of the container that started as the `index`-th.
pub(crate) fn container(index: usize) -> Style {
    let color = CONTAINERS
        .get(index % CONTAINERS.len())
        .copied()
        .unwrap_or(AnsiColor::Cyan);
    color.on_default()
}

/// Tells the streams of this process whether to let colour through: for the whole process, once, at its start.
pub(crate) fn choose(when: ColorWhen) {
    match when {
        // Looks at NO_COLOR, CLICOLOR, TERM and whether the stream is a terminal.
        ColorWhen::Auto => {}
        ColorWhen::Always => anstream::ColorChoice::Always.write_global(),
        ColorWhen::Never => anstream::ColorChoice::Never.write_global(),
    }
}

/// `text` in a style; the stream strips the colour where none is wanted.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Is standard error a terminal on which lines can be redrawn?
pub(crate) fn stderr_is_live() -> bool {
    io::stderr().is_terminal()
}
