//! Sockets of WASI 0.1: what a module may do wrong with them, and that listeners are there. What they do when all is right
//! is in host/wasip1_sockets, and in tests/it with real programs.

use std::fmt::Write as _;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use wasmpod_image::Program;
use wasmpod_network::{AddressFamily, ContainerNetwork, TcpSocket};
use wasmpod_sandbox::{DeclaredPort, Exit, GuestInput, RuntimeError, stdio};

use super::fixture::{Pod, in_time};

const SUCCESS: i32 = 0;
const EAGAIN: i32 = 6;
const EBADF: i32 = 8;
const EFAULT: i32 = 21;
const EINVAL: i32 = 28;
const EMFILE: i32 = 33;
const ENOTDIR: i32 = 54;
const ENOTSOCK: i32 = 57;
const ENOTSUP: i32 = 58;
const ESPIPE: i32 = 70;

/// The first socket that a guest opens, and its first preopened listener.
const OPENED: i64 = 1024;
const LISTENER: i64 = 3;

/// Bytes of the guest's memory.
const MEMORY: i64 = 65536;

/// A place where nothing else is, and one for results.
const SPARE: i64 = 4096;
const OUT: i64 = 8192;
/// A description of the 4 bytes of 127.0.0.1, and one of 16 bytes for results.
const ADDRESS: i64 = 512;
const NAME: i64 = 528;
/// One buffer of 16 bytes.
const BUFFERS: i64 = 544;

/// A module that makes calls one after the other, and exits with the number of the first that was wrong, or with 0.
#[derive(Default)]
struct Calls {
    imports: Vec<(&'static str, String)>,
    body: String,
    number: u32,
}

impl Calls {
    fn import(&mut self, name: &'static str, arguments: &[i64], is_long: &[usize]) {
        let types: Vec<_> = (0..arguments.len())
            .map(|index| {
                if is_long.contains(&index) {
                    "i64"
                } else {
                    "i32"
                }
            })
            .collect();
        if !self.imports.iter().any(|(known, _)| *known == name) {
            self.imports.push((name, types.join(" ")));
        }
    }

    /// Makes a call with 32-bit arguments, except those at `is_long`; it must return `errno`.
    fn call_with(&mut self, name: &'static str, arguments: &[i64], is_long: &[usize], errno: i32) {
        self.import(name, arguments, is_long);
        let arguments: Vec<_> = arguments
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let kind = if is_long.contains(&index) {
                    "i64"
                } else {
                    "i32"
                };
                format!("({kind}.const {value})")
            })
            .collect();
        self.check(&format!("(call ${name} {})", arguments.join(" ")), errno);
    }

    fn call(&mut self, name: &'static str, arguments: &[i64], errno: i32) -> &mut Self {
        self.call_with(name, arguments, &[], errno);
        self
    }

    /// The 32 bits, or the byte, at an address must be these.
    fn word(&mut self, address: i64, want: i32) -> &mut Self {
        self.check(&format!("(i32.load (i32.const {address}))"), want);
        self
    }

    fn byte(&mut self, address: i64, want: i32) -> &mut Self {
        self.check(&format!("(i32.load8_u (i32.const {address}))"), want);
        self
    }

    fn check(&mut self, got: &str, want: i32) {
        self.number += 1;
        let number = self.number;
        writeln!(
            self.body,
            "(if (i32.ne {got} (i32.const {want})) (then (call $proc_exit (i32.const {number})))) ;; {number}"
        )
        .unwrap();
    }

    fn store(&mut self, address: i64, word: i64) -> &mut Self {
        writeln!(
            self.body,
            "(i32.store (i32.const {address}) (i32.const {word}))"
        )
        .unwrap();
        self
    }

    fn text(&self) -> String {
        let mut text = "(module\n".to_owned();
        for (name, types) in &self.imports {
            writeln!(
                text,
                r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {types}) (result i32)))"#
            )
            .unwrap();
        }
        let (body, address, name, buffers) = (&self.body, ADDRESS, NAME, BUFFERS);
        write!(
            text,
            r#"(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1 1)
            (data (i32.const {address}) "\08\02\00\00\04\00\00\00\7f\00\00\01")
            (data (i32.const {name}) "\00\30\00\00\10\00\00\00")
            (data (i32.const {buffers}) "\00\40\00\00\10\00\00\00")
            (func (export "_start")
            {body}))"#
        )
        .unwrap();
        text
    }

    fn program(&self) -> Arc<Program> {
        let text = self.text();
        let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Arc::new(Program::new("calls.wasm", wasm))
    }

    /// Runs it in `pod` with these declared ports; all checks must hold.
    async fn hold_with(&self, pod: &Pod, ports: &[u16]) {
        let program = self.program();
        let started = pod.start_program(&program, "calls", |config| {
            config.ports = declared(ports);
        });
        let container = started.await.unwrap();
        let exit = pod.exit(&container).await;
        assert_eq!(exit, Exit::with_code(0), "{}", self.text());
    }

    async fn hold(&self) {
        self.hold_with(&Pod::new(), &[]).await;
    }
}

fn declared(ports: &[u16]) -> Vec<DeclaredPort> {
    let port = |number: &u16| DeclaredPort {
        name: Some(format!("p{number}")),
        number: *number,
    };
    ports.iter().map(port).collect()
}

/// Begins to connect to a port of the pod.
fn dial(container: &ContainerNetwork, port: u16) -> TcpSocket {
    let socket = container.tcp_socket(AddressFamily::Ipv4).unwrap();
    socket.connect(([127, 0, 0, 1], port).into()).unwrap();
    socket
}

/// Every call that takes pointers: valid arguments, and which of them are pointers.
const POINTERS: [(&str, &[i64], &[usize]); 17] = [
    ("sock_open", &[1, 2, OUT], &[2]),
    ("sock_bind", &[OPENED, ADDRESS, 0], &[1]),
    ("sock_connect", &[OPENED, ADDRESS, 80], &[1]),
    ("sock_accept", &[OPENED, 0, OUT], &[2]),
    ("sock_recv", &[OPENED, BUFFERS, 1, 0, OUT, OUT], &[1, 4, 5]),
    (
        "sock_recv_from",
        &[OPENED, BUFFERS, 1, NAME, 0, OUT, OUT, OUT],
        &[1, 3, 5, 6, 7],
    ),
    ("sock_send", &[OPENED, BUFFERS, 1, 0, OUT], &[1, 4]),
    (
        "sock_send_to",
        &[OPENED, BUFFERS, 1, ADDRESS, 80, 0, OUT],
        &[1, 3, 6],
    ),
    ("sock_getlocaladdr", &[OPENED, NAME, OUT, OUT], &[1, 2, 3]),
    ("sock_getsockopt", &[OPENED, 0, 1, SPARE, OUT], &[4]),
    ("sock_setsockopt", &[OPENED, 0, 0, SPARE, 4], &[3]),
    (
        "sock_getaddrinfo",
        &[SPARE, 8, SPARE, 8, SPARE, SPARE, 1, OUT],
        &[0, 2, 4, 7],
    ),
    ("fd_read", &[OPENED, BUFFERS, 1, OUT], &[1, 3]),
    ("fd_write", &[OPENED, BUFFERS, 1, OUT], &[1, 3]),
    ("fd_fdstat_get", &[OPENED, OUT], &[1]),
    ("fd_filestat_get", &[OPENED, OUT], &[1]),
    ("poll_oneoff", &[SPARE, SPARE, 1, OUT], &[0, 1, 3]),
];

#[tokio::test]
async fn a_wild_pointer_is_efault_and_changes_nothing() {
    let mut calls = Calls::default();
    calls
        .call("sock_open", &[1, 2, OUT], SUCCESS)
        .word(OUT, 1024);
    // A subscription to the socket.
    calls.store(SPARE + 8, 1).store(SPARE + 16, OPENED);
    for (name, arguments, pointers) in POINTERS {
        for pointer in pointers {
            for wild in [-1, MEMORY, MEMORY - 1, i64::from(i32::MIN)] {
                let mut arguments = arguments.to_vec();
                arguments[*pointer] = wild;
                calls.call(name, &arguments, EFAULT);
            }
        }
    }
    // A list in the memory, of buffers that are not.
    calls.store(BUFFERS, MEMORY - 8);
    calls.call("fd_read", &[OPENED, BUFFERS, 1, OUT], EFAULT);
    calls.store(BUFFERS, 0).store(BUFFERS + 4, -1);
    calls.call("fd_write", &[OPENED, BUFFERS, 1, OUT], EFAULT);
    calls.call("fd_write", &[OPENED, BUFFERS, -1, OUT], EINVAL);
    calls.call("fd_write", &[OPENED, 0, 1025, OUT], EINVAL);
    calls.call("poll_oneoff", &[0, 0, 65537, OUT], EINVAL);
    calls.call("poll_oneoff", &[0, 0, -1, OUT], EINVAL);
    // The socket is as it was, and no other was opened.
    calls.call("sock_listen", &[OPENED, 1], SUCCESS);
    calls.call("fd_close", &[OPENED + 1], EBADF);
    calls.hold().await;
}

#[tokio::test]
async fn a_call_for_files_says_what_a_socket_is_not_and_the_other_way_round() {
    let mut calls = Calls::default();
    calls.call("sock_open", &[1, 2, OUT], SUCCESS);
    let buffers = [BUFFERS, 1];
    for (fd, closed) in [(OPENED, false), (OPENED + 1, true), (-1, true)] {
        let or = |errno| if closed { EBADF } else { errno };
        calls.call_with("fd_seek", &[fd, 0, 0, OUT], &[1], or(ESPIPE));
        calls.call_with("fd_pread", &[fd, buffers[0], 1, 0, OUT], &[3], or(ESPIPE));
        calls.call_with("fd_pwrite", &[fd, buffers[0], 1, 0, OUT], &[3], or(ESPIPE));
        calls.call_with("fd_readdir", &[fd, SPARE, 1, 0, OUT], &[3], or(ENOTDIR));
        calls.call("fd_tell", &[fd, OUT], or(ESPIPE));
        calls.call("fd_sync", &[fd], or(EINVAL));
        calls.call_with(
            "path_open",
            &[fd, 0, 0, 1, 0, 0, 0, 0, OUT],
            &[5, 6],
            or(ENOTDIR),
        );
        calls.call("path_rename", &[fd, 0, 1, fd, 0, 1], or(ENOTDIR));
        calls.call("fd_renumber", &[fd, 1], or(ENOTSUP));
        calls.call("fd_renumber", &[1, fd], or(ENOTSUP));
        calls.call("fd_prestat_get", &[fd, OUT], EBADF);
    }
    for fd in [0, 1, 77] {
        calls.call("sock_recv", &[fd, BUFFERS, 1, 0, OUT, OUT], ENOTSOCK);
        calls.call("sock_send", &[fd, BUFFERS, 1, 0, OUT], ENOTSOCK);
        calls.call("sock_accept", &[fd, 0, OUT], ENOTSOCK);
        calls.call("sock_shutdown", &[fd, 1], ENOTSOCK);
        calls.call("sock_bind", &[fd, ADDRESS, 0], ENOTSOCK);
        calls.call("sock_getsockopt", &[fd, 0, 1, SPARE, OUT], ENOTSOCK);
    }
    calls.call("fd_close", &[OPENED], SUCCESS);
    for name in ["fd_read", "fd_write"] {
        calls.call(name, &[OPENED, BUFFERS, 1, OUT], EBADF);
    }
    calls.hold().await;
}

#[tokio::test]
async fn sockets_run_out_and_come_back() {
    let mut calls = Calls::default();
    for number in 0..1024 {
        calls.call("sock_open", &[1, 1 + number % 2, OUT], SUCCESS);
        calls.word(OUT, i32::try_from(1024 + number).unwrap());
    }
    calls.call("sock_open", &[1, 2, OUT], EMFILE);
    calls.call("fd_close", &[1500], SUCCESS);
    calls
        .call("sock_open", &[1, 2, OUT], SUCCESS)
        .word(OUT, 1500);
    calls.call("sock_open", &[1, 2, OUT], EMFILE);
    calls.hold().await;
}

#[tokio::test]
async fn the_listeners_of_the_declared_ports_come_first_and_do_not_block() {
    let mut calls = Calls::default();
    for fd in [LISTENER, LISTENER + 1] {
        // A socket, not a directory; and not the end of what is open.
        calls
            .call("fd_prestat_get", &[fd, OUT], SUCCESS)
            .byte(OUT, 1);
        calls
            .call("fd_fdstat_get", &[fd, OUT], SUCCESS)
            .byte(OUT, 6)
            .byte(OUT + 2, 4);
        calls
            .call("fd_filestat_get", &[fd, OUT], SUCCESS)
            .byte(OUT + 16, 6);
        calls.call("sock_accept", &[fd, 0, OUT], EAGAIN);
    }
    calls.call("fd_prestat_get", &[LISTENER + 2, OUT], EBADF);
    calls.call("fd_close", &[LISTENER], SUCCESS);
    calls.call("sock_accept", &[LISTENER, 0, OUT], EBADF);
    calls.hold_with(&Pod::new(), &[80, 443]).await;
}

#[tokio::test]
async fn older_forms_of_a_call_are_told_by_their_parameters() {
    let mut calls = Calls::default();
    calls.call("sock_open", &[1, 2, OUT], SUCCESS);
    calls.call("sock_listen", &[OPENED, 1], SUCCESS);
    calls.call("fd_fdstat_set_flags", &[OPENED, 4], SUCCESS);
    calls.call("sock_accept", &[OPENED, OUT], EAGAIN);
    calls.call("sock_getlocaladdr", &[OPENED, NAME, OUT], SUCCESS);
    calls.call("sock_open", &[1, 1, OUT], SUCCESS);
    calls.call("fd_fdstat_set_flags", &[OPENED + 1, 4], SUCCESS);
    calls.call(
        "sock_recv_from",
        &[OPENED + 1, BUFFERS, 1, NAME, 0, OUT, OUT],
        EAGAIN,
    );
    calls.hold().await;
}

#[tokio::test]
async fn a_port_that_a_neighbour_has_keeps_a_listener_from_starting() {
    let pod = Pod::new();
    let neighbour = pod.network.attach("neighbour");
    let socket = neighbour.tcp_socket(AddressFamily::Ipv4).unwrap();
    socket.bind(([0, 0, 0, 0], 80).into()).unwrap();
    let mut calls = Calls::default();
    calls.call("sock_accept", &[LISTENER, 0, OUT], EAGAIN);
    let program = calls.program();
    let refused = pod.start_program(&program, "web", |config| {
        config.ports = declared(&[80]);
    });
    let Err(RuntimeError::Create { container, detail }) = refused.await.map(|started| started.id)
    else {
        panic!("it started");
    };
    assert_eq!(container, "web");
    assert_eq!(detail, "cannot listen on its containerPort 80: EADDRINUSE");
}

#[tokio::test]
async fn a_module_that_binds_itself_finds_its_ports_free() {
    let mut calls = Calls::default();
    calls.import("sock_accept", &[0, 0, 0], &[]);
    calls.call("sock_open", &[1, 2, OUT], SUCCESS);
    calls.call("sock_bind", &[OPENED, ADDRESS, 80], SUCCESS);
    calls.hold_with(&Pod::new(), &[80]).await;
}

/// A module that polls its listener, its standard input and a clock of so many seconds, and exits with the userdata of the
/// first event: 1, 2 or 3.
fn poller(seconds: i64) -> Arc<Program> {
    let mut calls = Calls::default();
    calls.import("sock_accept", &[0, 0, 0], &[]);
    let nanoseconds = seconds * 1_000_000_000;
    calls
        .store(SPARE, 1)
        .store(SPARE + 8, 1)
        .store(SPARE + 16, LISTENER);
    calls
        .store(SPARE + 48, 2)
        .store(SPARE + 56, 1)
        .store(SPARE + 64, 0);
    calls.store(SPARE + 96, 3).store(SPARE + 112, 1);
    calls
        .store(SPARE + 120, nanoseconds & 0xffff_ffff)
        .store(SPARE + 124, nanoseconds >> 32);
    calls
        .call("poll_oneoff", &[SPARE, OUT, 3, 64], SUCCESS)
        .word(64, 1);
    writeln!(calls.body, "(call $proc_exit (i32.load (i32.const {OUT})))").unwrap();
    calls.program()
}

/// Runs [`poller`] until `happen` has made one of the three come true; its exit code.
async fn polled(seconds: i64, happen: impl FnOnce(&Pod, stdio::InputWriter)) -> i32 {
    let pod = Pod::new();
    let (writer, reader) = stdio::input();
    let program = poller(seconds);
    let started = pod.start_program(&program, "poller", |config| {
        config.ports = declared(&[80]);
        config.stdin = GuestInput::Pipe(reader);
    });
    let container = started.await.unwrap();
    happen(&pod, writer);
    in_time("an event", pod.exit(&container)).await.code
}

#[tokio::test]
async fn a_poll_of_listener_input_and_clock_hears_of_what_comes_first() {
    let mut kept = Vec::new();
    let connection = polled(600, |pod, writer| {
        let client = pod.network.attach("client");
        kept.push((dial(&client, 80), client, writer));
    });
    assert_eq!(connection.await, 1);
    let mut kept = Vec::new();
    let input = polled(600, |_, writer| {
        let cx = &mut Context::from_waker(Waker::noop());
        let written = writer.poll_write(cx, &mut Bytes::from_static(b"x"));
        assert!(written.is_ready());
        kept.push(writer);
    });
    assert_eq!(input.await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_poll_of_what_never_comes_hears_of_its_clock() {
    let mut kept = Vec::new();
    let clock = polled(20, |_, writer| kept.push(writer));
    assert_eq!(clock.await, 3);
}
