//! The packed guests (built-in images, and guests for tests) are what their sources make of them: none is stale.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{hold, read, root};

const BUILT_IN: &str = "host/image/builtin";
const FOR_TESTS: &str = "tests/guests";

#[derive(Deserialize)]
struct Index {
    image: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    file: String,
    compressed_bytes: u64,
    folders: Vec<String>,
    sources: String,
}

fn index(folder: &str) -> Vec<Entry> {
    let index: Index = toml::from_str(&read(&format!("{folder}/images.toml"))).unwrap();
    index.image
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

/// The files under `folder`, except in folders named `target`, relative to the root.
fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() != "target" {
                collect(&path, found);
            }
        } else {
            let relative = path.strip_prefix(root()).unwrap().to_str().unwrap();
            found.push(relative.replace('\\', "/"));
        }
    }
}

/// As `guest-examples/build` computes it: SHA-256 of a line `<sha256>  <path>` for each file, sorted by path.
fn digest_sources(folders: &[String]) -> String {
    let mut files = vec![
        "guest-examples/Cargo.toml".to_owned(),
        "guest-examples/Cargo.lock".to_owned(),
    ];
    for folder in folders {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    files.dedup();
    let listed = files.iter().fold(String::new(), |mut text, file| {
        writeln!(
            text,
            "{}  {file}",
            hex(&fs::read(root().join(file)).unwrap())
        )
        .unwrap();
        text
    });
    hex(listed.as_bytes())
}

#[test]
fn every_packed_guest_is_fresh() {
    let stale: Vec<_> = [BUILT_IN, FOR_TESTS]
        .into_iter()
        .flat_map(index)
        .filter(|entry| digest_sources(&entry.folders) != entry.sources)
        .map(|entry| {
            format!(
                "{}: its sources have changed; run `guest-examples/build {}`",
                entry.name, entry.name
            )
        })
        .collect();
    hold("a packed guest is built from the sources beside it", &stale);
}

#[test]
fn every_packed_file_is_listed_and_the_built_in_images_stay_small() {
    for folder in [BUILT_IN, FOR_TESTS] {
        let mut listed: Vec<_> = index(folder).into_iter().map(|entry| entry.file).collect();
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut packed: Vec<_> = names.filter(|name| name.ends_with(".zst")).collect();
        listed.sort();
        packed.sort();
        assert_eq!(packed, listed, "left: {folder}, right: its images.toml");
    }
    let total: u64 = index(BUILT_IN)
        .iter()
        .map(|entry| entry.compressed_bytes)
        .sum();
    assert!(total < 8_000_000, "{total} bytes");
}
