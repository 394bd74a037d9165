//! `wasmpod up`: runs the pods of manifests in the foreground.
//!
//! Three things go on at once: the states of the pods go to standard error ([`tree`]), their logs to standard output
//! ([`print`]), and something is waited for: the end of all pods, their readiness, the time-out, Ctrl-C. Whatever
//! comes first, the pods are stopped in their grace periods and everything is released.

mod logs;
mod print;
mod tree;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::sleep;
use wasmpod::{Host, PodHandle, k8s};

use crate::args::{Until, UpArgs};
use crate::report::{self, Outcome};
use crate::sources;
use logs::Logs;
use tree::Tree;

/// Why the waiting is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All pods have ended by themselves.
    Completed,
    /// All pods are ready, and that was wanted.
    Ready,
    /// The time is up.
    TimedOut,
    /// Ctrl-C, or whoever read our output went away.
    Stopped,
}

pub(crate) fn run(args: &UpArgs) -> anyhow::Result<Outcome> {
    let sources = sources::read(&args.manifests.files)?;
    let manifests = wasmpod::read(&sources.texts)?;
    if !args.verbosity.quiet {
        report::warnings(&manifests.warnings);
    }
    let mut host = Host::builder().base_dir(sources.base).publish(args.publish.iter().cloned());
    if let Some(dir) = &args.state_dir {
        host = host.state_dir(dir);
    }
    if let Some(workers) = args.workers {
        host = host.workers(workers);
    }
    for prefix in &args.allow_host_path {
        host = host.allow_host_path(prefix);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start an event loop")?;
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

async fn supervise(args: &UpArgs, host: &Host, manifests: wasmpod::Manifests) -> anyhow::Result<Outcome> {
    let mut tree = Tree::new(args.verbosity.quiet);
    let interrupts = &mut Interrupts::listen()?;
    let mut progress = host.progress();
    let starting = host.start(manifests);
    tokio::pin!(starting);
    let pods = loop {
        tokio::select! {
            pods = &mut starting => break pods?,
            Some(step) = progress.next() => tree.say(&step.to_string()),
            () = interrupts.next() => return Ok(Outcome::Done),
        }
    };
    for published in pods.iter().flat_map(PodHandle::published) {
        tree.say(&format!("published {published}"));
    }
    let mut logs = Logs::follow(&pods, args, &tree)?;
    let end = watch(args, &pods, &mut tree, &mut logs, interrupts).await;
    // Only those that failed by themselves count: stopping one makes it fail too.
    let failed = pods.iter().any(|pod| phase(&pod.pod()) == Some("Failed"));
    let killed = stop_all(&pods, &mut tree, interrupts).await;
    tokio::select! {
        () = logs.finish() => {}
        () = interrupts.next() => {}
    }
    tree.finish();
    Ok(match end {
        _ if killed => Outcome::Killed,
        End::TimedOut => {
            tree.say(&format!("the time is up ({})", humantime::format_duration(args.timeout.unwrap_or_default())));
            Outcome::TimedOut
        }
        _ if failed => Outcome::Failed,
        End::Completed | End::Ready | End::Stopped => Outcome::Done,
    })
}
