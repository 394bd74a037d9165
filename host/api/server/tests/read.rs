//! GET, LIST, tables, pages, discovery, figures.

use super::*;

#[tokio::test]
async fn an_object_is_given_as_it_is_and_as_a_table() {
    let world = World::new();
    world.pod("web", &["a", "b"]).await;
    let path = "/api/v1/namespaces/default/pods/web";
    let pod = world.get(path).await;
    assert_eq!(
        (&pod["kind"], &pod["apiVersion"], &pod["status"]["phase"]),
        (&json!("Pod"), &json!("v1"), &json!("Running"))
    );

    let table = world.client.table(path).await.unwrap();
    let heads: Vec<_> = table
        .column_definitions
        .iter()
        .filter(|column| column.priority == 0)
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(heads, ["Name", "Ready", "Status", "Restarts", "Age"]);
    assert_eq!(
        table.rows[0].cells[..4],
        [json!("web"), json!("2/2"), json!("Running"), json!("0")]
    );
    assert_eq!(table.rows[0].object["kind"], "PartialObjectMetadata");
    assert_eq!(
        table.rows[0].object["metadata"]["uid"],
        pod["metadata"]["uid"]
    );

    let whole = world
        .client
        .table(&format!("{path}?includeObject=Object"))
        .await
        .unwrap();
    assert_eq!(whole.rows[0].object["spec"], pod["spec"]);
}

#[tokio::test]
async fn lists_are_of_one_namespace_or_of_all_and_selected() {
    let world = World::new();
    assert_eq!(
        world.get("/api/v1/namespaces/default/configmaps").await["items"],
        json!([])
    );
    for (name, labels) in [
        ("one", json!({"tier": "web"})),
        ("two", json!({"tier": "db"})),
        ("three", json!({})),
    ] {
        world.config_map(name, labels);
    }
    let of = async |query: &str| names(&world.get(&format!("/api/v1/configmaps{query}")).await);
    assert_eq!(of("").await, ["one", "three", "two"]);
    assert_eq!(
        of("?labelSelector=tier%20in%20(web,db)").await,
        ["one", "two"]
    );
    assert_eq!(of("?labelSelector=!tier").await, ["three"]);
    assert_eq!(
        of("?fieldSelector=metadata.name!%3Done").await,
        ["three", "two"]
    );
    assert_eq!(
        names(&world.get("/api/v1/namespaces/other/configmaps").await),
        [""; 0]
    );
    assert_eq!(
        world
            .refused("/api/v1/configmaps?fieldSelector=data%3Dx")
            .await
            .code,
        400
    );
    assert_eq!(
        world
            .refused("/api/v1/configmaps?labelSelector=%3D%3D")
            .await
            .code,
        400
    );
}

#[tokio::test]
async fn pages_show_one_moment() {
    let world = World::new();
    for name in ["a", "b", "c", "d", "e"] {
        world.config_map(name, json!({}));
    }
    let list = "/api/v1/namespaces/default/configmaps?limit=2";
    let first = world.get(list).await;
    assert_eq!(
        (names(&first), &first["metadata"]["remainingItemCount"]),
        (vec!["a".into(), "b".into()], &json!(3))
    );
    world
        .agent
        .store()
        .delete(Kind::ConfigMap, Some("default"), "c")
        .unwrap();
    world.config_map("bb", json!({}));
    let token = |list: &Value| {
        list["metadata"]["continue"]
            .as_str()
            .map(crate::client::escape)
    };
    let second = world
        .get(&format!("{list}&continue={}", token(&first).unwrap()))
        .await;
    assert_eq!(names(&second), ["c", "d"], "as of the first page");
    assert_eq!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    let last = world
        .get(&format!("{list}&continue={}", token(&second).unwrap()))
        .await;
    assert_eq!((names(&last), token(&last)), (vec!["e".into()], None));
    assert_eq!(
        world
            .refused(&format!("{list}&continue=nonsense"))
            .await
            .code,
        400
    );
}

#[tokio::test]
async fn a_page_of_a_forgotten_moment_goes_on_with_the_present() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.config_map(name, json!({}));
    }
    let forgotten = world
        .refused("/api/v1/configmaps?limit=1&continue=1%2Fdefault%2Fa")
        .await;
    assert_eq!(
        (forgotten.code, forgotten.reason.as_str()),
        (410, "Expired")
    );
    let token = crate::client::escape(forgotten.continue_token());
    let rest = world
        .get(&format!("/api/v1/configmaps?limit=1&continue={token}"))
        .await;
    assert_eq!(names(&rest), ["b"]);
    let token = crate::client::escape(rest["metadata"]["continue"].as_str().unwrap());
    assert_eq!(
        names(
            &world
                .get(&format!("/api/v1/configmaps?continue={token}"))
                .await
        ),
        ["c"]
    );
}

#[tokio::test]
async fn the_version_that_is_asked_for_matters() {
    let world = World::new();
    world.config_map("a", json!({}));
    let list = world.get("/api/v1/configmaps").await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let at = |query: &str| format!("/api/v1/configmaps?{query}");
    for query in [
        "resourceVersion=0".to_owned(),
        format!("resourceVersion={version}&resourceVersionMatch=Exact"),
        "resourceVersion=1".to_owned(),
    ] {
        assert_eq!(names(&world.get(&at(&query)).await), ["a"], "{query}");
    }
    for (query, code) in [
        ("resourceVersion=1&resourceVersionMatch=Exact", 410),
        ("resourceVersion=99999", 504),
        ("resourceVersion=x", 400),
        ("resourceVersionMatch=Exact", 422),
    ] {
        assert_eq!(world.refused(&at(query)).await.code, code, "{query}");
    }
}

#[tokio::test]
async fn discovery_names_every_resource_in_both_forms() {
    let world = World::new();
    let core = world.get("/api/v1").await;
    let named = core["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["name"].as_str().unwrap());
    let named: Vec<_> = named.collect();
    for name in [
        "pods",
        "pods/log",
        "pods/exec",
        "pods/attach",
        "services",
        "configmaps",
        "events",
        "nodes",
    ] {
        assert!(named.contains(&name), "{name} is not in {named:?}");
    }
    let groups = world.get("/apis").await;
    let groups: Vec<_> = groups["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        groups,
        [
            "apps",
            "batch",
            "discovery.k8s.io",
            "metrics.k8s.io",
            "networking.k8s.io"
        ]
    );

    let accept = "accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let answer = world
        .raw(
            format!("GET /api HTTP/1.1\r\nhost: x\r\n{accept}\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        )
        .await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(
            "content-type: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        ),
        "{head}"
    );
    let list: Value = serde_json::from_str(body).unwrap();
    let resources = list["items"][0]["versions"][0]["resources"]
        .as_array()
        .unwrap();
    let pods = resources
        .iter()
        .find(|resource| resource["resource"] == "pods")
        .unwrap();
    assert_eq!(
        (&pods["scope"], &pods["shortNames"]),
        (&json!("Namespaced"), &json!(["po"]))
    );
    let parts = pods["subresources"].as_array().unwrap().iter();
    let parts: Vec<_> = parts.map(|part| &part["subresource"]).collect();
    assert_eq!(
        parts,
        ["attach", "capture", "exec", "ipc", "log", "net", "status"]
    );

    let version = world.get("/version").await;
    assert!(
        version["major"].as_str().unwrap().parse::<u32>().is_ok()
            && version["minor"].as_str().unwrap().parse::<u32>().is_ok()
    );
}

#[tokio::test]
async fn what_is_not_there_is_told_as_kubernetes_tells_it() {
    let world = World::new();
    let missing = world.refused("/api/v1/namespaces/default/pods/nope").await;
    assert_eq!(
        (
            missing.code,
            missing.reason.as_str(),
            missing.message.as_str()
        ),
        (404, "NotFound", "pods \"nope\" not found")
    );
    assert_eq!(missing.details.unwrap().name, "nope");
    let elsewhere = world.refused("/nope").await;
    assert_eq!(
        (elsewhere.code, elsewhere.message.as_str()),
        (404, "the server could not find the requested resource")
    );
    assert_eq!(
        world
            .refused("/api/v1/namespaces/default/pods/web/log")
            .await
            .code,
        404
    );
    assert_eq!(
        world
            .refused("/api/v1/namespaces/default/pods/web/proxy")
            .await
            .code,
        404
    );
}

#[tokio::test]
async fn figures_are_told_of_containers_that_have_run_a_while() {
    let world = World::new();
    let usage = wasmpod_sandbox::Usage {
        cpu: Duration::from_millis(1500),
        memory_bytes: 3 << 20,
    };
    world.runtime.script(
        "a",
        [Script {
            usage,
            ..Script::default()
        }],
    );
    world.pod("web", &["a"]).await;
    let path = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/web";
    let figures = bounded(async {
        loop {
            match world.client.get(path, Accept::Json).await {
                Ok(figures) => break figures,
                Err(error) => assert!(error.is_not_found(), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(figures["containers"][0]["usage"]["memory"], "3072Ki");
    assert_eq!(figures["metadata"]["labels"]["app"], "web");
    let node = world.get("/apis/metrics.k8s.io/v1beta1/nodes").await;
    assert_eq!(node["items"][0]["usage"]["memory"], "3072Ki");
    assert_eq!(
        names(
            &world
                .get("/apis/metrics.k8s.io/v1beta1/pods?labelSelector=app%3Dx")
                .await
        ),
        [""; 0]
    );
}

#[tokio::test]
async fn a_port_wants_the_token() {
    let world = World::on(|_| Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap());
    assert_eq!(world.get("/api/v1/pods").await["kind"], "PodList");
    let Address::Tcp { addr, token } = world.address.clone() else {
        panic!("no port")
    };
    for wrong in [
        String::new(),
        "x".to_owned(),
        token.replace(|c: char| c.is_ascii_digit(), "z"),
    ] {
        let client = Client::new(Address::Tcp { addr, token: wrong });
        assert_eq!(
            status(client.get("/api/v1/pods", Accept::Json).await).code,
            401
        );
    }
    // As kubectl shows it, and a web page would.
    let ask = async |path: &str, host: &str| {
        let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        bounded(stream.read_to_string(&mut answer)).await.unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let path = format!("/{token}/api/v1/pods?limit=1");
    assert_eq!(ask(&path, &addr.to_string()).await, "200");
    assert_eq!(ask(&path, "rebound.example.org").await, "403");
    assert_eq!(ask("/api/v1/pods", "localhost").await, "401");
}

#[tokio::test]
async fn a_server_that_ended_is_gone() {
    let mut world = World::new();
    let mut lines = world
        .client
        .watch("/api/v1/pods?watch=true", Accept::Json)
        .await
        .unwrap();
    let (other, _) = oneshot::channel();
    drop(std::mem::replace(&mut world._shutdown, other));
    assert!(
        bounded(lines.next()).await.unwrap().is_none(),
        "a watch ends well"
    );
    bounded(&mut world.server).await.unwrap();
    assert!(
        Client::connect(world.address.clone())
            .await
            .unwrap_err()
            .is_gone()
    );
}

#[tokio::test]
async fn a_pod_tells_of_its_ipc_objects() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    let path = "/api/v1/namespaces/default/pods/web/ipc";
    let ipc = world.get(path).await;
    let named = (&ipc["kind"], &ipc["apiVersion"], &ipc["metadata"]["name"]);
    assert_eq!(
        named,
        (
            &json!("PodIPC"),
            &json!("wasmpod.dev/v1alpha1"),
            &json!("web")
        )
    );
    for kind in [
        "messageQueues",
        "semaphores",
        "sharedMemory",
        "systemVMessageQueues",
        "systemVSemaphoreSets",
        "systemVSegments",
    ] {
        assert_eq!(ipc[kind], json!([]), "{kind}");
    }
    let missing = world
        .refused("/api/v1/namespaces/default/pods/none/ipc")
        .await;
    assert_eq!(missing.code, 404);
    assert_eq!(world.refused(&format!("{path}?watch=true")).await.code, 405);
    let resources = world.get("/api/v1").await;
    let resources = resources["resources"].as_array().unwrap();
    assert!(
        resources
            .iter()
            .any(|resource| resource["name"] == "pods/ipc")
    );
}
