//! The logs of all containers, followed from their files in the order in which things were said, and written to standard
//! output by a thread of its own, so that a reader who takes their time holds up neither the pods nor Ctrl-C.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot, watch};
use wasmpod::{LogItem, LogOptions, LogReader, MergedLogs, PodHandle};

use super::print::Printer;
use super::tree::Screen;
use super::whole_lines::WholeLines;
use crate::args::UpArgs;

/// How many lines wait for the printing thread; beyond it the follower waits, and the lines stay in their files.
const WAITING_LINES: usize = 256;

/// How many logs wait for the follower; beyond it, whoever adds one waits.
const WAITING_LOGS: usize = 64;

/// The follower of all containers, and the thread that prints.
pub(crate) struct Logs {
    /// Resolves when all that was logged is printed, or nobody reads any more.
    printed: oneshot::Receiver<io::Result<()>>,
    result: Option<io::Result<()>>,
    /// To the thread that prints; nothing when logs are not wanted.
    lines: Option<mpsc::Sender<Piece>>,
    /// To the follower, as long as containers may come.
    readers: Option<mpsc::Sender<Named>>,
    /// Becomes true when no pod is started any more.
    closing: watch::Sender<bool>,
}

/// The log of a container of this name.
type Named = (Arc<str>, LogReader);

/// What the printing thread gets.
enum Piece {
    /// A container of this name is there.
    Name(Arc<str>),
    /// It said this.
    Item(Arc<str>, LogItem),
}

impl Logs {
    /// Starts to print, without containers yet.
    pub(crate) fn start(args: &UpArgs, screen: Screen) -> anyhow::Result<Self> {
        let (lines, waiting) = mpsc::channel(WAITING_LINES);
        let printer = Printer::new(WholeLines::stdout(), args.log_format);
        let (done, printed) = oneshot::channel();
        thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || {
                // Nobody may be waiting any more, after a second Ctrl-C.
                drop(done.send(print(waiting, printer, &screen)));
            })?;
        let (readers, added) = mpsc::channel(WAITING_LOGS);
        if !args.no_logs {
            tokio::spawn(follow(added, lines.clone()));
        }
        Ok(Self {
            printed,
            result: None,
            lines: (!args.no_logs).then_some(lines),
            readers: (!args.no_logs).then_some(readers),
            closing: watch::Sender::new(false),
        })
    }

    /// Follows every container of a pod, through restarts, to the end of the pod.
    pub(crate) fn add(&self, pod: &PodHandle) {
        let (Some(lines), Some(readers)) = (&self.lines, &self.readers) else {
            return;
        };
        let names: Vec<(String, Arc<str>)> = pod
            .containers()
            .into_iter()
            .map(|container| {
                let name = format!("{}/{container}", pod.name()).into();
                (container, name)
            })
            .collect();
        let (pod, mut closing) = (pod.clone(), self.closing.subscribe());
        let (lines, readers) = (lines.clone(), readers.clone());
        tokio::spawn(async move {
            // All names first, so that they line up from the first line on.
            for (_, name) in &names {
                if lines.send(Piece::Name(Arc::clone(name))).await.is_err() {
                    return;
                }
            }
            let is_started = tokio::select! {
                is_started = pod.started() => is_started,
                _ = closing.wait_for(|is_closing| *is_closing) => pod.is_started(),
            };
            if !is_started {
                return;
            }
            for (container, name) in names {
                let options = LogOptions {
                    follow: true,
                    restarts: true,
                    ..LogOptions::default()
                };
                if let Some(reader) = pod.logs(&container, options)
                    && readers.send((name, reader)).await.is_err()
                {
                    return;
                }
            }
        });
    }

    /// Resolves when standard output cannot be written to any more, and never when it can.
    pub(crate) async fn broken(&mut self) {
        if self.result.is_none() {
            self.result = Some((&mut self.printed).await.unwrap_or(Ok(())));
        }
        if !matches!(self.result, Some(Err(_))) {
            std::future::pending().await
        }
    }

    /// Waits until all that was logged is printed. A closed pipe is no error: whoever read has seen enough.
    pub(crate) async fn finish(mut self) -> io::Result<()> {
        self.closing.send_replace(true);
        // The follower has the last sender of lines; it ends with the last log.
        (self.lines, self.readers) = (None, None);
        let result = match self.result {
            Some(result) => result,
            None => self.printed.await.unwrap_or(Ok(())),
        };
        match result {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

async fn follow(mut added: mpsc::Receiver<Named>, lines: mpsc::Sender<Piece>) {
    let mut logs = MergedLogs::new();
    let mut may_come = true;
    while may_come || !logs.is_empty() {
        tokio::select! {
            log = added.recv(), if may_come => match log {
                Some((name, reader)) => logs.add(name, reader),
                None => may_come = false,
            },
            // A file that cannot be read ends this container's lines; the pod goes on.
            said = logs.next(), if !logs.is_empty() => {
                if let Some((name, Ok(item))) = said
                    && lines.send(Piece::Item(name, item)).await.is_err()
                {
                    return;
                }
            }
        }
    }
}

fn print(
    mut waiting: mpsc::Receiver<Piece>,
    mut printer: Printer<impl io::Write>,
    screen: &Screen,
) -> io::Result<()> {
    while let Some(piece) = waiting.blocking_recv() {
        screen.beside(|| {
            take(&mut printer, &piece)?;
            // All that came in the meantime goes in one write.
            while let Ok(piece) = waiting.try_recv() {
                take(&mut printer, &piece)?;
            }
            printer.flush()
        })?;
    }
    Ok(())
}

fn take(printer: &mut Printer<impl io::Write>, piece: &Piece) -> io::Result<()> {
    match piece {
        Piece::Name(name) => {
            printer.learn(name);
            Ok(())
        }
        Piece::Item(name, item) => printer.item(name, item),
    }
}
