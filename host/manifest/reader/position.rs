//! From a field path to a place, and from a place to the line that stands there.

use super::tree::{Node, NodeKind, Place, Seg};
use crate::report::Excerpt;

/// How many characters of a source line an excerpt shows.
/// Source: ours, the width of a usual terminal; of longer lines the part around the place is shown.
const MAX_EXCERPT_CHARS: usize = 100;

/// How many characters of the line stand before the place when the line had to be cut.
const CONTEXT_CHARS: usize = 30;

/// The lines of a source.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    lines: Vec<&'a str>,
    /// Where each line starts, in bytes.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let (mut lines, mut starts) = (Vec::new(), Vec::new());
        let mut rest = text;
        while let Some(end) = rest.find(['\n', '\r']) {
            let (line, after) = rest.split_at(end);
            lines.push(line);
            starts.push(text.len() - rest.len());
            rest = after
                .strip_prefix("\r\n")
                .or_else(|| after.get(1..))
                .unwrap_or_default();
        }
        lines.push(rest);
        starts.push(text.len() - rest.len());
        Self { lines, starts }
    }

    /// Where the line with this number starts, in bytes.
    pub(crate) fn start(&self, number: usize) -> Option<usize> {
        self.starts.get(number.checked_sub(1)?).copied()
    }

    /// The number of the last line, from 1.
    pub(crate) fn last_number(&self) -> usize {
        self.lines.len()
    }

    /// The line with this number, from 1.
    pub(crate) fn get(&self, number: usize) -> Option<&'a str> {
        self.lines.get(number.checked_sub(1)?).copied()
    }

    /// What a problem at `place` shows of its line.
    pub(crate) fn excerpt(&self, place: Place) -> Option<Excerpt> {
        let line = self.get(place.line)?;
        if line.trim().is_empty() {
            return None;
        }
        let from = if place.column + place.width > MAX_EXCERPT_CHARS {
            place.column.saturating_sub(1 + CONTEXT_CHARS)
        } else {
            0
        };
        let text: String = line
            .chars()
            .skip(from)
            .take(MAX_EXCERPT_CHARS)
            .map(visible)
            .collect();
        let column = place.column - from.min(place.column.saturating_sub(1));
        let room = (text.chars().count() + 1).saturating_sub(column).max(1);
        Some(Excerpt {
            line: place.line,
            text,
            column,
            width: place.width.clamp(1, room),
        })
    }
}

/// A character as an excerpt shows it: one column wide, and nothing that a terminal would obey.
fn visible(c: char) -> char {
    match c {
        '\t' => '→',
        '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}' => '\u{FFFD}',
        c if c.is_control() => '\u{FFFD}',
        c => c,
    }
}

/// The place of a path: of its value, or of its key when `on_key`; of the nearest thing above it
/// when the path was not written.
pub(crate) fn location_of(root: &Node, path: &[Seg], on_key: bool) -> Place {
    let mut node = root;
    let mut place = head_of(root);
    for (position, seg) in path.iter().enumerate() {
        let is_last = position + 1 == path.len();
        match (seg, &node.kind) {
            (Seg::Field(name) | Seg::Key(name), NodeKind::Mapping(entries)) => {
                let Some(entry) = entries.iter().find(|entry| entry.key == *name) else {
                    break;
                };
                node = &entry.value;
                let wants_key = is_last && on_key || node.is_null();
                place = match (&node.kind, wants_key || !is_last) {
                    (NodeKind::Scalar(_), false) => node.place,
                    (_, false) if is_empty(node) => node.place,
                    _ => entry.key_place,
                };
                if is_last && !wants_key && matches!(&node.kind, NodeKind::Scalar(_)) {
                    place = node.place;
                }
            }
            (Seg::Index(index), NodeKind::Sequence(items)) => {
                let Some(item) = items.get(*index) else { break };
                node = item;
                place = head_of(item);
            }
            _ => break,
        }
    }
    place
}

/// The place to show for a whole node: its first key, or itself.
fn head_of(node: &Node) -> Place {
    match &node.kind {
        NodeKind::Mapping(entries) => entries.first().map_or(node.place, |entry| entry.key_place),
        NodeKind::Scalar(_) | NodeKind::Sequence(_) => node.place,
    }
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Mapping(entries) => entries.is_empty(),
        NodeKind::Sequence(items) => items.is_empty(),
        NodeKind::Scalar(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_every_kind_of_break() {
        let lines = Lines::new("a\nb\r\nc\rd");
        assert_eq!(
            (lines.get(2), lines.get(3), lines.get(4)),
            (Some("b"), Some("c"), Some("d"))
        );
        assert_eq!(lines.last_number(), 4);
        assert_eq!(lines.get(0), None);
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = "x".repeat(5_000);
        let place = Place {
            line: 1,
            column: 3_000,
            width: 9,
        };
        let excerpt = Lines::new(&text).excerpt(place).expect("there is a line");
        assert_eq!((excerpt.column, excerpt.width), (CONTEXT_CHARS + 1, 9));
        assert_eq!(excerpt.text.len(), MAX_EXCERPT_CHARS);
    }

    #[test]
    fn an_excerpt_shows_no_control_characters() {
        let place = Place {
            line: 1,
            column: 1,
            width: 1,
        };
        let excerpt = Lines::new("\tred \u{1b}[31m")
            .excerpt(place)
            .expect("there is a line");
        assert_eq!(excerpt.text, "→red \u{FFFD}[31m");
    }
}
