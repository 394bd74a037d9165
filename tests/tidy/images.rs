//! The built-in images are what their sources make of them: none is stale.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{hold, read, root};

const PACKED: &str = "host/image/builtin";

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

fn index() -> Vec<Entry> {
    let index: Index = toml::from_str(&read(&format!("{PACKED}/images.toml"))).unwrap();
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
fn every_packed_image_is_fresh() {
    let stale: Vec<_> = index()
        .iter()
        .filter(|entry| digest_sources(&entry.folders) != entry.sources)
        .map(|entry| {
            format!(
                "{}: its sources have changed; run `guest-examples/build {}`",
                entry.name, entry.name
            )
        })
        .collect();
    hold("a packed image is built from the sources beside it", &stale);
}

#[test]
fn every_packed_file_is_listed_and_together_they_stay_small() {
    let mut listed: Vec<_> = index().into_iter().map(|entry| entry.file).collect();
    let files = fs::read_dir(root().join(PACKED))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut packed: Vec<_> = files.filter(|name| name.ends_with(".zst")).collect();
    listed.sort();
    packed.sort();
    assert_eq!(packed, listed, "left: {PACKED}, right: images.toml");
    let total: u64 = index().iter().map(|entry| entry.compressed_bytes).sum();
    assert!(total < 8_000_000, "{total} bytes");
}
