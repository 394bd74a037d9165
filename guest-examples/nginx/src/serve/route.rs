//! Which server and which location a request is for.

use std::rc::Rc;

use crate::config::model::{Config, Location, Matcher, Name};

/// The server for a host name, which is lower case and without its port: exact names first, then the longest
/// `*.name`, the longest `name.*`, patterns in order, at last the address's default.
#[must_use]
pub fn server(config: &Config, listener: usize, host: &[u8]) -> usize {
    let Some(listen) = config.listens.get(listener) else {
        return 0;
    };
    let default = listen.servers.first().copied().unwrap_or(0);
    if let [only] = listen.servers.as_slice() {
        return *only;
    }
    let names = || {
        listen.servers.iter().flat_map(|index| {
            config
                .servers
                .get(*index)
                .into_iter()
                .flat_map(|server| &server.names)
                .map(move |name| (*index, name))
        })
    };
    let exact =
        names().find(|(_, name)| matches!(name, Name::Exact(name) if name.as_bytes() == host));
    let suffix = || {
        names()
            .filter_map(|(index, name)| match name {
                Name::Suffix(end) if host.ends_with(end.as_bytes()) => Some((end.len(), index)),
                // `.example.org` is also the name without the dot.
                Name::Suffix(end) if end.as_bytes().get(1..) == Some(host) => {
                    Some((end.len(), index))
                }
                _ => None,
            })
            .max_by_key(|(length, _)| *length)
    };
    let prefix = || {
        names()
            .filter_map(|(index, name)| match name {
                Name::Prefix(start) if host.starts_with(start.as_bytes()) => {
                    Some((start.len(), index))
                }
                _ => None,
            })
            .max_by_key(|(length, _)| *length)
    };
    let pattern = || {
        let host = String::from_utf8_lossy(host);
        names().find(|(_, name)| matches!(name, Name::Pattern(pattern) if pattern.is_match(&host)))
    };
    exact
        .map(|(index, _)| index)
        .or_else(|| suffix().map(|(_, index)| index))
        .or_else(|| prefix().map(|(_, index)| index))
        .or_else(|| pattern().map(|(index, _)| index))
        .unwrap_or(default)
}

/// The location for a path, with the captures of its pattern: an exact one at once; else the longest prefix, unless
/// a pattern matches and the prefix does not forbid that.
#[must_use]
pub fn location(base: &Rc<Location>, path: &[u8]) -> (Rc<Location>, Vec<Vec<u8>>) {
    let mut longest: Option<(&Rc<Location>, usize, bool)> = None;
    for child in &base.children {
        match &child.matcher {
            Matcher::Exact(exact) if exact.as_bytes() == path => {
                return (Rc::clone(child), Vec::new());
            }
            Matcher::Prefix(prefix, is_final)
                if path.starts_with(prefix.as_bytes())
                    && longest.is_none_or(|(_, length, _)| prefix.len() > length) =>
            {
                longest = Some((child, prefix.len(), *is_final));
            }
            _ => {}
        }
    }
    let nested = longest.map(|(child, ..)| location(child, path));
    if let Some((found, captures)) = &nested
        && matches!(found.matcher, Matcher::Exact(_) | Matcher::Pattern(_))
    {
        return (Rc::clone(found), captures.clone());
    }
    let forbidden = nested
        .as_ref()
        .is_some_and(|(found, _)| matches!(found.matcher, Matcher::Prefix(_, true)))
        || longest.is_some_and(|(_, _, forbids)| forbids);
    if !forbidden
        && base
            .children
            .iter()
            .any(|child| matches!(child.matcher, Matcher::Pattern(_)))
    {
        let text = String::from_utf8_lossy(path);
        for child in &base.children {
            if let Matcher::Pattern(pattern) = &child.matcher
                && let Some(found) = captures(pattern, &text)
            {
                let (inner, inner_captures) = location(child, path);
                let captures = if inner_captures.is_empty() {
                    found
                } else {
                    inner_captures
                };
                return (inner, captures);
            }
        }
    }
    nested.unwrap_or_else(|| (Rc::clone(base), Vec::new()))
}

/// The location `@name`.
#[must_use]
pub fn named(base: &Rc<Location>, name: &str) -> Option<Rc<Location>> {
    base.children
        .iter()
        .find(|child| matches!(&child.matcher, Matcher::Named(known) if known == name))
        .cloned()
}

/// What a pattern captures, the whole match first; `None` when it does not match.
#[must_use]
pub fn captures(pattern: &regex_lite::Regex, text: &str) -> Option<Vec<Vec<u8>>> {
    let found = pattern.captures(text)?;
    let group = |group: Option<regex_lite::Match<'_>>| {
        group.map_or_else(Vec::new, |group| group.as_str().into())
    };
    Some(found.iter().map(group).collect())
}
