//! What a program sees of TCP and UDP: the checks of `guest-examples/net-oracle`, in a pod. That Linux shows what they call
//! Linux is tested there, by running the same program natively.
//!
//! What a pod shows otherwise is a row of docs/networking.md, with the reason: no more and no fewer.

use std::collections::BTreeMap;

use crate::support::{Wasmpod, root, test_guest};

/// The heading above the rows, and what ends them.
const HEADING: &str = "| check | Linux | a pod | why |";

/// Runs roles of the program as the containers of a pod; what each of them said.
fn in_pod(roles: &[(&str, &str)]) -> Vec<String> {
    let guest = test_guest("net-oracle");
    let containers: String = roles
        .iter()
        .map(|(role, args)| {
            let image = guest.display();
            format!("  - {{name: {role}, image: {image}, args: [{role}, {args}]}}\n")
        })
        .collect();
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: oracle}}\nspec:\n  restartPolicy: Never\n  \
         containers:\n{containers}"
    );
    let end = Wasmpod::up_text(&manifest, &[]).run();
    let said = |role: &str| {
        let start = format!("oracle/{role} | ");
        let lines = end.stdout.lines();
        let lines = lines.filter_map(|line| Some(format!("{}\n", line.strip_prefix(&start)?)));
        lines.collect::<String>()
    };
    let said: Vec<String> = roles.iter().map(|(role, _)| said(role)).collect();
    for said in &said {
        assert!(said.contains("\nDONE "), "{end:?}");
    }
    said
}

/// The rows of docs/networking.md: a check's name, with what Linux shows and what a pod shows.
fn differences() -> BTreeMap<String, (String, String)> {
    let page = std::fs::read_to_string(root().join("docs/networking.md")).unwrap();
    let rows = page.lines().skip_while(|line| *line != HEADING).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [check, linux, pod, why] = <[&str; 4]>::try_from(cells).unwrap();
        assert!(!why.is_empty(), "{row}");
        (
            check.trim_matches('`').to_owned(),
            (linux.to_owned(), pod.to_owned()),
        )
    });
    cells.collect()
}

#[test]
fn a_program_in_a_pod_sees_what_it_sees_on_linux_but_for_what_is_documented() {
    let said = in_pod(&[("alone", "''")]).remove(0);
    let passed = said
        .lines()
        .filter(|line| line.starts_with("PASS "))
        .count();
    assert!(passed > 100, "{said}");
    let failed = said.lines().filter_map(|line| {
        let (name, what) = line.strip_prefix("FAIL ")?.split_once(": saw ")?;
        let (pod, linux) = what.split_once("; Linux: ")?;
        Some((name.to_owned(), (linux.to_owned(), pod.to_owned())))
    });
    let failed: BTreeMap<_, _> = failed.collect();
    assert_eq!(
        failed,
        differences(),
        "left: seen, right: docs/networking.md"
    );
}

#[test]
fn two_containers_talk_as_two_processes_do() {
    let address = "'127.0.0.1:7000'";
    for said in in_pod(&[("server", address), ("client", address)]) {
        assert!(!said.contains("FAIL "), "{said}");
        assert!(said.ends_with("DONE 6\n"), "{said}");
    }
}
