//! Logs as files: what a guest wrote is what a reader gets.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;
use wasmpod_lifecycle::time::Timestamp;

use super::*;
use crate::Clock;
use crate::port::PodIdentity;

const SMALL: LogLimits = LogLimits {
    file_bytes: 4096,
    files: 3,
};

fn pod(dir: &Path, limits: LogLimits) -> PodLogs {
    let identity = PodIdentity {
        namespace: "default".into(),
        name: "p".into(),
        uid: "u".into(),
    };
    let clock = Clock::virtual_from(Timestamp::new(1_795_255_200, 0).unwrap());
    PodLogs::create(dir, &identity, ["a"], limits, clock).unwrap()
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    std::fs::File::open(path)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// Reads to the end; lost bytes are shown as `<lost>`.
async fn all(mut reader: LogReader) -> String {
    let mut text = Vec::new();
    while let Some(item) = reader.next().await.unwrap() {
        match item {
            LogItem::Line(line) => {
                text.extend(line.text);
                if !line.is_partial {
                    text.push(b'\n');
                }
            }
            LogItem::Lost { .. } => text.extend(b"<lost>"),
        }
    }
    String::from_utf8(text).unwrap()
}

fn follow() -> LogOptions {
    LogOptions {
        follow: true,
        ..LogOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn the_file_is_in_the_cri_format() {
    let dir = TempDir::new().unwrap();
    let logs = pod(dir.path(), LogLimits::default());
    let file = logs.container("a").unwrap().begin(0);
    file.write(Stream::Stdout, b"one\ntw");
    file.write(Stream::Stderr, b"oops\n");
    tokio::time::advance(Duration::from_nanos(1_500_000_001)).await;
    file.write(Stream::Stdout, b"o\n\nrest");
    assert_eq!(
        read(&file.path()).lines().count(),
        4,
        "nothing whole stays in memory"
    );
    file.end();
    assert_eq!(
        read(&dir.path().join("default_p_u/a/0.log")),
        "2026-11-21T10:00:00.000000000Z stdout F one\n\
         2026-11-21T10:00:00.000000000Z stderr F oops\n\
         2026-11-21T10:00:01.500000001Z stdout F two\n\
         2026-11-21T10:00:01.500000001Z stdout F \n\
         2026-11-21T10:00:01.500000001Z stdout P rest\n"
    );
}

#[tokio::test]
async fn long_lines_are_split_at_sixteen_kibibytes_and_come_back_whole() {
    for (len, parts) in [
        (MAX_ENTRY_TEXT_BYTES - 1, "F"),
        (MAX_ENTRY_TEXT_BYTES, "F"),
        (MAX_ENTRY_TEXT_BYTES + 1, "PF"),
        (3 * MAX_ENTRY_TEXT_BYTES + 7, "PPPF"),
    ] {
        for piece in [1000, 7777, usize::MAX] {
            let dir = TempDir::new().unwrap();
            let logs = pod(dir.path(), LogLimits::default());
            let log = logs.container("a").unwrap();
            let file = log.begin(0);
            let text = format!("{}\n", "x".repeat(len));
            for piece in text.as_bytes().chunks(piece.min(text.len())) {
                file.write(Stream::Stdout, piece);
            }
            file.end();
            let tags: String = read(&file.path())
                .lines()
                .map(|line| line.split(' ').nth(2).unwrap().to_owned())
                .collect();
            // A line that fills its entry exactly may be closed by an empty one.
            let exact = format!("{}PF", parts.trim_end_matches('F'));
            assert!(tags == parts || tags == exact, "{len} {piece}: {tags}");
            assert_eq!(all(log.read(LogOptions::default())).await, text);
        }
    }
}

#[tokio::test]
async fn files_rotate_and_only_the_newest_are_kept() {
    let dir = TempDir::new().unwrap();
    let logs = pod(dir.path(), SMALL);
    let log = logs.container("a").unwrap();
    let file = log.begin(0);
    for n in 0..1000 {
        file.write(Stream::Stdout, format!("line {n}\n").as_bytes());
    }
    let mut sizes = Vec::new();
    for entry in std::fs::read_dir(dir.path().join("default_p_u/a")).unwrap() {
        sizes.push(entry.unwrap().metadata().unwrap().len());
    }
    assert_eq!(sizes.len(), SMALL.files);
    assert!(
        sizes.iter().all(|size| *size <= SMALL.file_bytes),
        "{sizes:?}"
    );
    file.end();
    let text = all(log.read(LogOptions::default())).await;
    assert!(text.ends_with("line 998\nline 999\n"));
    let tail = LogOptions {
        tail: Some(150),
        ..LogOptions::default()
    };
    let text = all(log.read(tail)).await;
    assert_eq!(
        text.lines().next(),
        Some("line 850"),
        "a tail goes back over several files"
    );
    assert_eq!(text.lines().count(), 150);
}

#[tokio::test]
async fn a_follower_loses_nothing_over_rotations_while_it_keeps_up() {
    let dir = TempDir::new().unwrap();
    let logs = pod(dir.path(), SMALL);
    let log = Arc::clone(logs.container("a").unwrap());
    let file = log.begin(0);
    let reader = tokio::spawn(all(log.read(follow())));
    let mut expected = String::new();
    for n in 0..2000 {
        let line = format!("line {n}\n");
        file.write(Stream::Stdout, line.as_bytes());
        expected.push_str(&line);
        tokio::task::yield_now().await;
    }
    file.end();
    let text = timeout(Duration::from_secs(30), reader)
        .await
        .unwrap()
        .unwrap();
    assert!(
        text == expected,
        "{} of {} bytes",
        text.len(),
        expected.len()
    );
}

#[tokio::test]
async fn a_follower_that_is_too_slow_is_told_how_much_it_missed() {
    let dir = TempDir::new().unwrap();
    let logs = pod(dir.path(), SMALL);
    let log = logs.container("a").unwrap();
    let file = log.begin(0);
    file.write(Stream::Stdout, b"first\n");
    let mut reader = log.read(follow());
    assert!(matches!(
        reader.next().await.unwrap(),
        Some(LogItem::Line(_))
    ));
    let before = 1000;
    for n in 0..before {
        file.write(Stream::Stdout, format!("line {n}\n").as_bytes());
    }
    file.end();
    let (mut lost, mut read) = (0, 0);
    while let Some(item) = reader.next().await.unwrap() {
        match item {
            LogItem::Line(line) => read += u64::try_from(line.text.len() + 41).unwrap(),
            LogItem::Lost { bytes } => lost += bytes,
        }
    }
    assert!(lost > 0);
    // Each entry has a header of 40 bytes and a newline; "first" was read before.
    let written: u64 = (0..before)
        .map(|n| format!("line {n}").len() as u64 + 41)
        .sum();
    assert_eq!(lost + read, written);
}

#[tokio::test]
async fn a_follower_waits_for_the_first_attempt_and_goes_on_with_the_next() {
    let dir = TempDir::new().unwrap();
    let logs = pod(dir.path(), LogLimits::default());
    let log = Arc::clone(logs.container("a").unwrap());
    let options = LogOptions {
        restarts: true,
        ..follow()
    };
    let reader = tokio::spawn(all(log.read(options)));
    for attempt in 0..3 {
        tokio::task::yield_now().await;
        let file = log.begin(attempt);
        file.write(Stream::Stdout, format!("attempt {attempt}\n").as_bytes());
        file.end();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    logs.end();
    let text = timeout(Duration::from_secs(30), reader)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(text, "attempt 0\nattempt 1\nattempt 2\n");
}

#[tokio::test]
async fn since_leaves_out_what_is_older() {
    tokio::time::pause();
    let dir = TempDir::new().unwrap();
    let logs = pod(dir.path(), LogLimits::default());
    let log = logs.container("a").unwrap();
    let file = log.begin(0);
    file.write(Stream::Stdout, b"old\n");
    tokio::time::advance(Duration::from_secs(10)).await;
    file.write(Stream::Stdout, b"new\n");
    file.end();
    let since = Some(Timestamp::new(1_795_255_205, 0).unwrap());
    assert_eq!(
        all(log.read(LogOptions {
            since,
            ..LogOptions::default()
        }))
        .await,
        "new\n"
    );
}

#[test]
fn a_disk_that_refuses_costs_the_log_and_not_the_guest() {
    let dir = TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let logs = runtime.block_on(async { pod(dir.path(), SMALL) });
    let file = logs.container("a").unwrap().begin(0);
    file.write(Stream::Stdout, &[b'\n'; 50]);
    // Without its directory the log cannot be rotated.
    std::fs::remove_dir_all(dir.path().join("default_p_u/a")).unwrap();
    let sink = LogSink::to_file(Arc::clone(&file), Stream::Stdout);
    sink.write_all(&[b'\n'; 500]);
    assert!(file.dropped_bytes() > 0);
}

/// 100 MB without a newline: bounded memory, whole again at the reader. The rate is printed, not judged:
/// `cargo test --release -p wasmpod-sandbox -- --nocapture a_hundred_megabytes`.
#[expect(clippy::print_stderr, reason = "a measurement for whoever asks for it")]
#[tokio::test]
async fn a_hundred_megabytes_without_a_newline() {
    const TOTAL: usize = 100_000_000;
    let dir = TempDir::new().unwrap();
    let logs = pod(dir.path(), LogLimits::default());
    let log = logs.container("a").unwrap();
    let file = log.begin(0);
    let sink = LogSink::to_file(Arc::clone(&file), Stream::Stdout);
    let block = vec![b'x'; 64 * 1024];
    let start = std::time::Instant::now();
    let mut left = TOTAL;
    while left > 0 {
        left -= sink.try_write(&block[..block.len().min(left)]);
    }
    file.end();
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("{:.0} MB/s without newlines", TOTAL as f64 / 1e6 / seconds);
    let mut reader = log.read(LogOptions::default());
    let mut kept = 0;
    while let Some(item) = reader.next().await.unwrap() {
        let LogItem::Line(line) = item else { continue };
        assert!(line.is_partial && line.text.len() <= MAX_ENTRY_TEXT_BYTES);
        kept += line.text.len();
    }
    assert!(
        kept > 40_000_000,
        "four full files and the current one are kept: {kept}"
    );

    let lines = "a line of eighty characters, as they usually are in a log, more or less, ok...\n"
        .repeat(800);
    let start = std::time::Instant::now();
    for _ in 0..500 {
        sink.write_all(lines.as_bytes());
    }
    let megabytes = (lines.len() * 500) as f64 / 1e6;
    eprintln!(
        "{:.0} MB/s in lines of 79 bytes",
        megabytes / start.elapsed().as_secs_f64()
    );
}

/// A pod with containers `a` and `b` whose logs are begun, read as one.
fn two(dir: &Path) -> (PodLogs, [LogSink; 2], MergedLogs<&'static str>) {
    let identity = PodIdentity {
        namespace: "default".into(),
        name: "p".into(),
        uid: "u".into(),
    };
    let clock = Clock::virtual_from(Timestamp::new(1_795_255_200, 0).unwrap());
    let limits = LogLimits::default();
    let pod = PodLogs::create(dir, &identity, ["a", "b"], limits, clock).unwrap();
    let mut logs = MergedLogs::new();
    let sinks = ["a", "b"].map(|name| {
        let log = pod.container(name).unwrap();
        logs.add(
            name,
            log.read(LogOptions {
                restarts: true,
                ..follow()
            }),
        );
        LogSink::to_file(log.begin(0), Stream::Stdout)
    });
    (pod, sinks, logs)
}

/// The next line with its container.
async fn said(logs: &mut MergedLogs<&'static str>) -> Option<String> {
    let next = timeout(Duration::from_secs(60), logs.next());
    let (name, item) = next.await.expect("something or the end")?;
    match item.unwrap() {
        LogItem::Line(line) => Some(format!("{name} {}", String::from_utf8(line.text).unwrap())),
        LogItem::Lost { bytes } => Some(format!("{name} lost {bytes}")),
    }
}

#[tokio::test(start_paused = true)]
async fn containers_that_take_turns_are_told_in_turns() {
    let dir = tempfile::tempdir().unwrap();
    let (pod, sinks, mut logs) = two(dir.path());
    // More than is held of one log, from both, in runs of different lengths.
    let mut expected = Vec::new();
    for turn in 0..2000_usize {
        let who = usize::from(turn % 7 == 0 || turn > 1200);
        sinks[who].write_all(format!("{turn}\n").as_bytes());
        expected.push(format!("{} {turn}", ["a", "b"][who]));
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    pod.end();
    let mut got = Vec::new();
    while let Some(line) = said(&mut logs).await {
        got.push(line);
    }
    assert_eq!(got, expected);
    assert!(logs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_line_is_told_when_it_is_there_though_others_are_silent() {
    let dir = tempfile::tempdir().unwrap();
    let (pod, sinks, mut logs) = two(dir.path());
    for round in 0..3 {
        let line = format!("{round}\n");
        let later = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            sinks[round % 2].write_all(line.as_bytes());
        };
        let (got, ()) = tokio::join!(said(&mut logs), later);
        assert_eq!(got, Some(format!("{} {round}", ["a", "b"][round % 2])));
    }
    pod.end();
    assert_eq!(said(&mut logs).await, None);
}
