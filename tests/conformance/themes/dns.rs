//! Names: upstream's `test/e2e/network/dns.go`.
//!
//! Upstream's prober asks with dig; here the shell's `getent` asks as a C library does, and questions for other types
//! than addresses go to the name server in the bytes of DNS, over TCP.

use serde_json::{Value, json};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, TYPE};

use crate::host::Host;
use crate::pod::Pod;
use crate::table::rows;

rows! {
    "1.22 DNS";
    "DNS, cluster (kubernetes.default resolves)" => differs "There is no Service `kubernetes`: no API server is within the reach of pods.";
    "DNS, services (A and SRV of headless and normal services)" => passes services;
    "DNS, for ExternalName Services (CNAME)" => passes external_name;
    "DNS, resolve the hostname" => passes hostname;
    "DNS, resolve the subdomain" => passes subdomain;
    "DNS, PQDN for services (search path)" => passes search_path;
    "DNS, custom dnsConfig" => passes custom_config;
    "DNS, /etc/hosts entries for the cluster" => passes hosts_entries;
}

fn object(kind: &str, name: &str, spec: &Value) -> String {
    let metadata = json!({"name": name, "namespace": "default", "labels": {"app": name}});
    json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}).to_string()
}

/// A pod `name` that does nothing, with more fields in its spec.
fn pod(name: &str, more: Value) -> String {
    let container = json!({"name": "c", "image": "busybox", "command": ["sleep", "3600"]});
    let spec = crate::script::with(json!({"containers": [container]}), more);
    object("Pod", name, &spec)
}

fn service(name: &str, spec: Value) -> String {
    let ports = json!({
        "selector": {"app": "server"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
    });
    object("Service", name, &crate::script::with(ports, spec))
}

/// A host with these objects, whose pods are all ready.
async fn host(objects: &[String], pods: usize) -> Host {
    let host = Host::start(&objects.join("\n---\n")).await;
    host.ready_pods(pods).await;
    host
}

/// What a pod's C library finds for a name: addresses, or nothing.
async fn addresses(pod: &Pod, name: &str) -> Vec<String> {
    let found = pod.exec("c", &["getent", "ahostsv4", name]).await.stdout;
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let mut found: Vec<_> = found.lines().filter_map(first).collect();
    found.sort();
    found.dedup();
    found
}

/// What the name server answers to a pod, each record in a word.
async fn ask(pod: &Pod, name: &str, kind: TYPE) -> Vec<String> {
    let mut question = Packet::new_query(1);
    let (name, class) = (Name::new(name).unwrap(), QCLASS::CLASS(CLASS::IN));
    let asked = Question::new(name, QTYPE::TYPE(kind), class, false);
    question.questions.push(asked);
    let question = question.build_bytes_vec().unwrap();
    let mut bytes = u16::try_from(question.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    bytes.extend(question);
    let octal: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
    let script = format!(
        "server=$(sed -n 's/^nameserver //p' /etc/resolv.conf); printf '{octal}' | nc $server 53 | base64 -w 0"
    );
    let printed = pod.exec("c", &["sh", "-c", &script]).await;
    let answer = decoded(printed.stdout.trim());
    assert!(answer.len() > 2, "{printed:?}");
    let packet = Packet::parse(&answer[2..]).unwrap();
    let words = packet.answers.iter().map(|record| match &record.rdata {
        RData::A(a) => std::net::Ipv4Addr::from(a.address).to_string(),
        RData::CNAME(name) => name.0.to_string(),
        RData::PTR(name) => name.0.to_string(),
        RData::SRV(server) => format!("{}:{}", server.target, server.port),
        other => panic!("{other:?}"),
    });
    words.collect()
}

/// The bytes of a text in base64.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.trim_end_matches('=').chars() {
        bits = (bits << 6) | u32::try_from(DIGITS.find(digit).unwrap()).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

async fn ip_of(host: &Host, pod: &str) -> String {
    let pods = host.ready_pods(host.pods().len()).await;
    let found = pods
        .iter()
        .find(|one| one.metadata.name.as_deref() == Some(pod));
    found.unwrap().status.clone().unwrap().pod_ip.unwrap()
}

async fn services() {
    let objects = [
        service("normal", json!({})),
        service("headless", json!({"clusterIP": "None"})),
        pod("server", json!({})),
        pod("client", json!({})),
    ];
    let host = host(&objects, 2).await;
    let (client, server) = (host.pod("client"), ip_of(&host, "server").await);
    let spec = host.object(wasmpod_store::Kind::Service, "normal")["spec"].clone();
    let cluster_ip = spec["clusterIP"].as_str().unwrap().to_owned();
    let zone = "default.svc.cluster.local";
    let dashed = server.replace('.', "-");
    for (name, kind, expected) in [
        (format!("normal.{zone}"), TYPE::A, cluster_ip.clone()),
        (format!("headless.{zone}"), TYPE::A, server.clone()),
        (
            format!("_http._tcp.normal.{zone}"),
            TYPE::SRV,
            format!("normal.{zone}:80"),
        ),
        (
            format!("_http._tcp.headless.{zone}"),
            TYPE::SRV,
            format!("{dashed}.headless.{zone}:8080"),
        ),
        (reversed(&cluster_ip), TYPE::PTR, format!("normal.{zone}")),
        (
            reversed(&server),
            TYPE::PTR,
            format!("{dashed}.headless.{zone}"),
        ),
    ] {
        assert_eq!(ask(&client, &name, kind).await, [expected], "{name}");
    }
}

/// The name by which an address's name is asked for.
fn reversed(ip: &str) -> String {
    let parts: Vec<_> = ip.rsplit('.').collect();
    format!("{}.in-addr.arpa", parts.join("."))
}

async fn external_name() {
    let external = |target| {
        object(
            "Service",
            "outside",
            &json!({"type": "ExternalName", "externalName": target}),
        )
    };
    let host = host(&[external("foo.example.com"), pod("client", json!({}))], 1).await;
    let client = host.pod("client");
    let name = "outside.default.svc.cluster.local";
    assert_eq!(ask(&client, name, TYPE::CNAME).await, ["foo.example.com"]);
    host.apply(&external("bar.example.com")).await;
    assert_eq!(ask(&client, name, TYPE::CNAME).await, ["bar.example.com"]);
    assert!(addresses(&client, "outside").await.is_empty(), "no way out");
    // A ClusterIP service of the same name, as upstream turns it into.
    host.apply(&service("outside", json!({"type": "ClusterIP"})))
        .await;
    let spec = host.object(wasmpod_store::Kind::Service, "outside")["spec"].clone();
    let ip = spec["clusterIP"].as_str().unwrap().to_owned();
    assert_eq!(ask(&client, name, TYPE::A).await, [ip]);
}

/// A headless service `dns` with a pod `server` that has a name under it, and a client.
async fn named() -> (Host, Pod, String) {
    let objects = [
        service("dns", json!({"clusterIP": "None"})),
        pod(
            "server",
            json!({"hostname": "querier-2", "subdomain": "dns"}),
        ),
        pod("client", json!({})),
    ];
    let host = host(&objects, 2).await;
    let (client, ip) = (host.pod("client"), ip_of(&host, "server").await);
    (host, client, ip)
}

async fn hostname() {
    let (host, client, ip) = named().await;
    let full = "querier-2.dns.default.svc.cluster.local";
    for name in [full, "querier-2.dns.default.svc", "querier-2.dns"] {
        assert_eq!(addresses(&client, name).await, [ip.as_str()], "{name}");
    }
    assert!(addresses(&client, "querier-2").await.is_empty());
    let own = host.pod("server").exec("c", &["hostname"]).await.stdout;
    assert_eq!(own, "querier-2\n");
}

async fn subdomain() {
    let (_host, client, ip) = named().await;
    assert_eq!(addresses(&client, "dns").await, [ip.as_str()]);
    let full = "dns.default.svc.cluster.local";
    assert_eq!(ask(&client, full, TYPE::A).await, [ip]);
}

async fn search_path() {
    let objects = [
        service("normal", json!({})),
        pod("server", json!({})),
        pod("client", json!({})),
    ];
    let host = host(&objects, 2).await;
    let client = host.pod("client");
    let spec = host.object(wasmpod_store::Kind::Service, "normal")["spec"].clone();
    let ip = spec["clusterIP"].as_str().unwrap();
    for name in ["normal", "normal.default", "normal.default.svc"] {
        assert_eq!(addresses(&client, name).await, [ip], "{name}");
    }
    assert!(addresses(&client, "normal.other").await.is_empty());
}

async fn custom_config() {
    let config = json!({
        "nameservers": ["10.96.0.10"],
        "searches": ["svc.cluster.local"],
        "options": [{"name": "ndots", "value": "2"}],
    });
    let objects = [
        service("normal", json!({})),
        pod("server", json!({})),
        pod("client", json!({"dnsPolicy": "None", "dnsConfig": config})),
    ];
    let host = host(&objects, 2).await;
    let client = host.pod("client");
    let file = client.exec("c", &["cat", "/etc/resolv.conf"]).await.stdout;
    let expected = "search svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:2\n";
    assert_eq!(file, expected);
    assert_eq!(addresses(&client, "normal.default").await.len(), 1);
    assert!(addresses(&client, "normal").await.is_empty());
}

async fn hosts_entries() {
    let aliases = json!([{"ip": "10.1.2.3", "hostnames": ["normal", "foo.remote"]}]);
    let objects = [
        service("normal", json!({})),
        pod("client", json!({"hostAliases": aliases})),
    ];
    let host = host(&objects, 1).await;
    let client = host.pod("client");
    let own = ip_of(&host, "client").await;
    assert_eq!(addresses(&client, "client").await, [own.as_str()]);
    for name in ["normal", "foo.remote"] {
        assert_eq!(addresses(&client, name).await, ["10.1.2.3"], "{name}");
    }
}
