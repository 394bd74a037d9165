//! `$(VAR)` references, as Kubernetes replaces them.
//!
//! * `$(NAME)` is the value of NAME, or stays as it is when there is no such variable;
//! * `$$` is one dollar sign, so `$$(NAME)` is the text `$(NAME)`;
//! * any other `$`, and a `$(` that is never closed, stay as they are.
//!
//! A replaced value is not looked at again. (`EnvVar.value` and `Container.command` in the API reference; upstream
//! `third_party/forked/golang/expansion`.)

use std::cell::RefCell;
use std::collections::BTreeSet;

/// Replaces the references in `text`. `value_of` gives a variable's value, `None` if there is none.
#[must_use]
pub fn expand<'a>(text: &str, value_of: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            match value_of(name) {
                Some(value) => out.push_str(value),
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

/// Replaces the references in a `subPathExpr`.
///
/// # Errors
/// The names that have no value or an empty one, in order, each once: a folder must not depend on a variable that is
/// not there.
pub fn expand_sub_path(text: &str, env: &[(String, String)]) -> Result<String, MissingValues> {
    let missing = RefCell::new(BTreeSet::new());
    let path = expand(text, |name| {
        let value = lookup(env, name).filter(|value| !value.is_empty());
        if value.is_none() {
            missing.borrow_mut().insert(name.to_owned());
        }
        value
    });
    let names = missing.into_inner();
    if names.is_empty() {
        Ok(path)
    } else {
        Err(MissingValues { names })
    }
}

/// Variables of a `subPathExpr` that have no value. The reason is `CreateContainerConfigError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("missing value for {}", self.names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))]
pub struct MissingValues {
    /// Their names; never empty.
    pub names: BTreeSet<String>,
}

/// Looks `name` up in an environment; the last entry of a name holds.
#[must_use]
pub fn lookup<'a>(env: &'a [(String, String)], name: &str) -> Option<&'a str> {
    env.iter()
        .rev()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_as_in_kubernetes() {
        let env = [
            ("VAR_A", "A"),
            ("VAR_B", "B"),
            ("VAR_C", "C"),
            ("VAR_REF", "$(VAR_A)"),
            ("VAR_EMPTY", ""),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
        for (input, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$(VAR_A)", "A"),
            ("___$(VAR_B)___", "___B___"),
            ("$(VAR_A)$(VAR_C)", "AC"),
            ("$(VAR_EMPTY)|", "|"),
            ("$(VAR_REF)", "$(VAR_A)"),
            ("$$(VAR_A)", "$(VAR_A)"),
            ("$$$(VAR_A)", "$A"),
            ("$$$$(VAR_A)", "$$(VAR_A)"),
            ("$(MISSING)", "$(MISSING)"),
            ("$(MISSING)$(VAR_A)", "$(MISSING)A"),
            ("$VAR_A", "$VAR_A"),
            ("${VAR_A}", "${VAR_A}"),
            ("$(VAR_A", "$(VAR_A"),
            ("$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)"),
            ("$()", "$()"),
            ("$", "$"),
            ("$$", "$"),
            ("foo$", "foo$"),
            ("\n$(VAR_A)\u{e9}$\u{e9}", "\nA\u{e9}$\u{e9}"),
            ("f000-$$VAR_A", "f000-$VAR_A"),
        ] {
            assert_eq!(
                expand(input, |name| lookup(&env, name)),
                expected,
                "{input:?}"
            );
        }
    }

    #[test]
    fn a_sub_path_needs_all_its_variables() {
        let env = [("POD", "web"), ("EMPTY", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(
            expand_sub_path("logs/$(POD)/$$(POD)", &env).unwrap(),
            "logs/web/$(POD)"
        );
        let error = expand_sub_path("$(ZZ)/$(EMPTY)/$(ZZ)/$(POD)", &env).unwrap_err();
        assert_eq!(error.to_string(), "missing value for EMPTY, ZZ");
    }
}
