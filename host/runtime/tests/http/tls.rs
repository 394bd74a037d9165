//! Requests over TLS: whom a container believes, names, both versions of HTTP, and what goes wrong in the words of WASI.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use hyper::server::conn::{http1 as server1, http2 as server2};
use hyper::service::service_fn;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use wasmpod_manifest::k8s::PodSpec;
use wasmpod_network::TcpSocket;
use wasmpod_volume::{PodVolumes, RootFiles, VolumePolicy};

use super::*;
use crate::tests::fixture::wait_until;
use crate::tests::sharing::NoSources;

/// Where the container finds the certificates that it trusts.
const FILE: &str = "/etc/tls/ca.crt";

/// An authority that nobody knows but who is told.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A server's configuration with a certificate for these names.
    fn server(&self, names: &[&str], protocols: &[&str], wants_client: bool) -> ServerConfig {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(names).unwrap();
        let own = own.signed_by(&key, &self.0).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if wants_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let provider = Arc::new(ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder
            .with_single_cert(vec![own.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect();
        config
    }
}

/// A component with files, and servers beside it.
struct World {
    served: Served,
    /// `/etc/tls` of the component.
    folder: PathBuf,
    _volumes: (PodVolumes, TempDir),
    client: ContainerNetwork,
    tasks: JoinSet<()>,
}

impl World {
    /// With this in `SSL_CERT_FILE`.
    async fn new(file: Option<&str>) -> Self {
        let dir = TempDir::new().unwrap();
        let (spec, policy) = (PodSpec::default(), VolumePolicy::default());
        let volumes = PodVolumes::acquire(dir.path(), &spec, &NoSources, &policy).unwrap();
        let files = RootFiles {
            hosts: String::new(),
            hostname: "pod".into(),
            resolv_conf: String::new(),
            working_dir: String::new(),
            image: Vec::new(),
        };
        let container = wasmpod_manifest::k8s::Container {
            name: "server".into(),
            ..Default::default()
        };
        let root = volumes.attach(&container, 0, &files).unwrap();
        let folder = root.preopens[0].host_path().join("etc/tls");
        std::fs::create_dir_all(&folder).unwrap();
        let env = file.map(|file| ("SSL_CERT_FILE".to_owned(), file.to_owned()));
        let served = serve(|config| {
            config.root = root;
            config.env.extend(env);
        })
        .await;
        let client = served.pod.network.attach("tls");
        Self {
            served,
            folder,
            _volumes: (volumes, dir),
            client,
            tasks: JoinSet::new(),
        }
    }

    fn trusts(&self, authorities: &[&Authority]) {
        let text: String = authorities.iter().map(|one| one.0.pem()).collect();
        self.writes(&text);
    }

    fn writes(&self, text: &str) {
        std::fs::write(self.folder.join("ca.crt"), text).unwrap();
    }

    fn listen(&self, port: u16) -> TcpSocket {
        let socket = self.client.tcp_socket(AddressFamily::Ipv4).unwrap();
        socket.bind(([0, 0, 0, 0], port).into()).unwrap();
        socket.listen().unwrap();
        socket
    }

    /// A server that says by which version and for which host it was asked, at how many connections so far.
    fn serve(&mut self, port: u16, config: ServerConfig) {
        let (socket, acceptor) = (self.listen(port), TlsAcceptor::from(Arc::new(config)));
        let count = Arc::new(Mutex::new(0));
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                poll_fn(|cx| socket.poll_accept_ready(cx)).await;
                let stream = socket.try_accept().unwrap().stream().unwrap();
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let service = service_fn(move |request| told(request, Arc::clone(&count)));
                    if is_http2 {
                        let server = server2::Builder::new(TokioExecutor::new());
                        drop(server.serve_connection(TokioIo::new(stream), service).await);
                    } else {
                        let server = server1::Builder::new();
                        drop(server.serve_connection(TokioIo::new(stream), service).await);
                    }
                });
            }
        });
    }

    async fn fetch(&self, url: &str) -> Answer {
        self.served.get(&format!("/fetch/{url}")).await
    }

    /// Fails, and says why in the log.
    async fn fails_with(&self, url: &str, code: &str) {
        let log = || self.served.container.stderr.text();
        let before = log().len();
        let answer = self.fetch(url).await;
        assert!(answer.status.is_server_error(), "{url}: {answer:?}");
        wait_until(&format!("{url}: {code}"), || log()[before..].contains(code)).await;
    }
}

async fn told(
    request: Request<Incoming>,
    count: Arc<Mutex<usize>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let length = body.collect().await?.to_bytes().len();
    let count = {
        let mut count = count.lock().unwrap();
        *count += 1;
        *count
    };
    let host = head.headers.get("host").map(|host| host.to_str().unwrap());
    let host = host.or(head.uri.authority().map(|authority| authority.as_str()));
    let path = head.uri.path_and_query().unwrap();
    let text = format!("{:?} {path} {host:?} {length} {count}", head.version);
    Ok(Response::new(Full::from(text)))
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls_as_the_server_likes() {
    let mut world = World::new(Some(FILE)).await;
    let authority = Authority::new();
    world.trusts(&[&authority]);
    let names = ["pod", "localhost", "127.0.0.1"];
    world.serve(443, authority.server(&names, &["h2", "http/1.1"], false));
    world.serve(8443, authority.server(&names, &["http/1.1"], false));
    world.serve(8444, authority.server(&names, &[], false));
    for (url, said) in [
        ("https://pod/a?b=c", "HTTP/2.0 /a?b=c Some(\"pod\") 0 1"),
        (
            "https://localhost:443/",
            "HTTP/2.0 / Some(\"localhost:443\") 0 2",
        ),
        ("https://127.0.0.1/", "HTTP/2.0 / Some(\"127.0.0.1\") 0 3"),
        ("https://pod:8443/x", "HTTP/1.1 /x Some(\"pod:8443\") 0 1"),
        ("https://pod:8444/", "HTTP/1.1 / Some(\"pod:8444\") 0 1"),
    ] {
        let answer = world.fetch(url).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (200, said),
            "{url}"
        );
    }
    // A body of many pieces, in both versions.
    for (url, version) in [
        ("https://pod", "HTTP/2.0"),
        ("https://pod:8443", "HTTP/1.1"),
    ] {
        let mut sender = world.served.http1().await;
        let request = post(
            &format!("/forward/{url}/length"),
            "0123456789".repeat(100_000),
        );
        let answer = in_time("the answer", sender.send_request(request))
            .await
            .unwrap();
        let body = read(answer).await.unwrap().body;
        assert!(
            body.starts_with(version) && body.contains(" 1000000 "),
            "{url}: {body}"
        );
    }
}

#[tokio::test]
async fn a_certificate_must_be_for_the_name_and_of_an_authority_that_is_trusted() {
    let mut world = World::new(Some(FILE)).await;
    let (known, stranger) = (Authority::new(), Authority::new());
    world.trusts(&[&known]);
    world.serve(1001, known.server(&["pod"], &[], false));
    world.serve(1002, stranger.server(&["pod"], &[], false));
    assert_eq!(world.fetch("https://pod:1001/").await.status, 200);
    world
        .fails_with("https://localhost:1001/", "TlsCertificateError")
        .await;
    world
        .fails_with("https://127.0.0.1:1001/", "TlsCertificateError")
        .await;
    world
        .fails_with("https://pod:1002/", "TlsCertificateError")
        .await;

    // What the file says at the time of a request counts.
    world.trusts(&[&known, &stranger]);
    assert_eq!(world.fetch("https://pod:1002/").await.status, 200);
    world.trusts(&[&stranger]);
    assert_eq!(world.fetch("https://pod:1002/").await.status, 200);
    world
        .fails_with("https://pod:1001/", "TlsCertificateError")
        .await;
}

#[tokio::test]
async fn a_file_that_has_no_certificates_is_an_error_of_the_configuration() {
    let mut world = World::new(Some(FILE)).await;
    let authority = Authority::new();
    world.serve(443, authority.server(&["pod"], &[], false));
    world.fails_with("https://pod/", "ConfigurationError").await;
    for text in [
        "",
        "nothing",
        "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
    ] {
        world.writes(text);
        world.fails_with("https://pod/", "ConfigurationError").await;
    }
    world.writes(&authority.0.pem().repeat(5000));
    world.fails_with("https://pod/", "ConfigurationError").await;
    world.trusts(&[&authority]);
    assert_eq!(world.fetch("https://pod/").await.status, 200);
}

#[tokio::test]
async fn without_a_file_a_stranger_of_this_machine_is_not_believed() {
    for file in [None, Some("")] {
        let mut world = World::new(file).await;
        world.serve(443, Authority::new().server(&["pod"], &[], false));
        let answer = world.fetch("https://pod/").await;
        assert_eq!(answer.status, 502);
        let log = world.served.container.stderr.text();
        // A machine without any authorities says so.
        let is_said = log.contains("TlsCertificateError") || log.contains("ConfigurationError");
        assert!(is_said, "{log}");
    }
}

#[tokio::test]
async fn what_goes_wrong_in_tls_is_told_in_its_words() {
    let mut world = World::new(Some(FILE)).await;
    let authority = Authority::new();
    world.trusts(&[&authority]);
    // It offers a protocol that is none of ours.
    world.serve(1001, authority.server(&["pod"], &["imap"], false));
    world
        .fails_with("https://pod:1001/", "TlsAlertReceived")
        .await;
    // It wants a certificate of the client, and says so after the handshake.
    world.serve(1002, authority.server(&["pod"], &[], true));
    world
        .fails_with("https://pod:1002/", "CertificateRequired")
        .await;
    // It does not speak TLS at all.
    world
        .fails_with(&format!("https://pod:{PORT}/"), "TlsProtocolError")
        .await;
    // It hangs up in the middle.
    let silent = world.listen(1003);
    let fetching = world.fetch("https://pod:1003/");
    let hanging_up = async {
        poll_fn(|cx| silent.poll_accept_ready(cx)).await;
        let stream = silent.try_accept().unwrap().stream().unwrap();
        drop(stream.read(1 << 20).await);
    };
    let (answer, ()) = futures_util::future::join(fetching, hanging_up).await;
    assert_eq!(answer.status, 502);
    assert!(
        world
            .served
            .container
            .stderr
            .text()
            .contains("ConnectionTerminated")
    );
    // It says nothing: the time of the options is up.
    let _waiting = world.listen(1004);
    let answer = in_time("two seconds pass", world.fetch("https://pod:1004/")).await;
    assert_eq!(answer.status, 504);
}
