//! The runners against small servers on a virtual network.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use wasmpod_network::{Network, PodNetwork, PodNetworkConfig};

use super::*;
use crate::tests::server::{
    Listener, answer, grpc as grpc_server, http as http_server, https as https_server,
};

struct World {
    network: Arc<Network>,
    pod: PodNetwork,
    dialer: Dialer,
}

fn world() -> World {
    let network = Arc::new(Network::new());
    let config = PodNetworkConfig {
        hostname: "web".to_owned(),
        ..PodNetworkConfig::default()
    };
    let pod = network.create_pod(config).unwrap();
    let dialer = Dialer {
        pod: pod.clone(),
        network: Arc::clone(&network),
    };
    World {
        network,
        pod,
        dialer,
    }
}

impl World {
    async fn get(&self, action: Value) -> Tried {
        judge(self.send(action).await)
    }

    async fn send(&self, action: Value) -> Result<Response, HttpError> {
        let action = serde_json::from_value(action).unwrap();
        let get = HttpGet {
            dialer: &self.dialer,
            action: &action,
            port: port(&Container::default(), &action.port).unwrap(),
            user_agent: "kube-probe/1.37",
            deadline: Instant::now() + Duration::from_secs(1),
        };
        get.send().await
    }
}

fn failure(message: &str) -> Tried {
    Tried::Failure(message.to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_status_of_an_http_answer_decides() {
    let world = world();
    let _server = http_server(&world.pod, 80, |head| {
        let status = head.split(['/', ' ']).nth(2).unwrap();
        answer(&format!("{status} X"), "", "body")
    });
    for (status, tried) in [
        (200, Tried::Success),
        (299, Tried::Success),
        (
            304,
            Tried::Warning("Probe terminated redirects, Response body: ".to_owned()),
        ),
        (400, failure("HTTP probe failed with statuscode: 400")),
        (404, failure("HTTP probe failed with statuscode: 404")),
        (500, failure("HTTP probe failed with statuscode: 500")),
    ] {
        let action = json!({"port": 80, "path": format!("/{status}")});
        assert_eq!(world.get(action).await, tried, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_request_is_the_kubelets_unless_the_action_says_otherwise() {
    let world = world();
    let (requests, _server) = http_server(&world.pod, 80, |_| answer("200 OK", "", ""));
    let ip = world.pod.pod_ip();
    world.get(json!({"port": 80, "path": "/a?b"})).await;
    let headers = json!([
        {"name": "X-Custom", "value": "1"}, {"name": "Host", "value": "example.com"},
        {"name": "user-agent", "value": "mine"}, {"name": "accept", "value": ""},
    ]);
    world.get(json!({"port": 80, "httpHeaders": headers})).await;
    let requests = requests.lock().unwrap().clone();
    let lines = |request: &str| {
        let mut lines: Vec<_> = request
            .trim_end()
            .split("\r\n")
            .map(str::to_owned)
            .collect();
        lines[1..].sort();
        lines
    };
    assert_eq!(
        lines(&requests[0]),
        [
            "GET /a?b HTTP/1.1".to_owned(),
            "Accept: */*".to_owned(),
            "Connection: close".to_owned(),
            format!("Host: {ip}:80"),
            "User-Agent: kube-probe/1.37".to_owned()
        ]
    );
    assert_eq!(
        lines(&requests[1]),
        [
            "GET / HTTP/1.1",
            "Connection: close",
            "Host: example.com",
            "User-Agent: mine",
            "X-Custom: 1"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn redirects_are_followed_on_the_same_host_only_and_not_for_ever() {
    let world = world();
    let ip = world.pod.pod_ip();
    let location = format!("location: http://{ip}:81/end\r\n");
    let _end = http_server(&world.pod, 81, |_| answer("404 Gone", "", ""));
    let (requests, _server) = http_server(&world.pod, 80, move |head| {
        if head.starts_with("GET /port") {
            answer("302 Found", &location, "")
        } else if head.starts_with("GET /away") {
            answer(
                "302 Found",
                "location: http://example.com/\r\n",
                "elsewhere",
            )
        } else {
            answer("301 Moved", "location: /loop\r\n", "")
        }
    });
    let other_port = world.get(json!({"port": 80, "path": "/port"})).await;
    assert_eq!(
        other_port,
        failure("HTTP probe failed with statuscode: 404")
    );
    let away = world.get(json!({"port": 80, "path": "/away"})).await;
    let text = "Probe terminated redirects, Response body: elsewhere".to_owned();
    assert_eq!(away, Tried::Warning(text));
    let endless = world.get(json!({"port": 80, "path": "/loop"})).await;
    let text = format!("Get \"http://{ip}:80/loop\": stopped after 10 redirects");
    assert_eq!(endless, failure(&text));
    assert_eq!(requests.lock().unwrap().len(), 1 + 1 + 10);
}

#[tokio::test(start_paused = true)]
async fn what_keeps_a_server_from_answering_is_said_as_go_says_it() {
    let world = world();
    let ip = world.pod.pod_ip();
    let url = format!("Get \"http://{ip}:80/x\"");
    let action = json!({"port": 80, "path": "/x"});
    let refused = world.get(action.clone()).await;
    let text = format!("{url}: dial tcp {ip}:80: connect: connection refused");
    assert_eq!(refused, failure(&text));

    let listener = Listener::bind(&world.pod, 80);
    let before = Instant::now();
    let (silent, _stream) = tokio::join!(world.get(action.clone()), listener.accept());
    let text = format!(
        "{url}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    );
    assert_eq!(silent, failure(&text));
    assert_eq!(before.elapsed(), Duration::from_secs(1));

    let hang_up = async { drop(listener.accept().await) };
    let (closed, ()) = tokio::join!(world.get(action.clone()), hang_up);
    assert!(
        [
            format!("{url}: EOF"),
            format!("{url}: read: connection reset by peer")
        ]
        .contains(&message(&closed)),
        "{closed:?}"
    );
    drop(listener);

    let _server = http_server(&world.pod, 80, |_| "no HTTP at all\r\n\r\n".to_owned());
    let broken = message(&world.get(action).await);
    assert!(broken.starts_with(&format!(
        "{url}: net/http: HTTP/1.x transport connection broken"
    )));
}

fn message(tried: &Tried) -> String {
    match tried {
        Tried::Success => String::new(),
        Tried::Warning(text) | Tried::Failure(text) | Tried::Unknown(text) => text.clone(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_is_a_pod_or_nothing() {
    let world = world();
    let other = world
        .network
        .create_pod(PodNetworkConfig::default())
        .unwrap();
    let _server = http_server(&other, 8080, |_| answer("200 OK", "", ""));
    let host = other.pod_ip().to_string();
    let at = |host: &str| json!({"port": 8080, "host": host});
    assert_eq!(world.get(at(&host)).await, Tried::Success);
    for (host, why) in [
        (
            "127.0.0.1",
            "dial tcp 127.0.0.1:8080: connect: connection refused",
        ),
        (
            "192.0.2.1",
            "dial tcp 192.0.2.1:8080: connect: network is unreachable",
        ),
        ("example.com", "dial tcp: lookup example.com: no such host"),
        ("web", "dial tcp web:8080: connect: connection refused"),
    ] {
        let text = format!("Get \"http://{host}:8080/\": {why}");
        assert_eq!(world.get(at(host)).await, failure(&text));
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_beginning_of_a_body_is_read() {
    let world = world();
    let long = "x".repeat(3 * MAX_OUTPUT_BYTES);
    let _server = http_server(&world.pod, 80, move |_| answer("200 OK", "", &long));
    let response = world.send(json!({"port": 80})).await.unwrap();
    assert_eq!(response.body.len(), MAX_OUTPUT_BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_no_answer_at_all() {
    let world = world();
    let _server = http_server(&world.pod, 80, |_| {
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_owned()
    });
    let broken = world.get(json!({"port": 80})).await;
    assert!(matches!(broken, Tried::Unknown(_)), "{broken:?}");
}

#[tokio::test(start_paused = true)]
async fn over_tls_any_certificate_will_do() {
    let world = world();
    let (requests, _server) = https_server(&world.pod, 443, |head| {
        let is_well = head.starts_with("GET /well ");
        answer(if is_well { "200 OK" } else { "500 No" }, "", "")
    });
    let get = |path: &str| world.get(json!({"port": 443, "scheme": "HTTPS", "path": path}));
    assert_eq!(get("/well").await, Tried::Success);
    let ill = failure("HTTP probe failed with statuscode: 500");
    assert_eq!(get("/ill").await, ill);
    let ip = world.pod.pod_ip();
    let host = format!("host: {ip}:443\r\n");
    let asked = requests.lock().unwrap()[0].to_lowercase();
    assert!(asked.contains(&host), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_tls_is_found_out() {
    let world = world();
    let _server = http_server(&world.pod, 80, |_| answer("400 Bad Request", "", ""));
    let ip = world.pod.pod_ip();
    let plain = world.get(json!({"port": 80, "scheme": "HTTPS"})).await;
    let why = "http: server gave HTTP response to HTTPS client";
    assert_eq!(plain, failure(&format!("Get \"https://{ip}:80/\": {why}")));
    // A server that says nothing.
    let _silent = Listener::bind(&world.pod, 81);
    let silent = world.get(json!({"port": 81, "scheme": "HTTPS"})).await;
    let why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    assert_eq!(silent, failure(&format!("Get \"https://{ip}:81/\": {why}")));
}

#[tokio::test(start_paused = true)]
async fn a_tcp_probe_wants_a_connection_and_no_more() {
    let world = world();
    let ip = world.pod.pod_ip();
    let deadline = || Instant::now() + Duration::from_secs(1);
    let refused = connect(&world.dialer, None, 80, deadline()).await;
    let text = format!("dial tcp {ip}:80: connect: connection refused");
    assert_eq!(refused, failure(&text));
    let _listener = Listener::bind(&world.pod, 80);
    let tried = connect(&world.dialer, None, 80, deadline()).await;
    assert_eq!(tried, Tried::Success);
}

#[tokio::test(start_paused = true)]
async fn a_grpc_probe_asks_the_health_service() {
    const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";
    const NOT_SERVING: &[u8] = b"\0\0\0\0\x02\x08\x02";
    let timeout = Duration::from_secs(1);
    for (message, status, expected) in [
        (SERVING, ("0", ""), Tried::Success),
        (
            NOT_SERVING,
            ("0", ""),
            failure("service unhealthy (responded with \"NOT_SERVING\")"),
        ),
        (
            b"",
            ("5", "unknown%20service"),
            failure(
                "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
            ),
        ),
        (
            b"",
            ("12", "no"),
            failure(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): no",
            ),
        ),
    ] {
        let world = world();
        let (requests, _server) = grpc_server(&world.pod, 50051, message, status);
        let tried = grpc::check(&world.dialer, 50051, "liveness", timeout).await;
        assert_eq!(tried, expected);
        assert_eq!(
            requests.lock().unwrap()[0],
            "POST /grpc.health.v1.Health/Check kube-probe/1.37"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_grpc_probe_waits_for_its_server_until_the_time_is_up() {
    let world = world();
    let ip = world.pod.pod_ip();
    let timeout = Duration::from_secs(3);
    let before = Instant::now();
    let absent = grpc::check(&world.dialer, 50051, "", timeout).await;
    let text = format!(
        "timeout: failed to connect service \"{ip}:50051\" within 3s: context deadline exceeded"
    );
    assert_eq!((absent, before.elapsed()), (failure(&text), timeout));
    let listener = Listener::bind(&world.pod, 50051);
    let check = grpc::check(&world.dialer, 50051, "", timeout);
    let (silent, _stream) = tokio::join!(check, listener.accept());
    assert_eq!(
        silent,
        failure("timeout: health rpc did not complete within 3s")
    );
}

#[test]
fn ports_are_numbers_or_names_of_the_containers_own() {
    let spec = json!({"name": "a", "ports": [{"name": "http", "containerPort": 8080}]});
    let spec: Container = serde_json::from_value(spec).unwrap();
    let named = |name: &str| port(&spec, &IntOrString::String(name.to_owned()));
    assert_eq!(named("http"), Ok(8080));
    assert_eq!(named("81"), Ok(81));
    assert!(named("https").is_err());
    assert_eq!(port(&spec, &IntOrString::Int(82)), Ok(82));
    for wrong in [0, -1, 65_536] {
        let text = format!("invalid port number: {wrong}");
        assert_eq!(port(&spec, &IntOrString::Int(wrong)), Err(text));
    }
}
