//! Events to trees, within the limits.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::Unreadable;
use super::limits::{MAX_ALIAS_BYTES, MAX_ALIAS_NODES, MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES};
use super::padding::Padding;
use super::position::Lines;
use super::scalar::{Meaning, Scalar};
use super::tree::{Entry, Node, NodeKind, Place};

/// The rule of the one complaint of the parser that [`Padding`] mends.
const FLOW_INDENTATION: &str = "yaml/flow-indentation";

/// The documents of a text, those without content left out.
pub(crate) fn compose(text: &str) -> Result<Vec<Node>, Unreadable> {
    let lines = Lines::new(text);
    let mut padding = Padding::default();
    let mut padded = None;
    loop {
        let result = compose_once(padded.as_deref().unwrap_or(text), &lines, &padding);
        match result {
            Err(Unreadable {
                place: Some(place),
                rule_id: FLOW_INDENTATION,
                ..
            }) if padding.add(place.line, text) => {
                padded = Some(padding.apply(text, &lines));
            }
            result => return result,
        }
    }
}

fn compose_once(text: &str, lines: &Lines<'_>, padding: &Padding) -> Result<Vec<Node>, Unreadable> {
    Composer {
        parser: Parser::new_from_str(text),
        lines,
        padding,
        anchors: HashMap::new(),
        nodes: 0,
        too_large: HashSet::new(),
        alias_size: Size::default(),
    }
    .documents()
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// The lines as they were written, without padding.
    lines: &'a Lines<'a>,
    padding: &'a Padding,
    /// By the parser's number. An anchor that is still open has no entry: an alias inside of it
    /// would make the tree endless.
    anchors: HashMap<usize, Node>,
    nodes: usize,
    /// The anchors whose nodes no alias may copy.
    too_large: HashSet<usize>,
    /// What the aliases of the source have expanded to so far.
    alias_size: Size,
}

/// A collection whose end has not come yet.
struct Open {
    anchor: usize,
    place: Place,
    body: Body,
}

enum Body {
    Sequence(Vec<Node>),
    Mapping {
        entries: MappingBuilder,
        key: Option<(Key, Place)>,
    },
}

enum Key {
    Plain(String),
    Merge,
}

impl<'a> Composer<'a> {
    fn documents(mut self) -> Result<Vec<Node>, Unreadable> {
        let mut documents = Vec::new();
        let mut stack: Vec<Open> = Vec::new();
        let mut root: Option<Node> = None;
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event.map_err(|error| self.unreadable(&error))?;
            let place = self.padding.original(place_of(span));
            match event {
                Event::Nothing | Event::StreamStart => {}
                Event::StreamEnd => break,
                Event::DocumentStart(_) => {
                    self.anchors.clear();
                    self.too_large.clear();
                    root = None;
                }
                Event::DocumentEnd => {
                    if let Some(node) = root.take().filter(|node| !node.is_null()) {
                        if documents.len() == MAX_DOCUMENTS {
                            let message =
                                format!("more than {MAX_DOCUMENTS} documents in one file");
                            return Err(Unreadable::new("yaml/documents", message).at(node.place));
                        }
                        documents.push(node);
                    }
                }
                Event::Alias(anchor) => {
                    let node = self.expand(anchor, place)?;
                    self.attach(&mut stack, &mut root, node, 0, true)?;
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.count(place)?;
                    let is_plain = style == ScalarStyle::Plain;
                    let scalar = scalar(text.into_owned(), is_plain, tag.as_deref(), place)?;
                    let place = self.scalar_place(span, &scalar);
                    let is_key_candidate = is_plain;
                    let node = Node {
                        kind: NodeKind::Scalar(scalar),
                        place,
                    };
                    self.attach(&mut stack, &mut root, node, anchor, is_key_candidate)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    check_collection_tag(tag.as_deref(), "seq", place)?;
                    self.open(&mut stack, anchor, place, Body::Sequence(Vec::new()))?;
                }
                Event::MappingStart(anchor, tag) => {
                    check_collection_tag(tag.as_deref(), "map", place)?;
                    let body = Body::Mapping {
                        entries: MappingBuilder::default(),
                        key: None,
                    };
                    self.open(&mut stack, anchor, place, body)?;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    if let Some(open) = stack.pop() {
                        let anchor = open.anchor;
                        let node = self.close(open);
                        self.attach(&mut stack, &mut root, node, anchor, false)?;
                    }
                }
            }
        }
        Ok(documents)
    }

    fn count(&mut self, place: Place) -> Result<(), Unreadable> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values in one file");
            return Err(Unreadable::new("yaml/nodes", message).at(place));
        }
        Ok(())
    }

    fn open(
        &mut self,
        stack: &mut Vec<Open>,
        anchor: usize,
        place: Place,
        body: Body,
    ) -> Result<(), Unreadable> {
        self.count(place)?;
        if stack.len() >= MAX_DEPTH {
            let message = format!("lists and objects are nested more than {MAX_DEPTH} deep");
            return Err(Unreadable::new("yaml/depth", message).at(place));
        }
        if let Some(Open {
            body: Body::Mapping { key: None, .. },
            ..
        }) = stack.last()
        {
            return Err(key_must_be_scalar(place));
        }
        stack.push(Open {
            anchor,
            place,
            body,
        });
        Ok(())
    }

    fn close(&self, open: Open) -> Node {
        match open.body {
            Body::Sequence(items) => Node {
                kind: NodeKind::Sequence(items),
                place: open.place,
            },
            Body::Mapping { entries, .. } => Node {
                kind: NodeKind::Mapping(entries.finish()),
                place: open.place,
            },
        }
    }

    /// Puts a finished node where it belongs.
    fn attach(
        &mut self,
        stack: &mut [Open],
        root: &mut Option<Node>,
        node: Node,
        anchor: usize,
        may_merge: bool,
    ) -> Result<(), Unreadable> {
        if anchor != 0 {
            self.remember(anchor, &node)?;
        }
        match stack.last_mut().map(|open| &mut open.body) {
            None => *root = Some(node),
            Some(Body::Sequence(items)) => items.push(node),
            Some(Body::Mapping { entries, key }) => match key.take() {
                None => *key = Some(read_key(node, may_merge)?),
                Some((Key::Merge, place)) => entries.merge(node, place)?,
                Some((Key::Plain(name), place)) => entries.insert(name, place, node)?,
            },
        }
        Ok(())
    }

    /// Keeps a node for its aliases. The copies count as nodes, so that anchors within anchors
    /// cannot multiply; what is too large for any alias is only noted.
    fn remember(&mut self, anchor: usize, node: &Node) -> Result<(), Unreadable> {
        let size = Size::of(node);
        if size.is_too_large() {
            self.too_large.insert(anchor);
            return Ok(());
        }
        self.nodes = self.nodes.saturating_add(size.nodes);
        self.count(node.place)?;
        self.anchors.insert(anchor, node.clone());
        Ok(())
    }

    fn expand(&mut self, anchor: usize, place: Place) -> Result<Node, Unreadable> {
        if self.too_large.contains(&anchor) {
            return Err(expansion_too_large(place));
        }
        let Some(node) = self.anchors.get(&anchor) else {
            let message = "an alias stands inside of its own anchor";
            return Err(Unreadable::new("yaml/alias", message).at(place));
        };
        let size = Size::of(node);
        self.alias_size.nodes = self.alias_size.nodes.saturating_add(size.nodes);
        self.alias_size.bytes = self.alias_size.bytes.saturating_add(size.bytes);
        self.nodes = self.nodes.saturating_add(size.nodes);
        if self.alias_size.is_too_large() {
            return Err(expansion_too_large(place));
        }
        if depth(node) > MAX_DEPTH {
            let message = format!("lists and objects are nested more than {MAX_DEPTH} deep");
            return Err(Unreadable::new("yaml/depth", message).at(place));
        }
        let mut copy = node.clone();
        copy.place = place;
        Ok(copy)
    }

    /// The place of a scalar; of one that goes over several lines only the first is shown.
    fn scalar_place(&self, span: Span, scalar: &Scalar) -> Place {
        let mut place = self.padding.original(place_of(span));
        if span.end.line() != span.start.line() {
            let line = self.lines.get(place.line).unwrap_or_default();
            let rest = line
                .chars()
                .skip(place.column.saturating_sub(1))
                .collect::<String>();
            place.width = rest.trim_end().chars().count().max(1);
        } else if scalar.text.is_empty() && scalar.is_null() {
            place.width = 1;
        }
        place
    }

    fn unreadable(&self, error: &ScanError) -> Unreadable {
        let mark = error.marker();
        let at = |line: usize, column: usize| {
            self.padding.original(Place {
                line,
                column,
                width: 1,
            })
        };
        let is_too_far_left = matches!(
            error.info(),
            "invalid indentation" | "invalid indentation in flow construct"
        );
        if is_too_far_left {
            let message = "not YAML: a line of this list or object starts too far left";
            return Unreadable::new(FLOW_INDENTATION, message).at(at(mark.line(), mark.col() + 1));
        }
        if let Some((line, column)) = self.indenting_tab(mark.line(), error.info()) {
            return Unreadable::new("yaml/tab", "tab used for indentation")
                .at(at(line, column))
                .hint("YAML indents with spaces; replace the tab with 2 spaces");
        }
        let place = at(
            mark.line().clamp(1, self.lines.last_number()),
            mark.col() + 1,
        );
        let info = error.info();
        if info == "recursion limit exceeded" {
            let message = format!("lists and objects are nested more than {MAX_DEPTH} deep");
            return Unreadable::new("yaml/depth", message).at(place);
        }
        let unreadable = Unreadable::new("yaml/syntax", format!("not YAML: {info}")).at(place);
        match hint_for(info) {
            Some(hint) => unreadable.hint(hint),
            None => unreadable,
        }
    }

    /// The tab that is the reason of an error: in the indentation of its line or of the one before,
    /// or further down when the parser complains of a tab, because it marks where the value began.
    fn indenting_tab(&self, line: usize, info: &str) -> Option<(usize, usize)> {
        let in_line = |number: usize| {
            let text = self.lines.get(number)?;
            let indentation = text.len() - text.trim_start_matches([' ', '\t']).len();
            let column = text.get(..indentation)?.find('\t')? + 1;
            Some((number, column))
        };
        let below = if info.contains("tab") {
            self.lines.last_number()
        } else {
            line
        };
        in_line(line)
            .or_else(|| in_line(line.checked_sub(1)?))
            .or_else(|| (line..=below).find_map(in_line))
    }
}

/// Pairs in order, with what is needed to find a key that comes twice.
#[derive(Default)]
struct MappingBuilder {
    entries: Vec<Entry>,
    merged: Vec<Entry>,
    index: HashMap<String, Place>,
}

impl MappingBuilder {
    fn insert(&mut self, key: String, key_place: Place, value: Node) -> Result<(), Unreadable> {
        if let Some(first) = self.index.get(&key) {
            let message = format!("key {key:?} is already set in this object");
            let mut error = Unreadable::new("yaml/duplicate-key", message).at(key_place);
            error.note = Some(Box::new(("first set at".to_owned(), *first)));
            return Err(error);
        }
        self.index.insert(key.clone(), key_place);
        self.entries.push(Entry {
            key,
            key_place,
            value,
        });
        Ok(())
    }

    fn merge(&mut self, value: Node, place: Place) -> Result<(), Unreadable> {
        let sources = match value.kind {
            NodeKind::Sequence(items) => items,
            kind @ (NodeKind::Mapping(_) | NodeKind::Scalar(_)) => {
                vec![Node {
                    kind,
                    place: value.place,
                }]
            }
        };
        for source in sources {
            let NodeKind::Mapping(entries) = source.kind else {
                let message = "`<<` merges an object or a list of objects";
                return Err(Unreadable::new("yaml/merge", message).at(place));
            };
            self.merged.extend(entries);
        }
        Ok(())
    }

    /// The pairs; of a merged key the first one counts, and one that is written out wins.
    fn finish(mut self) -> Vec<Entry> {
        for entry in self.merged {
            if !self.index.contains_key(&entry.key) {
                self.index.insert(entry.key.clone(), entry.key_place);
                self.entries.push(entry);
            }
        }
        self.entries
    }
}

fn read_key(node: Node, may_merge: bool) -> Result<(Key, Place), Unreadable> {
    let place = node.place;
    let NodeKind::Scalar(scalar) = node.kind else {
        return Err(key_must_be_scalar(place));
    };
    if may_merge && scalar.text == "<<" {
        return Ok((Key::Merge, place));
    }
    match scalar.into_key() {
        Some(name) => Ok((Key::Plain(name), place)),
        None => Err(key_must_be_scalar(place)),
    }
}

fn key_must_be_scalar(place: Place) -> Unreadable {
    Unreadable::new("yaml/key", "the key of an object must be a string").at(place)
}

fn expansion_too_large(place: Place) -> Unreadable {
    let message =
        format!("aliases expand to more than {MAX_ALIAS_NODES} values or {MAX_ALIAS_BYTES} bytes");
    Unreadable::new("yaml/alias-expansion", message).at(place)
}

/// How much a copy of a node costs.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

impl Size {
    fn of(node: &Node) -> Self {
        let mut size = Self::default();
        size.add(node);
        size
    }

    fn is_too_large(self) -> bool {
        self.nodes > MAX_ALIAS_NODES || self.bytes > MAX_ALIAS_BYTES
    }

    /// Stops counting once it is clear that the node is too large.
    fn add(&mut self, node: &Node) {
        self.nodes += 1;
        match &node.kind {
            NodeKind::Scalar(scalar) => self.bytes += scalar.text.len(),
            NodeKind::Sequence(items) => {
                for item in items {
                    if self.is_too_large() {
                        return;
                    }
                    self.add(item);
                }
            }
            NodeKind::Mapping(entries) => {
                for entry in entries {
                    if self.is_too_large() {
                        return;
                    }
                    self.nodes += 1;
                    self.bytes += entry.key.len();
                    self.add(&entry.value);
                }
            }
        }
    }
}

fn depth(node: &Node) -> usize {
    let below = match &node.kind {
        NodeKind::Scalar(_) => None,
        NodeKind::Sequence(items) => items.iter().map(depth).max(),
        NodeKind::Mapping(entries) => entries.iter().map(|entry| depth(&entry.value)).max(),
    };
    below.unwrap_or(0) + 1
}

fn place_of(span: Span) -> Place {
    let width = if span.start.line() == span.end.line() {
        span.end.col().saturating_sub(span.start.col())
    } else {
        1
    };
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
        width: width.max(1),
    }
}

fn scalar(
    text: String,
    plain: bool,
    tag: Option<&Tag>,
    place: Place,
) -> Result<Scalar, Unreadable> {
    let Some(tag) = tag else {
        return Ok(if plain {
            Scalar::plain(text)
        } else {
            Scalar::string(text)
        });
    };
    if tag.handle == "!" && tag.suffix.is_empty() {
        return Ok(Scalar::string(text));
    }
    if !tag.is_yaml_core_schema() {
        return Err(unknown_tag(tag, place));
    }
    let resolved = Scalar::plain(text);
    let fits = match (tag.suffix.as_str(), resolved.meaning) {
        ("str", _) => return Ok(Scalar::string(resolved.text)),
        ("float", Meaning::Int(_) | Meaning::Float(_))
        | ("int", Meaning::Int(_))
        | ("bool", Meaning::Bool(_))
        | ("null", Meaning::Null) => true,
        ("int" | "float" | "bool" | "null", _) => false,
        _ => return Err(unknown_tag(tag, place)),
    };
    if fits {
        Ok(resolved)
    } else {
        let message = format!("cannot read {:?} as !!{}", resolved.text, tag.suffix);
        Err(Unreadable::new("yaml/tag", message).at(place))
    }
}

fn check_collection_tag(tag: Option<&Tag>, wanted: &str, place: Place) -> Result<(), Unreadable> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == wanted) => {
            Err(unknown_tag(tag, place))
        }
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, place: Place) -> Unreadable {
    Unreadable::new(
        "yaml/tag",
        format!("YAML tag `{tag}` has no meaning in a manifest"),
    )
    .at(place)
}

/// Advice for the parser's more cryptic complaints.
fn hint_for(info: &str) -> Option<&'static str> {
    if info.contains("mapping values are not allowed") || info.contains("':' indicator") {
        Some("a value that has \": \" in it must be quoted; else look at the indentation")
    } else if info.contains("unexpected end of stream") {
        Some("a quote is not closed")
    } else if info.contains("unknown anchor") {
        Some(
            "an alias `*name` needs an anchor `&name` before it; quote a text that starts with `*`",
        )
    } else if info.contains("did not find expected key") || info.contains("simple key expected") {
        Some("look at the indentation of this line and the one before")
    } else {
        None
    }
}
