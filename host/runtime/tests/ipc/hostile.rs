//! Random calls with the worst arguments: the import surface under a fuzzer that needs no nightly compiler.
//!
//! One guest is compiled once. It reads calls from its standard input, an index and eight numbers each, and makes them,
//! whatever they return. Most numbers are from a list of bad ones; waits are short, but since calls may overwrite what is
//! still to be called, some are not, and such a guest is killed. Afterwards the pod must work as before, and nothing of
//! the guest may be left.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use wasmpod_image::Program;
use wasmpod_ipc::{OpenFlags, PodIpc};
use wasmpod_sandbox::{ContainerRuntime as _, GuestInput};

use super::script::{Import, Script, head, imports};
use crate::tests::fixture::{Pod, in_time};

/// The most arguments of an import, rounded up.
const ARGUMENTS: usize = 8;

/// Bytes of one call: its index and its arguments, 64 bits each.
const CALL: usize = 8 * (ARGUMENTS + 1);

/// Where the guest keeps the calls.
const CALLS_AT: usize = 3 * 65536;

/// Calls of one guest at most.
const CALLS: usize = 200;

/// How long a guest may take before it is killed.
const LIMIT: Duration = Duration::from_millis(300);

/// A guest that makes the calls that it reads.
fn caller(imports: &[Import]) -> Arc<Program> {
    let mut text = head(imports);
    for import in imports {
        let arguments = import.is_long.iter().enumerate().map(|(index, is_long)| {
            let load = format!("(i64.load offset={} (local.get $at))", 8 * (index + 1));
            if *is_long {
                load
            } else {
                format!("(i32.wrap_i64 {load})")
            }
        });
        let (name, arguments) = (&import.name, arguments.collect::<Vec<_>>().join(" "));
        writeln!(
            text,
            "(func $do_{name} (param $at i32) (drop (call ${name} {arguments})))"
        )
        .unwrap();
    }
    let names: Vec<_> = imports
        .iter()
        .map(|import| format!("$do_{}", import.name))
        .collect();
    let (count, names) = (imports.len(), names.join(" "));
    let most = CALLS * CALL;
    writeln!(
        text,
        r#"(type $do (func (param i32)))
        (table funcref (elem {names}))
        (data (i32.const 0) "/aaaa/bbbb\00/cc")
        (data (i32.const 64) "\00\00\01\00\00\10\01\00\ff\ff\00\08")
        (func (export "_start") (local $at i32) (local $end i32)
          (local.set $end (i32.const {CALLS_AT}))
          (block $read (loop $more
            (i32.store (i32.const 512) (local.get $end))
            (i32.store (i32.const 516) (i32.const {most}))
            (br_if $read (call $fd_read (i32.const 0) (i32.const 512) (i32.const 1) (i32.const 520)))
            (br_if $read (i32.eqz (i32.load (i32.const 520))))
            (local.set $end (i32.add (local.get $end) (i32.load (i32.const 520))))
            (br $more)))
          (local.set $at (i32.const {CALLS_AT}))
          (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
            (call_indirect (type $do) (local.get $at)
              (i32.rem_u (i32.load (local.get $at)) (i32.const {count})))
            (local.set $at (i32.add (local.get $at) (i32.const {CALL})))
            (br $next)))))"#
    )
    .unwrap();
    let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Arc::new(Program::new("caller.wasm", wasm))
}

/// Numbers that have broken somebody's program.
fn number() -> impl Strategy<Value = i64> {
    let bad = [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        12,
        15,
        16,
        31,
        64,
        100,
        127,
        128,
        255,
        256,
        512,
        1024,
        4096,
        8192,
        65528,
        65535,
        65536,
        131_072,
        196_608,
        262_144,
        327_680,
        458_752,
        524_280,
        524_284,
        524_288,
        524_289,
        1 << 30,
        (1 << 30) + 1,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        1 << 31,
        i64::from(u32::MAX),
        -1,
        -2,
        -4,
        -8,
        -65536,
        1 << 32,
        1 << 40,
        i64::MAX,
        i64::MIN,
    ];
    prop_oneof![
        8 => prop::sample::select(bad.to_vec()),
        1 => any::<i64>(),
        2 => 0_i64..200,
    ]
}

/// One call; times are short.
fn call(imports: &'static [Import]) -> impl Strategy<Value = Vec<u8>> {
    let arguments = prop::collection::vec(number(), ARGUMENTS);
    (0..imports.len(), arguments, 0_i64..2_000_000).prop_map(move |(index, mut arguments, time)| {
        let import = &imports[index];
        let waits = import.name.ends_with("wait")
            || import.name.ends_with("operate")
            || import.name == "msg_send"
            || import.name == "msg_receive";
        if let Some(last) = arguments
            .get_mut(import.is_long.len() - 1)
            .filter(|_| waits)
        {
            *last = time;
        }
        let index = i64::try_from(index).unwrap();
        std::iter::once(index)
            .chain(arguments)
            .flat_map(i64::to_le_bytes)
            .collect()
    })
}

/// The pod's IPC works as before.
fn works(ipc: &PodIpc) {
    let door = ipc.attach("neighbour");
    let shared = door.shm_open("/witness", OpenFlags::READ).unwrap();
    let mut witness = [0; 7];
    assert_eq!(shared.read(0, &mut witness), Ok(7));
    assert_eq!(&witness, b"witness", "nobody else's memory has changed");
    let queue = door
        .mq_open("/witness", OpenFlags::READ | OpenFlags::WRITE, None)
        .unwrap();
    queue.try_send(b"alive", 1).unwrap();
    assert_eq!(
        queue.try_receive_into(|data, _| data.to_vec()).unwrap(),
        b"alive"
    );
}

async fn suffers(pod: &Pod, program: &Arc<Program>, calls: &[u8]) {
    let (writer, reader) = wasmpod_sandbox::stdio::input();
    let container = pod
        .start_program(program, "caller", |config| {
            config.stdin = GuestInput::Pipe(reader)
        })
        .await
        .unwrap();
    let fed = async {
        // A guest that ended early reads no more.
        let _gone = writer.write(Bytes::copy_from_slice(calls)).await;
        writer.close();
        pod.runtime.wait_container(&container.id).await;
    };
    if tokio::time::timeout(LIMIT, fed).await.is_err() {
        in_time(
            "it is killed",
            pod.runtime.stop_container(&container.id, Duration::ZERO),
        )
        .await;
    }
    in_time("it is removed", pod.runtime.remove_container(&container.id)).await;
    let list = pod.ipc.list();
    assert!(
        list.message_queues.iter().all(|one| one.open_handles == 0),
        "{list:?}"
    );
    assert!(
        list.semaphores
            .iter()
            .all(|one| one.open_handles == 0 && one.waiting == 0),
        "{list:?}"
    );
    assert!(
        list.shared_memory.iter().all(|one| one.open_handles == 0),
        "{list:?}"
    );
    assert!(
        list.system_v_segments.iter().all(|one| one.attached == 0),
        "{list:?}"
    );
    assert!(list.shared_memory_bytes <= wasmpod_ipc::limits::MAX_SHARED_MEMORY_BYTES);
    works(&pod.ipc);
}

#[test]
fn random_calls_with_bad_arguments_harm_nobody_else() {
    let imports: &'static [Import] = Box::leak(imports().into_boxed_slice());
    let program = caller(imports);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let pod = runtime.block_on(async { Pod::new() });
    let door = pod.ipc.attach("witness");
    let flags = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE;
    let shared = door.shm_open("/witness", flags).unwrap();
    shared.truncate(7).unwrap();
    shared.write(0, b"witness").unwrap();
    drop(shared);
    drop(door.mq_open("/witness", flags, None).unwrap());
    let config = ProptestConfig {
        failure_persistence: None,
        // 256 guests, or as many as PROPTEST_CASES says.
        ..ProptestConfig::default()
    };
    proptest!(config, |(calls in prop::collection::vec(call(imports), 1..CALLS))| {
        runtime.block_on(suffers(&pod, &program, &calls.concat()));
    });
    assert!(
        pod.ipc.list().len() > 4,
        "the calls did something: {:?}",
        pod.ipc.list()
    );
}

#[tokio::test]
async fn every_import_of_the_reference_is_offered_with_its_signature() {
    let imports = imports();
    assert!(imports.len() > 50, "{}", imports.len());
    Script::new().holds().await;
}
