//! What the network and the machine's ports know of Services.

use wasmpod_network::{Service, ServiceAddress, ServiceName};

use super::*;

/// The route of `default/NAME`.
fn route(world: &World, name: &str) -> Option<Service> {
    world.agent.shared.network.service(&ServiceName {
        namespace: "default".to_owned(),
        name: name.to_owned(),
    })
}

/// How many endpoints of a route are ready.
fn ready_endpoints(world: &World, name: &str) -> usize {
    let endpoints = route(world, name).map(|route| route.endpoints);
    let ready = |endpoints: Vec<wasmpod_network::Endpoint>| {
        let ready = endpoints.iter().filter(|one| one.conditions.ready);
        ready.count()
    };
    endpoints.map_or(0, ready)
}

fn service(name: &str, spec: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n")
}

const PORTS: &str = "selector: {app: web}, ports: [{port: 80}]";

#[tokio::test(start_paused = true)]
async fn the_network_knows_the_ready_pods_of_a_service_until_it_is_gone() {
    let world = World::new();
    let yaml = workload("Deployment", "web", "replicas: 2")
        + &service("web", PORTS)
        + &service("pods", &format!("clusterIP: None, {PORTS}"));
    world.start(&yaml).await.unwrap();
    world.until("two pods", |world| world.ready() == 2).await;
    world.agent.settled().await;
    assert_eq!(ready_endpoints(&world, "web"), 2);
    assert_eq!(ready_endpoints(&world, "pods"), 2);
    let headless = route(&world, "pods").unwrap();
    assert_eq!(headless.address, ServiceAddress::Headless);

    let pod = world.names(Kind::Pod).remove(0);
    world.delete(Kind::Pod, &pod, &DeleteOptions::default());
    world.agent.settled().await;
    let gone = world.get(Kind::Pod, &pod)["status"]["podIP"].clone();
    let endpoints = route(&world, "web").unwrap().endpoints;
    let still = endpoints
        .iter()
        .find(|one| one.conditions.ready && gone == one.ip.to_string());
    assert_eq!(still, None, "a pod that ends is no endpoint at once");

    let options = DeleteOptions::default();
    world.delete(Kind::Service, "web", &options);
    world.agent.settled().await;
    assert_eq!(route(&world, "web"), None);
    assert!(route(&world, "pods").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_service_without_selector_has_the_endpoints_that_somebody_writes() {
    let world = World::new();
    world
        .start(&service("hand", "ports: [{port: 80}]"))
        .await
        .unwrap();
    let slice = serde_json::json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "hand-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "hand"}},
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.244.0.9"]}],
    });
    let slice: wasmpod_manifest::k8s::EndpointSlice = serde_json::from_value(slice).unwrap();
    world.agent.store().create(slice.into()).unwrap();
    world.agent.settled().await;
    assert_eq!(ready_endpoints(&world, "hand"), 1);
    world.delete(Kind::EndpointSlice, "hand-1", &DeleteOptions::default());
    world.agent.settled().await;
    assert_eq!(ready_endpoints(&world, "hand"), 0);
}

/// The port of the machine that a service was given.
fn node_port(world: &World, name: &str) -> u16 {
    let port = world.get(Kind::Service, name)["spec"]["ports"][0]["nodePort"].clone();
    u16::try_from(port.as_u64().unwrap()).unwrap()
}

fn is_open(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[tokio::test(start_paused = true)]
async fn node_ports_are_opened_where_the_user_says() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        // A machine without IPv6.
        return;
    }
    let world = World::with_node_port_addresses(&["::1"]);
    let node = service("node", &format!("type: NodePort, {PORTS}"));
    let pod = pod("web", "restartPolicy: Always", "");
    world.start(&(pod + &node)).await.unwrap();
    world.until("the pod", |world| world.ready() == 1).await;
    let port = node_port(&world, "node");
    assert!(std::net::TcpStream::connect(("::1", port)).is_ok());
    assert!(!is_open(port));
    let published = world.agent.running("default", "web").unwrap().published();
    let hosts: Vec<_> = published.iter().map(|port| port.host).collect();
    assert_eq!(
        hosts,
        [std::net::SocketAddr::from((
            std::net::Ipv6Addr::LOCALHOST,
            port
        ))]
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_port_is_open_as_long_as_its_service_is_there() {
    let world = World::new();
    let node = service("node", &format!("type: NodePort, {PORTS}"));
    let pod = pod("web", "restartPolicy: Always", "");
    world.start(&(pod + &node)).await.unwrap();
    world.until("the pod", |world| world.ready() == 1).await;
    let port = node_port(&world, "node");
    assert!(is_open(port));
    let published = world.agent.running("default", "web").unwrap().published();
    assert_eq!(published.len(), 1, "{published:?}");
    assert_eq!(
        (published[0].host.port(), published[0].pod_port),
        (port, 80)
    );

    // The pod goes, the port stays; the same service again is no conflict with itself.
    world.delete(Kind::Pod, "web", &DeleteOptions::default());
    world
        .until("no pod", |world| world.names(Kind::Pod).is_empty())
        .await;
    world.start(&node).await.unwrap();
    assert_eq!(node_port(&world, "node"), port);
    assert!(is_open(port));

    let other =
        format!("type: NodePort, selector: {{app: web}}, ports: [{{port: 81, nodePort: {port}}}]");
    world.start(&service("node", &other)).await.unwrap();
    let leads_to_81 = |world: &World| {
        let open = world.agent.shared.node_ports.has(
            ([127, 0, 0, 1], port).into(),
            wasmpod_network::Protocol::Tcp,
        );
        open && is_open(port)
    };
    for _ in 0..100 {
        if leads_to_81(&world) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(leads_to_81(&world));
    assert_eq!(world.events("node"), Vec::<String>::new());

    world.delete(Kind::Service, "node", &DeleteOptions::default());
    world.agent.settled().await;
    // The task that listens ends at its next turn.
    for _ in 0..100 {
        if !is_open(port) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("port {port} stays open");
}

/// The slices of a service, without what the store gives them.
fn slices(world: &World, name: &str) -> Vec<(String, Value)> {
    let (objects, _) = world.agent.store().list(Kind::EndpointSlice, None);
    let slices = objects
        .iter()
        .map(|object| serde_json::to_value(object).unwrap());
    let slices = slices.filter(|s| s["metadata"]["labels"]["kubernetes.io/service-name"] == name);
    slices
        .map(|slice| {
            let by = &slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"];
            (
                by.as_str().unwrap_or_default().to_owned(),
                slice["endpoints"].clone(),
            )
        })
        .collect()
}

fn endpoints(name: &str, ip: &str) -> Object {
    let endpoints = serde_json::json!({
        "metadata": {"name": name, "namespace": "default"},
        "subsets": [{"addresses": [{"ip": ip}], "ports": [{"port": 8080}]}],
    });
    Object::from_json(Kind::Endpoints, endpoints).unwrap()
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_somebody_writes_are_mirrored_until_the_service_has_a_selector() {
    let world = World::new();
    // They may be there before their service.
    world
        .agent
        .create(endpoints("hand", "10.244.0.9"), false)
        .await
        .unwrap();
    world.agent.settled().await;
    assert_eq!(slices(&world, "hand"), []);
    world
        .start(&service("hand", "ports: [{port: 80}]"))
        .await
        .unwrap();
    let found = slices(&world, "hand");
    let expected =
        serde_json::json!([{"addresses": ["10.244.0.9"], "conditions": {"ready": true}}]);
    let mirrored = "endpointslicemirroring-controller.k8s.io".to_owned();
    assert_eq!(found, [(mirrored, expected)]);
    assert_eq!(ready_endpoints(&world, "hand"), 1);

    let changed = endpoints("hand", "10.244.0.10");
    world
        .agent
        .replace(&changed, crate::Part::Main, false)
        .unwrap();
    world.agent.settled().await;
    let ip = route(&world, "hand").unwrap().endpoints[0].ip.to_string();
    assert_eq!(ip, "10.244.0.10");

    world.start(&service("hand", PORTS)).await.unwrap();
    let found = slices(&world, "hand");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "endpointslice-controller.k8s.io");
    assert_eq!(ready_endpoints(&world, "hand"), 0);
}

#[tokio::test(start_paused = true)]
async fn mirrored_slices_go_with_the_endpoints_and_these_with_the_service() {
    let world = World::new();
    world
        .start(&service("hand", "ports: [{port: 80}]"))
        .await
        .unwrap();
    world
        .agent
        .create(endpoints("hand", "10.244.0.9"), false)
        .await
        .unwrap();
    world.agent.settled().await;
    assert_eq!(slices(&world, "hand").len(), 1);
    world.delete(Kind::Endpoints, "hand", &DeleteOptions::default());
    world.agent.settled().await;
    assert_eq!(slices(&world, "hand"), []);

    world
        .agent
        .create(endpoints("hand", "10.244.0.9"), false)
        .await
        .unwrap();
    world.agent.settled().await;
    world.delete(Kind::Service, "hand", &DeleteOptions::default());
    world.agent.settled().await;
    assert_eq!(slices(&world, "hand"), []);
    assert_eq!(world.get(Kind::Endpoints, "hand"), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn the_labels_of_a_service_are_those_of_its_endpoints() {
    let world = World::new();
    world.start(&service("web", PORTS)).await.unwrap();
    let mut changed = world
        .agent
        .store()
        .get(Kind::Service, Some("default"), "web")
        .unwrap();
    let labels = [("tier".to_owned(), "front".to_owned())];
    changed.metadata_mut().labels = Some(labels.into());
    world
        .agent
        .replace(&changed, crate::Part::Main, false)
        .unwrap();
    world.agent.settled().await;
    assert_eq!(
        world.get(Kind::Endpoints, "web")["metadata"]["labels"]["tier"],
        "front"
    );
    let slice = world.names(Kind::EndpointSlice).remove(0);
    let slice = world.get(Kind::EndpointSlice, &slice);
    assert_eq!(slice["metadata"]["labels"]["tier"], "front");
    assert_eq!(
        slice["metadata"]["labels"]["kubernetes.io/service-name"],
        "web"
    );
}

#[tokio::test(start_paused = true)]
async fn a_put_without_the_given_ports_keeps_them_and_those_of_another_service_are_refused() {
    let world = World::new();
    let node = service("node", &format!("type: NodePort, {PORTS}"));
    world.start(&node).await.unwrap();
    let port = node_port(&world, "node");
    let mut sent = world.get(Kind::Service, "node");
    sent["spec"]["ports"] = serde_json::json!([{"port": 80, "protocol": "TCP"}]);
    let sent = Object::from_json(Kind::Service, sent).unwrap();
    world
        .agent
        .replace(&sent, crate::Part::Main, false)
        .unwrap();
    assert_eq!(node_port(&world, "node"), port);

    let ip = world.get(Kind::Service, "node")["spec"]["clusterIP"].clone();
    for spec in [
        serde_json::json!({"type": "NodePort", "ports": [{"port": 81, "protocol": "TCP", "nodePort": port}]}),
        serde_json::json!({"type": "ClusterIP", "clusterIP": ip, "ports": [{"port": 81, "protocol": "TCP"}]}),
    ] {
        let other = serde_json::json!({"metadata": {"name": "other", "namespace": "default"}, "spec": spec});
        let other = Object::from_json(Kind::Service, other).unwrap();
        let refused = world
            .agent
            .create(other, false)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("provided") && refused.contains("already allocated"),
            "{refused}"
        );
    }
}
