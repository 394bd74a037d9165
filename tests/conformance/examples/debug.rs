//! `debug`: logs and termination messages.

use super::examples;
use crate::pod::{Pod, container};
use crate::table::rows;

rows! {
    "Examples: debug";
    "debug/counter-pod.yaml" => passes a_counter_counts;
    "debug/termination.yaml" => passes the_last_word_is_in_the_status;
}

async fn a_counter_counts() {
    let Some(manifest) = examples(&["debug/counter-pod.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    let log = pod
        .log_until("count", |log| log.lines().count() >= 10)
        .await;
    for (number, line) in log.lines().enumerate() {
        let date = line.strip_prefix(&format!("{number}: "));
        assert!(
            date.is_some_and(|date| date.contains("Nov 21 10:00:")),
            "{log}"
        );
    }
    let took = pod.elapsed().as_secs();
    assert!((9..=11).contains(&took), "{took} s for 10 lines");
}

async fn the_last_word_is_in_the_status() {
    let Some(manifest) = examples(&["debug/termination.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    let name = "termination-demo-container";
    let status = pod.until("a restart", |status| {
        container(status, name).restart_count == 1
    });
    let last = container(&status.await, name)
        .last_state
        .unwrap()
        .terminated
        .unwrap();
    assert_eq!(last.message.as_deref(), Some("Sleep expired\n"));
    assert_eq!(last.exit_code, 0);
    let ran = last.finished_at.unwrap().0.as_second() - last.started_at.unwrap().0.as_second();
    assert!((10..=11).contains(&ran), "{ran} s");
}
