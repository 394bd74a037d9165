//! `docs/conformance.md`: the table, for people.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::examples::EXAMPLES;
use crate::table::{Theme, Verdict};
use crate::themes::THEMES;

const DOCUMENT: &str = "docs/conformance.md";

/// Where upstream's tests are listed, beside the repository; not everybody has it.
const UPSTREAM: &str = "../shared/kubernetes.md";

/// The themes of upstream's list that are about more than pods on one node: the API server, kubectl. They come with
/// those.
const LATER: [&str; 6] = ["1.2 ", "1.13 ", "1.14 ", "1.26 ", "1.27 ", "1.29 "];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// How many rows of these themes pass, differ, do not apply.
fn counts(themes: &[Theme]) -> String {
    let count = |wanted: fn(&Verdict) -> bool| {
        let rows = themes.iter().flat_map(|theme| theme.rows);
        rows.filter(|row| wanted(&row.verdict)).count()
    };
    format!(
        "{} pass, {} differ, {} do not apply",
        count(|verdict| matches!(verdict, Verdict::Passes(_))),
        count(|verdict| matches!(verdict, Verdict::Differs(_))),
        count(|verdict| matches!(verdict, Verdict::NotApplicable(_))),
    )
}

/// The tables of these themes, whose rows are called `what`.
fn tables(text: &mut String, what: &str, themes: &[Theme]) {
    for theme in themes {
        let _ = write!(
            text,
            "\n## {}\n\n| {what} | here | shown by, or why |\n|---|---|---|\n",
            theme.title
        );
        for row in theme.rows {
            let (word, what) = match row.verdict {
                Verdict::Passes(test) => ("passes", format!("`{test}`")),
                Verdict::Differs(why) => ("differs", why.to_owned()),
                Verdict::NotApplicable(why) => ("not applicable", why.to_owned()),
            };
            let id = row.id.replace('|', "\\|").replace('<', "\\<");
            let _ = writeln!(text, "| {id} | {word} | {what} |");
        }
    }
}

fn document() -> String {
    let mut text = format!(
        "# Conformance\n\n\
         What Kubernetes' own tests of a node's pods, and the examples of its documentation, give here. Each row that \
         passes is played with real guests, on virtual time, by the test that is named. This document is made from the \
         tables in `tests/conformance`; `BLESS=1 cargo nextest run --test conformance` writes it anew.\n\n\
         Upstream's tests: {}. A row is one of them, by its (shortened) name; all of them run in CI.\n\n\
         Examples of the documentation: {}. A row is one file below `content/en/examples` of the documentation's \
         sources. They are not part of this repository: a test reads its own where they lie beside it, and otherwise \
         plays nothing.\n",
        counts(THEMES),
        counts(EXAMPLES),
    );
    tables(&mut text, "upstream test", THEMES);
    tables(&mut text, "example", EXAMPLES);
    text
}

#[test]
fn the_document_is_what_the_table_says() {
    let path = root().join(DOCUMENT);
    let wanted = document();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, wanted).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{DOCUMENT} is not what the table says: write it anew with BLESS=1"
    );
}

#[test]
fn every_upstream_test_of_a_theme_is_in_the_table() {
    let Ok(text) = fs::read_to_string(root().join(UPSTREAM)) else {
        return;
    };
    let mut theme = "";
    let mut missing = Vec::new();
    for line in text.lines() {
        if let Some(title) = line
            .strip_prefix("#### ")
            .or_else(|| line.strip_prefix("### "))
        {
            theme = title;
        }
        let row = line
            .strip_prefix("- [")
            .and_then(|rest| rest.split_once("] "))
            .map(|(_, id)| id);
        let Some(id) = row.filter(|_| theme.starts_with("1.")) else {
            continue;
        };
        let is_later = LATER.iter().any(|later| theme.starts_with(later));
        let is_known = || {
            let mut rows = THEMES.iter().flat_map(|theme| theme.rows);
            rows.any(|row| row.id == id)
        };
        if !is_later && !is_known() {
            missing.push(format!("{theme}: {id}"));
        }
    }
    assert!(
        missing.is_empty(),
        "not in the table:\n{}",
        missing.join("\n")
    );
}

#[test]
fn no_row_is_there_twice() {
    let themes = THEMES.iter().chain(EXAMPLES);
    let mut ids: Vec<_> = themes
        .flat_map(|theme| theme.rows)
        .map(|row| row.id)
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
