//! Ingress objects served on ports of the machine: the whole program, with curl as its client.

use std::net::SocketAddr;
use std::process::Command;

use crate::support::{Running, Wasmpod, eventually};

/// Where the program says that it serves ingresses.
fn door(host: &Running, scheme: &str) -> SocketAddr {
    let start = format!("serving ingresses at {scheme}://");
    host.stderr.wait_for(&start, |text| {
        let line = text.lines().find_map(|line| line.strip_prefix(&start))?;
        line.parse().ok()
    })
}

/// What curl prints of a request, and the status: `BODY STATUS`. Nothing when there is no answer.
fn curl(args: &[&str]) -> Option<String> {
    let curl = Command::new("curl")
        .args(["-s", "--max-time", "20", "-w", " %{http_code}"])
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&curl.stdout).into_owned();
    curl.status.success().then_some(text)
}

#[test]
fn the_example_answers_the_curl_lines_that_it_shows() {
    let host = Wasmpod::up("ingress.yaml", &["--ingress-http", "0"]).start();
    let at = door(&host, "http");
    let get = |host: &str, path: &str| {
        let (url, field) = (format!("http://{at}{path}"), format!("Host: {host}"));
        curl(&["-H", &field, &url])
    };
    eventually("the shop", || {
        get("shop.example", "/")?
            .contains("Hostname: goods\n 200")
            .then_some(())
    });
    let mut carts = std::collections::BTreeSet::new();
    eventually("both pods of the cart", || {
        let answer = get("shop.example", "/cart/1")?;
        let name = answer
            .lines()
            .find_map(|line| line.strip_prefix("Hostname: cart-"));
        carts.extend(name.map(str::to_owned));
        (carts.len() == 2).then_some(())
    });
    let nobody = get("other.example", "/").unwrap();
    assert!(nobody.ends_with(" 404"), "{nobody}");

    // How it looks to kubectl's users.
    let shown = host.look_until(&["get", "ingress"], |found| {
        found.stdout.contains("127.0.0.1")
    });
    let lines: Vec<Vec<&str>> = shown
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"]
    );
    assert_eq!(
        lines[1][..5],
        ["shop", "<none>", "shop.example", "127.0.0.1", "80"]
    );
    let described = host.look(&["describe", "ing", "shop"]).stdout;
    assert!(described.contains("/cart"), "{described}");

    // A rule that is gone is gone for the next request, and so is the port when it is over.
    assert_eq!(host.look(&["delete", "ing", "shop"]).code, Some(0));
    eventually("nobody", || {
        get("shop.example", "/")?.ends_with(" 404").then_some(())
    });
    assert_eq!(host.stop().code, Some(0));
    assert_eq!(get("shop.example", "/"), None);
}

#[test]
fn an_ingress_that_no_port_serves_says_which_flag_it_needs() {
    let host = Wasmpod::up("ingress.yaml", &[]).start();
    let events = host.look_until(&["events", "--for", "ingress/shop"], |events| {
        events.stdout.contains("NotServed")
    });
    assert!(
        events.stdout.contains("--ingress-http 127.0.0.1:8080"),
        "{events:?}"
    );
    assert_eq!(host.stop().code, Some(0));
}

#[test]
fn tls_is_that_of_the_secret_and_a_bad_one_is_told() {
    let own = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
    let indent = |pem: String| {
        pem.lines()
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let manifest = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: shop-tls}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  \
         tls.key: |\n{}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: bad-tls}}\ntype: \
         kubernetes.io/tls\nstringData: {{tls.crt: nothing, tls.key: nothing}}\n---\napiVersion: \
         networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: shop}}\nspec:\n  tls:\n  - {{hosts: [shop.example], \
         secretName: shop-tls}}\n  - {{hosts: [bad.example], secretName: bad-tls}}\n  defaultBackend: {{service: {{name: shop, \
         port: {{number: 80}}}}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: shop}}\nspec: {{selector: {{app: shop}}, \
         ports: [{{port: 80, targetPort: 8080}}]}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: shop, labels: {{app: \
         shop}}}}\nspec: {{containers: [{{name: shop, image: 'gcr.io/google-samples/hello-app:2.0'}}]}}\n",
        indent(chain.clone()),
        indent(key)
    );
    let host = Wasmpod::up_text(&manifest, &["--ingress-https", "127.0.0.1:0"]);
    let trusted = host.file("trusted.pem", chain.as_bytes());
    let host = host.start();
    let at = door(&host, "https");
    let get = |name: &str, protocol: &str| {
        let url = format!("https://{name}:{}/", at.port());
        let resolve = format!("{name}:{}:127.0.0.1", at.port());
        let trusted = trusted.to_str().unwrap();
        curl(&[protocol, "--resolve", &resolve, "--cacert", trusted, &url])
    };
    for protocol in ["--http2", "--http1.1"] {
        eventually(protocol, || {
            get("shop.example", protocol)?
                .contains("Hostname: shop\n 200")
                .then_some(())
        });
    }
    assert_eq!(get("bad.example", "--http1.1"), None);
    let events = host.look_until(&["events", "--for", "ingress/shop"], |events| {
        events.stdout.contains("InvalidCertificate")
    });
    assert!(events.stdout.contains("default/bad-tls"), "{events:?}");
    assert_eq!(host.stop().code, Some(0));
}
