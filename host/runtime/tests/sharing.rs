//! What containers share: queues, files, the thread.

use wasmpod_ipc::OpenFlags;
use wasmpod_manifest::k8s::{Container, PodSpec, SecurityContext};
use wasmpod_sandbox::Exit;
use wasmpod_volume::{PodVolumes, RootFiles, VolumePolicy, VolumeSources};

use super::fixture::{Pod, wait_until};

#[tokio::test]
async fn every_plain_import_for_queues_works_and_wild_pointers_are_refused() {
    assert_eq!(Pod::new().run("ipc_imports").await, Exit::with_code(0));
}

#[tokio::test]
async fn a_guest_waits_for_a_message_that_another_sends() {
    let pod = Pod::new();
    let receiver = pod.start("ipc_receive_one", |_| {}).await.unwrap();
    wait_until("the queue is there", || pod.ipc.list().len() == 1).await;
    let sender = pod.ipc.attach("sender");
    sender
        .mq_open("/q", OpenFlags::WRITE, None)
        .unwrap()
        .try_send(&[42], 0)
        .unwrap();
    assert_eq!(pod.exit(&receiver).await, Exit::with_code(42));
}

pub(super) struct NoSources;

impl VolumeSources for NoSources {
    fn config_map(&self, _: &str) -> Option<std::sync::Arc<wasmpod_manifest::k8s::ConfigMap>> {
        None
    }

    fn secret(&self, _: &str) -> Option<std::sync::Arc<wasmpod_manifest::k8s::Secret>> {
        None
    }

    fn field(&self, field: &wasmpod_manifest::k8s::ObjectFieldSelector) -> Result<String, String> {
        Err(field.field_path.clone())
    }

    fn resource_field(
        &self,
        field: &wasmpod_manifest::k8s::ResourceFieldSelector,
    ) -> Result<String, String> {
        Err(field.resource.clone())
    }

    fn claim(&self, _: &str) -> Option<wasmpod_volume::Claim> {
        None
    }
}

#[tokio::test]
async fn a_guest_writes_into_its_root_directory_unless_that_is_read_only() {
    const WASI_ROFS: i32 = 69;
    const WASI_PERM: i32 = 63;

    let dir = tempfile::tempdir().unwrap();
    let spec = PodSpec::default();
    let policy = VolumePolicy::default();
    let volumes = PodVolumes::acquire(dir.path(), &spec, &NoSources, &policy).unwrap();
    for read_only in [false, true] {
        let container = Container {
            name: if read_only { "ro" } else { "rw" }.into(),
            security_context: Some(SecurityContext {
                read_only_root_filesystem: Some(read_only),
                ..Default::default()
            }),
            ..Default::default()
        };
        let files = RootFiles {
            hosts: String::new(),
            hostname: "pod".into(),
            resolv_conf: String::new(),
            working_dir: String::new(),
            image: Vec::new(),
        };
        let root = volumes.attach(&container, 0, &files).unwrap();
        let made = root.preopens[0].host_path().join("made");
        let (exit, _) = Pod::new()
            .run_with("file_create", |config| config.root = root)
            .await;
        if read_only {
            assert!([WASI_ROFS, WASI_PERM].contains(&exit.code), "{exit:?}");
            assert!(!made.exists());
        } else {
            assert_eq!(exit, Exit::with_code(0));
            assert_eq!(std::fs::read(made).unwrap(), b"made");
        }
    }
}

/// The program of the built-in image `allingeek/ch6_ipc`, as a component: it uses `wasmpod:ipc/message-queue`.
fn ipc_component() -> std::sync::Arc<wasmpod_image::Program> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/guests/ipc-component.wasm.zst"
    );
    let wasm = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
    std::sync::Arc::new(wasmpod_image::Program::new("ipc", wasm))
}

#[tokio::test]
async fn two_components_pass_messages_whoever_starts_first() {
    let program = ipc_component();
    for order in [["-producer", "-consumer"], ["-consumer", "-producer"]] {
        let pod = Pod::new();
        let mut containers = Vec::new();
        for role in order {
            containers.push((
                role,
                pod.start_program(&program, role, |config| {
                    config.args.push(role.to_owned());
                })
                .await
                .unwrap(),
            ));
        }
        let mut printed = Vec::new();
        for (role, container) in &containers {
            assert_eq!(pod.exit(container).await, Exit::with_code(0), "{role}");
            let text = container.stdout.text();
            let lines = text.lines().filter_map(|line| line.split_once(": "));
            printed.push(
                lines
                    .map(|(_, message)| message.to_owned())
                    .collect::<Vec<_>>(),
            );
        }
        let (first, second) = (&printed[0], &printed[1]);
        assert!(first.len() > 400, "{first:?}");
        let messages = |lines: &[String]| -> Vec<String> {
            lines
                .iter()
                .filter(|line| *line != "done")
                .cloned()
                .collect()
        };
        assert_eq!(messages(first), messages(second));
        assert!(
            pod.ipc.list().is_empty(),
            "the producer removed the queue, and all have closed it"
        );
    }
}
