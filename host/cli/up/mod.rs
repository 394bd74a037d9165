//! `wasmpod up`: runs the pods of manifests in the foreground.
//!
//! Three things go on at once: the states of the pods go to standard error ([`tree`]), their logs to standard output
//! ([`print`]), and something is waited for: the end of all pods, their readiness, the time-out, Ctrl-C. Whatever
//! comes first, the pods are stopped in their grace periods and everything is released. Pods come and go meanwhile
//! ([`pods`]): workloads make them, people delete them from another terminal.

mod interrupts;
mod logs;
mod pods;
mod preparing;
mod print;
mod tree;
mod whole_lines;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use tokio::time::{Instant, interval, sleep_until};
use wasmpod::Host;

use crate::args::{Until, UpArgs};
use crate::report::{self, Outcome};
use crate::sources;
pub(crate) use interrupts::Interrupts;
use logs::Logs;
use pods::{Change, Pods};
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
    let mut host = Host::builder()
        .publish(args.publish.iter().cloned())
        .node_port_addresses(args.nodeport_addresses.iter().copied())
        .allow_egress(args.allow_egress.iter().cloned())
        .serve(true);
    if let Some(dir) = state_dir {
        host = host.state_dir(dir);
    }
    if let Some(workers) = args.workers {
        host = host.workers(workers);
    }
    if let Some(address) = args.ingress_http {
        host = host.ingress_http(address);
    }
    if let Some(address) = args.ingress_https {
        host = host.ingress_https(address);
    }
    if let Some(kubeconfig) = &args.kubeconfig {
        host = host.serve_on_port(args.api_listen, kubeconfig);
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
    let workloads = manifests.workloads.len();
    if !start(host, manifests, &mut tree, &mut interrupts).await? {
        return Ok(Outcome::Done);
    }
    for (scheme, address) in host.ingress_doors() {
        let scheme = match scheme {
            wasmpod::Scheme::Http => "http",
            wasmpod::Scheme::Https => "https",
        };
        tree.say(&format!("serving ingresses at {scheme}://{address}"));
    }
    if workloads > 0 {
        tree.say(&on_one_node(host));
    }
    let mut shown = Shown {
        host,
        logs: Logs::start(args, tree.screen())?,
        tree,
        pods: Pods::follow(host, args.verbosity.verbose),
        present: BTreeMap::new(),
    };
    let end = wait(args, host, &mut shown, &mut interrupts, deadline).await;
    // Only what failed by itself counts: stopping a pod makes it fail too.
    let has_failed = pods::has_failed(host);
    if end == End::TimedOut {
        let timeout = args.timeout.unwrap_or_default();
        shown.tree.say(&format!(
            "the time is up ({})",
            humantime::format_duration(timeout)
        ));
    }
    let is_asked = end == End::Stopped;
    let mut was_killed = stop_all(host, &mut shown, &mut interrupts, is_asked).await;
    let Shown { logs, mut tree, .. } = shown;
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

/// What workloads make here, in one sentence.
fn on_one_node(host: &Host) -> String {
    let workloads = host.workloads();
    let names: Vec<_> = workloads
        .iter()
        .map(wasmpod::WorkloadState::title)
        .collect();
    format!(
        "{}: all pods run on this one machine; replicas share its processors",
        names.join(", ")
    )
}

/// Starts the pods, showing what takes long; false when it was interrupted.
async fn start(
    host: &Host,
    manifests: wasmpod::Manifests,
    tree: &mut Tree,
    interrupts: &mut Interrupts,
) -> anyhow::Result<bool> {
    let mut progress = host.progress();
    let mut preparing = Preparing::default();
    let mut ticks = interval(preparing::TICK);
    let starting = host.start(manifests);
    tokio::pin!(starting);
    loop {
        tokio::select! {
            biased;
            Some(step) = progress.next() => preparing.note(&step, Instant::now(), tree),
            started = &mut starting => {
                started?;
                return Ok(true);
            }
            () = interrupts.next() => return Ok(false),
            _ = ticks.tick() => preparing.tick(Instant::now(), tree),
        }
    }
}

/// What is shown of the pods, and where.
struct Shown<'a> {
    host: &'a Host,
    pods: Pods,
    /// The names of the pods that are there, by uid: what is said of others comes late.
    present: BTreeMap<String, String>,
    logs: Logs,
    tree: Tree,
}

impl Shown<'_> {
    fn show(&mut self, change: Change) {
        match change {
            Change::Added(pod) => {
                if let Some(owner) = pods::owner(self.host, &pod.pod()) {
                    self.tree.owned_by(pod.name(), owner);
                }
                self.present
                    .insert(pod.uid().to_owned(), pod.name().to_owned());
                self.logs.add(&pod);
            }
            Change::Status(pod) => {
                let uid = pod.metadata.uid.as_deref().unwrap_or_default();
                if self.present.contains_key(uid) {
                    self.tree.show(&pod);
                }
            }
            Change::Removed(pod) => {
                if self.present.remove(pod.uid()).is_some() {
                    self.tree.remove(pod.name());
                }
            }
            Change::Said(line) => self.tree.say(&line),
        }
    }

    /// Shows what happened and has not come through yet. A pod can be over before its follower has run for the first time:
    /// what it said is to be seen, too.
    fn show_rest(&mut self) {
        while let Some(change) = self.pods.try_next() {
            self.show(change);
        }
        for pod in self.host.pods() {
            if !self.present.contains_key(pod.uid()) {
                self.show(Change::Added(pod));
            }
        }
    }
}

/// Shows what happens until there is a reason to stop.
async fn wait(
    args: &UpArgs,
    host: &Host,
    shown: &mut Shown<'_>,
    interrupts: &mut Interrupts,
    deadline: Option<Instant>,
) -> End {
    let mut version = host.agent().store().changes();
    let done = host.done();
    tokio::pin!(done);
    loop {
        version.borrow_and_update();
        if args.until == Until::Ready && pods::is_up(host) {
            return End::Ready;
        }
        tokio::select! {
            biased;
            change = shown.pods.next() => shown.show(change),
            () = interrupts.next() => return End::Stopped,
            () = shown.logs.broken() => return End::Stopped,
            () = until(deadline) => return End::TimedOut,
            () = &mut done => return End::Completed,
            // A workload may have reached what it wants.
            Ok(()) = version.changed(), if args.until == Until::Ready => {}
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Stops what still runs, gracefully; at a further Ctrl-C by force. Says whether force was used.
async fn stop_all(
    host: &Host,
    shown: &mut Shown<'_>,
    interrupts: &mut Interrupts,
    mut is_asked: bool,
) -> bool {
    host.stop(None).await;
    let mut was_killed = false;
    let ended = async {
        // A pod that was never started never will be.
        for pod in host.pods().iter().filter(|pod| pod.is_started()) {
            pod.wait().await;
        }
    };
    tokio::pin!(ended);
    loop {
        tokio::select! {
            change = shown.pods.next() => shown.show(change),
            () = &mut ended => break,
            // Who asks for the end that has begun by itself does not ask twice.
            () = interrupts.next() => if is_asked {
                was_killed = true;
                host.stop(Some(std::time::Duration::ZERO)).await;
            } else {
                is_asked = true;
            }
        }
    }
    shown.show_rest();
    let mut gone = std::mem::take(&mut shown.present);
    for pod in host.pods() {
        gone.remove(pod.uid());
        shown.tree.show(&pod.pod());
    }
    for name in gone.values() {
        shown.tree.remove(name);
    }
    was_killed
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    const QUICK: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: quick}\nspec:\n  restartPolicy: Never\n  \
                         containers: [{name: c, image: busybox, command: ['true']}]\n";

    #[test]
    fn a_pod_that_is_over_before_its_follower_ran_is_shown() {
        let Command::Up(args) = Cli::try_parse_from(["wasmpod", "up", "quick.yaml"])
            .unwrap()
            .command
        else {
            panic!("`up` is no other command");
        };
        let state = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let host = Host::builder().state_dir(state.path()).build().unwrap();
            let manifests = wasmpod::read(&[wasmpod::Source::new("quick.yaml", QUICK)]).unwrap();
            host.start(manifests).await.unwrap();
            host.done().await;
            let tree = Tree::new(true);
            let mut shown = Shown {
                host: &host,
                logs: Logs::start(&args, tree.screen()).unwrap(),
                tree,
                pods: Pods::follow(&host, false),
                present: BTreeMap::new(),
            };
            // Nothing was waited for, so the follower has not run.
            assert!(shown.pods.try_next().is_none());
            shown.show_rest();
            assert_eq!(Vec::from_iter(shown.present.values()), ["quick"]);
            shown.logs.finish().await.unwrap();
            host.shutdown().await.unwrap();
        });
    }
}
