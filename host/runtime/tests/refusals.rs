//! What is not started at all, and what the user is told.

use std::sync::Arc;

use wasmpod_image::Program;
use wasmpod_sandbox::RuntimeError;

use super::fixture::{Pod, program, wasm};

async fn refusal(program: Program) -> RuntimeError {
    Pod::new().prepare(&Arc::new(program)).await.unwrap_err()
}

async fn detail(name: &str, bytes: Vec<u8>) -> String {
    match refusal(Program::new(name, bytes)).await {
        RuntimeError::InvalidProgram { program, detail } => {
            assert_eq!(program, name);
            detail
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn all_missing_imports_are_told_at_once() {
    let error = Pod::new()
        .prepare(&program("import_missing"))
        .await
        .unwrap_err();
    let RuntimeError::MissingImports { program, imports } = error else {
        panic!("{error:?}")
    };
    assert_eq!(program, "import_missing.wasm");
    assert_eq!(
        imports,
        ["wasi_snapshot_preview1.sock_dial", "env.my_host_call"]
    );
}

#[tokio::test]
async fn an_import_of_another_type_is_told() {
    let detail = detail("web", wasm("import_wrong_type")).await;
    assert!(
        detail.contains("wasi_snapshot_preview1::fd_write"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_library_is_no_program() {
    let detail = detail("web", wasm("library_without_start")).await;
    assert_eq!(
        detail,
        "the module exports no function `_start`: it is a library, not a program"
    );
    let component = wat::parse_str("(component)").unwrap();
    let detail = self::detail("web", component).await;
    assert_eq!(
        detail,
        "the component exports neither `wasi:cli/run` nor `wasi:http/incoming-handler`: it is a library, not a program"
    );
}

#[cfg(not(feature = "wasi-0-3"))]
#[tokio::test]
async fn a_component_of_wasi_0_3_is_refused_with_what_to_do() {
    let component = r#"(component
        (import "wasi:http/types@0.3.0" (instance (export "f" (func))))
        (instance $handler)
        (export "wasi:http/handler@0.3.0" (instance $handler)))"#;
    let detail = detail("web", wat::parse_str(component).unwrap()).await;
    for part in ["`wasi:http/handler` of WASI 0.3", "`--features wasi-0-3`"] {
        assert!(detail.contains(part), "{detail}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_wasm_is_named_for_what_it_is() {
    let elf = detail("web", b"\x7fELF\x02\x01\x01\0".to_vec()).await;
    assert_eq!(
        elf,
        "not a WebAssembly module: file starts with 7f 45 4c 46 (ELF)"
    );
    assert!(
        detail("web", b"hello there\n".to_vec())
            .await
            .contains("text")
    );
    let whole = wasm("cli_hello");
    for end in [3, 9, whole.len() / 2, whole.len() - 1] {
        let detail = detail("web", whole[..end].to_vec()).await;
        assert!(!detail.is_empty());
    }
}

#[tokio::test]
async fn a_damaged_module_is_refused_wherever_the_damage_is() {
    let whole = wasm("cli_hello");
    let pod = Pod::new();
    for at in 8..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        // Some damage gives another valid program (a changed constant); none may hurt the host.
        drop(pod.prepare(&Arc::new(Program::new("web", damaged))).await);
    }
    assert!(pod.prepare(&program("cli_hello")).await.is_ok());
}

#[tokio::test]
async fn inspecting_tells_what_a_program_needs_and_what_of_it_is_missing() {
    let runtime = crate::Runtime::new(&crate::RuntimeConfig::default()).unwrap();
    let inspection = runtime.inspect(&program("import_missing")).unwrap();
    let names: Vec<_> = inspection
        .imports
        .iter()
        .map(|import| import.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "wasi_snapshot_preview1.sock_dial",
            "wasi_snapshot_preview1.fd_write",
            "env.my_host_call"
        ]
    );
    assert_eq!(inspection.missing().len(), 2);
    assert!(inspection.is_command);
    let hello = runtime.inspect(&program("cli_hello_component")).unwrap();
    assert_eq!(hello.kind, crate::Kind::Component);
    assert!(hello.missing().is_empty(), "{:?}", hello.missing());
    assert_eq!(hello.exports, ["wasi:cli/run@0.2.0"]);
}
