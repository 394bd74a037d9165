//! Manifests and what is said about them, side by side in `tests/manifests`.
//!
//! Each `invalid/NAME.yaml` has the report as `NAME.err`, each `valid/NAME.yaml` its objects with
//! defaults and its warnings as `NAME.json`. `BLESS=1` writes the expectations anew; read the
//! difference before it is committed.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use wasmpod_manifest::{Source, read, support};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn blessing() -> bool {
    std::env::var_os("BLESS").is_some_and(|value| value == "1")
}

fn manifests(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no manifests in {folder}");
    files
}

fn source(path: &Path) -> Source {
    Source::new(
        path.file_name().unwrap().to_str().unwrap(),
        fs::read(path).unwrap(),
    )
}

/// Compares, or writes when blessing; returns what differs.
fn differs(path: &Path, actual: &str) -> Option<String> {
    if blessing() {
        fs::write(path, actual).unwrap();
        return None;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    (expected != actual).then(|| format!("--- {}\n{expected}\n--- now\n{actual}", path.display()))
}

#[test]
fn every_invalid_manifest_is_reported_as_its_err_file_says() {
    let mut wrong = Vec::new();
    for path in manifests("tests/manifests/invalid") {
        let report = match read(&[source(&path)]) {
            Ok(_) => panic!("{} was accepted", path.display()),
            Err(report) => report,
        };
        assert!(
            report
                .problems
                .iter()
                .all(|problem| !problem.rule_id.is_empty())
        );
        wrong.extend(differs(&path.with_extension("err"), &report.render()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_valid_manifest_gives_the_objects_of_its_json_file() {
    let mut wrong = Vec::new();
    for path in manifests("tests/manifests/valid") {
        let manifests = match read(&[source(&path)]) {
            Ok(manifests) => manifests,
            Err(report) => panic!("{} was refused:\n{report}", path.display()),
        };
        let warnings: Vec<String> = manifests.warnings.iter().map(ToString::to_string).collect();
        let mut shown = json!({
            "pods": manifests.pods,
            "configMaps": manifests.config_maps,
            "secrets": manifests.secrets,
            "services": manifests.services,
            "ingresses": manifests.ingresses,
            "ingressClasses": manifests.ingress_classes,
            "workloads": manifests.workloads,
            "persistentVolumes": manifests.persistent_volumes,
            "persistentVolumeClaims": manifests.persistent_volume_claims,
            "namespaces": manifests.namespaces,
            "serviceAccounts": manifests.service_accounts,
            "warnings": warnings,
        });
        // Kinds that a manifest does not have would hide those that it has.
        if let Some(object) = shown.as_object_mut() {
            object.retain(|kind, list| {
                let always = ["pods", "configMaps", "secrets", "services", "warnings"];
                always.contains(&kind.as_str()) || list.as_array().is_none_or(|l| !l.is_empty())
            });
        }
        let text = serde_json::to_string_pretty(&shown).unwrap() + "\n";
        wrong.extend(differs(&path.with_extension("json"), &text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_examples_are_valid_and_use_no_field_that_is_ignored() {
    for path in manifests("examples") {
        let manifests = match read(&[source(&path)]) {
            Ok(manifests) => manifests,
            Err(report) => panic!("{} was refused:\n{report}", path.display()),
        };
        assert!(!manifests.pods.is_empty(), "{}", path.display());
        assert_eq!(manifests.warnings, Vec::new(), "{}", path.display());
    }
}

#[test]
fn the_compatibility_document_is_that_of_the_table() {
    let path = root().join("docs/compatibility.md");
    let wrong = differs(&path, &support::compatibility_markdown());
    assert!(
        wrong.is_none(),
        "docs/compatibility.md is stale; run with BLESS=1 to write it anew"
    );
}

#[test]
fn every_anchor_in_a_hint_is_a_heading_of_the_document() {
    let document = support::compatibility_markdown();
    let headings: Vec<String> = document
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|title| title.to_lowercase().replace(' ', "-"))
        .collect();
    for path in manifests("tests/manifests/invalid") {
        let Err(report) = read(&[source(&path)]) else {
            continue;
        };
        for hint in report.problems.iter().flat_map(|problem| &problem.hints) {
            if let Some((_, anchor)) = hint.split_once("compatibility.md#") {
                assert!(headings.iter().any(|heading| heading == anchor), "{anchor}");
            }
        }
    }
}
