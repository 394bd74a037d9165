//! Label selectors: `app=web,tier!=back,env in (a, b),gone notin (x),here,!there`.
//!
//! Standard: `labels#label-selectors`; a requirement with `!=` or `notin` also holds for objects without the label.

use std::collections::BTreeMap;
use std::str::FromStr;

use wasmpod_manifest::k8s;

use super::ParseSelectorError;

/// What the labels of an object must be like; all requirements hold at once, none means every object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The label is there and has one of these values.
    In(String, Vec<String>),
    /// The label is not there, or has none of these values.
    NotIn(String, Vec<String>),
    /// The label is there.
    Exists(String),
    /// The label is not there.
    DoesNotExist(String),
}

impl LabelSelector {
    /// Do these labels match?
    #[must_use]
    pub fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let get = |key: &String| labels.and_then(|labels| labels.get(key));
        self.requirements
            .iter()
            .all(|requirement| match requirement {
                Requirement::In(key, values) => {
                    get(key).is_some_and(|value| values.contains(value))
                }
                Requirement::NotIn(key, values) => {
                    get(key).is_none_or(|value| !values.contains(value))
                }
                Requirement::Exists(key) => get(key).is_some(),
                Requirement::DoesNotExist(key) => get(key).is_none(),
            })
    }

    /// Does it match everything?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

impl From<&k8s::LabelSelector> for LabelSelector {
    /// The selector of a workload's `spec`. An operator that Kubernetes does not know matches nothing.
    fn from(selector: &k8s::LabelSelector) -> Self {
        let equal = selector.match_labels.iter().flatten();
        let equal = equal.map(|(key, value)| Requirement::In(key.clone(), vec![value.clone()]));
        let expressions = selector.match_expressions.iter().flatten();
        let expressions = expressions.map(|expression| {
            let key = expression.key.clone();
            let values = expression.values.clone().unwrap_or_default();
            match expression.operator.as_str() {
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::DoesNotExist(key),
                "In" => Requirement::In(key, values),
                _ => Requirement::In(key, Vec::new()),
            }
        });
        Self {
            requirements: equal.chain(expressions).collect(),
        }
    }
}

impl FromStr for LabelSelector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |detail: &str| ParseSelectorError {
            text: text.to_owned(),
            detail: detail.to_owned(),
        };
        let mut requirements = Vec::new();
        if text.trim().is_empty() {
            return Ok(Self { requirements });
        }
        for part in split(text) {
            let part = part.trim();
            if part.is_empty() {
                return Err(wrong("a requirement is empty"));
            }
            requirements.push(requirement(part).map_err(|detail| wrong(&detail))?);
        }
        Ok(Self { requirements })
    }
}

/// The parts between commas that are not in parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let is_separator = move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    text.split(is_separator).collect()
}

fn requirement(part: &str) -> Result<Requirement, String> {
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::DoesNotExist(checked_key(key)?));
    }
    if let Some((left, list)) = part.split_once('(') {
        let list = list.trim_end().strip_suffix(')').ok_or("found no ')'")?;
        let values = list.split(',').map(|value| checked_value(value.trim()));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let mut words = left.split_whitespace();
        let (key, operator) = (words.next().unwrap_or_default(), words.next());
        let key = checked_key(key)?;
        return match (operator, words.next()) {
            (Some("in"), None) => Ok(Requirement::In(key, values)),
            (Some("notin"), None) => Ok(Requirement::NotIn(key, values)),
            _ => Err("expected \"in\" or \"notin\" before '('".to_owned()),
        };
    }
    for operator in ["!=", "==", "="] {
        if let Some((key, value)) = part.split_once(operator) {
            let (key, value) = (checked_key(key)?, vec![checked_value(value.trim())?]);
            return Ok(match operator {
                "!=" => Requirement::NotIn(key, value),
                _ => Requirement::In(key, value),
            });
        }
    }
    Ok(Requirement::Exists(checked_key(part)?))
}

fn checked_key(key: &str) -> Result<String, String> {
    let key = key.trim();
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if key.is_empty() || !key.chars().all(is_fine) {
        return Err(format!("\"{key}\" is no label key"));
    }
    Ok(key.to_owned())
}

fn checked_value(value: &str) -> Result<String, String> {
    if value
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    {
        Ok(value.to_owned())
    } else {
        Err(format!("\"{value}\" is no label value"))
    }
}
