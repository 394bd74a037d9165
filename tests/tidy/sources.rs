//! What a source file looks like.

use crate::{hold, read, rust_files};

const MAX_LINES: usize = 800;

/// The only files with `unsafe` on the host: the loading of compiled code that we wrote ourselves, and the pages that
/// several guests share.
const UNSAFE_HOMES: [&str; 4] = [
    "host/runtime/code_store/",
    "host/runtime/shared_pages/guest.rs",
    "host/runtime/shared_pages/list.rs",
    "host/runtime/shared_pages/page_file.rs",
];

fn breaches(
    folders: &[&str],
    mut check: impl FnMut(&str, &str) -> Vec<(usize, String)>,
) -> Vec<String> {
    let mut found = Vec::new();
    for file in rust_files(folders) {
        let text = read(&file);
        found.extend(
            check(&file, &text)
                .into_iter()
                .map(|(line, what)| format!("{file}:{line}: {what}")),
        );
    }
    found
}

/// The lines for which `matches` holds, from 1, with what to say of them.
fn lines(text: &str, what: &str, matches: impl Fn(&str) -> bool) -> Vec<(usize, String)> {
    let numbered = text.lines().enumerate().filter(|(_, line)| matches(line));
    numbered
        .map(|(index, _)| (index + 1, what.to_owned()))
        .collect()
}

#[test]
fn every_module_says_what_it_is_for() {
    let found = breaches(&["host", "tests"], |_, text| {
        match text.starts_with("//!") {
            true => vec![],
            false => vec![(1, "no module documentation".to_owned())],
        }
    });
    hold("a file begins with its module's documentation", &found);
}

#[test]
fn no_file_is_longer_than_people_read() {
    let found = breaches(&["host", "tests", "guest-examples"], |_, text| {
        match text.lines().count() {
            count if count > MAX_LINES => vec![(1, format!("{count} lines; split it by concept"))],
            _ => vec![],
        }
    });
    hold("a file has 800 lines at most", &found);
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    const BANNED: [&str; 9] = [
        "util", "utils", "common", "helper", "helpers", "misc", "core", "base", "types",
    ];
    let found = breaches(&["host"], |file, _| {
        let parts = file.trim_end_matches(".rs").split('/');
        // `host/ipc/core.rs` of the runtime is about core modules, which is what the standard calls them.
        let is_banned = parts.into_iter().any(|part| BANNED.contains(&part))
            && !file.starts_with("host/runtime/host/");
        if is_banned {
            vec![(1, "a name that says nothing".to_owned())]
        } else {
            vec![]
        }
    });
    hold("a module's name says what is in it", &found);
}

#[test]
fn tests_are_never_switched_off_and_never_sleep() {
    let found = breaches(&["host", "tests/it", "tests/support"], |file, text| {
        // A file of tests, or the tests at the end of a file.
        let at_end = || {
            text.split_once("\nmod tests {")
                .map_or("", |(_, rest)| rest)
        };
        let of_tests = if file.contains("test") {
            text
        } else {
            at_end()
        };
        let mut found = lines(of_tests, "an ignored test", |line| {
            line.trim_start().starts_with("#[ignore")
        });
        found.extend(lines(
            of_tests,
            "a sleep; wait for a condition instead",
            |line| line.contains("thread::sleep(") && !line.trim_start().starts_with("//"),
        ));
        found
    });
    hold("a test runs, and waits for conditions", &found);
}

#[test]
fn nothing_is_left_to_be_done_without_a_number() {
    let found = breaches(
        &["host", "tests/it", "tests/support", "guest-examples"],
        |_, text| {
            lines(text, "a TODO without an issue's number", |line| {
                (line.contains("TODO") || line.contains("FIXME")) && !line.contains("TODO(#")
            })
        },
    );
    hold("a TODO names its issue", &found);
}

#[test]
fn unsafe_code_stays_where_it_is_allowed_and_argues() {
    let found = breaches(&["host"], |file, text| {
        let all: Vec<_> = text.lines().collect();
        let mut found = Vec::new();
        for (index, line) in all.iter().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") || !(code.contains("unsafe {") || code.starts_with("unsafe "))
            {
                continue;
            }
            if !UNSAFE_HOMES.iter().any(|home| file.starts_with(home)) {
                let homes = UNSAFE_HOMES.join(", ");
                found.push((index + 1, format!("unsafe outside of {homes}")));
            }
            if !all[index.saturating_sub(8)..index]
                .iter()
                .any(|line| line.contains("SAFETY:"))
            {
                found.push((index + 1, "unsafe without a SAFETY argument".to_owned()));
            }
        }
        found
    });
    hold("unsafe is rare and argued", &found);
}
