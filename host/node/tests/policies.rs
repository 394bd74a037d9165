//! What the network holds pods to: policies, and changes of what they select by.

use std::net::Ipv4Addr;

use wasmpod_network::{AddressFamily, ContainerNetwork, Errno, TcpSocket, TcpStream};

use super::*;

/// A pod's network, as a container of it has it.
fn attached(world: &World, pod: &str) -> (ContainerNetwork, Ipv4Addr) {
    let ip = world.get(Kind::Pod, pod)["status"]["podIP"].clone();
    let ip: Ipv4Addr = ip.as_str().unwrap().parse().unwrap();
    let network = world.agent.shared.network.pod(ip).unwrap();
    (network.attach("test"), ip)
}

fn listen(container: &ContainerNetwork) -> TcpSocket {
    let socket = container.tcp_socket(AddressFamily::Ipv4).unwrap();
    socket.bind(([0, 0, 0, 0], 80).into()).unwrap();
    socket.listen().unwrap();
    socket
}

fn connect(container: &ContainerNetwork, to: Ipv4Addr) -> Result<TcpStream, Errno> {
    let socket = container.tcp_socket(AddressFamily::Ipv4).unwrap();
    socket.connect((to, 80).into()).unwrap();
    socket.try_connect()
}

fn labelled(name: &str) -> String {
    pod(name, "restartPolicy: Always", "").replace("app: web", &format!("app: {name}"))
}

const POLICY: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-client}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: client}}}]
---
";

async fn started() -> World {
    let world = World::new();
    let yaml = POLICY.to_owned() + &labelled("server") + &labelled("client") + &labelled("other");
    world.start(&yaml).await.unwrap();
    world.until("three pods", |world| world.ready() == 3).await;
    world
}

#[tokio::test(start_paused = true)]
async fn pods_reach_each_other_as_policies_say_and_no_more_when_they_are_gone() {
    let world = started().await;
    let (server, ip) = attached(&world, "server");
    let (client, _) = attached(&world, "client");
    let (other, _) = attached(&world, "other");
    let _listener = listen(&server);
    assert!(connect(&client, ip).is_ok());
    assert_eq!(connect(&other, ip).err(), Some(Errno::Again));
    world.delete(
        Kind::NetworkPolicy,
        "only-client",
        &DeleteOptions::default(),
    );
    world.agent.settled().await;
    assert!(connect(&other, ip).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_loses_the_label_that_let_it_in_loses_its_connections() {
    let world = started().await;
    let (server, ip) = attached(&world, "server");
    let (client, _) = attached(&world, "client");
    let _listener = listen(&server);
    let stream = connect(&client, ip).unwrap();
    let namespace = Some("default");
    let relabel = |label: &'static str| {
        let changed = world
            .agent
            .update(Kind::Pod, namespace, "client", &mut |object| {
                let labels = [("app".to_owned(), label.to_owned())];
                object.metadata_mut().labels = Some(labels.into());
                Ok(())
            });
        changed.unwrap();
    };
    relabel("stranger");
    world.agent.settled().await;
    assert_eq!(stream.try_read(1), Err(Errno::ConnReset));
    assert_eq!(connect(&client, ip).err(), Some(Errno::Again));
    relabel("client");
    world.agent.settled().await;
    assert!(connect(&client, ip).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_comes_later_has_its_rules_from_the_start() {
    let world = started().await;
    let yaml = labelled("late").replace("app: late", "app: server");
    world.start(&yaml).await.unwrap();
    world.until("four pods", |world| world.ready() == 4).await;
    let (late, ip) = attached(&world, "late");
    let (other, _) = attached(&world, "other");
    let (client, _) = attached(&world, "client");
    let _listener = listen(&late);
    assert_eq!(connect(&other, ip).err(), Some(Errno::Again));
    assert!(connect(&client, ip).is_ok());
}
