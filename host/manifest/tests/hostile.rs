//! Input that wants to hurt: one clear problem each, quickly, and never a panic.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use wasmpod_manifest::{Report, Source, read};

/// Far above what any of these takes even on a loaded machine; a blow-up takes minutes or all memory.
const QUICK: Duration = Duration::from_secs(20);

fn refused(text: impl Into<Vec<u8>>) -> Report {
    let started = Instant::now();
    let report = read(&[Source::new("evil.yaml", text)]).expect_err("hostile input is refused");
    assert!(started.elapsed() < QUICK, "took {:?}", started.elapsed());
    report
}

fn only_rule(report: &Report) -> &'static str {
    assert_eq!(report.problems.len(), 1, "{report}");
    report.problems[0].rule_id
}

#[test]
fn a_file_of_100_megabytes_is_refused_without_being_parsed() {
    assert_eq!(only_rule(&refused(vec![b'a'; 100_000_000])), "source/size");
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert_eq!(only_rule(&refused(text)), "yaml/alias-expansion");
}

#[test]
fn an_alias_bomb_of_long_texts_is_refused() {
    let text = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(1_000_000),
        vec!["*a"; 1000].join(", ")
    );
    assert_eq!(only_rule(&refused(text)), "yaml/alias-expansion");
}

#[test]
fn anchors_within_anchors_cost_no_more_than_the_node_limit() {
    let mut text = String::new();
    for level in 0..90 {
        text.push_str(&format!("{}- &a{level}\n", " ".repeat(level)));
    }
    text.push_str(&format!("{}- [{}]\n", " ".repeat(90), "x, ".repeat(15_000)));
    assert_eq!(only_rule(&refused(text)), "yaml/nodes");
}

#[test]
fn an_alias_inside_of_its_own_anchor_is_refused() {
    let report = refused("a: &a [*a]\n");
    assert_eq!(report.problems.len(), 1, "{report}");
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
    ] {
        let report = refused(text);
        assert_eq!(report.problems.len(), 1, "{report}");
    }
    let mut steps = String::new();
    for level in 0..1000 {
        steps.push_str(&format!("{}a:\n", " ".repeat(level)));
    }
    assert_eq!(only_rule(&refused(steps)), "yaml/depth");
}

#[test]
fn a_file_of_nothing_but_values_is_refused() {
    assert_eq!(
        only_rule(&refused(format!("[{}]", "a,".repeat(1_400_000)))),
        "yaml/nodes"
    );
    assert_eq!(
        only_rule(&refused("---\na\n".repeat(200_000))),
        "yaml/documents"
    );
}

#[test]
fn what_is_no_utf_8_text_is_refused_with_its_offset() {
    let report = refused(b"apiVersion: v1\nkind: \xff\n".to_vec());
    assert_eq!(only_rule(&report), "source/utf-8");
    assert!(
        report.problems[0].message.ends_with("byte ff at offset 21"),
        "{report}"
    );
    let location = report.problems[0]
        .location
        .as_ref()
        .expect("there is a place");
    assert_eq!((location.line, location.column), (2, 7));
    let report = refused(b"kind: a\0b\n".to_vec());
    assert_eq!(only_rule(&report), "source/nul");
    assert!(report.problems[0].message.contains("offset 7"), "{report}");
    assert_eq!(
        only_rule(&refused(b"\xff\xfek\0i\0".to_vec())),
        "source/utf-16"
    );
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    let text = "\u{FEFF}apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bom}\n";
    let manifests = read(&[Source::new("bom.yaml", text)]).expect("it is valid");
    assert_eq!(manifests.config_maps.len(), 1);
}

#[test]
fn a_program_is_refused_in_one_line() {
    let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
    elf.extend([0xAA; 512]);
    assert_eq!(refused(elf).problems.len(), 1);
}

#[test]
fn a_thousand_mistakes_are_counted_and_twenty_are_shown() {
    let keys: String = (0..5000).map(|n| format!("  k{n}: {n}\n")).collect();
    let report = refused(format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n{keys}"
    ));
    assert_eq!((report.len(), report.problems.len()), (5000, 1000));
    assert!(
        report
            .render()
            .contains("4980 more problems are not shown (5000 in all)")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Err(report) = read(&[Source::new("random", bytes)]) {
            prop_assert!(!report.render().is_empty());
        }
    }

    #[test]
    fn random_yaml_never_panics(text in "[-a:{}\\[\\],&*!|>'\"%@ \t\n#?<0~\\\\é]{0,200}") {
        if let Err(report) = read(&[Source::new("random", text)]) {
            prop_assert!(!report.render().is_empty());
        }
    }

    #[test]
    fn a_damaged_manifest_never_panics(cut in 0usize..1200, with in "[-a:{}\\[\\],&*!|>'\" \n0]{0,6}") {
        let good = include_str!("../../../tests/manifests/valid/defaults.yaml");
        let at = good.char_indices().map(|(index, _)| index).nth(cut % good.len()).unwrap_or(0);
        let text = format!("{}{with}{}", &good[..at], &good[at..]);
        if let Err(report) = read(&[Source::new("damaged", text)]) {
            prop_assert!(!report.render().is_empty());
        }
    }
}

#[test]
fn a_text_that_starts_too_far_left_on_every_line_is_not_parsed_for_ever() {
    let text = format!("a:\n  b: [\n{}  ]\n", "x,\n".repeat(900_000));
    assert_eq!(only_rule(&refused(text)), "yaml/flow-indentation");
}
