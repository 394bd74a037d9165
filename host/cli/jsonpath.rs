//! kubectl's JSONPath templates: text with paths in braces, `{.metadata.name}`, and `{range .items[*]}…{end}`.
//!
//! The paths themselves are those of RFC 9535, read by a library, in kubectl's spelling: without the `$`, and `\.` for
//! a dot in a key.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use serde_json_path::JsonPath as Query;

/// One path in braces.
#[derive(Clone, PartialEq)]
pub(crate) struct JsonPath(Query);

impl fmt::Debug for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonPath({})", self.0)
    }
}

impl FromStr for JsonPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let inner = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let inner = inner.unwrap_or(text).trim();
        let query = format!("${}", rfc_spelling(inner.trim_start_matches(['$', '@'])));
        match Query::parse(&query) {
            Ok(query) => Ok(Self(query)),
            Err(error) => Err(format!("`{inner}` is no path: {error}")),
        }
    }
}

impl JsonPath {
    /// What is found, as text.
    pub(crate) fn texts(&self, object: &Value) -> Vec<String> {
        self.values(object).into_iter().map(text_of).collect()
    }

    fn values<'a>(&self, object: &'a Value) -> Vec<&'a Value> {
        self.0.query(object).all()
    }
}

/// `.a.b\.c/d` as `.a['b.c/d']`; the rest is the same.
fn rfc_spelling(path: &str) -> String {
    let mut out = String::new();
    // A name without a dot before it stands for a field, too.
    if path.starts_with(|first: char| first.is_alphanumeric() || first == '_') {
        out.push('.');
    }
    let mut rest = path;
    let mut quote = None;
    while let Some(one) = rest.chars().next() {
        let after = rest.get(one.len_utf8()..).unwrap_or_default();
        let is_in_number = || {
            out.ends_with(|before: char| before.is_ascii_digit())
                && after.starts_with(|next: char| next.is_ascii_digit())
        };
        if quote.is_some() || one != '.' || is_in_number() {
            match (quote, one) {
                (None, '"' | '\'') => quote = Some(one),
                (Some(open), _) if open == one => quote = None,
                _ => {}
            }
            out.push(one);
            rest = after;
            continue;
        }
        let (dots, after) = match after.strip_prefix('.') {
            Some(after) => ("..", after),
            None => (".", after),
        };
        let (key, next) = after
            .split_at_checked(key_end(after))
            .unwrap_or((after, ""));
        let plain = key.replace("\\.", ".");
        let is_name = plain
            .chars()
            .all(|one| one.is_alphanumeric() || one == '_' || one == '*');
        if is_name {
            // `.['a']` is `['a']`.
            if !(plain.is_empty() && dots == "." && next.starts_with('[')) {
                out.push_str(dots);
            }
            out.push_str(&plain);
        } else {
            if dots == ".." {
                out.push_str(dots);
            }
            out.push_str(&format!("['{plain}']"));
        }
        rest = next;
    }
    out
}

/// Where a key ends: at a dot that no backslash stands before, at a bracket, at an operator.
fn key_end(text: &str) -> usize {
    let mut was_backslash = false;
    for (index, one) in text.char_indices() {
        let is_end = matches!(one, '.' | '[' | ']' | ')' | '=' | '!' | '<' | '>' | ' ');
        if is_end && !was_backslash {
            return index;
        }
        was_backslash = one == '\\';
    }
    text.len()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A template: what `-o jsonpath=` prints.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Path(JsonPath),
    Range(JsonPath, Vec<Self>),
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // kubectl takes a bare path, too.
        let text = if text.contains('{') {
            text.to_owned()
        } else {
            format!("{{{text}}}")
        };
        let mut rest = text.as_str();
        let parts = parts(&mut rest, false)?;
        Ok(Self(parts))
    }
}

fn parts(rest: &mut &str, in_range: bool) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let end = brace_end(after).ok_or("a { has no }")?;
        let (inner, next) = after.split_at_checked(end).unwrap_or((after, ""));
        *rest = next.strip_prefix('}').unwrap_or(next);
        let inner = inner.trim();
        if inner == "end" {
            return if in_range {
                Ok(parts)
            } else {
                Err("an {end} has no {range}".to_owned())
            };
        }
        if let Some(path) = inner.strip_prefix("range ") {
            let path = path.parse()?;
            parts.push(Part::Range(path, self::parts(rest, true)?));
        } else if let Some(text) = quoted(inner) {
            parts.push(Part::Text(text));
        } else {
            parts.push(Part::Path(inner.parse()?));
        }
    }
    if in_range {
        return Err("a {range} has no {end}".to_owned());
    }
    if !rest.is_empty() {
        parts.push(Part::Text((*rest).to_owned()));
    }
    Ok(parts)
}

/// Where the brace closes, braces in quotes left out.
fn brace_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, one) in text.char_indices() {
        match (quote, one) {
            (None, '}') => return Some(index),
            (None, '"' | '\'') => quote = Some(one),
            (Some(open), _) if open == one => quote = None,
            _ => {}
        }
    }
    None
}

/// `"\n"`: a text in quotes, its escapes as in Go.
fn quoted(text: &str) -> Option<String> {
    let quote = text
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut out = String::new();
    let mut characters = inner.chars();
    while let Some(one) = characters.next() {
        match one {
            '\\' => match characters.next()? {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    Some(out)
}

impl Template {
    /// The template filled in with an object.
    pub(crate) fn fill(&self, object: &Value) -> String {
        let mut out = String::new();
        fill(&self.0, object, &mut out);
        out
    }
}

fn fill(parts: &[Part], object: &Value, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(path) => out.push_str(&path.texts(object).join(" ")),
            Part::Range(path, inner) => {
                for value in path.values(object) {
                    fill(inner, value, out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_of_kubectls_documentation_are_filled() {
        let list = json!({"items": [
            {"metadata": {"name": "a", "labels": {"k8s.io/app": "x"}}, "status": {"capacity": {"cpu": 4}}},
            {"metadata": {"name": "b", "labels": {}}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        ]});
        for (template, expected) in [
            ("{.items[0].metadata.name}", "a"),
            ("{.items[*].metadata.name}", "a b"),
            ("{$.items[1].metadata.name}", "b"),
            (".items[0].metadata.name", "a"),
            ("{.items[-1:].metadata.name}", "b"),
            ("{.items[0].metadata.labels.k8s\\.io/app}", "x"),
            ("{.items[0].metadata.labels['k8s.io/app']}", "x"),
            ("{.items[0].status.capacity}", "{\"cpu\":4}"),
            ("{.items[0].status.capacity.cpu} cores", "4 cores"),
            (
                "{.items[*].status.conditions[?(@.type==\"Ready\")].status}",
                "True",
            ),
            ("{.items[?(@.metadata.name=='b')].metadata.name}", "b"),
            ("{..name}", "a b"),
            ("{range .items[*]}{.metadata.name}{\"\\t\"}{end}", "a\tb\t"),
            ("{.missing}", ""),
            ("no braces in {'{}'}", "no braces in {}"),
        ] {
            let filled = template
                .parse::<Template>()
                .map(|parsed| parsed.fill(&list));
            assert_eq!(filled.as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in ["{.a", "{range .items[*]}{.a}", "{end}", "{.a[}"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }
}
