//! The text of a report.
//!
//! One problem stands alone: `error: file:line:column: message`. Several problems of one object
//! come under a heading that names it. Every line that a hint or a note needs is its own line, so
//! that nothing is lost when the text is cut to the first lines.

use super::{Excerpt, MAX_PRINTED_PROBLEMS, Problem, Report};

/// How the parts of a report are painted; every method gives its text unchanged unless overridden.
pub trait Style {
    /// The word `error`.
    fn error(&self, text: &str) -> String {
        text.to_owned()
    }
    /// A place: `pod.yaml:14:28`.
    fn location(&self, text: &str) -> String {
        text.to_owned()
    }
    /// The gutter of a source line: ` 14 | `.
    fn gutter(&self, text: &str) -> String {
        text.to_owned()
    }
    /// The marks under the part that is meant: `^^^^^`.
    fn mark(&self, text: &str) -> String {
        text.to_owned()
    }
    /// The word `hint`.
    fn hint(&self, text: &str) -> String {
        text.to_owned()
    }
    /// The word `note`.
    fn note(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// No colour at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainStyle;

impl Style for PlainStyle {}

/// Writes the report.
pub(super) fn render(report: &Report, style: &dyn Style) -> String {
    let mut out = String::new();
    let printed = report.problems.len().min(MAX_PRINTED_PROBLEMS);
    let mut rest = report.problems.get(..printed).unwrap_or_default();
    while let Some(first) = rest.first() {
        let same = rest
            .iter()
            .take_while(|p| belongs_together(first, p))
            .count();
        let (group, after) = rest.split_at(same.max(1));
        if !out.is_empty() {
            out.push('\n');
        }
        match group {
            [only] => write_single(&mut out, only, style),
            many => write_group(&mut out, many, total_of(report, first), style),
        }
        rest = after;
    }
    let unprinted = report.len() - printed;
    if unprinted > 0 {
        out.push_str(&format!(
            "\n{unprinted} more problems are not shown ({} in all)\n",
            report.len()
        ));
    }
    out
}

fn belongs_together(a: &Problem, b: &Problem) -> bool {
    a.object.is_some() && a.object == b.object && file(a) == file(b)
}

fn file(problem: &Problem) -> Option<&str> {
    problem.location.as_ref().map(|l| l.file.as_str())
}

fn total_of(report: &Report, first: &Problem) -> usize {
    report
        .problems
        .iter()
        .filter(|p| belongs_together(first, p))
        .count()
}

fn write_single(out: &mut String, problem: &Problem, style: &dyn Style) {
    out.push_str(&style.error("error"));
    out.push_str(": ");
    if let Some(location) = &problem.location {
        out.push_str(&style.location(&location.to_string()));
        out.push_str(": ");
    }
    out.push_str(&problem.message);
    out.push('\n');
    write_rest(out, problem, style);
}

fn write_group(out: &mut String, problems: &[Problem], total: usize, style: &dyn Style) {
    if let Some(object) = problems.first().and_then(|p| p.object.as_ref()) {
        out.push_str(&format!(
            "{}: {object} is invalid ({total} problems)\n\n",
            style.error("error")
        ));
    }
    for problem in problems {
        out.push_str("  ");
        if let Some(location) = &problem.location {
            out.push_str(&style.location(&location.to_string()));
            out.push_str("  ");
        }
        out.push_str(&problem.message);
        out.push('\n');
        write_rest(out, problem, style);
    }
}

fn write_rest(out: &mut String, problem: &Problem, style: &dyn Style) {
    if let Some(excerpt) = &problem.excerpt {
        write_excerpt(out, excerpt, style);
    }
    for note in &problem.notes {
        out.push_str(&format!("  {}: {}\n", style.note("note"), note.text));
    }
    for hint in &problem.hints {
        out.push_str(&format!("{}: {hint}\n", style.hint("hint")));
    }
}

fn write_excerpt(out: &mut String, excerpt: &Excerpt, style: &dyn Style) {
    let number = excerpt.line.to_string();
    let gutter = " ".repeat(number.len());
    let indent = " ".repeat(excerpt.column.saturating_sub(1));
    out.push_str(&format!(
        "    {}{}\n",
        style.gutter(&format!("{number} | ")),
        excerpt.text
    ));
    let marks = style.mark(&"^".repeat(excerpt.width.max(1)));
    out.push_str(&format!(
        "    {}{indent}{marks}\n",
        style.gutter(&format!("{gutter} | "))
    ));
}
