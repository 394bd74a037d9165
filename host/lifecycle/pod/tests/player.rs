//! Plays a pod: guests, probes and hooks that do as they were told, a clock that jumps to whatever comes next, and a
//! log of what happened when.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wasmpod_manifest::k8s::{ContainerStatus, Pod, PodStatus};

use super::at;
use crate::exit::Exit;
use crate::pod::{
    Action, ContainerIndex, Event, HookKind, HostFacts, PodState, ProbeKind, ProbeOutcome,
    StopCause, decide,
};

/// Something that comes at its time.
enum Coming {
    Told(Event),
    /// The end of one instance, if it still runs.
    Exit(ContainerIndex, u32, i32),
}

/// What a guest does.
#[derive(Clone, Default)]
struct Guest {
    /// Ends by itself so many seconds after its start, with this code; by instance, the last one for all later ones.
    runs: Vec<(u64, i32)>,
    /// Ends so many seconds after SIGTERM, with this code; `None`: heeds only SIGKILL.
    term: Option<(u64, i32)>,
}

pub(super) struct Player {
    pub(super) state: PodState,
    pub(super) pod: Pod,
    pub(super) now: Duration,
    coming: Vec<(Duration, u64, Coming)>,
    count: u64,
    guests: HashMap<String, Guest>,
    /// What a probe says so many seconds after the start of the instance, and from then on.
    probes: HashMap<(String, ProbeKind), Vec<(u64, bool)>>,
    /// How long a hook takes, and whether it works.
    hooks: HashMap<(String, HookKind), (u64, bool)>,
    pub(super) log: Vec<String>,
    pub(super) tries: Vec<String>,
    pub(super) notices: Vec<String>,
    start_seconds: HashMap<String, u64>,
}

impl Player {
    pub(super) fn new(spec: &Value) -> Self {
        let pod = json!({"metadata": {"name": "p", "namespace": "default", "uid": "u", "generation": 1},
                         "spec": spec});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        Self {
            state: PodState::new(&pod, &HostFacts::default(), at(Duration::ZERO)),
            pod,
            now: Duration::ZERO,
            coming: Vec::new(),
            count: 0,
            guests: HashMap::new(),
            probes: HashMap::new(),
            hooks: HashMap::new(),
            log: Vec::new(),
            tries: Vec::new(),
            notices: Vec::new(),
            start_seconds: HashMap::new(),
        }
    }

    /// Each instance of a container ends by itself after so many seconds with this code.
    pub(super) fn runs(mut self, name: &str, lives: &[(u64, i32)]) -> Self {
        self.guest(name).runs = lives.to_vec();
        self
    }

    /// The container takes so long after SIGTERM; without this it ends at once with 143.
    pub(super) fn term(mut self, name: &str, seconds: u64, code: i32) -> Self {
        self.guest(name).term = Some((seconds, code));
        self
    }

    /// The container ends by SIGKILL only.
    pub(super) fn deaf(mut self, name: &str) -> Self {
        self.guest(name).term = None;
        self
    }

    /// What a probe says from so many seconds after the start of the instance on; without this it succeeds.
    pub(super) fn probe(mut self, name: &str, kind: ProbeKind, says: &[(u64, bool)]) -> Self {
        self.probes.insert((name.to_owned(), kind), says.to_vec());
        self
    }

    /// How long a hook takes and whether it works; without this it takes no time and works.
    pub(super) fn hook(mut self, name: &str, hook: HookKind, seconds: u64, works: bool) -> Self {
        self.hooks.insert((name.to_owned(), hook), (seconds, works));
        self
    }

    /// How long the start of a container takes, in seconds; without this no time.
    pub(super) fn starts_in(mut self, name: &str, seconds: u64) -> Self {
        self.start_seconds.insert(name.to_owned(), seconds);
        self
    }

    fn guest(&mut self, name: &str) -> &mut Guest {
        let default = Guest {
            runs: Vec::new(),
            term: Some((0, 143)),
        };
        self.guests.entry(name.to_owned()).or_insert(default)
    }

    pub(super) fn delete(&mut self, grace_seconds: Option<u64>) {
        self.tell(Event::Stop {
            cause: StopCause::Requested,
            grace: grace_seconds.map(Duration::from_secs),
        });
    }

    /// Changes the pod's object as `kubectl` would.
    pub(super) fn update(&mut self, change: impl FnOnce(&mut Pod)) {
        change(&mut self.pod);
        self.pod.metadata.generation = self.pod.metadata.generation.map(|n| n + 1);
        let pod = Arc::new(self.pod.clone());
        self.tell(Event::Updated { pod });
    }

    pub(super) fn set_image(&mut self, name: &str, image: &str) {
        self.update(|pod| {
            let spec = pod.spec.as_mut().unwrap();
            let inits = spec.init_containers.iter_mut().flatten();
            let mut all = inits.chain(&mut spec.containers);
            let container = all.find(|c| c.name == name).unwrap();
            container.image = Some(image.to_owned());
        });
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.state.handle(event, at(self.now));
        self.decide();
    }

    /// Lets everything happen until so many seconds after the pod was accepted; gives what happened since last asked.
    pub(super) fn until(&mut self, seconds: u64) -> Vec<String> {
        let end = Duration::from_secs(seconds);
        for _ in 0..100_000 {
            let wake_at = self.decide();
            let first = self.coming.iter().map(|(at, n, _)| (*at, *n)).min();
            let next = [first.map(|(at, _)| at), wake_at];
            let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else {
                self.now = end;
                return std::mem::take(&mut self.log);
            };
            self.now = self.now.max(next);
            if let Some((at, number)) = first
                && at <= self.now
            {
                let place = self.coming.iter().position(|(_, n, _)| *n == number);
                let (_, _, coming) = self.coming.remove(place.unwrap());
                self.happen(coming);
            }
        }
        panic!("goes on without end: {:?}", self.log);
    }

    fn happen(&mut self, coming: Coming) {
        match coming {
            Coming::Told(event) => self.state.handle(event, at(self.now)),
            Coming::Exit(container, attempt, code) => {
                let record = self.state.container(container).unwrap();
                if record.attempt != attempt || !record.is_alive() {
                    return;
                }
                let name = record.plan.name.clone();
                self.say(&format!("exit {name} {code}"));
                let exit = Exit::with_code(code);
                self.state
                    .handle(Event::Exited { container, exit }, at(self.now));
            }
        }
    }

    fn decide(&mut self) -> Option<Duration> {
        for _ in 0..1000 {
            self.note_notices();
            let decision = decide(&self.state, self.now);
            if decision.actions.is_empty() {
                return decision.wake_at;
            }
            for action in &decision.actions {
                self.perform(action);
            }
        }
        panic!("decides without end: {:?}", self.log);
    }

    fn perform(&mut self, action: &Action) {
        self.state.begin(action, at(self.now));
        match *action {
            Action::AcquireResources => {
                let pod_ips = vec!["10.88.0.2".to_owned()];
                self.come(0, Coming::Told(Event::ResourcesReady { pod_ips }));
            }
            Action::Start { container, attempt } => {
                let name = self.name(container);
                self.say(&format!("start {name}#{attempt}"));
                let takes = self.start_seconds.get(&name).copied().unwrap_or(0);
                let id = format!("{name}-{attempt}");
                self.come(takes, Coming::Told(Event::Started { container, id }));
                let runs = self.guest(&name).runs.clone();
                let life = runs.get(attempt as usize).or(runs.last());
                if let Some((seconds, code)) = life {
                    self.come(takes + seconds, Coming::Exit(container, attempt, *code));
                }
            }
            Action::CancelStart { container } => {
                self.say(&format!("cancel {}", self.name(container)));
                self.come(0, Coming::Told(Event::StartCancelled { container }));
            }
            Action::Probe {
                container,
                attempt,
                probe,
                ..
            } => self.answer(container, attempt, probe),
            Action::RunHook {
                container,
                attempt,
                hook,
                deadline,
            } => self.run_hook(container, attempt, hook, deadline),
            Action::Stop { container, kill_at } => {
                let name = self.name(container);
                let attempt = self.state.container(container).unwrap().attempt;
                if kill_at <= self.now {
                    self.say(&format!("kill {name}"));
                    self.come(0, Coming::Exit(container, attempt, 137));
                } else {
                    let left = kill_at.saturating_sub(self.now).as_secs();
                    self.say(&format!("term {name} {left}"));
                    if let Some((seconds, code)) = self.guest(&name).term {
                        self.come(seconds, Coming::Exit(container, attempt, code));
                    }
                }
            }
            Action::ExceedDeadline => self.say("deadline"),
            Action::Finish => {
                self.say("finish");
                self.state.handle(Event::Released, at(self.now));
            }
        }
    }

    fn answer(&mut self, container: ContainerIndex, attempt: u32, probe: ProbeKind) {
        let name = self.name(container);
        let record = self.state.container(container).unwrap();
        let crate::pod::ContainerState::Running { started, .. } = &record.state else {
            panic!("probes a container that does not run");
        };
        let age = self.now.saturating_sub(started.elapsed).as_secs();
        let says = self.probes.get(&(name.clone(), probe));
        let says = says.and_then(|all| all.iter().rev().find(|(from, _)| *from <= age));
        let success = says.is_none_or(|(_, says)| *says);
        let word = if success { "ok" } else { "no" };
        let kind = probe.as_str().to_lowercase();
        self.tries
            .push(format!("{} {name} {kind} {word}", self.now.as_secs()));
        let outcome = if success {
            ProbeOutcome::Success
        } else {
            ProbeOutcome::Failure("no".to_owned())
        };
        self.come(
            0,
            Coming::Told(Event::Probed {
                container,
                attempt,
                probe,
                outcome,
            }),
        );
    }

    fn run_hook(
        &mut self,
        container: ContainerIndex,
        attempt: u32,
        hook: HookKind,
        deadline: Option<Duration>,
    ) {
        let name = self.name(container);
        self.say(&format!("{} {name}", hook_word(hook)));
        let key = (name, hook);
        let (seconds, works) = self.hooks.get(&key).copied().unwrap_or((0, true));
        let mut end = self.now + Duration::from_secs(seconds);
        let mut result = if works { Ok(()) } else { Err("no".to_owned()) };
        if deadline.is_some_and(|deadline| deadline < end) {
            end = deadline.unwrap();
            result = Err("given up".to_owned());
        }
        let event = Event::HookFinished {
            container,
            attempt,
            hook,
            result,
        };
        self.come_at(end, Coming::Told(event));
    }

    fn come(&mut self, seconds: u64, coming: Coming) {
        self.come_at(self.now + Duration::from_secs(seconds), coming);
    }

    fn come_at(&mut self, at: Duration, coming: Coming) {
        self.count += 1;
        self.coming.push((at, self.count, coming));
    }

    fn note_notices(&mut self) {
        for notice in self.state.take_notices() {
            let text = format!("{} {}", notice.reason, notice.message);
            self.notices.push(format!("{} {text}", self.now.as_secs()));
        }
    }

    fn say(&mut self, what: &str) {
        self.log.push(format!("{} {what}", self.now.as_secs()));
    }

    fn name(&self, index: ContainerIndex) -> String {
        self.state.container(index).unwrap().plan.name.clone()
    }

    pub(super) fn status(&self) -> PodStatus {
        self.state.status()
    }

    pub(super) fn phase(&self) -> String {
        self.status().phase.unwrap()
    }

    pub(super) fn container(&self, name: &str) -> ContainerStatus {
        let status = self.status();
        let lists = [status.init_container_statuses, status.container_statuses];
        let mut all = lists.into_iter().flatten().flatten();
        all.find(|c| c.name == name).unwrap()
    }

    /// `waiting Reason`, `running`, or `terminated Reason CODE`.
    pub(super) fn shown(&self, name: &str) -> String {
        let state = self.container(name).state.unwrap();
        match (state.waiting, state.running, state.terminated) {
            (Some(w), None, None) => format!("waiting {}", w.reason.unwrap()),
            (None, Some(_), None) => "running".to_owned(),
            (None, None, Some(t)) => format!("terminated {} {}", t.reason.unwrap(), t.exit_code),
            other => panic!("{other:?}"),
        }
    }

    /// `True`, or `False Reason`; `-` if it is not shown.
    pub(super) fn condition(&self, kind: &str) -> String {
        let all = self.status().conditions.unwrap();
        let found = all.into_iter().find(|c| c.type_ == kind);
        let words = found.map(|c| [Some(c.status), c.reason]);
        let words = words.into_iter().flatten().flatten().collect::<Vec<_>>();
        if words.is_empty() {
            "-".to_owned()
        } else {
            words.join(" ")
        }
    }
}

fn hook_word(hook: HookKind) -> &'static str {
    match hook {
        HookKind::PostStart => "postStart",
        HookKind::PreStop => "preStop",
    }
}
