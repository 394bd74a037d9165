//! Pods that ask pods, and ports of the machine: upstream's `test/e2e/common/network/networking.go`,
//! `test/e2e/network/hostport.go` and a part of `test/e2e/scheduling/predicates.go`.

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};

use serde_json::{Value, json};

use crate::host::Host;
use crate::objects::manifest;
use crate::script::with;
use crate::serving::{ask, ask_by_datagram, datagrams, ip_of, server, web, world};
use crate::table::rows;

rows! {
    "1.21 In-pod and node networking, hostPort";
    "Networking, intra pod http" => passes http;
    "Networking, intra pod udp" => passes udp;
    "Networking, intra pod http, from node" => differs "The machine is not on the network of pods: it reaches what is published (`--publish`, `hostPort`, NodePort, Ingress).";
    "Networking, intra pod udp, from node" => differs "As over HTTP: the machine reaches what is published.";
    "Host Port, conflict between pods with different hostIP/protocol does not exist" => passes different_host_ports;
    "Scheduling, HostPort conflict with hostIP 0.0.0.0" => differs "A pod whose host port a running pod has is refused with an error that names both, and only one that a controller makes stays Pending; a `hostPort` without `hostIP` is on 127.0.0.1.";
}

async fn http() {
    let (host, _api) = world(&["pod1", "pod2"].map(|name| server(name, &[web("c", 8083)]))).await;
    for pod in ["pod1", "pod2"] {
        let address = format!("{}:8083", ip_of(&host, pod));
        assert_eq!(ask(&host, &address).await.unwrap(), pod);
    }
}

async fn udp() {
    let pods = ["pod1", "pod2"].map(|name| server(name, &[web("c", 80), datagrams("d", 8081)]));
    let (host, _api) = world(&pods).await;
    for pod in ["pod1", "pod2"] {
        let ip = ip_of(&host, pod);
        assert_eq!(ask_by_datagram(&host, &ip, 8081).await.unwrap(), pod);
    }
}

/// How many ports are tried: what the system has just picked may be another program's the moment after.
const MAX_PORTS: usize = 20;

/// Three pods whose host port differs in its address or protocol only, and the port.
async fn on_one_port() -> (Host, u16) {
    for _ in 0..MAX_PORTS {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let pod = |name: &str, container: Value, ip: &str, protocol: &str| {
            let ports = json!([
                {"containerPort": 8080, "hostPort": port, "hostIP": ip, "protocol": protocol},
            ]);
            server(name, &[with(container, json!({"ports": ports}))])
        };
        let pods = [
            pod("pod1", web("c", 8080), "127.0.0.1", "TCP"),
            pod("pod2", web("c", 8080), "127.0.0.2", "TCP"),
            pod("pod3", datagrams("c", 8080), "127.0.0.2", "UDP"),
        ];
        let host = Host::of(crate::host::CAPACITY);
        if host.try_apply(&manifest(&pods)).await.is_ok() {
            host.ready_pods(3).await;
            return (host, port);
        }
    }
    panic!("no port of this machine stays free");
}

async fn different_host_ports() {
    let (_host, port) = on_one_port().await;
    for (ip, pod) in [("127.0.0.1", "pod1"), ("127.0.0.2", "pod2")] {
        let asking = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect((ip, port)).unwrap();
            stream
                .write_all(b"GET /hostname HTTP/1.0\r\nHost: x\r\n\r\n")
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = asking.await.unwrap();
        assert!(answer.ends_with(pod), "{answer}");
    }
    let asking = tokio::task::spawn_blocking(move || {
        let socket = UdpSocket::bind("127.0.0.2:0").unwrap();
        let mut buffer = [0; 64];
        // The server may not listen yet: it has no probe, as upstream's has none.
        let patience = std::time::Duration::from_millis(100);
        socket.set_read_timeout(Some(patience)).unwrap();
        for _ in 0..300 {
            socket.send_to(b"hostname", ("127.0.0.2", port)).unwrap();
            if let Ok(length) = socket.recv(&mut buffer) {
                return String::from_utf8_lossy(&buffer[..length]).into_owned();
            }
        }
        panic!("nobody answers");
    });
    assert_eq!(asking.await.unwrap(), "pod3");
}
