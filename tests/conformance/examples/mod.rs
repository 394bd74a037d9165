//! The example manifests of Kubernetes' documentation: one row for each, played as its page says.
//!
//! A row's id is the path of the example below `content/en/examples`. The manifests are not part of this repository:
//! they are read from a folder beside it, as they were published, and without that folder the tests return at once.
//! What is expected is what the manifest or its page says.

mod admin;
mod application;
mod configmap;
mod controllers;
mod debug;
mod inject;
mod pods;
mod resource;
mod secret;
mod service;
mod storage;

use std::path::{Path, PathBuf};

use wasmpod_manifest::{Manifests, Source, read};

use crate::table::Theme;

/// All examples, in the order of their folders.
pub(crate) const EXAMPLES: &[Theme] = &[
    admin::THEME,
    application::THEME,
    configmap::THEME,
    controllers::THEME,
    debug::THEME,
    pods::THEME,
    inject::THEME,
    resource::THEME,
    storage::THEME,
    secret::THEME,
    service::THEME,
];

/// Where the examples are, beside the repository; not everybody has them. In `_companions` is what a page tells to make
/// beside its example.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/k8s-docs")
}

/// These examples as one manifest, if they are at hand.
pub(crate) fn examples(paths: &[&str]) -> Option<String> {
    let folder = folder();
    if !folder.is_dir() {
        return None;
    }
    let text = |path: &&str| {
        std::fs::read_to_string(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let texts: Vec<_> = paths.iter().map(text).collect();
    Some(texts.join("\n---\n"))
}

/// What is read of a manifest.
pub(crate) fn parsed(manifest: &str) -> Manifests {
    read(&[Source::new("example.yaml", manifest)])
        .unwrap_or_else(|report| panic!("{}", report.render()))
}

/// What is said of a manifest that is refused.
pub(crate) fn refusal(manifest: &str) -> String {
    let report = read(&[Source::new("example.yaml", manifest)]);
    report.expect_err("it is refused").render()
}

#[test]
fn every_example_has_a_row() {
    let Ok(index) = std::fs::read_to_string(folder().join("INDEX.md")) else {
        return;
    };
    let rows = index.lines().filter_map(|line| line.strip_prefix("| "));
    let paths = rows.filter_map(|row| row.split(" | ").next());
    let mut wanted: Vec<_> = paths.filter(|path| path.contains('/')).collect();
    let rows = EXAMPLES.iter().flat_map(|theme| theme.rows);
    let mut found: Vec<_> = rows.map(|row| row.id).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted, "left: the rows, right: the examples");
}
