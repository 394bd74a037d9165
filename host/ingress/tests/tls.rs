//! TLS by server name, and HTTP/2 over it.

use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;
use crate::{Certificate, Certificates};

/// A certificate for a name, and what a client needs to believe it.
pub(super) fn made_for(name: &str) -> (Certificate, CertificateDer<'static>) {
    let own = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    (
        certificate,
        CertificateDer::from_pem_slice(chain.as_bytes()).unwrap(),
    )
}

pub(super) async fn connect(
    world: &World,
    name: &str,
    trusted: &CertificateDer<'static>,
    protocol: &str,
) -> std::io::Result<TlsStream<HostStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = HostStream::connect(world.doors[1]).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    limited(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

async fn scheme(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let field = |name: &str| {
        let value = request.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap()).to_owned()
    };
    let text = format!(
        "{} {} {:?}",
        field("x-forwarded-proto"),
        field("host"),
        request.version()
    );
    Response::new(Full::from(text))
}

#[tokio::test]
async fn each_name_has_its_certificate_and_one_that_has_none_is_refused() {
    let mut world = World::new();
    let _pod = world.with_web(scheme);
    let (one, trust_one) = made_for("one.example");
    let (two, trust_two) = made_for("*.two.example");
    let mut certificates = Certificates::default();
    certificates.add("one.example", one);
    certificates.add("*.two.example", two);
    let routes = rules(&[("/", "web")]);
    world.front.set(Site {
        routes: routes.clone(),
        certificates,
    });
    for (name, trusted, is_good) in [
        ("one.example", &trust_one, true),
        ("a.two.example", &trust_two, true),
        ("one.example", &trust_two, false),
        ("three.example", &trust_one, false),
        ("127.0.0.1", &trust_one, false),
    ] {
        let connected = connect(&world, name, trusted, "http/1.1").await;
        assert_eq!(connected.is_ok(), is_good, "{name}: {connected:?}");
    }
    // A new certificate counts at once, and so does its end.
    let (newer, trust_newer) = made_for("one.example");
    let mut certificates = Certificates::default();
    certificates.add("one.example", newer);
    world.front.set(Site {
        routes,
        certificates,
    });
    assert!(
        connect(&world, "one.example", &trust_one, "h2")
            .await
            .is_err()
    );
    assert!(
        connect(&world, "one.example", &trust_newer, "h2")
            .await
            .is_ok()
    );
    world.front.set(Site::default());
    assert!(
        connect(&world, "one.example", &trust_newer, "h2")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn http_2_and_http_1_1_are_spoken_as_the_client_likes() {
    let mut world = World::new();
    let _pod = world.with_web(scheme);
    let (certificate, trusted) = made_for("one.example");
    let mut certificates = Certificates::default();
    certificates.add("", certificate);
    world.front.set(Site {
        routes: rules(&[("one.example/", "web")]),
        certificates,
    });
    let mut tasks = JoinSet::new();
    let stream = connect(&world, "one.example", &trusted, "h2")
        .await
        .unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tasks.spawn(async move { drop(connection.await) });
    for _ in 0..3 {
        let request = Request::get("https://one.example/x").body(Full::<Bytes>::default());
        let answer = limited(sender.send_request(request.unwrap()))
            .await
            .unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "https one.example HTTP/1.1");
    }
    let stream = connect(&world, "one.example", &trusted, "http/1.1")
        .await
        .unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tasks.spawn(async move { drop(connection.await) });
    let request = Request::get("/x").header("host", "one.example:8443");
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let answer = limited(sender.send_request(request)).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "https one.example:8443 HTTP/1.1");
}
