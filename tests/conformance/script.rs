//! Guests that note what they do and when, and the order that follows from the notes.
//!
//! Upstream's tests of order let every container, hook and probe write a line when it starts and when it exits, and
//! compare the times (`test/e2e_node/container_lifecycle_pod_construction.go`). Here the line goes to the container's
//! termination message: its hooks and probes can write there as well as it can, and it outlives the container.

use serde_json::{Value, json};
use wasmpod_manifest::k8s::{ContainerStateTerminated, PodStatus, Time};

use crate::pod::container;

/// Where the notes are.
const NOTES: &str = "/dev/termination-log";

/// The manifest of a pod with this spec.
pub(crate) fn pod(spec: &Value) -> String {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": spec}).to_string()
}

/// A container that runs a script.
pub(crate) fn shell(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "busybox", "command": ["sh", "-c", script]})
}

/// A command that notes its start, takes so many seconds, notes its exit, and exits so.
pub(crate) fn noting(name: &str, seconds: u64, code: i32) -> Value {
    json!([
        "sh",
        "-c",
        format!(
            "echo \"$(date +%s%N) {name} starts\" >> {NOTES}; sleep {seconds}; \
         echo \"$(date +%s%N) {name} exits\" >> {NOTES}; exit {code}"
        )
    ])
}

/// A container that does nothing else.
pub(crate) fn noted(name: &str, seconds: u64, code: i32) -> Value {
    json!({"name": name, "image": "busybox", "command": noting(name, seconds, code)})
}

/// The object with more fields.
pub(crate) fn with(mut object: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut object, more) else {
        panic!("only objects have fields");
    };
    fields.extend(more);
    object
}

/// An init container that goes on running.
pub(crate) fn sidecar(container: Value) -> Value {
    with(container, json!({"restartPolicy": "Always"}))
}

#[derive(Debug, Clone)]
struct Note {
    /// Nanoseconds since 1970.
    at: i128,
    who: String,
    is_start: bool,
}

/// When everything of a pod started and exited, as far as its containers' statuses still tell.
#[derive(Debug)]
pub(crate) struct Timeline(Vec<Note>);

impl Timeline {
    /// What the last two instances of each container noted, and what the statuses say of containers that could note
    /// nothing, since they were killed or still run.
    pub(crate) fn of(status: &PodStatus) -> Self {
        let mut notes = Vec::new();
        let all = [&status.init_container_statuses, &status.container_statuses];
        for status in all.into_iter().flatten().flatten() {
            let states = [&status.last_state, &status.state];
            for state in states.into_iter().flatten() {
                if let Some(ended) = &state.terminated {
                    notes.extend(notes_of(&status.name, ended));
                }
                if let Some(since) = state
                    .running
                    .as_ref()
                    .and_then(|state| state.started_at.clone())
                {
                    notes.push(note(&since, &status.name, true));
                }
            }
        }
        notes.sort_by_key(|note| note.at);
        Self(notes)
    }

    /// When `who` started first.
    pub(crate) fn start(&self, who: &str) -> i128 {
        self.first(who, true)
            .unwrap_or_else(|| panic!("{who} does not start: {self:#?}"))
    }

    /// When `who` exited first.
    pub(crate) fn exit(&self, who: &str) -> i128 {
        self.first(who, false)
            .unwrap_or_else(|| panic!("{who} does not exit: {self:#?}"))
    }

    /// How often `who` started.
    pub(crate) fn starts(&self, who: &str) -> usize {
        self.0
            .iter()
            .filter(|note| note.who == who && note.is_start)
            .count()
    }

    /// How often it started in that time, both in nanoseconds since 1970.
    pub(crate) fn starts_between(&self, who: &str, from: i128, to: i128) -> usize {
        let starts = self
            .0
            .iter()
            .filter(|note| note.who == who && note.is_start);
        starts.filter(|note| (from..=to).contains(&note.at)).count()
    }

    #[track_caller]
    pub(crate) fn assert_exits_before(&self, one: &str, other: &str) {
        assert!(
            self.exit(one) <= self.start(other),
            "{one} exits before {other}: {self:#?}"
        );
    }

    /// The one that starts first still runs when the other starts.
    #[track_caller]
    pub(crate) fn assert_run_together(&self, first: &str, second: &str) {
        let start = self.start(second);
        let runs =
            self.start(first) <= start && self.first(first, false).is_none_or(|exit| start < exit);
        assert!(runs, "{first} and {second} run together: {self:#?}");
    }

    #[track_caller]
    pub(crate) fn assert_does_not_start(&self, who: &str) {
        assert_eq!(self.starts(who), 0, "{who} does not start: {self:#?}");
    }

    fn first(&self, who: &str, is_start: bool) -> Option<i128> {
        let found = self
            .0
            .iter()
            .find(|note| note.who == who && note.is_start == is_start)?;
        Some(found.at)
    }
}

fn notes_of(name: &str, ended: &ContainerStateTerminated) -> Vec<Note> {
    let lines = ended.message.iter().flat_map(|message| message.lines());
    let mut notes: Vec<_> = lines
        .filter_map(|line| {
            let (at, rest) = line.split_once(' ')?;
            let (who, what) = rest.rsplit_once(' ')?;
            Some(Note {
                at: at.parse().ok()?,
                who: who.to_owned(),
                is_start: what == "starts",
            })
        })
        .collect();
    let has = |notes: &[Note], is_start| {
        notes
            .iter()
            .any(|note| note.who == name && note.is_start == is_start)
    };
    if !has(&notes, true)
        && let Some(time) = &ended.started_at
    {
        notes.push(note(time, name, true));
    }
    if !has(&notes, false)
        && let Some(time) = &ended.finished_at
    {
        notes.push(note(time, name, false));
    }
    notes
}

fn note(time: &Time, who: &str, is_start: bool) -> Note {
    Note {
        at: nanoseconds(time),
        who: who.to_owned(),
        is_start,
    }
}

fn nanoseconds(time: &Time) -> i128 {
    time.0.as_nanosecond()
}

/// When a running container was started, in nanoseconds since 1970.
pub(crate) fn running_since(status: &PodStatus, name: &str) -> i128 {
    let found = container(status, name);
    let running = found
        .state
        .as_ref()
        .and_then(|state| state.running.as_ref());
    let since = running.and_then(|running| running.started_at.as_ref());
    nanoseconds(since.unwrap_or_else(|| panic!("{name} does not run: {found:#?}")))
}

/// How a container's last instance ended.
pub(crate) fn ended(status: &PodStatus, name: &str) -> ContainerStateTerminated {
    let found = container(status, name);
    let state = found.state.clone().and_then(|state| state.terminated);
    let last = || found.last_state.clone().and_then(|state| state.terminated);
    state
        .or_else(last)
        .unwrap_or_else(|| panic!("{name} has not ended: {found:#?}"))
}

/// When it ended, in nanoseconds since 1970.
pub(crate) fn ended_at(status: &PodStatus, name: &str) -> i128 {
    nanoseconds(&ended(status, name).finished_at.unwrap())
}

/// Seconds in nanoseconds.
pub(crate) const fn seconds(seconds: i128) -> i128 {
    seconds * 1_000_000_000
}
