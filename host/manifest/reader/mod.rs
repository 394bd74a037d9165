//! Text to tree: YAML (KYAML and JSON included) in which every node knows where it was written.
//!
//! Built on the events of `saphyr-parser`, which gives exact marks for every scalar and key and
//! does not recurse; the composing is ours, because the rules that matter here are in no library:
//!
//! * limits on size, depth, nodes, documents and alias expansion ([`limits`]);
//! * a key that comes twice in one mapping is an error that names both places;
//! * scalars are read as the go-yaml of `sigs.k8s.io/yaml` reads them ([`scalar`]): `0644` is
//!   octal, `yes` and `on` are booleans, a mapping key that looks like a number is its text;
//! * aliases are expanded, and `<<` merges mappings (a key written out wins over a merged one).
//!
//! Not done: YAML directives other than those the parser knows, local tags (refused), timestamps
//! (they stay strings, as go-yaml leaves them).

mod compose;
mod json;
pub(crate) mod limits;
mod padding;
mod position;
pub(crate) mod scalar;
mod text;
pub(crate) mod tree;

pub(crate) use compose::compose;
pub(crate) use position::{Lines, location_of};
pub(crate) use text::decode_text;
pub(crate) use tree::{Node, NodeKind, Place, Seg};

/// What makes a text unreadable; there is one per source, because nothing after it can be trusted.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    /// Where, if there is a place.
    pub(crate) place: Option<Place>,
    /// The message, without place.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// A further fact with its place.
    pub(crate) note: Option<Box<(String, Place)>>,
    /// The name of the rule.
    pub(crate) rule_id: &'static str,
}

impl Unreadable {
    pub(crate) fn new(rule_id: &'static str, message: impl Into<String>) -> Self {
        Self {
            place: None,
            message: message.into(),
            hint: None,
            note: None,
            rule_id,
        }
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
