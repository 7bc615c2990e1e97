//! Generates random valid `PostgresCluster`s, with every section of the spec that has an effect.
//!
//! Secrets, ConfigMaps and claims that the user provides have names that begin with [`BROUGHT`].

use std::collections::BTreeSet;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

const BROUGHT: &str = "brought-";

/// Returns the names in a cluster of the objects that its user provides.
pub(crate) fn brought(cluster: &Value) -> BTreeSet<String> {
    match cluster {
        Value::String(text) if text.starts_with(BROUGHT) => [text.clone()].into(),
        Value::Array(items) => items.iter().flat_map(brought).collect(),
        Value::Object(entries) => entries.values().flat_map(brought).collect(),
        _ => BTreeSet::new(),
    }
}

/// A field of a generated object; `None` if it is left out.
type Field = BoxedStrategy<Option<(&'static str, Value)>>;

fn always(name: &'static str, value: impl Strategy<Value = Value> + 'static) -> Field {
    value.prop_map(move |value| Some((name, value))).boxed()
}

fn sometimes(name: &'static str, value: impl Strategy<Value = Value> + 'static) -> Field {
    option::of(value).prop_map(move |value| value.map(|value| (name, value))).boxed()
}

fn object(fields: Vec<Field>) -> BoxedStrategy<Value> {
    let entries = |fields: Vec<Option<(&str, Value)>>| -> Map<String, Value> {
        fields.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    fields.prop_map(move |fields| Value::Object(entries(fields))).boxed()
}

fn one_of(values: Vec<Value>) -> impl Strategy<Value = Value> {
    select(values)
}

fn list(items: Vec<Value>) -> impl Strategy<Value = Value> {
    let length = items.len();
    subsequence(items, 0..=length).prop_map(Value::from)
}

/// A valid cluster.
pub(crate) fn cluster() -> impl Strategy<Value = Value> {
    let version = select(vec!["v1", "v1beta1"]);
    let annotations = object(vec![
        sometimes("postgres-operator.crunchydata.com/autoCreateUserSchema", Just(json!("true"))),
        sometimes("postgres-operator.crunchydata.com/pgbackrest-ip-version", Just(json!("IPv6"))),
        sometimes("postgres-operator.crunchydata.com/trigger-switchover", Just(json!("now"))),
        sometimes("postgres-operator.crunchydata.com/pgbackrest-backup", Just(json!("now"))),
        sometimes("postgres-operator.crunchydata.com/pgbackrest-restore", Just(json!("now"))),
        sometimes("pgrender.dev/rotate-ca", Just(json!("2"))),
    ]);
    let name = "[a-z][a-z0-9]{0,7}(-[a-z0-9]{1,6})?";
    (version, name, annotations, spec()).prop_map(|(version, name, annotations, spec)| {
        json!({
            "apiVersion": format!("postgres-operator.crunchydata.com/{version}"),
            "kind": "PostgresCluster",
            "metadata": {"name": name, "namespace": "zoo", "annotations": annotations},
            "spec": fitting(spec),
        })
    })
}

fn spec() -> BoxedStrategy<Value> {
    object(vec![
        always("postgresVersion", one_of(vec![json!(17), json!(18)])),
        always("instances", instances()),
        sometimes("backups", backups()),
        sometimes("proxy", pgbouncer().prop_map(|pgbouncer| json!({"pgBouncer": pgbouncer}))),
        sometimes("users", users()),
        sometimes("metadata", metadata()),
        sometimes("service", service(32001)),
        sometimes("replicaService", service(32002)),
        sometimes("config", config()),
        sometimes("authentication", authentication()),
        sometimes("patroni", patroni()),
        sometimes("standby", standby()),
        sometimes("dataSource", data_source()),
        sometimes("customTLSSecret", custom_certificate("brought-tls")),
        sometimes("monitoring", exporter().prop_map(|exporter| json!({"pgmonitor": {"exporter": exporter}}))),
        sometimes("instrumentation", collector()),
        sometimes("port", one_of(vec![json!(5432), json!(15432)])),
        sometimes("shutdown", any::<bool>().prop_map(Value::from)),
        sometimes("paused", any::<bool>().prop_map(Value::from)),
        sometimes("openshift", any::<bool>().prop_map(Value::from)),
        sometimes("disableDefaultPodScheduling", any::<bool>().prop_map(Value::from)),
        sometimes("supplementalGroups", Just(json!([1000, 65534]))),
        sometimes("imagePullPolicy", one_of(vec![json!("Always"), json!("IfNotPresent")])),
        sometimes("imagePullSecrets", Just(json!([{"name": "brought-registry"}]))),
        sometimes("image", Just(json!("example.com/postgres:1"))),
    ])
}

fn exporter() -> BoxedStrategy<Value> {
    let files = [
        json!([]),
        json!([{"configMap": {"name": "brought-queries"}}]),
        json!([{"secret": {"name": "brought-queries", "items": [{"key": "a", "path": "a/b.yml"}]}}]),
    ];
    object(vec![
        sometimes("configuration", one_of(files.to_vec())),
        sometimes("customTLSSecret", custom_certificate("brought-exporter-tls")),
        sometimes("image", Just(json!("example.com/exporter:1"))),
    ])
}

fn collector() -> BoxedStrategy<Value> {
    let token = json!({"secretKeyRef": {"name": "brought-otlp", "key": "token"}});
    let config = object(vec![
        always("exporters", Just(json!({"otlp": {"endpoint": "there:4317"}}))),
        sometimes("environmentVariables", Just(json!([{"name": "OTLP_TOKEN", "valueFrom": token}]))),
        sometimes("files", Just(json!([{"configMap": {"name": "brought-otlp-ca"}}]))),
        sometimes("detectors", Just(json!([{"name": "ec2", "attributes": {"host.id": true}}]))),
    ]);
    let queries =
        json!({"name": "own", "queries": {"name": "brought-otlp-queries", "key": "a.yaml"}, "databases": ["a", "b"]});
    let metrics = object(vec![
        sometimes("exporters", Just(json!(["otlp", "debug"]))),
        sometimes("customQueries", Just(json!({"add": [queries], "remove": ["ccp_locks_count"]}))),
        sometimes("perDBMetricTargets", Just(json!(["a"]))),
    ]);
    object(vec![
        always("config", config),
        sometimes("logs", Just(json!({"exporters": ["otlp"], "retentionPeriod": "3d"}))),
        sometimes("metrics", metrics),
        sometimes("image", Just(json!("example.com/collector:1"))),
    ])
}

/// Makes sections consistent that depend on each other.
fn fitting(mut spec: Value) -> Value {
    if spec.get("customTLSSecret").is_some() {
        spec["customReplicationTLSSecret"] = json!({"name": "brought-replication-tls"});
    }
    let repositories = spec.pointer("/backups/pgbackrest/repos").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(name) = spec.pointer_mut("/standby/repoName") {
        match repositories.first() {
            Some(repository) => *name = repository["name"].clone(),
            None => spec["standby"] = json!({"enabled": true, "host": "elsewhere.example.com"}),
        }
    }
    for action in ["manual", "restore"] {
        if let Some(name) = spec.pointer_mut(&format!("/backups/pgbackrest/{action}/repoName")) {
            *name = repositories[0]["name"].clone();
        }
    }
    if spec.pointer("/standby/enabled") == Some(&json!(true)) {
        spec.as_object_mut().expect("a spec").remove("dataSource");
        if let Some(enabled) = spec.pointer_mut("/backups/pgbackrest/restore/enabled") {
            *enabled = json!(false);
        }
    }
    spec
}

fn data_source() -> impl Strategy<Value = Value> {
    one_of(vec![
        json!({"postgresCluster": {"clusterName": "source", "repoName": "repo2", "options": ["--type=immediate"]}}),
        json!({"pgbackrest": {
            "stanza": "old",
            "repo": {"name": "repo3", "s3": {"bucket": "source", "endpoint": "s3.example.com", "region": "r"}},
            "configuration": [{"secret": {"name": "brought-source-keys"}}],
            "global": {"repo3-path": "/source"},
        }}),
    ])
}

fn claim() -> BoxedStrategy<Value> {
    object(vec![
        always("accessModes", one_of(vec![json!(["ReadWriteOnce"]), json!(["ReadWriteMany"])])),
        always("resources", Just(json!({"requests": {"storage": "1Gi"}}))),
        sometimes("storageClassName", Just(json!("fast"))),
    ])
}

fn resources() -> BoxedStrategy<Value> {
    one_of(vec![
        json!({"limits": {"memory": "1Gi"}}),
        json!({"requests": {"cpu": "10m"}, "limits": {"cpu": 1, "hugepages-2Mi": "16Mi"}}),
    ])
    .boxed()
}

fn metadata() -> BoxedStrategy<Value> {
    object(vec![
        sometimes("labels", Just(json!({"team": "blue", "example.com/tier": "data"}))),
        sometimes("annotations", Just(json!({"note": "a: b # c\n"}))),
    ])
}

/// Additional volumes for a pod that has a container of this name.
fn additional_volumes(container: &str) -> BoxedStrategy<Value> {
    let volumes = list(vec![
        json!({"name": "everywhere", "claimName": "brought-claim"}),
        json!({"name": "nowhere", "claimName": "brought-claim", "containers": []}),
        json!({"name": "here", "claimName": "brought-archive", "containers": [container], "readOnly": true}),
        json!({"name": "image", "image": {"reference": "example.com/data:1"}}),
    ]);
    volumes.prop_map(|volumes| json!({"additional": volumes})).boxed()
}

fn sidecars() -> impl Strategy<Value = Value> {
    list(vec![
        json!({"name": "extra", "image": "example.com/extra:1"}),
        json!({
            "name": "more",
            "image": "example.com/more:1",
            "ports": [{"name": "metrics", "containerPort": 9100}],
            "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "brought-key", "key": "key"}}}],
        }),
    ])
}

fn scheduling(mut fields: Vec<Field>) -> Vec<Field> {
    let affinity = json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}}
    ]}});
    fields.extend([
        sometimes("affinity", Just(affinity)),
        sometimes("tolerations", Just(json!([{"key": "db", "operator": "Exists"}]))),
        sometimes("priorityClassName", Just(json!("high"))),
    ]);
    fields
}

fn spread() -> Field {
    let constraint = json!({"maxSkew": 2, "topologyKey": "example.com/rack", "whenUnsatisfiable": "DoNotSchedule"});
    sometimes("topologySpreadConstraints", Just(json!([constraint])))
}

fn min_available() -> Field {
    sometimes("minAvailable", one_of(vec![json!(0), json!(1), json!("50%")]))
}

/// One to three sets. One of them may have its number as its name.
fn instances() -> BoxedStrategy<Value> {
    let names = ["fast", "slow-1", ""].map(str::to_owned).to_vec();
    (subsequence(names, 1..=3), vec(instance_set(), 3))
        .prop_map(|(names, mut sets)| {
            for (set, name) in sets.iter_mut().zip(&names).filter(|(_, name)| !name.is_empty()) {
                set["name"] = json!(name);
            }
            sets.truncate(names.len());
            Value::from(sets)
        })
        .boxed()
}

fn instance_set() -> BoxedStrategy<Value> {
    let volumes = (option::of(claim()), additional_volumes("database")).prop_map(|(temporary, mut volumes)| {
        if let Some(claim) = temporary {
            volumes["temp"] = claim;
        }
        volumes
    });
    object(scheduling(vec![
        always("dataVolumeClaimSpec", claim()),
        sometimes("walVolumeClaimSpec", claim()),
        sometimes("volumes", volumes),
        sometimes("replicas", (1..=4_i32).prop_map(Value::from)),
        sometimes("containers", sidecars()),
        sometimes("metadata", metadata()),
        sometimes("resources", resources()),
        sometimes("sidecars", resources().prop_map(|r| json!({"replicaCertCopy": {"resources": r}}))),
        min_available(),
        spread(),
    ]))
}

fn backups() -> BoxedStrategy<Value> {
    let pgbackrest = object(vec![
        always("repos", repositories()),
        sometimes(
            "configuration",
            list(vec![
                json!({"secret": {"name": "brought-repository-keys"}}),
                json!({"configMap": {"name": "brought-options", "items": [{"key": "a.conf", "path": "a.conf"}]}}),
            ]),
        ),
        sometimes("global", Just(json!({"repo1-retention-full": "2", "compress-type": "zst"}))),
        sometimes("manual", Just(json!({"repoName": "", "options": ["--type=full"]}))),
        sometimes("restore", Just(json!({"repoName": "", "enabled": true, "options": ["--type=immediate"]}))),
        sometimes("metadata", metadata()),
        sometimes("image", Just(json!("example.com/pgbackrest"))),
        sometimes(
            "repoHost",
            object(scheduling(vec![
                sometimes("resources", resources()),
                sometimes("volumes", additional_volumes("pgbackrest")),
                spread(),
            ])),
        ),
        sometimes(
            "jobs",
            object(scheduling(vec![
                sometimes("resources", resources()),
                sometimes("volumes", additional_volumes("pgbackrest")),
                sometimes("ttlSecondsAfterFinished", Just(json!(60))),
            ])),
        ),
        sometimes(
            "sidecars",
            object(vec![
                sometimes("pgbackrest", resources().prop_map(|r| json!({"resources": r}))),
                sometimes("pgbackrestConfig", resources().prop_map(|r| json!({"resources": r}))),
            ]),
        ),
    ]);
    option::weighted(0.9, pgbackrest)
        .prop_map(|pgbackrest| pgbackrest.map_or_else(|| json!({}), |pgbackrest| json!({"pgbackrest": pgbackrest})))
        .boxed()
}

fn repositories() -> BoxedStrategy<Value> {
    let storage = prop_oneof![
        4 => claim().prop_map(|claim| json!({"volume": {"volumeClaimSpec": claim}})),
        1 => Just(json!({"s3": {"bucket": "b", "endpoint": "s3.example.com", "region": "r"}})),
        1 => Just(json!({"gcs": {"bucket": "b"}})),
        1 => Just(json!({"azure": {"container": "c"}})),
    ];
    let schedules = object(vec![
        sometimes("full", Just(json!("0 1 * * 0"))),
        sometimes("differential", Just(json!("0 1 * * 1-6"))),
        sometimes("incremental", Just(json!("@hourly"))),
    ]);
    let repository = (storage, option::of(schedules)).prop_map(|(mut repository, schedules)| {
        if let Some(schedules) = schedules {
            repository["schedules"] = schedules;
        }
        repository
    });
    let names = ["repo1", "repo2", "repo3", "repo4"].map(str::to_owned).to_vec();
    (subsequence(names, 1..=4), vec(repository, 4))
        .prop_map(|(names, repositories)| {
            let repositories = names.into_iter().zip(repositories).map(|(name, mut repository)| {
                repository["name"] = json!(name);
                repository
            });
            repositories.collect()
        })
        .boxed()
}

fn pgbouncer() -> BoxedStrategy<Value> {
    let config = object(vec![
        sometimes("global", Just(json!({"pool_mode": "session", "logfile": "/tmp/logs/pgbouncer/a.log"}))),
        sometimes("databases", Just(json!({"*": "host=example.com"}))),
        sometimes("users", Just(json!({"app": "max_user_connections=10"}))),
        sometimes(
            "files",
            list(vec![
                json!({"configMap": {"name": "brought-settings"}}),
                json!({"secret": {"name": "brought-settings", "items": [{"key": "a", "path": "pgbouncer.ini"}]}}),
            ]),
        ),
    ]);
    object(scheduling(vec![
        sometimes("replicas", (0..=3_i32).prop_map(Value::from)),
        sometimes("port", Just(json!(6432))),
        sometimes("config", config),
        sometimes("containers", sidecars()),
        sometimes("customTLSSecret", custom_certificate("brought-frontend")),
        sometimes("metadata", metadata()),
        sometimes("resources", resources()),
        sometimes("service", service(32003)),
        sometimes("sidecars", resources().prop_map(|r| json!({"pgbouncerConfig": {"resources": r}}))),
        sometimes("volumes", additional_volumes("pgbouncer")),
        min_available(),
        spread(),
    ]))
}

/// A Secret with the usual keys, or with other keys that its items rename.
fn custom_certificate(name: &'static str) -> impl Strategy<Value = Value> {
    let items = json!([
        {"key": "chain.pem", "path": "tls.crt"}, {"key": "key.pem", "path": "tls.key"}, {"key": "root.pem", "path": "ca.crt"}
    ]);
    one_of(vec![json!({"name": name}), json!({"name": name, "items": items})])
}

fn users() -> BoxedStrategy<Value> {
    let user = object(vec![
        sometimes("databases", list(vec![json!("zoo"), json!("Größe & <co>"), json!("a'b")])),
        sometimes("options", one_of(vec![json!("SUPERUSER"), json!("CREATEDB CONNECTION LIMIT 5")])),
        sometimes("password", one_of(vec![json!({"type": "ASCII"}), json!({"type": "AlphaNumeric"})])),
    ]);
    btree_map("[a-z][a-z0-9-]{0,6}[a-z0-9]", user, 0..4)
        .prop_map(|users| {
            let named = users.into_iter().map(|(name, mut user)| {
                user["name"] = json!(name);
                user
            });
            named.collect()
        })
        .boxed()
}

fn service(node_port: i32) -> BoxedStrategy<Value> {
    let outside = json!({"type": "NodePort", "nodePort": node_port, "externalTrafficPolicy": "Local"});
    let kind = one_of(vec![json!({}), json!({"type": "ClusterIP"}), json!({"type": "LoadBalancer"}), outside]);
    let families = one_of(vec![json!(["IPv4"]), json!(["IPv6", "IPv4"])]);
    (kind, option::of(metadata()), option::of(families))
        .prop_map(|(mut service, metadata, families)| {
            if let Some(metadata) = metadata {
                service["metadata"] = metadata;
            }
            if let Some(families) = families {
                service["ipFamilies"] = families;
                service["ipFamilyPolicy"] = json!("PreferDualStack");
            }
            service
        })
        .boxed()
}

fn config() -> BoxedStrategy<Value> {
    object(vec![
        sometimes("parameters", Just(json!({"work_mem": "8MB", "max_connections": 150}))),
        sometimes(
            "files",
            Just(json!([
                {"secret": {"name": "brought-kerberos", "items": [{"key": "krb5.conf", "path": "krb5.conf"}]}}
            ])),
        ),
    ])
}

fn authentication() -> BoxedStrategy<Value> {
    let rules = list(vec![
        json!({"hba": "hostssl all all 10.0.0.0/8 scram-sha-256"}),
        json!({"connection": "hostssl", "databases": ["app"], "users": ["a b"], "method": "scram-sha-256"}),
    ]);
    rules.prop_map(|rules| json!({"rules": rules})).boxed()
}

fn patroni() -> BoxedStrategy<Value> {
    let dynamic = json!({"synchronous_mode": true, "postgresql": {"parameters": {"max_connections": 200}}});
    object(vec![
        sometimes("dynamicConfiguration", Just(dynamic)),
        sometimes("port", Just(json!(18008))),
        sometimes("leaderLeaseDurationSeconds", Just(json!(60))),
        sometimes("switchover", Just(json!({"enabled": true}))),
    ])
}

fn standby() -> BoxedStrategy<Value> {
    one_of(vec![
        json!({"enabled": false}),
        json!({"enabled": true, "host": "elsewhere.example.com", "port": 5433}),
        // A repository that exists.
        json!({"enabled": true, "repoName": "repo1"}),
    ])
    .boxed()
}
