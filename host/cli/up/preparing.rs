//! What is said while programs are prepared: nothing when it is quick; else what is being done and since when, on a
//! terminal in a line that is redrawn, in a pipe now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use wasmpod::{Stage, Step};

use super::tree::Tree;

/// What takes less than this is not worth a word.
const PATIENCE: Duration = Duration::from_millis(400);

/// How often the time is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The programs that are being prepared.
#[derive(Debug, Default)]
pub(crate) struct Preparing(BTreeMap<String, Work>);

#[derive(Debug)]
struct Work {
    stage: Stage,
    percent: Option<u64>,
    since: Instant,
    /// When the next line is due in a pipe; each comes twice as late as the one before.
    next: Duration,
}

impl Preparing {
    /// Takes note of a step.
    pub(crate) fn note(&mut self, step: &Step, now: Instant, tree: &mut Tree) {
        let progress = match step {
            Step::Notice(_) => return tree.say(&step.to_string()),
            Step::Preparing(progress) => progress,
        };
        if progress.stage == Stage::Ready {
            if let Some(work) = self.0.remove(&progress.program)
                && now - work.since >= PATIENCE
            {
                tree.busy(&progress.program, None);
                tree.say(&format!(
                    "prepared {} in {:.1}s",
                    progress.program,
                    (now - work.since).as_secs_f64()
                ));
            }
            return;
        }
        let work = self
            .0
            .entry(progress.program.clone())
            .or_insert_with(|| Work {
                stage: progress.stage,
                percent: None,
                since: now,
                next: PATIENCE,
            });
        work.stage = progress.stage;
        work.percent = progress
            .done
            .saturating_mul(100)
            .checked_div(progress.total)
            .filter(|percent| *percent > 0);
    }

    /// Says what is worth saying by now.
    pub(crate) fn tick(&mut self, now: Instant, tree: &mut Tree) {
        for (program, work) in &mut self.0 {
            let elapsed = now - work.since;
            if elapsed < PATIENCE {
                continue;
            }
            let percent = work
                .percent
                .map(|percent| format!(", {percent} %"))
                .unwrap_or_default();
            let line = format!(
                "{} {program}: {:.0}s{percent}",
                work.stage,
                elapsed.as_secs_f64()
            );
            if tree.is_live() {
                tree.busy(program, Some(&line));
            } else if elapsed >= work.next {
                work.next = elapsed * 2;
                tree.say(&line);
            }
        }
    }
}
