//! Starts the program as a user does, and waits for what it says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take before a test gives up: far more than it needs on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(50);

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file under `examples/`.
pub(crate) fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

/// The module of a guest that only tests need, unpacked from `tests/guests`.
pub(crate) fn test_guest(name: &str) -> PathBuf {
    let packed = std::fs::read(root().join(format!("tests/guests/{name}.wasm.zst"))).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    std::fs::create_dir_all(&folder).unwrap();
    // Tests unpack at the same time: each its own file, and the last one stays.
    let mut file = tempfile::NamedTempFile::new_in(&folder).unwrap();
    let module = zstd::decode_all(packed.as_slice()).unwrap();
    file.write_all(&module).unwrap();
    let path = folder.join(format!("{name}.wasm"));
    file.persist(&path).unwrap();
    path
}

/// The program with these arguments, in a folder of its own.
pub(crate) struct Wasmpod {
    dir: TempDir,
    args: Vec<String>,
    stdin: Option<Vec<u8>>,
    state: Option<PathBuf>,
    under: Vec<String>,
    is_unread: bool,
}

/// What a program that has ended left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Wasmpod {
    pub(crate) fn new(args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self {
            dir: tempfile::tempdir().unwrap(),
            args,
            stdin: None,
            state: None,
            under: Vec::new(),
            is_unread: false,
        }
    }

    /// `wasmpod up` of an example, with further arguments.
    pub(crate) fn up(name: &str, args: &[&str]) -> Self {
        let file = example(name);
        Self::new(&[&["up", file.to_str().unwrap()], args].concat())
    }

    /// `wasmpod up` of a manifest given as text, in a folder where its files are.
    pub(crate) fn up_text(manifest: &str, args: &[&str]) -> Self {
        let mut this = Self::new(&[]);
        let file = this.file("pod.yaml", manifest.as_bytes());
        this.args = vec!["up".to_owned(), file.to_str().unwrap().to_owned()];
        this.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        this
    }

    /// Puts a file beside the manifest.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = Some(bytes.to_vec());
        self
    }

    /// The state directory, where another than the usual one is wanted.
    pub(crate) fn state(mut self, path: &Path) -> Self {
        self.state = Some(path.to_owned());
        self
    }

    /// Another program that starts it, which finds the state directory in `STATE`.
    pub(crate) fn under(mut self, command: &[&str]) -> Self {
        self.under = command.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Nobody reads its standard output.
    pub(crate) fn unread(mut self) -> Self {
        self.is_unread = true;
        self
    }

    pub(crate) fn start(self) -> Running {
        let state = self
            .state
            .clone()
            .unwrap_or_else(|| self.dir.path().join("state"));
        let program = env!("CARGO_BIN_EXE_wasmpod");
        let mut command = match self.under.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                std::fs::create_dir_all(&state).unwrap();
                let mut command = Command::new(first);
                command.args(rest).arg(program).env("STATE", &state);
                command
            }
        };
        let is_up = self.args.first().is_some_and(|verb| verb == "up");
        if is_up || self.state.is_some() {
            command.arg("--state-dir").arg(&state);
        }
        command.args(&self.args);
        // Compiled code is kept between tests, as it is between a user's runs.
        command.env("WASMPOD_CODE_DIR", code_dir());
        command.current_dir(self.dir.path());
        command.stdin(if self.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if let (Some(bytes), Some(mut stdin)) = (self.stdin, child.stdin.take()) {
            // The program may refuse to read it all.
            std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        }
        // Held open, a pipe that is not read fills up.
        let unread = child.stdout.take_if(|_| self.is_unread);
        let stdout = child.stdout.take().map_or_else(Text::none, Text::collect);
        let stderr = Text::collect(child.stderr.take().unwrap());
        Running {
            child,
            stdout,
            stderr,
            state,
            _unread: unread,
            _dir: self.dir,
        }
    }

    /// Runs to the end.
    pub(crate) fn run(self) -> Output {
        self.start().wait()
    }
}

fn code_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("code")
}

/// A program that runs. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: Text,
    pub(crate) stderr: Text,
    state: PathBuf,
    _unread: Option<ChildStdout>,
    _dir: TempDir,
}

impl Running {
    /// Waits until the program has ended by itself.
    pub(crate) fn wait(mut self) -> Output {
        let limit = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                Instant::now() < limit,
                "still running\nstdout:\n{}\nstderr:\n{}",
                self.stdout.now(),
                self.stderr.now()
            );
            // A child has no condition to wait on with a limit; its output has.
            self.stderr.wait_a_little();
        };
        Output {
            code: status.code(),
            stdout: self.stdout.to_end(),
            stderr: self.stderr.to_end(),
        }
    }

    /// Whether the program has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends SIGINT, as Ctrl-C does, once.
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until the program has ended, with Ctrl-C again and again.
    pub(crate) fn wait_interrupting(mut self) -> Output {
        eventually("the end after further interrupts", || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(());
            }
            self.interrupt();
            self.stderr.wait_a_little();
            None
        });
        self.wait()
    }

    /// Ctrl-C, and how the program ended after it.
    pub(crate) fn stop(self) -> Output {
        self.interrupt();
        self.wait()
    }

    /// The address behind which a port of a pod is published, as the program says it.
    pub(crate) fn published(&self, port: &str) -> SocketAddr {
        let end = format!(" -> {port}");
        let find = |text: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with("published ") && line.ends_with(&end))?;
            line.trim_start_matches("published ")
                .split(' ')
                .next()?
                .parse()
                .ok()
        };
        self.stderr
            .wait_for(&format!("published … -> {port}"), find)
    }

    /// Runs a verb that looks into this program's pods to its end.
    pub(crate) fn look(&self, args: &[&str]) -> Output {
        Wasmpod::new(args).state(&self.state).run()
    }

    /// Runs such a verb again and again until what it says passes.
    #[track_caller]
    pub(crate) fn look_until(&self, args: &[&str], passes: impl Fn(&Output) -> bool) -> Output {
        let mut last = None;
        let limit = Instant::now() + PATIENCE;
        loop {
            let output = self.look(args);
            if passes(&output) {
                return output;
            }
            assert!(
                Instant::now() < limit,
                "{args:?}: {:?}\nlast: {last:?}\nstderr:\n{}",
                output,
                self.stderr.now()
            );
            last = Some(output);
        }
    }

    /// What is left in the state directory, besides compiled code.
    pub(crate) fn state(&self) -> PathBuf {
        self.state.clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Everything under `dir`, relative to it.
pub(crate) fn left_in(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return vec![];
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        found.push(entry.path().display().to_string());
        found.extend(left_in(&entry.path()));
    }
    found
}

/// What a stream has said so far, growing.
#[derive(Clone)]
pub(crate) struct Text(Arc<(Mutex<Collected>, Condvar)>);

#[derive(Default)]
struct Collected {
    text: String,
    ended: bool,
}

impl Text {
    /// A stream that says nothing.
    fn none() -> Self {
        Self::collect(std::io::empty())
    }

    /// What a terminal shows, as it comes: a prompt is no line.
    #[cfg(target_os = "linux")]
    pub(crate) fn collect_bytes(mut from: impl Read + Send + 'static) -> Self {
        let this = Self(Arc::default());
        let writer = this.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                // A terminal that was closed is an error to read (EIO).
                let read = from.read(&mut buffer).unwrap_or(0);
                let mut collected = writer.0.0.lock().unwrap();
                let text = String::from_utf8_lossy(buffer.get(..read).unwrap());
                collected.text.push_str(&text);
                collected.ended = read == 0;
                writer.0.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        this
    }

    fn collect(from: impl Read + Send + 'static) -> Self {
        let this = Self(Arc::default());
        let writer = this.clone();
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            loop {
                line.clear();
                let read = from.read_until(b'\n', &mut line).unwrap_or(0);
                let mut collected = writer.0.0.lock().unwrap();
                collected.text.push_str(&String::from_utf8_lossy(&line));
                collected.ended = read == 0;
                writer.0.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        this
    }

    pub(crate) fn now(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    fn to_end(&self) -> String {
        let guard = self.0.0.lock().unwrap();
        let (guard, _) = self
            .0
            .1
            .wait_timeout_while(guard, PATIENCE, |collected| !collected.ended)
            .unwrap();
        guard.text.clone()
    }

    fn wait_a_little(&self) {
        let guard = self.0.0.lock().unwrap();
        drop(
            self.0
                .1
                .wait_timeout(guard, Duration::from_millis(20))
                .unwrap(),
        );
    }

    /// Waits until `find` finds something in the text.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> T {
        let limit = Instant::now() + PATIENCE;
        let mut guard = self.0.0.lock().unwrap();
        loop {
            if let Some(found) = find(&guard.text) {
                return found;
            }
            let left = limit.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !guard.ended,
                "no {what} in:\n{}",
                guard.text
            );
            guard = self.0.1.wait_timeout(guard, left).unwrap().0;
        }
    }

    /// Waits until the text holds `part`.
    #[track_caller]
    pub(crate) fn wait_until_contains(&self, part: &str) {
        self.wait_for(&format!("{part:?}"), |text| {
            text.contains(part).then_some(())
        });
    }
}

/// Waits until `check` gives something, asking again and again.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < limit, "{what}: not within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// An answer to an HTTP request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `GET path`, with a connection of its own. Nothing when the server does not answer.
pub(crate) fn http_get(address: SocketAddr, path: &str) -> Option<Response> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Response {
        status,
        body: body.to_owned(),
    })
}
