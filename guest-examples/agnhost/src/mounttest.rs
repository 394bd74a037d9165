//! `mounttest`: tells what a mounted path looks like. WASI shows no modes, so the options that ask for them are not here.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;

const OPTIONS: [&str; 6] = [
    "file_content",
    "file_content_in_loop",
    "new_file",
    "retry_time",
    "break_on_expected_content",
    "expected_content",
];
/// The pause between two looks at a file.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs the mode.
pub(crate) fn run(args: &[String]) -> ExitCode {
    match look(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn look(args: &[String]) -> Result<(), String> {
    let options = Arguments::parse(args, &OPTIONS)?;
    let retry = Duration::from_secs(options.number("retry_time", 180)?);
    for path in options.all("new_file") {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| format!("error creating new file {path:?}: {error}"))?;
        file.write_all(b"mount-tester new file\n")
            .map_err(|error| format!("error writing new file {path:?}: {error}"))?;
    }
    for path in options.all("file_content") {
        println!("{}", content(path)?);
    }
    let expected = options.all("expected_content").last();
    for path in options.all("file_content_in_loop") {
        let end = Instant::now() + retry;
        while Instant::now() < end {
            // A file that is not there may come.
            match content(path) {
                Ok(text) => {
                    println!("{text}");
                    if expected.is_some_and(|expected| text.contains(expected)) {
                        return Ok(());
                    }
                }
                Err(message) => println!("{message}"),
            }
            sleep(PAUSE);
        }
    }
    Ok(())
}

fn content(path: &str) -> Result<String, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(format!("content of file {path:?}: {text}")),
        Err(error) => Err(format!("error reading file content for {path:?}: {error}")),
    }
}
