//! A program with a pod in it: a producer and a consumer on one message queue.
//!
//! Run it with `cargo run -p wasmpod-embed --example embed`.

use wasmpod::{Host, LogItem, LogOptions, Source};

const POD: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: queue
spec:
  restartPolicy: Never
  containers:
  - name: producer
    image: allingeek/ch6_ipc
    command: [./ipc, -producer]
  - name: consumer
    image: allingeek/ch6_ipc
    command: [./ipc, -consumer]
";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let host = Host::builder().build()?;
    let manifests = wasmpod::read(&[Source::new("queue", POD)])?;
    for pod in host.start(manifests).await? {
        let follow = LogOptions {
            follow: true,
            ..LogOptions::default()
        };
        let Some(mut log) = pod.logs("consumer", follow) else {
            continue;
        };
        let mut consumed = 0;
        while let Some(item) = log.next().await? {
            consumed += usize::from(matches!(item, LogItem::Line(_)));
        }
        let end = pod.wait().await;
        let phase = end
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            .unwrap_or_default();
        anstream::println!(
            "pod \"{}\": {phase}, {consumed} messages consumed",
            pod.name()
        );
    }
    host.shutdown().await?;
    Ok(())
}
