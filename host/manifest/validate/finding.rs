//! What a rule says before its place is known.

use super::Path;
use crate::report::{Violation, ViolationKind};

/// A broken rule and the path of its field.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) rule_id: &'static str,
    /// `None` for what is no field error of Kubernetes: an unknown field, an unknown kind.
    pub(crate) kind: Option<ViolationKind>,
    pub(crate) path: Path,
    /// Whether the key is wrong, not its value.
    pub(crate) on_key: bool,
    /// The key inside of `path` that is meant, when the path names the whole map.
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) detail: String,
    pub(crate) hint: Option<String>,
    /// The path of the first of two duplicates.
    pub(crate) first: Option<Path>,
}

impl Finding {
    pub(crate) fn new(rule_id: &'static str, kind: ViolationKind, path: &Path) -> Self {
        Self {
            rule_id,
            kind: Some(kind),
            path: path.clone(),
            on_key: matches!(kind, ViolationKind::Forbidden),
            key: None,
            value: None,
            detail: String::new(),
            hint: None,
            first: None,
        }
    }

    pub(crate) fn unknown_field(path: &Path) -> Self {
        let mut finding = Self::sentence(
            "schema/unknown-field",
            path,
            format!("unknown field \"{path}\""),
        );
        finding.on_key = true;
        finding
    }

    /// What is said without a path and a word before it.
    pub(crate) fn sentence(
        rule_id: &'static str,
        path: &Path,
        sentence: impl Into<String>,
    ) -> Self {
        let mut finding = Self::new(rule_id, ViolationKind::Invalid, path).detail(sentence);
        finding.kind = None;
        finding
    }

    /// The value as it is to be printed.
    pub(crate) fn shown(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// A string value, printed in quotes.
    pub(crate) fn quoted(self, value: &str) -> Self {
        self.shown(format!("{value:?}"))
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Points to a key of the map that the path names.
    pub(crate) fn at_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self.on_key = true;
        self
    }

    pub(crate) fn first(mut self, path: &Path) -> Self {
        self.first = Some(path.clone());
        self
    }

    /// The finding as others see it; a sentence is none.
    pub(crate) fn violation(&self) -> Option<Violation> {
        Some(Violation {
            path: self.path.to_string(),
            kind: self.kind?,
            value: self.value.clone(),
            detail: self.detail.clone(),
            hint: self.hint.clone(),
            rule_id: self.rule_id,
        })
    }

    /// The message without its place.
    pub(crate) fn message(&self) -> String {
        self.violation()
            .map_or_else(|| self.detail.clone(), |violation| violation.to_string())
    }
}

/// Everything that rules have found.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    pub(crate) fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    pub(crate) fn required(&mut self, rule_id: &'static str, path: &Path, detail: &str) {
        self.push(Finding::new(rule_id, ViolationKind::Required, path).detail(detail));
    }

    /// A string that breaks a rule.
    pub(crate) fn invalid(
        &mut self,
        rule_id: &'static str,
        path: &Path,
        value: &str,
        detail: impl Into<String>,
    ) {
        self.push(
            Finding::new(rule_id, ViolationKind::Invalid, path)
                .quoted(value)
                .detail(detail),
        );
    }

    /// A number that breaks a rule.
    pub(crate) fn invalid_number(
        &mut self,
        rule_id: &'static str,
        path: &Path,
        value: impl Into<i64>,
        detail: &str,
    ) {
        let value: i64 = value.into();
        self.push(
            Finding::new(rule_id, ViolationKind::Invalid, path)
                .shown(value.to_string())
                .detail(detail),
        );
    }

    /// A number that must not be negative.
    pub(crate) fn not_negative(
        &mut self,
        rule_id: &'static str,
        path: &Path,
        value: Option<impl Into<i64>>,
    ) {
        if let Some(value) = value.map(Into::into).filter(|value| *value < 0) {
            self.invalid_number(rule_id, path, value, "must be greater than or equal to 0");
        }
    }

    /// A list with more elements than it may have.
    pub(crate) fn too_many(
        &mut self,
        rule_id: &'static str,
        path: &Path,
        count: usize,
        most: usize,
    ) {
        if count > most {
            self.push(
                Finding::new(rule_id, ViolationKind::TooMany, path)
                    .shown(count.to_string())
                    .detail(format!("must have at most {most} items")),
            );
        }
    }

    pub(crate) fn forbidden(&mut self, rule_id: &'static str, path: &Path, detail: &str) {
        self.push(Finding::new(rule_id, ViolationKind::Forbidden, path).detail(detail));
    }

    pub(crate) fn duplicate(
        &mut self,
        rule_id: &'static str,
        path: &Path,
        value: &str,
        first: &Path,
    ) {
        self.push(
            Finding::new(rule_id, ViolationKind::Duplicate, path)
                .quoted(value)
                .first(first),
        );
    }

    /// A string outside of a closed list; nothing when it is in it.
    pub(crate) fn one_of(
        &mut self,
        rule_id: &'static str,
        path: &Path,
        value: &str,
        supported: &[&str],
    ) {
        if supported.contains(&value) {
            return;
        }
        let list: Vec<String> = supported
            .iter()
            .filter(|s| !s.is_empty())
            .map(|s| format!("\"{s}\""))
            .collect();
        let finding = Finding::new(rule_id, ViolationKind::NotSupported, path)
            .quoted(value)
            .detail(format!("supported values: {}", list.join(", ")));
        self.push(
            match crate::schema::suggest::nearest(value, supported.iter().copied()) {
                Some(guess) if !guess.is_empty() => {
                    finding.hint(format!("did you mean \"{guess}\"?"))
                }
                _ => finding,
            },
        );
    }

    /// Every complaint of a check of a string.
    pub(crate) fn all(
        &mut self,
        rule_id: &'static str,
        path: &Path,
        value: &str,
        details: Vec<String>,
    ) {
        for detail in details {
            self.invalid(rule_id, path, value, detail);
        }
    }
}
