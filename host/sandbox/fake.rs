//! A runtime that runs no code: it does what a script says, on tokio's clock.
//!
//! With it every order of events and every failure of a pod is tested in milliseconds. A script is given for each
//! container (by name) and lists its instances; the last entry holds for all further ones. What was asked of the
//! runtime is kept as text, with the second in which it was asked ([`FakeRuntime::calls`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use wasmpod_image::Program;

use crate::port::{
    BoxFuture, ContainerConfig, ContainerId, ContainerRuntime, ContainerState, Exit, Progress,
    ProgressSink, RuntimeError, Stage, Usage,
};
use crate::signal::Role;

/// What one instance of a container does.
#[derive(Clone, Debug)]
pub struct Script {
    /// How long its program takes to prepare.
    pub prepare: Duration,
    /// Its program cannot be prepared.
    pub prepare_error: Option<RuntimeError>,
    /// It cannot be created.
    pub create_error: Option<RuntimeError>,
    /// It cannot be started.
    pub start_error: Option<RuntimeError>,
    /// What it prints to its standard output when it starts.
    pub prints: String,
    /// When it ends by itself, and how; `None`: it runs until it is stopped.
    pub ends: Option<(Duration, Exit)>,
    /// How long after it was asked to end it does, and how: at once with 143 if it does not handle termination, later
    /// and with its own code if it does; `None`: it does not heed it and is killed.
    pub on_stop: Option<(Duration, Exit)>,
    /// Waiting for it panics, as a bug of the host would.
    pub panics: bool,
    /// What it uses while it runs.
    pub usage: Usage,
}

impl Default for Script {
    /// Runs until it is stopped, and then takes SIGTERM's default action.
    fn default() -> Self {
        Self {
            prepare: Duration::ZERO,
            prepare_error: None,
            create_error: None,
            start_error: None,
            prints: String::new(),
            ends: None,
            on_stop: Some((Duration::ZERO, Exit::terminated())),
            panics: false,
            usage: Usage::default(),
        }
    }
}

impl Script {
    /// Ends by itself after `seconds` with `code`.
    #[must_use]
    pub fn ends_after(seconds: u64, code: i32) -> Self {
        let ends = Some((Duration::from_secs(seconds), Exit::with_code(code)));
        Self {
            ends,
            ..Self::default()
        }
    }
}

/// The scripted runtime.
#[derive(Debug)]
pub struct FakeRuntime {
    start: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    scripts: HashMap<String, Vec<Script>>,
    /// By container and command line, for instances of `exec`.
    execs: HashMap<(String, String), Script>,
    /// By program, because a preparation does not know its container.
    prepares: HashMap<String, Script>,
    containers: HashMap<ContainerId, Container>,
    calls: Vec<String>,
    created: u64,
}

#[derive(Debug)]
struct Container {
    /// In the order of creation.
    number: u64,
    name: String,
    script: Script,
    /// Kept as the real runtime keeps it, and dropped at removal.
    config: ContainerConfig,
    state: watch::Sender<ContainerState>,
}

impl FakeRuntime {
    /// A runtime in which every container runs until it is stopped.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            inner: Mutex::default(),
        }
    }

    /// Says what the instances of a container do, the first one first; the last entry holds for all further ones.
    pub fn script(&self, container: &str, instances: impl Into<Vec<Script>>) {
        self.lock()
            .scripts
            .insert(container.to_owned(), instances.into());
    }

    /// Says what `command` (its words joined by spaces) does when it is run beside a container; without a script it
    /// ends at once with 0.
    pub fn script_exec(&self, container: &str, command: &str, script: Script) {
        let key = (container.to_owned(), command.to_owned());
        self.lock().execs.insert(key, script);
    }

    /// Says how the preparation of a program goes (its `prepare` and `prepare_error`).
    pub fn script_program(&self, program: &str, script: Script) {
        self.lock().prepares.insert(program.to_owned(), script);
    }

    /// What was asked of the runtime, in order: `SECOND verb container`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// How many containers were created and not removed.
    #[must_use]
    pub fn containers(&self) -> usize {
        self.lock().containers.len()
    }

    /// Runs `look` on the config of a container's oldest instance that was created and not removed.
    pub fn with_config<R>(
        &self,
        container: &str,
        look: impl FnOnce(&ContainerConfig) -> R,
    ) -> Option<R> {
        let inner = self.lock();
        inner
            .containers
            .values()
            .filter(|c| c.name == container)
            .min_by_key(|c| c.number)
            .map(|c| look(&c.config))
    }

    /// What `look` sees of all instances of a container that were created and not removed, those of commands beside it
    /// included, the oldest first.
    pub fn configs<R>(&self, container: &str, look: impl Fn(&ContainerConfig) -> R) -> Vec<R> {
        let inner = self.lock();
        let mut found: Vec<_> = inner
            .containers
            .values()
            .filter(|c| c.name == container)
            .collect();
        found.sort_by_key(|c| c.number);
        found.into_iter().map(|c| look(&c.config)).collect()
    }

    fn call(&self, what: &str) {
        let second = self.start.elapsed().as_secs();
        self.lock().calls.push(format!("{second} {what}"));
    }

    fn state(&self, id: &ContainerId) -> Option<watch::Receiver<ContainerState>> {
        self.lock().containers.get(id).map(|c| c.state.subscribe())
    }

    fn end(&self, id: &ContainerId, exit: Exit) {
        if let Some(container) = self.lock().containers.get(id) {
            container.state.send_if_modified(|state| {
                let is_running = !matches!(state, ContainerState::Exited(_));
                if is_running {
                    *state = ContainerState::Exited(exit);
                }
                is_running
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FakeRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl ContainerRuntime for FakeRuntime {
    fn prepare<'a>(
        &'a self,
        program: &'a Arc<Program>,
        progress: ProgressSink,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        let script = self
            .lock()
            .prepares
            .get(&program.name)
            .cloned()
            .unwrap_or_default();
        Box::pin(async move {
            if !script.prepare.is_zero() {
                self.call(&format!("prepare {}", program.name));
                let name = program.name.clone();
                progress(Progress {
                    program: name,
                    stage: Stage::Compiling,
                    done: 1,
                    total: 2,
                });
                sleep(script.prepare).await;
            }
            script.prepare_error.map_or(Ok(()), Err)
        })
    }

    fn create_container(
        &self,
        config: ContainerConfig,
    ) -> BoxFuture<'_, Result<ContainerId, RuntimeError>> {
        Box::pin(async move {
            self.call(&match &config.role {
                Role::Main(_) => format!("create {}#{}", config.name, config.attempt),
                Role::Exec(..) => format!("exec {} {}", config.name, config.args.join(" ")),
            });
            let mut inner = self.lock();
            let scripts = inner.scripts.get(&config.name);
            let nth = usize::try_from(config.attempt).unwrap_or(usize::MAX);
            let script = scripts
                .and_then(|list| list.get(nth).or(list.last()))
                .cloned();
            let script = match &config.role {
                Role::Main(_) => script.unwrap_or_default(),
                Role::Exec(..) => {
                    let key = (config.name.clone(), config.args.join(" "));
                    let found = inner.execs.get(&key).cloned();
                    found.unwrap_or_else(|| Script::ends_after(0, 0))
                }
            };
            if let Some(error) = script.create_error {
                return Err(error);
            }
            inner.created += 1;
            let inner_created = inner.created;
            let id = ContainerId::new(format!("fake-{inner_created}"));
            let name = config.name.clone();
            let state = watch::Sender::new(ContainerState::Created);
            inner.containers.insert(
                id.clone(),
                Container {
                    number: inner_created,
                    name,
                    script,
                    config,
                    state,
                },
            );
            Ok(id)
        })
    }

    fn start_container<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        Box::pin(async move {
            let (name, script, stdout) = match self.lock().containers.get(id) {
                Some(c) => (c.name.clone(), c.script.clone(), c.config.stdout.clone()),
                None => return Err(RuntimeError::NoSuchContainer { id: id.clone() }),
            };
            self.call(&format!("start {name}"));
            if let Some(error) = script.start_error {
                return Err(error);
            }
            // What a reader has no room for is not printed: a script says what arrives, not how long it takes.
            let _printed = stdout.try_write(script.prints.as_bytes());
            if let Some(container) = self.lock().containers.get(id) {
                container.state.send_replace(ContainerState::Running);
            }
            Ok(())
        })
    }

    fn wait_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            let script = self.lock().containers.get(id).map(|c| c.script.clone());
            let (Some(mut state), Some(script)) = (self.state(id), script) else {
                return Exit::internal_error("no such container");
            };
            assert!(!script.panics, "scripted panic");
            let own_end = async {
                match &script.ends {
                    Some((after, exit)) => {
                        sleep(*after).await;
                        exit.clone()
                    }
                    None => std::future::pending().await,
                }
            };
            let ended = state.wait_for(|state| matches!(state, ContainerState::Exited(_)));
            tokio::select! {
                biased;
                ended = ended => match ended.as_deref() {
                    Ok(ContainerState::Exited(exit)) => exit.clone(),
                    _ => Exit::killed(),
                },
                exit = own_end => {
                    self.end(id, exit.clone());
                    exit
                }
            }
        })
    }

    fn stop_container<'a>(&'a self, id: &'a ContainerId, grace: Duration) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let found = self
                .lock()
                .containers
                .get(id)
                .map(|c| (c.name.clone(), c.script.clone()));
            let Some((name, script)) = found else { return };
            self.call(&format!("stop {name} {}", grace.as_secs()));
            match script.on_stop {
                Some((after, exit)) if after < grace => {
                    sleep(after).await;
                    self.end(id, exit);
                }
                _ => {
                    sleep(grace).await;
                    self.end(id, Exit::killed());
                }
            }
        })
    }

    fn remove_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let removed = self.lock().containers.remove(id);
            if let Some(container) = removed {
                self.call(&format!("remove {}", container.name));
            }
        })
    }

    fn usage(&self, id: &ContainerId) -> Option<Usage> {
        let inner = self.lock();
        let container = inner.containers.get(id)?;
        let is_running = matches!(*container.state.borrow(), ContainerState::Running);
        is_running.then_some(container.script.usage)
    }

    fn container_status(&self, id: &ContainerId) -> Option<ContainerState> {
        self.state(id).map(|state| state.borrow().clone())
    }
}
