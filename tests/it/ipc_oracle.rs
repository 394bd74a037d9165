//! What the man pages say about IPC, checked by one program in C (`guest-examples/ipc-oracle`) several times: as two
//! processes on the Linux kernel, which is the oracle, and as two containers of a pod, each a core module or a component.
//! All must say the same, word for word.

use crate::support::{Wasmpod, test_guest};

/// One container of a pod: its role, the guest that it runs, and the guest's arguments.
type Container<'a> = (&'a str, &'a str, String);

/// The checks as both kinds of guests.
const CORE_MODULE: &str = "ipc-oracle";
const COMPONENT: &str = "ipc-oracle-component";

/// Runs roles of an object's checks in the containers of a pod, each with its guest; what each of them said.
fn in_pod(object: &str, roles: &[&str], guests: &[&'static str]) -> Vec<String> {
    let containers: Vec<_> = roles
        .iter()
        .zip(guests)
        .map(|(role, guest)| (*role, *guest, format!("{object}, {role}, '1', /shared")))
        .collect();
    run(&containers)
}

/// Runs a pod to its end; what each of its containers said.
fn run(containers: &[Container<'_>]) -> Vec<String> {
    let roles = containers.iter().map(|(role, ..)| *role);
    let containers: String = containers
        .iter()
        .map(|(role, guest, args)| {
            format!(
                "  - name: {role}\n    image: {}\n    args: [{args}]\n    \
                 volumeMounts: [{{name: shared, mountPath: /shared}}]\n",
                test_guest(guest).display()
            )
        })
        .collect();
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: oracle}}\nspec:\n  restartPolicy: Never\n  \
         volumes: [{{name: shared, emptyDir: {{}}}}]\n  containers:\n{containers}"
    );
    let end = Wasmpod::up_text(&manifest, &[]).run();
    let said = |role: &str| {
        let start = format!("oracle/{role}");
        let lines = end.stdout.lines().filter(|line| line.starts_with(&start));
        lines
            .filter_map(|line| Some(format!("{}\n", line.split_once(" | ")?.1)))
            .collect::<String>()
    };
    let said: Vec<String> = roles.map(said).collect();
    assert_eq!(end.code, Some(0), "{end:?}");
    said
}

/// A role says the same everywhere, and no check fails.
#[track_caller]
fn agree(object: &str, role: &str) {
    agree_as(object, &[role], &[&[CORE_MODULE], &[COMPONENT]]);
}

/// Two roles do, whatever each of them is.
#[track_caller]
fn both_agree(object: &str) {
    let kinds = [CORE_MODULE, COMPONENT];
    let pairs = kinds.map(|first| kinds.map(|second| [first, second]));
    let pairs: Vec<&[&str]> = pairs.iter().flatten().map(|pair| &pair[..]).collect();
    agree_as(object, &["first", "second"], &pairs);
}

#[track_caller]
fn agree_as(object: &str, roles: &[&str], pods: &[&[&'static str]]) {
    #[cfg(target_os = "linux")]
    let on_the_kernel = kernel::run(object, roles);
    for guests in pods {
        let in_pod = in_pod(object, roles, guests);
        for (role, said) in roles.iter().zip(&in_pod) {
            assert!(
                !said.contains("FAIL "),
                "{object} {role} {guests:?}:\n{said}"
            );
            assert!(
                said.contains("\nDONE "),
                "{object} {role} {guests:?}:\n{said}"
            );
        }
        #[cfg(target_os = "linux")]
        assert_eq!(
            in_pod, on_the_kernel,
            "left: {object} in a pod of {guests:?}, right: on the kernel"
        );
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::path::Path;
    use std::process::{Command, Stdio};

    use crate::support::root;

    /// Runs roles of an object's checks as processes at the same time; what each of them said.
    pub(super) fn run(object: &str, roles: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("ipc-oracle");
        compile(&program);
        let run = std::process::id().to_string();
        let start = |role: &&str| {
            let mut command = Command::new(&program);
            command.args([object, role, &run]).arg(folder.path());
            command.stdout(Stdio::piped()).spawn().unwrap()
        };
        let processes: Vec<_> = roles.iter().map(start).collect();
        let said = processes.into_iter().map(|process| {
            let output = process.wait_with_output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        });
        said.collect()
    }

    /// The checks compiled for this machine. A compiler is as necessary as the kernel is: without it there is no oracle.
    fn compile(program: &Path) {
        let sources = root().join("guest-examples/ipc-oracle/src");
        let mut sources: Vec<_> = std::fs::read_dir(sources)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
            .collect();
        sources.sort();
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let compiled = Command::new(&compiler)
            .args(["-std=gnu11", "-O1", "-o"])
            .arg(program)
            .args(sources)
            .args(["-pthread", "-lrt"])
            .status();
        assert!(
            compiled.is_ok(),
            "the checks need a C compiler, {}: {compiled:?}",
            compiler.display()
        );
        assert!(compiled.unwrap().success(), "the checks do not compile");
    }
}

#[test]
fn a_posix_message_queue_does_what_its_man_pages_say() {
    agree("mq", "alone");
}

#[test]
fn two_containers_exchange_messages_as_two_processes_do() {
    both_agree("mq");
}

#[test]
fn a_posix_semaphore_does_what_its_man_pages_say() {
    agree("sem", "alone");
}

#[test]
fn two_containers_hand_semaphores_over_as_two_processes_do() {
    both_agree("sem");
}

#[test]
fn posix_shared_memory_does_what_its_man_pages_say() {
    agree("shm", "alone");
}

#[test]
fn two_containers_share_memory_as_two_processes_do() {
    both_agree("shm");
}

#[test]
fn process_shared_locks_do_what_their_man_pages_say() {
    agree("pthread", "alone");
}

#[test]
fn two_containers_lock_and_signal_as_two_processes_do() {
    both_agree("pthread");
}

#[test]
fn a_system_v_message_queue_does_what_its_man_pages_say() {
    agree("sysv-msg", "alone");
}

#[test]
fn two_containers_exchange_system_v_messages_as_two_processes_do() {
    both_agree("sysv-msg");
}

#[test]
fn a_system_v_semaphore_set_does_what_its_man_pages_say() {
    agree("sysv-sem", "alone");
}

#[test]
fn two_containers_operate_on_a_semaphore_set_as_two_processes_do() {
    both_agree("sysv-sem");
}

#[test]
fn system_v_shared_memory_does_what_its_man_pages_say() {
    agree("sysv-shm", "alone");
}

#[test]
fn what_a_core_module_writes_into_a_segment_is_there_at_once() {
    agree_as("sysv-shm", &["at-once"], &[&[CORE_MODULE]]);
}

#[test]
fn two_containers_attach_a_segment_as_two_processes_do() {
    both_agree("sysv-shm");
}

/// The checks of the library for guests in Rust, by which kind of guest each side is.
#[track_caller]
fn rust(first: &str, second: &str) -> Vec<String> {
    let said = run(&[
        ("first", first, "first, '1'".to_owned()),
        ("second", second, "second, '1'".to_owned()),
    ]);
    for said in &said {
        assert!(!said.contains("FAIL "), "{first} and {second}:\n{said}");
        assert!(said.ends_with("PASS all is done\n"), "{said}");
    }
    said
}

#[test]
fn guests_in_rust_use_every_object_as_core_modules_and_as_components() {
    let (module, component) = ("ipc-oracle-rust", "ipc-oracle-rust-component");
    let of_modules = rust(module, module);
    let of_components = rust(component, component);
    assert_eq!(
        of_modules, of_components,
        "left: modules, right: components"
    );
    assert_eq!(rust(module, component), rust(component, module));
}
