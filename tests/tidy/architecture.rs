//! Who imports whom, held against the table of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::{exists, hold, read, root};

/// Libraries that belong to one crate each (a second column of the table would only repeat the manifests).
const OWNED: &[(&str, &str)] = &[
    ("wasmtime", "runtime"),
    ("wasmtime-wasi", "runtime"),
    ("wasmtime-wasi-io", "runtime"),
    ("k8s-openapi", "manifest"),
    ("saphyr-parser", "manifest"),
    ("cap-std", "volume"),
    ("clap", "cli"),
    ("crossterm", "cli"),
    ("serde-saphyr", "cli"),
    ("indicatif", "cli"),
    ("anyhow", "cli"),
    ("zstd", "image"),
    ("h2", "sandbox"),
];

/// What each crate of ours imports, dev-dependencies left out: of ours and of others.
fn imports() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo metadata");
    let packages = metadata["packages"].as_array().unwrap();
    let our_name = |name: &str| name.strip_prefix("wasmpod-").map(str::to_owned);
    let of_package = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
        let names = normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
        let (ours, others): (BTreeSet<_>, BTreeSet<_>) =
            names.partition(|name| our_name(name).is_some());
        (
            ours.iter().filter_map(|name| our_name(name)).collect(),
            others,
        )
    };
    packages
        .iter()
        .filter_map(|package| Some((our_name(package["name"].as_str()?)?, of_package(package))))
        .collect()
}

/// The table "Who may import whom" of ARCHITECTURE.md.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = read("ARCHITECTURE.md");
    let section = text
        .split("## Who may import whom")
        .nth(1)
        .expect("the section is there");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let names = |cell: &str| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
        };
        (names(cells[1]).pop_first().unwrap(), names(cells[2]))
    })
    .collect()
}

#[test]
fn crates_import_what_the_table_says_and_nothing_else() {
    let imports: BTreeMap<_, _> = imports()
        .into_iter()
        .map(|(name, (ours, _))| (name, ours))
        .collect();
    assert_eq!(
        imports,
        table(),
        "left: cargo metadata, right: ARCHITECTURE.md"
    );
}

#[test]
fn heavy_libraries_belong_to_one_crate() {
    let mut breaches = Vec::new();
    for (name, (_, others)) in imports() {
        for (library, owner) in OWNED {
            if others.contains(library)
                && name != owner
                && (library, name.as_str()) != ("cap-std", "sandbox")
            {
                breaches.push(format!(
                    "host/{name}/Cargo.toml: {library} belongs to {owner}"
                ));
            }
        }
    }
    hold("a heavy library has one owner", &breaches);
}

#[test]
fn the_deciding_crates_have_no_clock_and_no_tasks() {
    let imports = imports();
    for name in ["manifest", "lifecycle"] {
        let (_, others) = &imports[name];
        for library in ["tokio", "futures", "rand", "hyper"] {
            assert!(
                !others.contains(library),
                "host/{name}: must not use {library}"
            );
        }
    }
}

#[test]
fn the_papers_name_paths_that_exist() {
    let mut breaches = Vec::new();
    for paper in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/testing.md",
        "docs/ipc.md",
    ] {
        for (number, line) in read(paper).lines().enumerate() {
            for quoted in line.split('`').skip(1).step_by(2) {
                let is_path = [
                    "host/",
                    "tests/",
                    "docs/",
                    "examples/",
                    "guest-examples/",
                    "wit/",
                    ".ci/",
                ]
                .iter()
                .any(|folder| quoted.starts_with(folder));
                if is_path && !quoted.contains(['*', ' ', '<', '{', '…']) && !exists(quoted) {
                    breaches.push(format!("{paper}:{}: `{quoted}` does not exist", number + 1));
                }
            }
        }
    }
    hold("papers name what is there", &breaches);
}

#[test]
fn the_changelog_has_a_place_for_what_comes() {
    assert!(read("CHANGELOG.md").contains("## [Unreleased]"));
}
