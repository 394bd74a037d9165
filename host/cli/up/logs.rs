//! The logs of all containers, followed from their files and written to standard output by a thread of its own, so
//! that a reader who takes their time holds up neither the pods nor Ctrl-C.

use std::io::{self, BufWriter};
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot, watch};
use wasmpod::{LogItem, LogOptions, LogReader, PodHandle};

use super::print::Printer;
use super::tree::Screen;
use crate::args::UpArgs;

/// How many lines wait for the printing thread; beyond it the followers wait, and the lines stay in their files.
const WAITING_LINES: usize = 256;

/// The followers of all containers, and the thread that prints.
pub(crate) struct Logs {
    /// Resolves when all that was logged is printed, or nobody reads any more.
    printed: oneshot::Receiver<io::Result<()>>,
    result: Option<io::Result<()>>,
    /// To the thread that prints; nothing when logs are not wanted.
    lines: Option<mpsc::Sender<Piece>>,
    /// Becomes true when no pod is started any more.
    closing: watch::Sender<bool>,
}

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
        let printer = Printer::new(BufWriter::new(anstream::stdout()), args.log_format);
        let (done, printed) = oneshot::channel();
        thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || {
                // Nobody may be waiting any more, after a second Ctrl-C.
                drop(done.send(print(waiting, printer, &screen)));
            })?;
        Ok(Self {
            printed,
            result: None,
            lines: (!args.no_logs).then_some(lines),
            closing: watch::Sender::new(false),
        })
    }

    /// Follows every container of a pod, through restarts, to the end of the pod.
    pub(crate) fn add(&self, pod: &PodHandle) {
        let Some(lines) = &self.lines else {
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
        let (pod, lines, mut closing) = (pod.clone(), lines.clone(), self.closing.subscribe());
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
                if let Some(reader) = pod.logs(&container, options) {
                    tokio::spawn(forward(name, reader, lines.clone()));
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
        // The followers hold the others; each ends with its container's log.
        self.lines = None;
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

async fn forward(name: Arc<str>, mut reader: LogReader, lines: mpsc::Sender<Piece>) {
    // A file that cannot be read ends this container's lines; the pod goes on.
    while let Ok(Some(item)) = reader.next().await {
        if lines
            .send(Piece::Item(Arc::clone(&name), item))
            .await
            .is_err()
        {
            return;
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
