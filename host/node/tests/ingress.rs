//! What the proxy serves of Ingress objects, and what these say of it.

use std::net::SocketAddr;

use super::*;
use crate::Scheme;

const INGRESS: &str = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: shop}\nspec:\n  \
    defaultBackend: {service: {name: web, port: {number: 80}}}\n  tls: [{hosts: [a.example], secretName: s}]\n---\n";

fn world() -> World {
    let any = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    World::with_ingress(IngressConfig {
        http: any,
        https: any,
    })
}

/// Whether requests for anything have a backend.
fn leads_somewhere(world: &World) -> bool {
    world.agent.shared.ingresses.front.leads("a.example", "/")
}

#[tokio::test(start_paused = true)]
async fn an_ingress_is_served_as_long_as_it_is_there_and_says_where() {
    let world = world();
    world.start(INGRESS).await.unwrap();
    assert!(leads_somewhere(&world));
    let [(Scheme::Http, http), (Scheme::Https, https)] = world.agent.ingress_doors() else {
        panic!("two doors")
    };
    let status = world.get(Kind::Ingress, "shop")["status"].clone();
    let port = |at: &SocketAddr| serde_json::json!({"port": at.port(), "protocol": "TCP"});
    let expected = serde_json::json!({"loadBalancer": {"ingress": [
        {"ip": "127.0.0.1", "ports": [port(http), port(https)]},
    ]}});
    assert_eq!(status, expected);
    world.delete(Kind::Ingress, "shop", &DeleteOptions::default());
    world.agent.settled().await;
    assert!(!leads_somewhere(&world));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_comes_or_is_bad_is_told_once_each() {
    let world = world();
    world.start(INGRESS).await.unwrap();
    let missing =
        "InvalidCertificate 1 secret \"default/s\" not found; handshakes for its hosts are refused";
    assert_eq!(world.events("shop"), [missing]);
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/tls\nstringData: {tls.crt: x, \
        tls.key: x}\n---\n";
    world.start(secret).await.unwrap();
    let bad = "InvalidCertificate 1 secret \"default/s\": there is no certificate in it; handshakes for its hosts are refused";
    let mut events = world.events("shop");
    events.sort();
    assert_eq!(events, [missing, bad]);
}

#[tokio::test(start_paused = true)]
async fn without_a_port_an_ingress_says_which_flag_it_needs() {
    let world = World::new();
    world.start(INGRESS).await.unwrap();
    let events = world.events("shop");
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].starts_with("NotServed 1 ") && events[0].contains("--ingress-http"));
    assert_eq!(
        world.get(Kind::Ingress, "shop")["status"],
        serde_json::json!({"loadBalancer": {}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_port_that_ingresses_have_is_not_published_for_a_pod() {
    let world = world();
    let (_, at) = world.agent.ingress_doors()[0];
    let ports = format!("ports: [{{containerPort: 80, hostPort: {}}}]", at.port());
    let error = world
        .start(&pod("web", "restartPolicy: Always", &ports))
        .await;
    assert_eq!(
        error.unwrap_err().to_string(),
        format!(
            "cannot publish pod \"web\" on {at}: \"ingress\" is published there (--ingress-http)"
        )
    );
}
