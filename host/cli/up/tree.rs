//! The status of the pods on standard error: on a terminal a tree that is redrawn in place below the logs, in a pipe
//! one line for each change.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use wasmpod::k8s::{ContainerStatus, Pod};

use crate::paint::{self, paint};
use crate::pod_state::{container_message, container_words, pod_word};
use crate::report;

/// Shows the pods' states as they change.
pub(crate) struct Tree {
    mode: Mode,
    /// What each line said last, by the line's name: `POD` or `POD/CONTAINER`.
    said: BTreeMap<String, String>,
    /// What made a pod, by the pod's name.
    owners: BTreeMap<String, String>,
}

enum Mode {
    Live {
        screen: MultiProgress,
        lines: BTreeMap<String, ProgressBar>,
    },
    Lines,
    Silent,
}

/// One line of the tree.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    name: String,
    label: String,
    words: String,
    detail: Option<String>,
}

impl Tree {
    /// A tree that is redrawn when standard error is a terminal, and silent when asked.
    pub(crate) fn new(quiet: bool) -> Self {
        let mode = if quiet {
            Mode::Silent
        } else if paint::stderr_is_live() {
            Mode::Live {
                screen: MultiProgress::new(),
                lines: BTreeMap::new(),
            }
        } else {
            Mode::Lines
        };
        Self {
            mode,
            said: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }

    /// Takes note of the workload that made a pod.
    pub(crate) fn owned_by(&mut self, pod: &str, owner: String) {
        self.owners.insert(pod.to_owned(), owner);
    }

    /// Takes the lines of a pod away: it is gone.
    pub(crate) fn remove(&mut self, pod: &str) {
        let below = format!("{pod}/");
        let is_of_pod = |name: &str| name == pod || name.starts_with(&below);
        let was_shown = self.said.contains_key(pod);
        self.said.retain(|name, _| !is_of_pod(name));
        self.owners.remove(pod);
        match &mut self.mode {
            Mode::Live { lines, .. } => lines.retain(|name, bar| {
                if is_of_pod(name) {
                    bar.finish_and_clear();
                }
                !is_of_pod(name)
            }),
            Mode::Lines if was_shown => report::stderr(format_args!("{pod}: deleted")),
            Mode::Lines | Mode::Silent => {}
        }
    }

    /// Shows how a pod is now.
    pub(crate) fn show(&mut self, pod: &Pod) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let owner = self.owners.get(name).cloned();
        for line in lines(pod, owner.as_deref()) {
            let state = match &line.detail {
                Some(detail) => format!("{}: {detail}", line.words),
                None => line.words.clone(),
            };
            let is_new = !self.said.contains_key(&line.name);
            if self.said.get(&line.name) == Some(&state) {
                continue;
            }
            match &mut self.mode {
                Mode::Live { screen, lines } => {
                    let bar = lines
                        .entry(line.name.clone())
                        .or_insert_with(|| add_line(screen));
                    bar.set_message(format!(
                        "{} {}",
                        line.label,
                        paint(style_of(&line.words), &state)
                    ));
                    bar.tick();
                }
                Mode::Lines => match owner.as_deref().filter(|_| is_new && line.name == name) {
                    Some(owner) => {
                        report::stderr(format_args!("{} of {owner}: {state}", line.name));
                    }
                    None => report::stderr(format_args!("{}: {state}", line.name)),
                },
                Mode::Silent => {}
            }
            self.said.insert(line.name, state);
        }
    }

    /// Says one line above the tree.
    pub(crate) fn say(&self, line: &str) {
        match &self.mode {
            Mode::Silent => {}
            Mode::Live { .. } | Mode::Lines => self
                .screen()
                .beside(|| report::stderr(format_args!("{line}"))),
        }
    }

    /// Is there a terminal on which lines are redrawn?
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.mode, Mode::Live { .. })
    }

    /// A line of its own, on a terminal, for something that goes on; nothing takes it away again.
    pub(crate) fn busy(&mut self, name: &str, line: Option<&str>) {
        let Mode::Live { screen, lines } = &mut self.mode else {
            return;
        };
        match line {
            Some(line) => {
                let bar = lines
                    .entry(name.to_owned())
                    .or_insert_with(|| add_line(screen));
                bar.set_message(paint(paint::DIM, line));
                bar.tick();
            }
            None => {
                if let Some(bar) = lines.remove(name) {
                    bar.finish_and_clear();
                }
            }
        }
    }

    /// The place of the tree, for others who write to the same terminal.
    pub(crate) fn screen(&self) -> Screen {
        match &self.mode {
            Mode::Live { screen, .. } => Screen(Some(screen.clone())),
            Mode::Lines | Mode::Silent => Screen(None),
        }
    }

    /// Leaves the last states standing, without a tree to redraw.
    pub(crate) fn finish(&mut self) {
        if let Mode::Live { lines, .. } = &mut self.mode {
            for bar in lines.values() {
                bar.abandon();
            }
        }
    }
}

/// The terminal that the tree shares with the logs.
#[derive(Clone)]
pub(crate) struct Screen(Option<MultiProgress>);

impl Screen {
    /// Does something that writes to the terminal, with the tree out of the way.
    pub(crate) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(screen) => screen.suspend(write),
            None => write(),
        }
    }
}

fn add_line(screen: &MultiProgress) -> ProgressBar {
    let bar = screen.add(ProgressBar::no_length());
    // A template of one field cannot be wrong; without style the bar would be drawn.
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    bar
}

/// The lines of one pod: itself, with the workload that made it, then its containers in the manifest's order.
fn lines(pod: &Pod, owner: Option<&str>) -> Vec<Line> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref();
    let inits = status
        .and_then(|status| status.init_container_statuses.as_deref())
        .unwrap_or_default();
    let mains = status
        .and_then(|status| status.container_statuses.as_deref())
        .unwrap_or_default();
    let containers: Vec<&ContainerStatus> = inits.iter().chain(mains).collect();
    let width = containers
        .iter()
        .map(|container| container.name.len())
        .max()
        .unwrap_or(0);
    let ready = mains.iter().filter(|container| container.ready).count();
    let label = paint(paint::BOLD, name);
    let mut lines = vec![Line {
        name: name.to_owned(),
        label: match owner {
            Some(owner) => format!("{label} {}", paint(paint::DIM, format_args!("of {owner}"))),
            None => label,
        },
        words: pod_word(pod),
        detail: status
            .and_then(|status| status.message.clone())
            .or_else(|| (ready > 0).then(|| format!("{ready}/{} ready", mains.len()))),
    }];
    for (index, container) in containers.iter().enumerate() {
        let branch = if index + 1 == containers.len() {
            "└─"
        } else {
            "├─"
        };
        lines.push(Line {
            name: format!("{name}/{}", container.name),
            label: format!("{branch} {:width$}", container.name),
            words: container_words(container),
            detail: container_message(container).map(str::to_owned),
        });
    }
    lines
}

fn style_of(words: &str) -> anstyle::Style {
    let word = words.split([' ', ':', ',']).next().unwrap_or_default();
    match word {
        "Running" | "Completed" => paint::GOOD,
        "Stopped" => paint::DIM,
        "Pending" | "ContainerCreating" | "PodInitializing" | "Init" | "Waiting"
        | "Terminating" => paint::WARNING,
        _ => paint::ERROR,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_a_line_and_each_container_is_one_below() {
        let container = |name: &str, state: serde_json::Value, ready: bool| json!({"name": name, "image": "i", "imageID": "", "ready": ready, "restartCount": 0, "state": state});
        let pod = json!({
            "metadata": {"name": "web"},
            "status": {"phase": "Running", "containerStatuses": [
                container("nginx", json!({"running": {}}), true),
                container("b", json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s\nmore"}}), false),
            ]},
        });
        let lines = lines(
            &serde_json::from_value(pod).unwrap(),
            Some("deployment/web"),
        );
        let shown: Vec<_> = lines
            .iter()
            .map(|line| {
                (
                    line.name.as_str(),
                    line.words.as_str(),
                    line.detail.as_deref(),
                )
            })
            .collect();
        let expected = [
            ("web", "CrashLoopBackOff", Some("1/2 ready")),
            ("web/nginx", "Running", None),
            ("web/b", "CrashLoopBackOff", Some("back-off 10s")),
        ];
        assert_eq!(shown, expected);
        let label = anstream::adapter::strip_str(&lines[0].label).to_string();
        assert_eq!(label, "web of deployment/web");
        assert_eq!(lines[1].label, "├─ nginx");
        assert_eq!(lines[2].label, "└─ b    ");
    }
}
