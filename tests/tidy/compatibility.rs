//! The comparison in docs/compatibility.md names tests that exist.

use super::{hold, read, rust_files};

/// What stands above the comparison, and how its rows begin.
const HEADING: &str = "## Beside podman";

#[test]
fn every_test_that_the_comparison_names_exists() {
    let document = read("docs/compatibility.md");
    let (_, comparison) = document.split_once(HEADING).expect("a comparison");
    let sources: String = rust_files(&["host", "tests"])
        .iter()
        .map(|file| read(file))
        .collect();
    let rows: Vec<&str> = comparison
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert!(rows.len() > 100, "the comparison has {} rows", rows.len());
    let mut breaches = Vec::new();
    for row in rows {
        let test = row.rsplit('`').nth(1).unwrap_or_default();
        if !sources.contains(&format!("fn {test}(")) {
            breaches.push(format!("no test `{test}`: {row}"));
        }
    }
    hold(
        "the comparison with podman names tests that exist",
        &breaches,
    );
}
