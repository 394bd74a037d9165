//! The rules of this repository, as tests: who may import whom, what a file may look like, which papers are true.
//! Each prints the rule that is broken and where.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod architecture;
mod compatibility;
mod images;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file that git tracks or would track, relative to the root.
fn files() -> Vec<String> {
    let git = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(
        git.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&git.stderr)
    );
    let listed = String::from_utf8(git.stdout).unwrap();
    listed
        .lines()
        .filter(|file| root().join(file).is_file())
        .map(str::to_owned)
        .collect()
}

/// The Rust files under one of these folders.
fn rust_files(folders: &[&str]) -> Vec<String> {
    let is_wanted = |file: &String| {
        file.ends_with(".rs")
            && folders
                .iter()
                .any(|folder| file.starts_with(&format!("{folder}/")))
    };
    files().into_iter().filter(is_wanted).collect()
}

/// Fails with every breach of a rule, none hidden behind another.
#[track_caller]
fn hold(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

fn exists(path: &str) -> bool {
    PathBuf::from(root()).join(path).exists()
}
