//! `admin`: logging and DNS.

use std::time::Duration;

use super::{examples, parsed};
use crate::pod::Pod;
use crate::table::rows;

rows! {
    "Examples: admin";
    "admin/dns/busybox.yaml" => passes busybox_sleeps_an_hour_and_again;
    "admin/logging/fluentd-sidecar-config.yaml" => passes fluentd_config_is_read_as_written;
    "admin/logging/two-files-counter-pod-streaming-sidecar.yaml" => passes sidecars_stream_two_logs;
}

async fn busybox_sleeps_an_hour_and_again() {
    let Some(manifest) = examples(&["admin/dns/busybox.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    let status = pod.is_ready().await;
    assert_eq!(status.phase.as_deref(), Some("Running"));
    let looked_up = pod.exec("busybox", &["nslookup", "busybox"]).await;
    let ip = status.pod_ip.unwrap();
    assert!(
        looked_up.stdout.contains(&format!("Address: {ip}")),
        "{looked_up:?}"
    );
    pod.pause(Duration::from_secs(3590)).await;
    assert_eq!(pod.container("busybox").restart_count, 0);
    let status = pod.until("one restart", |status| {
        crate::pod::container(status, "busybox").restart_count == 1
    });
    let container = crate::pod::container(&status.await, "busybox");
    let last = container.last_state.unwrap().terminated.unwrap();
    assert_eq!(last.exit_code, 0);
}

async fn fluentd_config_is_read_as_written() {
    let Some(manifest) = examples(&["admin/logging/fluentd-sidecar-config.yaml"]) else {
        return;
    };
    let map = parsed(&manifest).config_maps.remove(0);
    let text = &map.data.unwrap()["fluentd.conf"];
    assert!(text.starts_with("<source>\n  type tail\n"), "{text}");
    assert_eq!(text.matches("<source>\n").count(), 2, "{text}");
    assert!(text.contains("</source>\n\n<source>"), "{text}");
    assert!(text.ends_with("</match>\n"), "{text}");
}

async fn sidecars_stream_two_logs() {
    let Some(manifest) = examples(&["admin/logging/two-files-counter-pod-streaming-sidecar.yaml"])
    else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    let status = pod.is_ready().await;
    assert_eq!(status.container_statuses.unwrap().len(), 3);
    let first = pod
        .log_until("count-log-1", |log| log.lines().count() >= 3)
        .await;
    // `tail -F` may say first that there is no file yet.
    let counted = |log: &str| -> Vec<String> {
        let lines = log.lines().filter(|line| !line.starts_with("tail: "));
        lines.map(str::to_owned).collect()
    };
    for (number, line) in counted(&first).iter().enumerate() {
        let date = line.strip_prefix(&format!("{number}: "));
        assert!(date.is_some_and(|date| date.contains("2026")), "{first}");
    }
    let second = pod
        .log_until("count-log-2", |log| log.lines().count() >= 3)
        .await;
    for (number, line) in counted(&second).iter().enumerate() {
        assert!(
            line.ends_with(&format!(" INFO {number}")) && line.contains("2026"),
            "{second}"
        );
    }
    assert_eq!(pod.log("count").await, "");
}
