//! `net` and `capture`: the sockets of a pod, and what passes them.

use bytes::Bytes;
use wasmpod_network::{AddressFamily, PodNetwork};

use super::*;
use crate::client::DeleteOptions;

impl World {
    /// The network of a pod that runs.
    fn network(&self, pod: &str) -> PodNetwork {
        let running = self.agent.running("default", pod).unwrap();
        running.sandbox().status().network.clone().unwrap()
    }
}

#[tokio::test]
async fn a_pod_tells_of_its_sockets() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    let path = "/api/v1/namespaces/default/pods/web/net";
    let network = world.network("web");
    let container = network.attach("a");
    let listener = container.tcp_socket(AddressFamily::Ipv4).unwrap();
    listener.bind(([0, 0, 0, 0], 80).into()).unwrap();
    listener.listen().unwrap();
    let client = container.tcp_socket(AddressFamily::Ipv4).unwrap();
    client.connect(([127, 0, 0, 1], 80).into()).unwrap();
    let stream = client.try_connect().unwrap();
    stream.try_write(&mut Bytes::from_static(b"12345")).unwrap();

    let net = world.get(path).await;
    let named = (&net["kind"], &net["apiVersion"], &net["metadata"]["name"]);
    let version = json!("wasmpod.dev/v1alpha1");
    assert_eq!(named, (&json!("PodNet"), &version, &json!("web")));
    let [listening, connected] = &net["sockets"].as_array().unwrap()[..] else {
        panic!("{net}");
    };
    assert_eq!(listening["state"], "LISTEN");
    assert_eq!(listening["localAddress"], "0.0.0.0:80");
    assert_eq!(listening["peerAddress"], json!(null));
    // One waits to be accepted, of as many as may.
    assert_eq!(
        (&listening["recvQueue"], &listening["sendQueue"]),
        (&json!(1), &json!(128))
    );
    assert_eq!(listening["listener"]["overflows"], 0);
    assert_eq!(
        (&connected["netid"], &connected["state"]),
        (&json!("tcp"), &json!("ESTAB"))
    );
    assert_eq!(
        (&connected["container"], &connected["peerContainer"]),
        (&json!("a"), &json!("a"))
    );
    assert_eq!(connected["traffic"]["sentBytes"], 5);
    assert!(
        connected["openTime"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z'))
    );
    let containers = net["containers"].as_array().unwrap();
    let own = containers.iter().find(|one| one["name"] == "a").unwrap();
    assert_eq!(
        (&own["tcp"]["open"], &own["udp"]["opened"]),
        (&json!(1), &json!(0))
    );

    let missing = "/api/v1/namespaces/default/pods/none/net";
    assert_eq!(world.refused(missing).await.code, 404);
    assert_eq!(world.refused(&format!("{path}?watch=true")).await.code, 405);
}

#[tokio::test]
async fn a_pods_traffic_comes_as_a_capture_until_the_pod_ends() {
    let world = World::new();
    world.pod("web", &["a", "b"]).await;
    let path = "/api/v1/namespaces/default/pods/web/capture";
    let mut capture = bounded(world.client.bytes(&format!("{path}?port=53&container=b")))
        .await
        .unwrap();
    let head = bounded(capture.next()).await.unwrap().unwrap();
    assert_eq!(head[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    let says = |bytes: &[u8], text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    for text in [
        "pod default/web",
        "container b of pod default/web, image ./app.wasm",
    ] {
        assert!(says(&head, text), "{text}");
    }

    let network = world.network("web");
    let [a, b] = ["a", "b"].map(|name| {
        let socket = network.attach(name);
        let udp = socket.udp_socket(AddressFamily::Ipv4).unwrap();
        (socket, udp)
    });
    for ((_, socket), port, text) in [
        (&a, 53, "not of b"),
        (&b, 54, "not to 53"),
        (&b, 53, "wanted"),
    ] {
        let to = ([127, 0, 0, 1], port).into();
        socket
            .try_send_to(&Bytes::from_static(text.as_bytes()), Some(to))
            .unwrap();
    }
    let mut all = Vec::new();
    while !says(&all, "wanted") {
        all.extend_from_slice(&bounded(capture.next()).await.unwrap().unwrap());
    }
    assert!(!says(&all, "not "));
    drop((a, b, network));
    let path = "/api/v1/namespaces/default/pods/web";
    world
        .client
        .delete(path, &DeleteOptions::default())
        .await
        .unwrap();
    while let Some(bytes) = bounded(capture.next()).await.unwrap() {
        all.extend_from_slice(&bytes);
    }
    // The last block is of statistics.
    let length = u32::from_le_bytes(*all.last_chunk().unwrap());
    let last = &all[all.len() - usize::try_from(length).unwrap()..];
    assert_eq!(last[..4], [5, 0, 0, 0]);
}

#[tokio::test]
async fn a_capture_that_makes_no_sense_is_refused() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    let path = "/api/v1/namespaces/default/pods/web/capture";
    for (query, code, message) in [
        ("container=z", 400, "container z is not valid for pod web"),
        (
            "port=0",
            422,
            "port: Invalid value: 0: must be between 1 and 65535",
        ),
        (
            "port=x",
            422,
            "port: Invalid value: x: must be between 1 and 65535",
        ),
        (
            "count=0",
            422,
            "count: Invalid value: 0: must be greater than 0",
        ),
        ("count=x", 400, "invalid value for query parameter count"),
        (
            "snapLength=-1",
            422,
            "snapLength: Invalid value: -1: must be greater than 0",
        ),
    ] {
        let refused = world.refused(&format!("{path}?{query}")).await;
        assert_eq!(refused.code, code, "{query}: {refused:?}");
        assert!(refused.message.contains(message), "{refused:?}");
    }
    let missing = "/api/v1/namespaces/default/pods/none/capture";
    assert_eq!(world.refused(missing).await.code, 404);

    let mut captures = Vec::new();
    let refused = loop {
        match bounded(world.client.bytes(path)).await {
            Ok(capture) => captures.push(capture),
            Err(error) => break error,
        }
        assert!(captures.len() < 100);
    };
    let status = refused.status().unwrap();
    assert_eq!(
        (status.code, status.reason.as_str()),
        (429, "TooManyRequests")
    );
    assert_eq!(captures.len(), 8);

    world.runtime.script("z", Script::ends_after(0, 0));
    let done = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "done"},
        "spec": {"containers": [{"name": "z", "image": "./app.wasm"}], "restartPolicy": "Never"},
    });
    world.start(done).await;
    world.until_status("done", "Completed").await;
    let over = "/api/v1/namespaces/default/pods/done/capture";
    let refused = world.refused(over).await;
    assert_eq!(refused.code, 400);
    assert_eq!(
        refused.message,
        "pod \"done\" has no network to capture: its phase is Succeeded"
    );
}
