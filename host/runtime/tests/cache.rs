//! Compiled code on disk, across runtimes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use wasmpod_image::Program;
use wasmpod_sandbox::Exit;

use super::fixture::{Pod, program, wait_until};
use crate::{Notice, Runtime, RuntimeConfig};

/// A runtime on the store in `dir`, and what it has to say.
fn runtime(dir: &Path) -> (Runtime, Arc<Mutex<Vec<Notice>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let for_runtime = Arc::clone(&heard);
    let config = RuntimeConfig {
        code_store: Some(dir.to_owned()),
        notices: Arc::new(move |notice| for_runtime.lock().unwrap().push(notice)),
        ..RuntimeConfig::default()
    };
    (Runtime::new(&config).unwrap(), heard)
}

/// All entries of the store in `dir`.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| {
        fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    list(dir)
        .flat_map(|program| list(&program).collect::<Vec<_>>())
        .collect()
}

async fn run_hello(runtime: Runtime) -> Exit {
    Pod::on(runtime).run("cli_hello").await
}

#[tokio::test]
async fn the_second_runtime_uses_what_the_first_one_compiled() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("code");
    assert_eq!(run_hello(runtime(&store).0).await, Exit::with_code(0));
    let [entry] = &entries(&store)[..] else {
        panic!("{:?}", entries(&store))
    };
    let written = fs::metadata(entry).unwrap();
    let (second, heard) = runtime(&store);
    assert_eq!(run_hello(second).await, Exit::with_code(0));
    assert_eq!(entries(&store), std::slice::from_ref(entry));
    assert_eq!(fs::metadata(entry).unwrap().len(), written.len());
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_entry_is_noticed_removed_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("code");
    run_hello(runtime(&store).0).await;
    let entry = entries(&store).remove(0);
    let whole = fs::read(&entry).unwrap();
    let middle = whole.len() / 2;
    let mut flipped = whole.clone();
    flipped[middle] ^= 1;
    for damaged in [flipped, whole[..middle].to_vec(), Vec::new()] {
        fs::write(&entry, damaged).unwrap();
        let (runtime, heard) = runtime(&store);
        assert_eq!(run_hello(runtime).await, Exit::with_code(0));
        assert_eq!(fs::read(&entry).unwrap(), whole, "it was made again");
        let heard = heard.lock().unwrap();
        assert!(
            matches!(&heard[..], [Notice::CodeStoreEntryDiscarded { .. }]),
            "{heard:?}"
        );
    }
}

#[tokio::test]
async fn an_entry_of_another_engine_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("code");
    run_hello(runtime(&store).0).await;
    let entry = entries(&store).remove(0);
    let name = entry.file_name().unwrap().to_str().unwrap();
    let other = entry.with_file_name(format!("{}{}", "0".repeat(32), &name[32..]));
    fs::rename(&entry, &other).unwrap();
    let (runtime, heard) = runtime(&store);
    assert_eq!(run_hello(runtime).await, Exit::with_code(0));
    assert!(other.exists() && entry.exists());
    assert!(heard.lock().unwrap().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_others_may_enter_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (runtime, heard) = runtime(dir.path());
    assert_eq!(run_hello(runtime).await, Exit::with_code(0));
    assert!(entries(dir.path()).is_empty());
    let heard = heard.lock().unwrap();
    let [Notice::CodeStoreUnusable { problem, .. }] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert!(problem.contains("0755"), "{problem}");
}

#[tokio::test]
async fn a_store_that_is_no_directory_is_told_once_and_everything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let (runtime, heard) = runtime(&file);
    let pod = Pod::on(runtime);
    assert_eq!(pod.run("cli_hello").await, Exit::with_code(0));
    assert_eq!(pod.run("cli_exit").await, Exit::with_code(0));
    let heard = heard.lock().unwrap();
    assert!(
        matches!(&heard[..], [Notice::CodeStoreUnusable { .. }]),
        "{heard:?}"
    );
}

#[tokio::test]
async fn programs_that_are_prepared_twice_at_once_are_compiled_once() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, _) = runtime(&dir.path().join("code"));
    let pod = Pod::on(runtime);
    let hello = program("cli_hello");
    let (first, second) = tokio::join!(pod.prepare(&hello), pod.prepare(&hello));
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(entries(&dir.path().join("code")).len(), 1);
}

/// A program of ours that is big enough to be compiled quickly first: 512 KiB of it are data.
fn big_trusted_program() -> Arc<Program> {
    let data = "x".repeat(512 << 10);
    let text =
        format!(r#"(module (memory 16) (data (i32.const 0) "{data}") (func (export "_start")))"#);
    let mut program = Program::new("big.wasm", wat::parse_str(text).unwrap());
    program.is_trusted = true;
    Arc::new(program)
}

fn tiers(dir: &Path) -> Vec<&'static str> {
    let names = entries(dir)
        .into_iter()
        .map(|entry| entry.display().to_string());
    names
        .map(|name| {
            if name.contains("-baseline-") {
                "baseline"
            } else {
                "optimised"
            }
        })
        .collect()
}

#[tokio::test]
async fn a_big_program_of_ours_starts_with_quick_code_that_optimised_code_replaces() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("code");
    let program = big_trusted_program();
    {
        let pod = Pod::on(runtime(&store).0);
        let container = pod.start_program(&program, "big", |_| {}).await.unwrap();
        assert_eq!(pod.exit(&container).await, Exit::with_code(0));
        wait_until("the optimised code is stored", || {
            tiers(&store) == ["optimised"]
        })
        .await;
        let container = pod.start_program(&program, "big", |_| {}).await.unwrap();
        assert_eq!(
            pod.exit(&container).await,
            Exit::with_code(0),
            "with the optimised code"
        );
    }
    let pod = Pod::on(runtime(&store).0);
    let container = pod.start_program(&program, "big", |_| {}).await.unwrap();
    assert_eq!(pod.exit(&container).await, Exit::with_code(0));
    assert_eq!(tiers(&store), ["optimised"]);
}

#[tokio::test]
async fn a_big_program_of_others_is_never_compiled_by_the_baseline_compiler() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("code");
    let ours = big_trusted_program();
    let foreign = Arc::new(Program::new("big.wasm", ours.bytes().unwrap().into_owned()));
    let pod = Pod::on(runtime(&store).0);
    pod.prepare(&foreign).await.unwrap();
    assert_eq!(tiers(&store), ["optimised"]);
}
