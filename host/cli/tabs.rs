//! Text in columns by elastic tab stops, as Go's text/tabwriter makes them and kubectl prints with: a column is as wide
//! as its widest cell among the neighbouring lines that have it; the last cell of a line belongs to no column.

/// Lines whose cells are divided by tabs, to be lined up.
#[derive(Debug)]
pub(crate) struct Tabs {
    /// The least width of a column, and the space behind its widest cell.
    min_width: usize,
    padding: usize,
    /// What is lined up already.
    done: String,
    /// The lines that may still widen each other's columns.
    open: Vec<String>,
}

impl Tabs {
    /// As `kubectl describe` lines up.
    pub(crate) fn for_description() -> Self {
        Self {
            min_width: 0,
            padding: 2,
            done: String::new(),
            open: Vec::new(),
        }
    }

    /// As kubectl lines up the tables that it makes itself.
    pub(crate) fn for_table() -> Self {
        Self {
            min_width: TABLE_MIN_WIDTH,
            padding: TABLE_PADDING,
            ..Self::for_description()
        }
    }

    /// Adds a line, two spaces deeper for each level.
    pub(crate) fn line(&mut self, level: usize, text: impl AsRef<str>) {
        self.open
            .push(format!("{}{}", "  ".repeat(level), text.as_ref()));
    }

    /// Adds a name and its value as a line.
    pub(crate) fn field(&mut self, level: usize, name: &str, value: impl std::fmt::Display) {
        self.line(level, format!("{name}:\t{value}"));
    }

    /// Lines up what there is: later lines do not widen it any more.
    pub(crate) fn flush(&mut self) {
        let lines: Vec<Vec<&str>> = self
            .open
            .iter()
            .map(|line| line.split('\t').collect())
            .collect();
        let mut widths: Vec<Vec<usize>> = lines.iter().map(|_| Vec::new()).collect();
        let columns = lines.iter().map(Vec::len).max().unwrap_or(1) - 1;
        for column in 0..columns {
            let mut rest = 0..lines.len();
            while let Some(start) = rest.find(|index| has_column(&lines, *index, column)) {
                let end = (start..lines.len())
                    .find(|index| !has_column(&lines, *index, column))
                    .unwrap_or(lines.len());
                rest = end..lines.len();
                let cells = lines.iter().take(end).skip(start);
                let widest = cells
                    .filter_map(|cells| cells.get(column))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0);
                let width = (widest + self.padding).max(self.min_width);
                for widths in widths.iter_mut().take(end).skip(start) {
                    widths.push(width);
                }
            }
        }
        for (cells, widths) in lines.iter().zip(&widths) {
            for (index, cell) in cells.iter().enumerate() {
                self.done.push_str(cell);
                let width = widths.get(index).copied().unwrap_or(0);
                let missing = width.saturating_sub(cell.chars().count());
                self.done.extend(std::iter::repeat_n(' ', missing));
            }
            self.done.push('\n');
        }
        self.open.clear();
    }

    /// All of it, lined up.
    pub(crate) fn finish(mut self) -> String {
        self.flush();
        self.done
    }
}

/// The least width of a column of a table, in characters, and the space behind its widest cell, as kubectl has them
/// (cli-runtime pkg/printers/tabwriter.go).
pub(crate) const TABLE_MIN_WIDTH: usize = 6;
/// See [`TABLE_MIN_WIDTH`].
pub(crate) const TABLE_PADDING: usize = 3;

/// Has this line a cell of this column that a tab ends?
fn has_column(lines: &[Vec<&str>], line: usize, column: usize) -> bool {
    lines
        .get(line)
        .is_some_and(|cells| cells.len() > column + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_neighbouring_cells() {
        let mut tabs = Tabs::for_description();
        tabs.line(0, "Name:\tweb");
        tabs.line(0, "Namespace:\tdefault");
        tabs.line(0, "Containers:");
        tabs.line(1, "c:");
        tabs.line(2, "Image:\tnginx");
        tabs.line(2, "A:\tb\tc");
        tabs.line(2, "D:\tlonger\tc");
        let expected = "\
Name:       web
Namespace:  default
Containers:
  c:
    Image:  nginx
    A:      b       c
    D:      longer  c
";
        assert_eq!(tabs.finish(), expected);
    }

    #[test]
    fn what_was_flushed_is_not_widened() {
        let mut tabs = Tabs::for_description();
        tabs.line(0, "A:\tb");
        tabs.flush();
        tabs.line(0, "Longer:\tb");
        assert_eq!(tabs.finish(), "A:  b\nLonger:  b\n");
    }

    #[test]
    fn a_table_has_columns_of_six_at_least() {
        let mut tabs = Tabs::for_table();
        tabs.line(0, "A\tB");
        tabs.line(0, "1\t2");
        assert_eq!(tabs.finish(), "A     B\n1     2\n");
    }
}
