//! `wasmpod up`: runs the pods of manifests in the foreground.
//!
//! Three things go on at once: the states of the pods go to standard error ([`tree`]), their logs to standard output
//! ([`print`]), and something is waited for: the end of all pods, their readiness, the time-out, Ctrl-C. Whatever
//! comes first, the pods are stopped in their grace periods and everything is released.

mod logs;
mod preparing;
mod print;
mod tree;

use std::path::Path;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep_until};
use wasmpod::{Host, PodHandle, k8s};

use crate::args::{Until, UpArgs};
use crate::report::{self, Outcome};
use crate::sources;
use logs::Logs;
use preparing::Preparing;
use tree::Tree;

/// Why the waiting is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All pods have ended by themselves.
    Completed,
    /// Every container is ready or has completed, and that was wanted.
    Ready,
    /// The time is up.
    TimedOut,
    /// Ctrl-C, or whoever read our output went away.
    Stopped,
}

pub(crate) fn run(args: &UpArgs, state_dir: Option<&Path>) -> anyhow::Result<Outcome> {
    let sources = sources::read(&args.manifests.files())?;
    let manifests = wasmpod::read(&sources)?;
    if !args.verbosity.quiet {
        report::warnings(&manifests.warnings);
    }
    let mut host = Host::builder().publish(args.publish.iter().cloned());
    if let Some(dir) = state_dir {
        host = host.state_dir(dir);
    }
    if let Some(workers) = args.workers {
        host = host.workers(workers);
    }
    for prefix in &args.allow_host_path {
        host = host.allow_host_path(prefix);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start an event loop")?;
    runtime.block_on(async {
        let host = host.build()?;
        let outcome = supervise(args, &host, manifests).await;
        let released = host.shutdown().await;
        // What went wrong first is said first.
        match (outcome, released) {
            (Ok(outcome), Ok(())) => Ok(outcome),
            (Ok(_), Err(error)) => Err(error.into()),
            (Err(error), Ok(())) => Err(error),
            (Err(first), Err(second)) => {
                report::failure(&first);
                Err(second.into())
            }
        }
    })
}

async fn supervise(
    args: &UpArgs,
    host: &Host,
    manifests: wasmpod::Manifests,
) -> anyhow::Result<Outcome> {
    let mut tree = Tree::new(args.verbosity.quiet);
    let mut interrupts = Interrupts::listen()?;
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let Some(pods) = start(host, manifests, &mut tree, &mut interrupts).await? else {
        return Ok(Outcome::Done);
    };
    let mut logs = Logs::follow(&pods, args, tree.screen())?;
    let mut changes = follow_changes(&pods, args.verbosity.verbose);
    let end = wait(
        args,
        &pods,
        &mut changes,
        &mut tree,
        &mut logs,
        &mut interrupts,
        deadline,
    )
    .await;
    // Only those that failed by themselves count: stopping one makes it fail too.
    let has_failed = pods.iter().any(|pod| pod.phase() == "Failed");
    if end == End::TimedOut {
        let timeout = args.timeout.unwrap_or_default();
        tree.say(&format!(
            "the time is up ({})",
            humantime::format_duration(timeout)
        ));
    }
    let mut was_killed = stop_all(&pods, &mut changes, &mut tree, &mut interrupts).await;
    tokio::select! {
        result = logs.finish() => result.context("cannot write the logs to standard output")?,
        // Whoever reads our output takes too long.
        () = interrupts.next() => was_killed = true,
    }
    tree.finish();
    Ok(match end {
        _ if was_killed => Outcome::Killed,
        End::TimedOut => Outcome::TimedOut,
        _ if has_failed => Outcome::Failed,
        End::Completed | End::Ready | End::Stopped => Outcome::Done,
    })
}

/// Starts the pods, showing what takes long; nothing when it was interrupted.
async fn start(
    host: &Host,
    manifests: wasmpod::Manifests,
    tree: &mut Tree,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Option<Vec<PodHandle>>> {
    let mut progress = host.progress();
    let mut preparing = Preparing::default();
    let mut ticks = interval(preparing::TICK);
    let starting = host.start(manifests);
    tokio::pin!(starting);
    loop {
        tokio::select! {
            biased;
            Some(step) = progress.next() => preparing.note(&step, Instant::now(), tree),
            pods = &mut starting => return Ok(Some(pods?)),
            () = interrupts.next() => return Ok(None),
            _ = ticks.tick() => preparing.tick(Instant::now(), tree),
        }
    }
}

/// Something that happened to a pod.
enum Change {
    Status(Box<k8s::Pod>),
    Event(String),
}

/// How many changes wait to be shown; a pod whose changes nobody shows waits with them, and shows its newest state.
const WAITING_CHANGES: usize = 64;

fn follow_changes(pods: &[PodHandle], verbose: bool) -> mpsc::Receiver<Change> {
    let (changes, waiting) = mpsc::channel(WAITING_CHANGES);
    for pod in pods {
        let (mut watch, sender, handle) = (pod.watch(), changes.clone(), pod.clone());
        tokio::spawn(async move {
            let mut has_published = false;
            while let Some(pod) = watch.next().await {
                for port in handle.published().iter().filter(|_| !has_published) {
                    let line = format!(
                        "published {} -> {}:{}",
                        port.host,
                        handle.name(),
                        port.pod_port
                    );
                    if sender.send(Change::Event(line)).await.is_err() {
                        return;
                    }
                }
                has_published |= !handle.published().is_empty();
                if sender.send(Change::Status(Box::new(pod))).await.is_err() {
                    return;
                }
            }
        });
        let (mut events, sender, name) = (pod.events(), changes.clone(), pod.name().to_owned());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let is_shown = verbose || event.is_warning();
                if is_shown
                    && sender
                        .send(Change::Event(format!("{name}: {event}")))
                        .await
                        .is_err()
                {
                    return;
                }
            }
        });
    }
    waiting
}

fn show(change: Change, tree: &mut Tree) {
    match change {
        Change::Status(pod) => tree.show(&pod),
        Change::Event(line) => tree.say(&line),
    }
}

/// Shows what happens until there is a reason to stop.
async fn wait(
    args: &UpArgs,
    pods: &[PodHandle],
    changes: &mut mpsc::Receiver<Change>,
    tree: &mut Tree,
    logs: &mut Logs,
    interrupts: &mut Interrupts,
    deadline: Option<Instant>,
) -> End {
    loop {
        if pods.iter().all(PodHandle::has_ended) {
            return End::Completed;
        }
        if args.until == Until::Ready && pods.iter().all(|pod| is_settled(&pod.pod())) {
            return End::Ready;
        }
        tokio::select! {
            change = changes.recv() => match change {
                Some(change) => show(change, tree),
                None => return End::Completed,
            },
            () = interrupts.next() => return End::Stopped,
            () = logs.broken() => return End::Stopped,
            () = until(deadline) => return End::TimedOut,
        }
    }
}

/// Is every container of the pod ready, or has it completed? Kubernetes calls a pod with a helper that has done its work
/// not ready; whoever waits for the pod to be up means this.
fn is_settled(pod: &k8s::Pod) -> bool {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref());
    let has_completed = |container: &k8s::ContainerStatus| {
        let state = container.state.as_ref();
        let end = state.and_then(|state| state.terminated.as_ref());
        end.is_some_and(|end| end.exit_code == 0)
    };
    containers.is_some_and(|all| {
        !all.is_empty()
            && all
                .iter()
                .all(|container| container.ready || has_completed(container))
    })
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Stops what still runs, gracefully; at a further Ctrl-C by force. Says whether force was used.
async fn stop_all(
    pods: &[PodHandle],
    changes: &mut mpsc::Receiver<Change>,
    tree: &mut Tree,
    interrupts: &mut Interrupts,
) -> bool {
    for pod in pods {
        pod.stop(None).await;
    }
    let mut was_killed = false;
    // The channel ends when every pod has shown its last state.
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(change) => show(change, tree),
                None => return was_killed,
            },
            () = interrupts.next() => {
                was_killed = true;
                for pod in pods {
                    pod.kill().await;
                }
            }
        }
    }
}

/// Ctrl-C, and the request to terminate where there is one.
struct Interrupts {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Interrupts {
    #[cfg(unix)]
    fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    #[expect(
        clippy::unnecessary_wraps,
        reason = "it can fail where there are signals"
    )]
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_settled_when_each_container_is_ready_or_has_completed() {
        let container = |ready: bool, state: &serde_json::Value| json!({"name": "c", "image": "i", "imageID": "", "ready": ready, "restartCount": 0, "state": state});
        let running = json!({"running": {}});
        let completed = json!({"terminated": {"exitCode": 0}});
        let failed = json!({"terminated": {"exitCode": 1}});
        let cases = [
            (json!([]), false),
            (
                json!([container(true, &running), container(false, &completed)]),
                true,
            ),
            (
                json!([container(true, &running), container(false, &running)]),
                false,
            ),
            (
                json!([container(true, &running), container(false, &failed)]),
                false,
            ),
        ];
        for (statuses, settled) in cases {
            let pod = json!({"metadata": {}, "status": {"containerStatuses": statuses}});
            assert_eq!(
                is_settled(&serde_json::from_value(pod).unwrap()),
                settled,
                "{statuses}"
            );
        }
    }
}
