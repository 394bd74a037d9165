//! POST, PUT and PATCH: through validation and admission to the store, with the codes of Kubernetes.

use super::*;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// The code, the headers' lines and the JSON of an answer.
struct Answer {
    code: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn reason(&self) -> (u16, &str) {
        (self.code, self.body["reason"].as_str().unwrap_or_default())
    }

    fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl World {
    /// Sends a request as any HTTP client does.
    async fn send(&self, line: &str, media: &str, body: &str) -> Answer {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.raw(request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        Answer {
            code: head.split(' ').nth(1).unwrap_or_default().parse().unwrap(),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    async fn post(&self, path: &str, object: &Value) -> Answer {
        self.send(
            &format!("POST {path}"),
            "application/json",
            &object.to_string(),
        )
        .await
    }

    async fn put(&self, path: &str, object: &Value) -> Answer {
        self.send(
            &format!("PUT {path}"),
            "application/json",
            &object.to_string(),
        )
        .await
    }

    async fn patch(&self, path: &str, how: &str, patch: &Value) -> Answer {
        let media = format!("application/{how}+json");
        self.send(&format!("PATCH {path}"), &media, &patch.to_string())
            .await
    }
}

fn map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn web(image: &str) -> Value {
    let container = json!({"name": "a", "image": image});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [container]}})
}

#[tokio::test]
async fn an_object_is_created_once_and_told_whole() {
    let world = World::new();
    let created = world.post(MAPS, &map("m", json!({"a": "1"}))).await;
    assert_eq!(created.code, 201, "{}", created.body);
    assert_eq!(created.body["data"], json!({"a": "1"}));
    assert!(created.body["metadata"]["uid"].is_string());
    let again = world.post(MAPS, &map("m", json!({}))).await;
    assert_eq!(again.reason(), (409, "AlreadyExists"));
    assert_eq!(again.message(), "configmaps \"m\" already exists");
    let mut generated = map("", json!({}));
    generated["metadata"] = json!({"generateName": "g-"});
    let name = world.post(MAPS, &generated).await.body["metadata"]["name"].clone();
    assert!(name.as_str().unwrap().starts_with("g-"));
}

#[tokio::test]
async fn a_pod_that_is_posted_runs_and_one_that_cannot_work_is_forbidden() {
    let world = World::new();
    let pods = "/api/v1/namespaces/default/pods";
    let refused = world.post(pods, &web("./missing.wasm")).await;
    assert_eq!(refused.reason(), (403, "Forbidden"));
    assert!(
        refused.message().starts_with("pods \"web\" is forbidden: "),
        "{}",
        refused.message()
    );
    let created = world.post(pods, &web("./app.wasm")).await;
    assert_eq!(created.code, 201, "{}", created.body);
    assert_eq!(created.body["status"]["phase"], "Pending");
    world.until_status("web", "Running").await;
    let labels = json!({"metadata": {"labels": {"k": "v"}}});
    let patched = world
        .patch(&format!("{pods}/web"), "merge-patch", &labels)
        .await;
    assert_eq!(patched.body["metadata"]["labels"], json!({"k": "v"}));
    let command = json!({"spec": {"containers": [{"name": "a", "command": ["x"]}]}});
    let refused = world
        .patch(&format!("{pods}/web"), "strategic-merge-patch", &command)
        .await;
    assert_eq!(refused.reason(), (422, "Invalid"));
    assert!(
        refused
            .message()
            .contains("pod updates may not change fields other than")
    );
    assert_eq!(refused.body["details"]["causes"][0]["field"], "spec");
}

#[tokio::test]
async fn what_is_wrong_with_an_object_has_kubernetes_codes_and_words() {
    let world = World::new();
    let pods = "/api/v1/namespaces/default/pods";
    let mut invalid = web("./app.wasm");
    invalid["spec"]["containers"][0]["ports"] = json!([{"containerPort": 70000}]);
    invalid["metadata"]["name"] = json!("Web");
    let answer = world.post(pods, &invalid).await;
    assert_eq!(answer.reason(), (422, "Invalid"));
    assert!(
        answer.message().starts_with("Pod \"Web\" is invalid: ["),
        "{}",
        answer.message()
    );
    assert_eq!(
        answer.body["details"]["causes"].as_array().unwrap().len(),
        2
    );
    let mut mistyped = web("./app.wasm");
    mistyped["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": 8080}]);
    let answer = world.post(pods, &mistyped).await;
    assert_eq!(answer.reason(), (400, "BadRequest"));
    assert!(
        answer
            .message()
            .contains("cannot be handled as a Pod: spec.containers[0].env[0].value")
    );

    let cases = [
        ("not JSON", format!("POST {MAPS}"), "{".to_owned(), 400),
        ("no object", format!("POST {MAPS}"), "[]".to_owned(), 400),
        (
            "another kind",
            format!("POST {MAPS}"),
            web("x").to_string(),
            400,
        ),
        (
            "another namespace",
            format!("POST {MAPS}"),
            json!({"metadata": {"name": "m", "namespace": "other"}}).to_string(),
            400,
        ),
        (
            "a version of a new object",
            format!("POST {MAPS}"),
            json!({"metadata": {"name": "m", "resourceVersion": "1"}}).to_string(),
            400,
        ),
        ("no name", format!("POST {MAPS}"), "{}".to_owned(), 422),
        (
            "no such object",
            format!("PUT {MAPS}/m"),
            "{}".to_owned(),
            404,
        ),
        (
            "of all namespaces",
            "POST /api/v1/configmaps".to_owned(),
            "{}".to_owned(),
            405,
        ),
        (
            "with a name",
            format!("POST {MAPS}/m"),
            "{}".to_owned(),
            405,
        ),
        ("a list", format!("PUT {MAPS}"), "{}".to_owned(), 405),
        (
            "what the server makes",
            "POST /api/v1/namespaces/default/events".to_owned(),
            "{}".to_owned(),
            405,
        ),
        (
            "dryRun",
            format!("POST {MAPS}?dryRun=Some"),
            "{}".to_owned(),
            422,
        ),
        (
            "fieldValidation",
            format!("POST {MAPS}?fieldValidation=Some"),
            "{}".to_owned(),
            422,
        ),
    ];
    for (what, line, body, code) in cases {
        let answer = world.send(&line, "application/json", &body).await;
        assert_eq!(answer.code, code, "{what}: {}", answer.body);
        assert_eq!(answer.body["kind"], "Status", "{what}");
    }
    let media = world
        .send(&format!("POST {MAPS}"), "application/yaml", "a: b")
        .await;
    assert_eq!(media.reason(), (415, "UnsupportedMediaType"));
    assert_eq!(world.get(MAPS).await["items"], json!([]));
}

#[tokio::test]
async fn unknown_and_repeated_fields_are_warned_about_refused_or_passed_over() {
    let world = World::new();
    let body = r#"{"metadata": {"name": "m", "nmae": "x"}, "data": {"a": "1", "a": "2"}}"#;
    let media = "application/json";
    let strict = format!("POST {MAPS}?fieldValidation=Strict");
    let refused = world.send(&strict, media, body).await;
    assert_eq!(refused.reason(), (400, "BadRequest"));
    assert!(
        refused
            .message()
            .contains("strict decoding error: duplicate field \"data.a\"")
    );
    let unknown = r#"{"metadata": {"name": "m", "nmae": "x"}}"#;
    let refused = world.send(&strict, media, unknown).await;
    assert_eq!(
        refused.message(),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"metadata.nmae\""
    );
    let ignored = world
        .send(
            &format!("POST {MAPS}?fieldValidation=Ignore&dryRun=All"),
            media,
            body,
        )
        .await;
    assert!(
        ignored.code == 201 && !ignored.head.contains("warning:"),
        "{}",
        ignored.head
    );
    let warned = world.send(&format!("POST {MAPS}"), media, body).await;
    assert_eq!((warned.code, &warned.body["data"]["a"]), (201, &json!("2")));
    for text in [
        r#"duplicate field \"data.a\""#,
        r#"unknown field \"metadata.nmae\""#,
    ] {
        assert!(
            warned.head.contains(&format!("warning: 299 - \"{text}\"")),
            "{}",
            warned.head
        );
    }
    assert!(warned.body["metadata"].get("nmae").is_none());
}

#[tokio::test]
async fn a_dry_run_answers_and_writes_nothing() {
    let world = World::new();
    let created = world
        .post(&format!("{MAPS}?dryRun=All"), &map("m", json!({})))
        .await;
    assert_eq!(
        (created.code, &created.body["metadata"]["name"]),
        (201, &json!("m"))
    );
    assert_eq!(world.get(MAPS).await["items"], json!([]));
    world.post(MAPS, &map("m", json!({"a": "1"}))).await;
    let before = world.get(&format!("{MAPS}/m")).await;
    let patch = json!({"data": {"a": "2"}});
    let path = format!("{MAPS}/m?dryRun=All");
    let patched = world.patch(&path, "merge-patch", &patch).await;
    assert_eq!(
        (patched.code, &patched.body["data"]["a"]),
        (200, &json!("2"))
    );
    assert_eq!(world.put(&path, &map("m", json!({}))).await.code, 200);
    assert_eq!(world.get(&format!("{MAPS}/m")).await, before);
    let twice = world
        .post(&format!("{MAPS}?dryRun=All"), &map("m", json!({})))
        .await;
    assert_eq!(twice.reason(), (409, "AlreadyExists"));
}

#[tokio::test]
async fn a_put_from_an_old_copy_is_a_conflict() {
    let world = World::new();
    let first = world.post(MAPS, &map("m", json!({"a": "1"}))).await.body;
    let path = format!("{MAPS}/m");
    let mut second = first.clone();
    second["data"] = json!({"b": "2"});
    let written = world.put(&path, &second).await;
    assert_eq!(
        (written.code, &written.body["data"]),
        (200, &json!({"b": "2"}))
    );
    assert_eq!(written.body["metadata"]["uid"], first["metadata"]["uid"]);
    let refused = world.put(&path, &second).await;
    assert_eq!(refused.reason(), (409, "Conflict"));
    assert!(refused.message().starts_with(
        "Operation cannot be fulfilled on configmaps \"m\": the object has been modified"
    ));
    // Without a version it is written over whatever there is.
    assert_eq!(world.put(&path, &map("m", json!({}))).await.code, 200);
    assert_eq!(world.put(&path, &map("n", json!({}))).await.code, 400);
    let version = json!({"metadata": {"resourceVersion": "1"}, "data": {"x": "y"}});
    assert_eq!(
        world.patch(&path, "merge-patch", &version).await.reason(),
        (409, "Conflict")
    );
}

#[tokio::test]
async fn each_form_of_patch_changes_what_it_says() {
    let world = World::new();
    world
        .post(MAPS, &map("m", json!({"a": "1", "b": "2"})))
        .await;
    let path = format!("{MAPS}/m");
    let merge = json!({"data": {"a": null, "c": "3"}});
    let json_patch = json!([{"op": "test", "path": "/data/c", "value": "3"}, {"op": "add", "path": "/data/d", "value": "4"}]);
    let strategic = json!({"metadata": {"labels": {"l": "v"}}, "data": {"b": null}});
    for (how, patch, data) in [
        ("merge-patch", merge, json!({"b": "2", "c": "3"})),
        (
            "json-patch",
            json_patch,
            json!({"b": "2", "c": "3", "d": "4"}),
        ),
        (
            "strategic-merge-patch",
            strategic,
            json!({"c": "3", "d": "4"}),
        ),
    ] {
        let answer = world.patch(&path, how, &patch).await;
        assert_eq!((answer.code, &answer.body["data"]), (200, &data), "{how}");
    }
    let failing = json!([{"op": "test", "path": "/data/c", "value": "x"}]);
    assert_eq!(
        world.patch(&path, "json-patch", &failing).await.reason(),
        (422, "Invalid")
    );
    let apply = world
        .send(
            &format!("PATCH {path}"),
            "application/apply-patch+yaml",
            "{}",
        )
        .await;
    assert_eq!(apply.reason(), (415, "UnsupportedMediaType"));
    assert!(
        apply
            .message()
            .contains("application/strategic-merge-patch+json")
    );
    for (how, patch) in [
        ("merge-patch", json!([])),
        ("json-patch", json!({})),
        (
            "strategic-merge-patch",
            json!({"metadata": {"$patch": "x"}}),
        ),
        ("merge-patch", json!({"metadata": {"name": "other"}})),
        ("merge-patch", json!({"kind": "Secret"})),
    ] {
        assert_eq!(
            world.patch(&path, how, &patch).await.code,
            400,
            "{how} {patch}"
        );
    }
    let wrong = world
        .patch(&path, "merge-patch", &json!({"data": {"a b": "x"}}))
        .await;
    assert_eq!(wrong.reason(), (422, "Invalid"));
}

#[tokio::test]
async fn what_is_immutable_stays() {
    let world = World::new();
    let mut fixed = map("m", json!({"a": "1"}));
    fixed["immutable"] = json!(true);
    world.post(MAPS, &fixed).await;
    let path = format!("{MAPS}/m");
    for patch in [
        json!({"data": {"a": "2"}}),
        json!({"immutable": null}),
        json!({"immutable": false}),
    ] {
        let refused = world.patch(&path, "merge-patch", &patch).await;
        assert_eq!(refused.reason(), (422, "Invalid"), "{patch}");
        assert_eq!(
            refused.body["details"]["causes"][0]["reason"],
            "FieldValueForbidden"
        );
    }
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}});
    let services = "/api/v1/namespaces/default/services";
    let created = world.post(services, &service).await.body;
    let ip = &created["spec"]["clusterIP"];
    assert!(ip.is_string(), "{created}");
    let path = format!("{services}/s");
    assert_eq!(
        &world.put(&path, &service).await.body["spec"]["clusterIP"],
        ip
    );
    let moved = world
        .patch(
            &path,
            "merge-patch",
            &json!({"spec": {"clusterIP": "10.96.9.9"}}),
        )
        .await;
    assert_eq!(moved.reason(), (422, "Invalid"));
    // What only the server makes can be labelled.
    let label = json!({"metadata": {"labels": {"disk": "ssd"}}});
    let labelled = world
        .patch("/api/v1/nodes/n", "strategic-merge-patch", &label)
        .await;
    assert_eq!(labelled.body["metadata"]["labels"]["disk"], "ssd");
    let cordon = json!({"spec": {"unschedulable": true}});
    let refused = world
        .patch("/api/v1/nodes/n", "strategic-merge-patch", &cordon)
        .await;
    assert_eq!(refused.reason(), (422, "Invalid"));
    let bad = json!({"metadata": {"labels": {"a b": "c"}}});
    assert_eq!(
        world
            .patch("/api/v1/nodes/n", "merge-patch", &bad)
            .await
            .code,
        422
    );
}

#[tokio::test]
async fn a_deployment_is_scaled_and_its_status_is_its_own() {
    let world = World::new();
    let container = json!({"name": "a", "image": "./app.wasm"});
    let template =
        json!({"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [container]}});
    let spec =
        json!({"replicas": 1, "selector": {"matchLabels": {"app": "d"}}, "template": template});
    let all = "/apis/apps/v1/namespaces/default/deployments";
    let created = world
        .post(all, &json!({"metadata": {"name": "d"}, "spec": spec}))
        .await;
    assert_eq!(created.code, 201, "{}", created.body);
    let scale = format!("{all}/d/scale");
    let found = world.get(&scale).await;
    assert_eq!(
        (&found["kind"], &found["spec"]["replicas"]),
        (&json!("Scale"), &json!(1))
    );
    let scaled = world
        .patch(&scale, "merge-patch", &json!({"spec": {"replicas": 3}}))
        .await;
    assert_eq!(
        (scaled.code, &scaled.body["spec"]["replicas"]),
        (200, &json!(3)),
        "{}",
        scaled.body
    );
    assert_eq!(world.get(&format!("{all}/d")).await["spec"]["replicas"], 3);
    let stale = world.put(&scale, &found).await;
    assert_eq!(stale.reason(), (409, "Conflict"));
    let wrong = world
        .patch(&scale, "merge-patch", &json!({"spec": {"replicas": -1}}))
        .await;
    assert_eq!(wrong.reason(), (422, "Invalid"));
    // A status in the object itself is passed over; the other way round too.
    let main = json!({"status": {"replicas": 77}, "metadata": {"labels": {"x": "y"}}});
    let patched = world.patch(&format!("{all}/d"), "merge-patch", &main).await;
    assert_ne!(patched.body["status"]["replicas"], 77);
    let part = json!({"status": {"collisionCount": 5}, "spec": {"replicas": 9}});
    let patched = world
        .patch(&format!("{all}/d/status"), "merge-patch", &part)
        .await;
    assert_eq!(
        (patched.code, &patched.body["spec"]["replicas"]),
        (200, &json!(3)),
        "{}",
        patched.body
    );
    let selector = json!({"spec": {"selector": {"matchLabels": {"app": "e"}}, "template": {"metadata": {"labels": {"app": "e"}}}}});
    let refused = world
        .patch(&format!("{all}/d"), "merge-patch", &selector)
        .await;
    assert!(
        refused.message().contains("field is immutable"),
        "{}",
        refused.body
    );
}

#[tokio::test]
async fn a_namespace_that_ends_takes_nothing_new() {
    let world = World::new();
    let created = world
        .post("/api/v1/namespaces", &json!({"metadata": {"name": "n"}}))
        .await;
    assert_eq!(
        (created.code, &created.body["status"]["phase"]),
        (201, &json!("Active"))
    );
    // A pod that takes its time keeps it from being gone.
    let heedless = Script {
        on_stop: None,
        ..Script::default()
    };
    world.runtime.script("a", [heedless]);
    let pods = "/api/v1/namespaces/n/pods";
    assert_eq!(world.post(pods, &web("./app.wasm")).await.code, 201);
    let path = format!("{pods}/web");
    bounded(async {
        while world.get(&path).await["status"]["phase"] != "Running" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let options = crate::client::DeleteOptions::default();
    world
        .client
        .delete("/api/v1/namespaces/n", &options)
        .await
        .unwrap();
    let maps = "/api/v1/namespaces/n/configmaps";
    let refused = world.post(maps, &map("m", json!({}))).await;
    assert_eq!(refused.reason(), (403, "Forbidden"));
    assert!(refused.message().contains("because it is being terminated"));
}

#[tokio::test]
async fn clients_learn_that_the_server_validates_fields() {
    let world = World::new();
    let root = world.get("/openapi/v3").await;
    let url = root["paths"]["apis/apps/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(url.starts_with("/openapi/v3/apis/apps/v1?"));
    let document = world.get(&url).await;
    let patch =
        &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"]["kind"],
        "Deployment"
    );
    let names: Vec<_> = patch["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["name"].clone())
        .collect();
    assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation"]);
    assert_eq!(world.refused("/openapi/v3/apis/nobody/v1").await.code, 404);
}

#[tokio::test]
async fn a_service_changes_its_type_and_lets_go_of_what_it_was_given() {
    let world = World::new();
    let services = "/api/v1/namespaces/default/services";
    let spec = json!({"ports": [{"port": 80}], "selector": {"a": "b"}});
    let service = json!({"metadata": {"name": "s"}, "spec": spec});
    assert_eq!(world.post(services, &service).await.code, 201);
    let path = format!("{services}/s");
    let external = json!({"spec": {"type": "ExternalName", "externalName": "example.com"}});
    let changed = world.patch(&path, "strategic-merge-patch", &external).await;
    assert_eq!(changed.code, 200, "{}", changed.body);
    let spec = &changed.body["spec"];
    assert_eq!(
        (&spec["clusterIP"], &spec["clusterIPs"]),
        (&Value::Null, &Value::Null)
    );

    let mut back = changed.body.clone();
    back["spec"]["type"] = json!("ClusterIP");
    let back = world.put(&path, &back).await;
    assert_eq!(back.code, 200, "{}", back.body);
    assert!(back.body["spec"]["clusterIP"].is_string(), "{}", back.body);
}

#[tokio::test]
async fn endpoints_and_slices_are_written_by_clients_too() {
    let world = World::new();
    let list = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    let slice = |address: &str| {
        json!({
            "metadata": {"generateName": "hand-"}, "addressType": "IPv4", "ports": [{"port": 80}],
            "endpoints": [{"addresses": [address]}],
        })
    };
    let created = world.post(list, &slice("10.0.0.1")).await;
    assert_eq!(created.code, 201, "{}", created.body);
    let path = format!(
        "{list}/{}",
        created.body["metadata"]["name"].as_str().unwrap()
    );
    let mut changed = created.body.clone();
    changed["endpoints"][0]["addresses"] = json!(["10.0.0.2"]);
    assert_eq!(world.put(&path, &changed).await.code, 200);
    let moved = world
        .patch(&path, "merge-patch", &json!({"addressType": "IPv6"}))
        .await;
    assert_eq!(moved.reason(), (422, "Invalid"));
    let wrong = world.post(list, &slice("web")).await;
    assert_eq!(wrong.reason(), (422, "Invalid"));
    assert!(
        wrong.message().contains("endpoints[0].addresses[0]"),
        "{}",
        wrong.message()
    );
    let nameless = json!({"metadata": {"name": "No Name"}, "addressType": "IPv4", "endpoints": []});
    assert_eq!(world.post(list, &nameless).await.reason(), (422, "Invalid"));
}
