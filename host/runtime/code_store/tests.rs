//! What the store does with entries, without running them; running them is tested in `crate::tests::cache`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::engine::{Engines, Tier};

fn store(dir: &Path, max_bytes: u64) -> CodeStore {
    CodeStore::open(dir, max_bytes, &Notices::new(Arc::new(|_| {}))).unwrap()
}

fn key(program: &str) -> Key {
    let engines = Engines::new().unwrap();
    Key::new(program, Tier::Optimised, engines.of(Tier::Optimised))
}

#[test]
fn names_are_stable_and_differ_by_program_tier_and_engine() {
    let (one, two) = (Engines::new().unwrap(), Engines::new().unwrap());
    let optimised = Key::new("a", Tier::Optimised, one.of(Tier::Optimised));
    assert_eq!(
        optimised,
        Key::new("a", Tier::Optimised, two.of(Tier::Optimised))
    );
    assert_ne!(
        optimised,
        Key::new("b", Tier::Optimised, one.of(Tier::Optimised))
    );
    assert_ne!(
        optimised,
        Key::new("a", Tier::Baseline, one.of(Tier::Baseline))
    );
    assert_ne!(
        Key::new("a", Tier::Optimised, one.of(Tier::Optimised)),
        Key::new("a", Tier::Optimised, one.of(Tier::Baseline))
    );
}

#[test]
fn the_background_compiler_makes_code_for_the_optimising_engine() {
    let engines = Engines::new().unwrap();
    let background = Engines::background_compiler().unwrap();
    assert_eq!(
        Key::new("a", Tier::Optimised, engines.of(Tier::Optimised)),
        Key::new("a", Tier::Optimised, &background)
    );
}

#[test]
fn the_entries_that_were_not_used_for_the_longest_time_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("code");
    let store = store(&root, 250);
    for (age, program) in [(30, "old"), (20, "middle")] {
        store.keep(&key(program), Kind::Module, &[1; 100]);
        let path = store.find(&key(program)).unwrap();
        let used = SystemTime::now() - Duration::from_secs(age);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(used)
            .unwrap();
    }
    store.keep(&key("new"), Kind::Module, &[2; 100]);
    assert!(store.find(&key("old")).is_none());
    assert!(!root.join("old").exists(), "its empty folder went with it");
    assert!(store.find(&key("middle")).is_some());
    assert!(store.find(&key("new")).is_some());
}

#[test]
fn what_is_larger_than_the_store_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("code"), 50);
    store.keep(&key("a"), Kind::Module, &[1; 100]);
    assert!(store.find(&key("a")).is_none());
}

#[test]
fn a_half_written_entry_of_a_killed_process_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("code");
    let store = store(&root, 1000);
    store.keep(&key("a"), Kind::Module, &[1; 10]);
    let partial = root.join("a").join(format!("1-1.{}", sweep::TEMPORARY));
    fs::write(&partial, b"half").unwrap();
    store.keep(&key("b"), Kind::Module, &[1; 10]);
    assert!(partial.exists(), "its writer may still be at work");
    let long_ago = SystemTime::now() - Duration::from_secs(10_000);
    File::options()
        .write(true)
        .open(&partial)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    store.keep(&key("c"), Kind::Module, &[1; 10]);
    assert!(!partial.exists());
}

#[cfg(unix)]
#[test]
fn entries_and_folders_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("code");
    let store = store(&root, 1000);
    store.keep(&key("a"), Kind::Module, &[1; 10]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&root.join("a")), 0o700);
    assert_eq!(mode(&store.find(&key("a")).unwrap()), 0o600);
}

#[test]
fn a_store_that_cannot_be_written_to_says_so_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("code");
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let for_store = Arc::clone(&heard);
    let notices = Notices::new(Arc::new(move |notice| {
        for_store.lock().unwrap().push(notice)
    }));
    let store = CodeStore::open(&root, 1000, &notices).unwrap();
    // A file where the program's folder should be: it fails for root too, whom no mode stops.
    fs::write(root.join("a"), b"").unwrap();
    store.keep(&key("a"), Kind::Module, &[1; 10]);
    store.keep(&key("a"), Kind::Module, &[1; 10]);
    let heard = heard.lock().unwrap();
    assert!(
        matches!(&heard[..], [Notice::CodeStoreReadOnly { .. }]),
        "{heard:?}"
    );
}
