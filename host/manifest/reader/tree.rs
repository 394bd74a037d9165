//! The tree of a document and the paths through it.

use super::scalar::Scalar;

/// A stretch of a source; lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// How many characters of that line are meant, at least 1.
    pub(crate) width: usize,
}

/// One node and where it starts.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) place: Place,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// One pair of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

impl Node {
    /// The value of `key` when this is a mapping that has it and its value is not null.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key)
            .map(|entry| &entry.value)
            .filter(|node| !node.is_null())
    }

    /// The pair of `key` when this is a mapping that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            NodeKind::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            NodeKind::Scalar(_) | NodeKind::Sequence(_) => None,
        }
    }

    /// The elements when this is a sequence, else none.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            NodeKind::Sequence(items) => items,
            NodeKind::Scalar(_) | NodeKind::Mapping(_) => &[],
        }
    }

    /// The text when this is a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(scalar) => scalar.as_str(),
            NodeKind::Sequence(_) | NodeKind::Mapping(_) => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar(scalar) if scalar.is_null())
    }

    /// The kind in the words of a message.
    pub(crate) fn type_name(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(scalar) => scalar.type_name(),
            NodeKind::Sequence(_) => "a list",
            NodeKind::Mapping(_) => "an object",
        }
    }
}

/// One step of a field path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Seg {
    /// `.name`
    Field(String),
    /// `[name]`: the key of a map.
    Key(String),
    /// `[0]`
    Index(usize),
}
