//! Environments, as tables.

mod downward;

use std::collections::BTreeMap;

use wasmpod_manifest::k8s::{
    ByteString, ConfigMap, ConfigMapEnvSource, ConfigMapKeySelector, Container, EnvFromSource,
    EnvVar, EnvVarSource, ObjectFieldSelector, ObjectMeta, Pod, PodSpec, Quantity,
    ResourceFieldSelector, ResourceRequirements, Secret, SecretEnvSource, SecretKeySelector,
    Service, ServicePort, ServiceSpec,
};

use super::{Environment, EnvironmentError, EnvironmentSources, PodFacts, resolve};

/// One ConfigMap `settings`, one Secret `keys`, one Service `db`.
struct Objects;

impl EnvironmentSources for Objects {
    fn config_map(&self, name: &str) -> Option<ConfigMap> {
        let data = [("color", "blue"), ("size", "3"), ("bad=name", "x")];
        let data = data.map(|(k, v)| (k.to_owned(), v.to_owned()));
        (name == "settings").then(|| ConfigMap {
            data: Some(data.into()),
            ..ConfigMap::default()
        })
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        let data = [("token", b"s3cret".to_vec()), ("raw", vec![0xff])];
        let data = data.map(|(k, v)| (k.to_owned(), ByteString(v)));
        (name == "keys").then(|| Secret {
            data: Some(data.into()),
            ..Secret::default()
        })
    }

    fn services(&self) -> Vec<Service> {
        let spec = ServiceSpec {
            cluster_ip: Some("10.1.2.3".to_owned()),
            ports: Some(vec![ServicePort {
                port: 5432,
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        };
        let metadata = ObjectMeta {
            name: Some("db".to_owned()),
            ..ObjectMeta::default()
        };
        vec![Service {
            metadata,
            spec: Some(spec),
            status: None,
        }]
    }
}

fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn pod() -> Pod {
    Pod {
        metadata: ObjectMeta {
            name: Some("web".to_owned()),
            namespace: Some("shop".to_owned()),
            uid: Some("1234".to_owned()),
            labels: Some(map(&[("app", "web")])),
            annotations: Some(map(&[("example.com/owner", "us")])),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            service_account_name: Some("robot".to_owned()),
            enable_service_links: Some(false),
            ..PodSpec::default()
        }),
        ..Pod::default()
    }
}

fn facts() -> PodFacts {
    PodFacts {
        node_name: "here".to_owned(),
        host_ips: vec!["192.0.2.1".to_owned()],
        pod_ips: vec!["10.88.0.2".to_owned(), "fd00::2".to_owned()],
        allocatable_cpu_millicores: 2500,
        allocatable_memory_bytes: 1 << 30,
        allocatable_ephemeral_storage_bytes: 10 << 30,
    }
}

fn value(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    }
}

fn from(name: &str, from: EnvVarSource) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(from),
    }
}

fn field(path: &str) -> EnvVarSource {
    let selector = ObjectFieldSelector {
        field_path: path.to_owned(),
        api_version: None,
    };
    EnvVarSource {
        field_ref: Some(selector),
        ..EnvVarSource::default()
    }
}

fn config_key(name: &str, key: &str, optional: bool) -> EnvVarSource {
    let selector = ConfigMapKeySelector {
        name: name.to_owned(),
        key: key.to_owned(),
        optional: Some(optional),
    };
    EnvVarSource {
        config_map_key_ref: Some(selector),
        ..EnvVarSource::default()
    }
}

fn secret_key(name: &str, key: &str, optional: bool) -> EnvVarSource {
    let selector = SecretKeySelector {
        name: name.to_owned(),
        key: key.to_owned(),
        optional: Some(optional),
    };
    EnvVarSource {
        secret_key_ref: Some(selector),
        ..EnvVarSource::default()
    }
}

fn env(vars: Vec<EnvVar>) -> Result<Environment, EnvironmentError> {
    let container = Container {
        env: Some(vars),
        ..Container::default()
    };
    resolve(&pod(), &container, &facts(), &Objects)
}

fn lines(environment: &Environment) -> Vec<String> {
    environment
        .own
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect()
}

#[test]
fn a_value_may_refer_to_what_stands_before_it() {
    let list = vec![
        value("A", "1"),
        value("B", "$(A)$(C)"),
        value("C", "$$(A)"),
        value("D", ""),
    ];
    assert_eq!(
        lines(&env(list).unwrap()),
        ["A=1", "B=1$(C)", "C=$(A)", "D="]
    );
}

#[test]
fn the_downward_api_tells_of_the_pod() {
    for (path, expected) in [
        ("metadata.name", "web"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "1234"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['example.com/owner']", "us"),
        ("spec.nodeName", "here"),
        ("spec.serviceAccountName", "robot"),
        ("status.hostIP", "192.0.2.1"),
        ("status.podIP", "10.88.0.2"),
        ("status.podIPs", "10.88.0.2,fd00::2"),
    ] {
        let environment = env(vec![from("X", field(path))]).unwrap();
        assert_eq!(lines(&environment), [format!("X={expected}")], "{path}");
    }
    let error = env(vec![from("X", field("spec.hostname"))]).unwrap_err();
    assert_eq!(error.to_string(), "unsupported fieldPath: spec.hostname");
}

#[test]
fn resources_are_rounded_up_to_the_divisor_and_default_to_the_node() {
    let limits = [("cpu", "1250m"), ("memory", "64Mi")];
    let limits = limits.map(|(k, v)| (k.to_owned(), Quantity(v.to_owned())));
    let resources = ResourceRequirements {
        limits: Some(limits.into()),
        ..ResourceRequirements::default()
    };
    for (resource, divisor, limited, unlimited) in [
        ("limits.cpu", None, "2", "3"),
        ("limits.cpu", Some("1m"), "1250", "2500"),
        ("limits.memory", None, "67108864", "1073741824"),
        ("limits.memory", Some("1Mi"), "64", "1024"),
        ("requests.cpu", None, "0", "0"),
    ] {
        for (resources, expected) in [(Some(resources.clone()), limited), (None, unlimited)] {
            let selector = ResourceFieldSelector {
                resource: resource.to_owned(),
                divisor: divisor.map(|d| Quantity(d.to_owned())),
                container_name: None,
            };
            let source = EnvVarSource {
                resource_field_ref: Some(selector),
                ..EnvVarSource::default()
            };
            let vars = Some(vec![from("X", source)]);
            let container = Container {
                env: vars,
                resources,
                ..Container::default()
            };
            let environment = resolve(&pod(), &container, &facts(), &Objects).unwrap();
            assert_eq!(
                lines(&environment),
                [format!("X={expected}")],
                "{resource} {divisor:?}"
            );
        }
    }
}

#[test]
fn keys_of_config_maps_and_secrets() {
    let list = vec![
        from("COLOR", config_key("settings", "color", false)),
        from("TOKEN", secret_key("keys", "token", false)),
        from("NO_KEY", config_key("settings", "none", true)),
        from("NO_MAP", config_key("none", "color", true)),
        from("NO_SECRET", secret_key("none", "token", true)),
    ];
    assert_eq!(lines(&env(list).unwrap()), ["COLOR=blue", "TOKEN=s3cret"]);
}

#[test]
fn what_is_missing_and_not_optional_is_told_in_the_kubelets_words() {
    for (source, message) in [
        (
            config_key("none", "k", false),
            "configmap \"none\" not found",
        ),
        (
            config_key("settings", "k", false),
            "couldn't find key k in ConfigMap shop/settings",
        ),
        (secret_key("none", "k", false), "secret \"none\" not found"),
        (
            secret_key("keys", "k", false),
            "couldn't find key k in Secret shop/keys",
        ),
    ] {
        let error = env(vec![from("X", source)]).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.reason(), "CreateContainerConfigError");
    }
    let error = env(vec![from("X", secret_key("keys", "raw", false))]).unwrap_err();
    assert!(matches!(error, EnvironmentError::NotText { .. }), "{error}");
}

#[test]
fn env_from_takes_every_key_with_its_prefix_and_env_wins() {
    let all = |prefix: Option<&str>, name: &str, optional| EnvFromSource {
        prefix: prefix.map(str::to_owned),
        config_map_ref: Some(ConfigMapEnvSource {
            name: name.to_owned(),
            optional: Some(optional),
        }),
        secret_ref: None,
    };
    let container = Container {
        env_from: Some(vec![
            all(None, "settings", false),
            all(Some("P_"), "settings", false),
            all(None, "none", true),
        ]),
        env: Some(vec![value("color", "$(P_color)ish")]),
        ..Container::default()
    };
    let environment = resolve(&pod(), &container, &facts(), &Objects).unwrap();
    assert_eq!(
        lines(&environment),
        ["color=blueish", "size=3", "P_color=blue", "P_size=3"]
    );
    assert_eq!(environment.invalid_names, ["bad=name", "P_bad=name"]);

    let missing = EnvFromSource {
        secret_ref: Some(SecretEnvSource {
            name: "none".to_owned(),
            optional: None,
        }),
        ..EnvFromSource::default()
    };
    let container = Container {
        env_from: Some(vec![missing]),
        ..Container::default()
    };
    let error = resolve(&pod(), &container, &facts(), &Objects).unwrap_err();
    assert_eq!(error.to_string(), "secret \"none\" not found");
}

#[test]
fn services_are_told_unless_the_pod_says_no_and_never_over_its_own_variables() {
    let mut linked = pod();
    linked.spec.as_mut().unwrap().enable_service_links = None;
    let vars = vec![
        value("DB_SERVICE_PORT", "1"),
        value("URL", "http://$(DB_SERVICE_HOST)"),
    ];
    let container = Container {
        env: Some(vars.clone()),
        ..Container::default()
    };
    let environment = resolve(&linked, &container, &facts(), &Objects).unwrap();
    let lines_ = lines(&environment);
    assert_eq!(lines_.first().unwrap(), "DB_SERVICE_PORT=1");
    assert!(
        lines_.contains(&"URL=http://10.1.2.3".to_owned()),
        "{lines_:?}"
    );
    assert!(
        lines_.contains(&"DB_SERVICE_HOST=10.1.2.3".to_owned()),
        "{lines_:?}"
    );
    assert_eq!(
        lines(&env(vars).unwrap()),
        ["DB_SERVICE_PORT=1", "URL=http://$(DB_SERVICE_HOST)"]
    );
}

#[test]
fn the_images_variables_lie_below_and_the_hostname_between() {
    let environment = env(vec![value("PATH", "/bin"), value("X", "1")]).unwrap();
    let image = [("PATH", "/usr/bin"), ("LANG", "C"), ("HOSTNAME", "image")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
    let all: Vec<_> = environment
        .over_image(&image, "web")
        .into_iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(all, ["PATH=/bin", "LANG=C", "HOSTNAME=web", "X=1"]);
}
