//! What is wrong with a manifest, in a form that people and programs can read.
//!
//! A [`Report`] holds every [`Problem`] of one reading, in the order of the files. A broken rule is
//! a [`Violation`] in the words and form of Kubernetes' field errors (`path: Kind: value: detail`);
//! text that is not even YAML has a message only. [`Report::render`] writes the text; colour is the
//! business of the caller, who passes a [`Style`].
//!
//! This module prints nothing and knows no terminal.

mod render;
mod violation;

use std::fmt;

pub use render::{PlainStyle, Style};
pub use violation::{Violation, ViolationKind};

/// How many problems [`Report::render`] writes out; of those beyond it only the number is said.
/// Source: the house style; more than a screenful helps nobody, and a wrong file easily has thousands.
pub const MAX_PRINTED_PROBLEMS: usize = 20;

/// How many problems a report keeps at all; reading goes on, but further ones are only counted.
/// Source: ours; it bounds the memory that a hostile manifest can make us spend on complaints.
pub const MAX_KEPT_PROBLEMS: usize = 1000;

/// A place in a source, as an editor counts it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The name of the source, as its reader was told: `pod.yaml`, `<stdin>`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The line of a source to which a problem points, and the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, from 1.
    pub line: usize,
    /// The text of the line, tabs and control characters already replaced by visible ones.
    pub text: String,
    /// The first character meant, from 1.
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub width: usize,
}

/// The object of a manifest that a problem is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// `Pod`, `ConfigMap`, …
    pub kind: String,
    /// `metadata.name`, or `metadata.generateName` with a `*` behind it; empty when there is none.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "{} without a name", self.kind)
        } else {
            write!(f, "{} \"{}\"", self.kind, self.name)
        }
    }
}

/// A second sentence of a problem, often with another place: `first used at pod.yaml:8:11`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The sentence, place included.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object that it is about, if one was recognised.
    pub object: Option<ObjectName>,
    /// Where it was written.
    pub location: Option<Location>,
    /// The source line.
    pub excerpt: Option<Excerpt>,
    /// The one-line message, without place: `spec.restartPolicy: Unsupported value: …`.
    pub message: String,
    /// What to do about it; empty when there is no advice that is likely to work.
    pub hints: Vec<String>,
    /// Further facts, such as the place of the first of two duplicates.
    pub notes: Vec<Note>,
    /// The name of the rule, stable across wordings: `pod/volume-mount-name`, `yaml/tab`.
    pub rule_id: &'static str,
    /// The same as data, when a rule about a field was broken.
    pub violation: Option<Violation>,
}

/// All that is wrong with the manifests of one reading. Never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Report {
    /// The problems, in the order of the sources and their lines.
    pub problems: Vec<Problem>,
    /// How many more there were beyond [`MAX_KEPT_PROBLEMS`].
    pub dropped: usize,
}

impl Report {
    /// How many problems were found, those that are not kept included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.problems.len() + self.dropped
    }

    /// Whether nothing is wrong; a report that was returned as an error never is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The report as text without colour; ends with a line break.
    #[must_use]
    pub fn render(&self) -> String {
        self.render_with(&PlainStyle)
    }

    /// The report as text, its parts painted by `style`.
    #[must_use]
    pub fn render_with(&self, style: &dyn Style) -> String {
        render::render(self, style)
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        if self.problems.len() < MAX_KEPT_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.dropped += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render().trim_end())
    }
}

/// A field that the manifest has and this program does not act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The object that has the field.
    pub object: ObjectName,
    /// Where the field was written first.
    pub location: Option<Location>,
    /// The path of the first such field: `spec.containers[0].livenessProbe`.
    pub path: String,
    /// Why it is ignored, as the field table says.
    pub reason: String,
    /// How many fields of this kind there are in all sources, at least 1.
    pub count: usize,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{}: ignored: {}", self.path, self.reason)?;
        match self.count {
            0 | 1 => Ok(()),
            2 => f.write_str(" (and once more)"),
            n => write!(f, " (and {} times more)", n - 1),
        }
    }
}
