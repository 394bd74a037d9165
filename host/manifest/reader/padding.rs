//! Room for the lines of a flow collection that start too far left.
//!
//! YAML wants everything inside of `[…]` and `{…}` to be indented deeper than the block around it;
//! go-yaml does not mind, and manifests make use of it:
//!
//! ```yaml
//! command: [
//!   "/bin/sh"
//! ]
//! ```
//!
//! The parser follows YAML and refuses the last line. Spaces at the start of a line mean nothing
//! inside of a flow collection, so such a line gets some, and the text is parsed again; the columns
//! of its nodes are counted without them.

use std::collections::BTreeMap;

use super::position::Lines;
use super::tree::Place;

/// How many spaces a line gets at once. Source: ours; deeper than real manifests indent.
const PAD_COLUMNS: usize = 64;

/// How many bytes may be parsed again for this, all attempts of a source together.
/// Source: ours, a second or two of work; a text that needs more is refused as the parser refuses it.
const MAX_REPARSED_BYTES: usize = 32 * 1024 * 1024;

/// The spaces that lines got, by the number of the line.
#[derive(Debug, Default)]
pub(crate) struct Padding {
    columns: BTreeMap<usize, usize>,
    reparsed_bytes: usize,
}

impl Padding {
    /// Gives `line` more room; says no when too much was parsed again already.
    pub(crate) fn add(&mut self, line: usize, text: &str) -> bool {
        self.reparsed_bytes = self.reparsed_bytes.saturating_add(text.len());
        *self.columns.entry(line).or_default() += PAD_COLUMNS;
        self.reparsed_bytes <= MAX_REPARSED_BYTES
    }

    /// The text with the spaces in it.
    pub(crate) fn apply(&self, text: &str, lines: &Lines<'_>) -> String {
        let mut padded = String::with_capacity(text.len());
        let mut done = 0;
        for (line, columns) in &self.columns {
            let start = lines.start(*line).unwrap_or(text.len());
            padded.push_str(text.get(done..start).unwrap_or_default());
            padded.push_str(&" ".repeat(*columns));
            done = start;
        }
        padded.push_str(text.get(done..).unwrap_or_default());
        padded
    }

    /// A place of the padded text as it was written.
    pub(crate) fn original(&self, mut place: Place) -> Place {
        let columns = self.columns.get(&place.line).copied().unwrap_or(0);
        place.column = place.column.saturating_sub(columns).max(1);
        place
    }
}
