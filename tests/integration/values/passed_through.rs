//! Tests settings that other programs read: each that they would ignore, or that something else overrides, is reported.

use pgrender::diagnostic::{Severity, has_errors};
use pgrender::identity::Seed;
use pgrender::options::Options;
use pgrender::read;
use pgrender::render::render;
use pgrender::write::yaml;
use serde_json::{Value, json};

use crate::values::spec::cluster;

/// Returns what is reported about a text, without informations, and whether something is rendered.
fn told_of(text: &str) -> (Vec<String>, bool) {
    let documents = read::documents("cluster.yaml", text).unwrap();
    let seed = Seed::new(b"what is passed through is looked at without a secret").ok().unwrap();
    let images = ["POSTGRES_16", "POSTGRES_17", "PGBACKREST", "PGBOUNCER"].map(|name| format!("RELATED_IMAGE_{name}"));
    let images = images.into_iter().map(|name| (name, "image".to_owned())).collect();
    let options = Options { time: 1_767_225_600, images, ..Options::default() };
    let rendered = render(&documents, &options, Ok(&seed));
    let told = rendered.diagnostics.iter().filter(|diagnostic| diagnostic.severity != Severity::Info);
    (told.map(ToString::to_string).collect(), !has_errors(&rendered.diagnostics))
}

fn told(more: &Value) -> Vec<String> {
    told_of(&yaml::to_string(&cluster(17, more))).0
}

/// Asserts that exactly one message is reported for each of `more`, with this beginning and these words.
fn each(cases: &[(Value, &str, &str)]) {
    for (more, begin, words) in cases {
        let told = told(more);
        assert_eq!(told.len(), 1, "{more}: {told:?}");
        let (_, line) = told[0].split_once(": ").unwrap();
        assert!(line.starts_with(begin) && line.contains(words), "{more}: {line}");
    }
}

fn dynamic(configuration: &Value) -> Value {
    json!({"patroni": {"dynamicConfiguration": configuration}})
}

fn parameters(parameters: &Value) -> Value {
    dynamic(&json!({"postgresql": {"parameters": parameters}}))
}

#[test]
fn a_setting_that_patroni_does_not_know_is_told_with_the_one_that_was_meant() {
    let path = "warning: spec.patroni.dynamicConfiguration.";
    for (configuration, at, words) in [
        (json!({"retry_timeoutt": 5}), "retry_timeoutt: ", "did you mean `retry_timeout`?"),
        (json!({"Failsafe_Mode": true}), "Failsafe_Mode: ", "did you mean `failsafe_mode`?"),
        (json!({"synchronous_nodes_count": 2}), "synchronous_nodes_count: ", "did you mean `synchronous_node_count`?"),
        (json!({"max_conections": 5}), "max_conections: ", "did you mean `postgresql.parameters.max_connections`?"),
        (json!({"use_slot": true}), "use_slot: ", "did you mean `postgresql.use_slots`?"),
        (json!({"postgresql": {"use_slot": true}}), "postgresql.use_slot: ", "did you mean `postgresql.use_slots`?"),
        (json!({"postgresql": {"paramaters": {}}}), "postgresql.paramaters: ", "did you mean `postgresql.parameters`?"),
        (
            json!({"postgresql": {"shared_bufers": 1}}),
            "postgresql.shared_bufers: ",
            "`postgresql.parameters.shared_buffers`",
        ),
        (json!({"postgresql": {"zzzzzzzz": 1}}), "postgresql.zzzzzzzz: ", "remove it"),
        (json!({"ignore_slots": [{"nam": "a"}]}), "ignore_slots[0].nam: ", "did you mean `name`?"),
        (
            json!({"standby_cluster": {"host": "a", "prt": 5}}),
            "standby_cluster.prt: ",
            "did you mean `standby_cluster.port`?",
        ),
        (
            json!({"postgresql": {"use_slots": true}, "slots": {"a": {"typ": "physical"}}}),
            "slots.a.typ: ",
            "did you mean `type`?",
        ),
        // At a wrong place.
        (json!({"use_slots": true}), "use_slots: ", "write `postgresql.use_slots`"),
        (json!({"pg_hba": ["host all all all md5"]}), "pg_hba: ", "write `postgresql.pg_hba`"),
        (json!({"parameters": {}}), "parameters: ", "write `postgresql.parameters`"),
        (json!({"work_mem": "1MB"}), "work_mem: ", "write `postgresql.parameters.work_mem`"),
        (json!({"pgaudit.log": "all"}), "[\"pgaudit.log\"]: ", "below `postgresql.parameters`"),
        (json!({"postgresql": {"loop_wait": 5}}), "postgresql.loop_wait: ", "at the top"),
        (json!({"postgresql": {"synchronous_mode": true}}), "postgresql.synchronous_mode: ", "at the top"),
        (
            json!({"postgresql": {"max_wal_size": "5GB"}}),
            "postgresql.max_wal_size: ",
            "`postgresql.parameters.max_wal_size`",
        ),
        (
            json!({"postgresql": {"parameters": {"use_slots": true}}}),
            "postgresql.parameters.use_slots: ",
            "`postgresql.use_slots`",
        ),
        (
            json!({"postgresql": {"parameters": {"pg_hba": "x"}}}),
            "postgresql.parameters.pg_hba: ",
            "next to `parameters`",
        ),
        (json!({"postgresql": {"parameters": {"loop_wait": 5}}}), "postgresql.parameters.loop_wait: ", "at the top"),
        // In Patroni's own files only.
        (json!({"bootstrap": {}}), "bootstrap: ", "its local configuration"),
        (json!({"tags": {"nofailover": true}}), "tags: ", "its local configuration"),
        (json!({"postgresql": {"listen": "*:5432"}}), "postgresql.listen: ", "its local configuration"),
        // With a wrong type.
        (json!({"failsafe_mode": "enabled"}), "failsafe_mode: ", "is not a boolean"),
        (json!({"maximum_lag_on_failover": "1MB"}), "maximum_lag_on_failover: ", "is not a number"),
        (json!({"synchronous_mode": "strict"}), "synchronous_mode: ", "`quorum`"),
        (
            json!({"postgresql": {"remove_data_directory_on_rewind_failure": "false"}}),
            "postgresql.remove_data_directory_on_rewind_failure: ",
            "without quotes",
        ),
        // Without the setting that it needs, or set elsewhere.
        (json!({"synchronous_node_count": 2}), "synchronous_node_count: ", "`synchronous_mode: true`"),
        (json!({"slots": {"a": {"type": "physical"}}}), "slots: ", "`postgresql.use_slots: true`"),
        (
            json!({"ttl": 60}),
            "ttl: ",
            "`spec.patroni.leaderLeaseDurationSeconds` takes precedence, and its value is 30",
        ),
        (json!({"loop_wait": "5"}), "loop_wait: ", "`spec.patroni.syncPeriodSeconds` takes precedence"),
        (json!({"postgresql": {"use_pg_rewind": false}}), "postgresql.use_pg_rewind: ", "always `true`"),
        (
            json!({"postgresql": {"create_replica_methods": []}}),
            "postgresql.create_replica_methods: ",
            "configuration of each instance",
        ),
        (json!({"postgresql": {"wal_e": {"command": "x"}}}), "postgresql.wal_e: ", "how replicas are created"),
        (
            json!({"postgresql": {"recovery_conf": {"recovery_min_apply_delay": "1h"}}}),
            "postgresql.recovery_conf: ",
            "write its parameters in `parameters`",
        ),
    ] {
        each(&[(dynamic(&configuration), &format!("{path}{at}").replace(".[", "["), words)]);
    }
}

#[test]
fn what_would_stop_patroni_or_open_a_cluster_is_an_error() {
    let path = "error: spec.patroni.dynamicConfiguration.";
    for (configuration, at, words) in [
        (json!({"retry_timeout": "10s"}), "retry_timeout: ", "without a unit"),
        (json!({"postgresql": "x"}), "postgresql: ", "must be a mapping"),
        (json!({"standby_cluster": ["x"]}), "standby_cluster: ", "must be a mapping"),
        (json!({"postgresql": {"pg_hba_primary": []}}), "postgresql.pg_hba_primary: ", "write `pg_hba`"),
        (json!({"postgresql": {"pg_ident_replica": []}}), "postgresql.pg_ident_replica: ", "write `pg_ident`"),
        (
            json!({"postgresql": {"parameters_primary": {"SSL": "off"}}}),
            "postgresql.parameters_primary.SSL: ",
            "remove it",
        ),
        (
            json!({"postgresql": {"parameters": {"data_directory": "/x"}}}),
            "postgresql.parameters.data_directory: ",
            "another data directory",
        ),
    ] {
        each(&[(dynamic(&configuration), &format!("{path}{at}"), words)]);
    }
    let told = told(&dynamic(&json!({"standby_cluster": {"hosts": "a"}})));
    assert!(told.iter().any(|line| line.contains("error: ") && line.contains("an independent primary")), "{told:?}");
}

#[test]
fn what_spec_standby_says_wins() {
    let mut more = dynamic(&json!({"standby_cluster": {"host": "a", "port": 5433, "restore_command": "cp /x %p"}}));
    more["standby"] = json!({"enabled": true, "host": "b"});
    let told = told(&more);
    assert_eq!(told.len(), 2, "{told:?}");
    for (line, field) in told.iter().zip(["host", "restore_command"]) {
        assert!(
            line.contains(&format!(
                "warning: spec.patroni.dynamicConfiguration.standby_cluster.{field}: has no effect"
            )),
            "{line}"
        );
    }
}

#[test]
fn a_parameter_that_something_overrides_is_told_with_what_counts() {
    let path = "warning: spec.patroni.dynamicConfiguration.postgresql.parameters.";
    for (name, value, words) in [
        ("listen_addresses", json!("localhost"), "always sets `*`"),
        ("port", json!(5433), "write `spec.port`"),
        ("cluster_name", json!("x"), "always sets `hippo-ha`"),
        ("hot_standby", json!("off"), "always sets `on`"),
        ("wal_level", json!("replica"), "the value is always `logical`"),
        ("SSL", json!(false), "the value is always `on`"),
        ("ssl_cert_file", json!("/x"), "`spec.customTLSSecret`"),
        ("unix_socket_directories", json!("/tmp"), "the value is always `/tmp/postgres`"),
        ("archive_command", json!("cp %p /x"), "`spec.backups.pgbackrest`"),
        ("archive_mode", json!("off"), "the value is always `on`"),
        ("restore_command", json!("cp /x %p"), "pgBackRest"),
        ("primary_conninfo", json!("host=a"), "for each replica"),
        ("recovery_target_time", json!("2026-01-01"), "does not use recovery targets"),
        ("config_file", json!("/x"), "its own file"),
        ("max_connections", json!(20), "its default, 100"),
        ("password_encryption", json!("md5"), "write `scram-sha-256`"),
        ("log_directory", json!("base"), "`/pgdata/logs/postgres`"),
        ("work_men", json!("1MB"), "did you mean `work_mem`?"),
        ("io_method", json!("worker"), "it is new in 18"),
        ("stats_temp_directory", json!("/tmp"), "it was removed in 15"),
    ] {
        each(&[(parameters(&json!({name: value})), &format!("{path}{name}: "), words)]);
    }
    each(&[
        (
            json!({"patroni": {"dynamicConfiguration": {"postgresql": {"parameters": {"Work_Mem": "1MB"}}}},
                   "config": {"parameters": {"work_mem": "2MB"}}}),
            &format!("{path}Work_Mem: "),
            "`spec.config.parameters`",
        ),
        (
            parameters(&json!({"Work_Mem": "1MB", "work_mem": "1MB"})),
            &format!("{path}work_mem: "),
            "is the same parameter as",
        ),
        (
            dynamic(
                &json!({"synchronous_mode": true, "postgresql": {"parameters": {"synchronous_standby_names": "*"}}}),
            ),
            &format!("{path}synchronous_standby_names: "),
            "in synchronous mode",
        ),
        (
            json!({"config": {"parameters": {"Work_Men": "1MB"}}}),
            "warning: spec.config.parameters.Work_Men: ",
            "`work_mem`",
        ),
    ]);
}

#[test]
fn what_acts_is_not_told() {
    for configuration in [
        json!({
            "failsafe_mode": false, "maximum_lag_on_failover": 1_048_576, "member_slots_ttl": "30min", "pause": "off",
            "primary_start_timeout": 300, "retry_timeout": 10, "synchronous_mode": "quorum", "synchronous_node_count": 2,
            "synchronous_mode_strict": true, "ttl": 30, "loop_wait": 10, "max_timelines_history": 5, "check_timeline": true,
            "slots": {"a": {"type": "logical", "database": "b", "plugin": "pgoutput"}, "c": null},
            "ignore_slots": [{"name": "d", "type": "physical"}],
            "postgresql": {
                "callbacks": {"on_start": "/bin/true"}, "pg_ctl_timeout": 60, "use_pg_rewind": true, "use_slots": true,
                "pg_hba": ["hostssl all all all scram-sha-256"], "use_unix_socket": true,
                "parameters": {
                    "archive_mode": "on", "hot_standby": true, "listen_addresses": "*", "max_connections": "500",
                    "pgaudit.log": "all", "port": 5432, "ssl": "on", "wal_level": "logical", "wal_keep_segments": 8,
                    "search_path": "\"$user\", public", "password_encryption": "scram-sha-256", "log_timezone": null,
                    "shared_preload_libraries": "timescaledb", "ssl_min_protocol_version": "TLSv1.3",
                },
            },
        }),
        json!({"synchronous_mode_strict": false, "slots": {}, "retry_timeout": null}),
        json!({
            "standby_cluster": {"host": "a", "port": 5432, "create_replica_methods": ["wal_e", "basebackup"]},
            "postgresql": {"wal_e": {"command": "x"}},
        }),
    ] {
        assert_eq!(told(&dynamic(&configuration)), [] as [String; 0], "{configuration}");
    }
}

#[test]
fn a_rule_that_another_hides_is_told() {
    let own = json!({"image": "i"});
    let hba = |lines: &[&str]| {
        let mut more = dynamic(&json!({"postgresql": {"pg_hba": lines}}));
        more["proxy"] = json!({"pgBouncer": own});
        more
    };
    let path = "warning: spec.patroni.dynamicConfiguration.postgresql.pg_hba";
    each(&[
        (hba(&["host all _crunchyrepl all md5"]), &format!("{path}[0]: "), "the cluster's own roles"),
        (hba(&["host app _crunchypgbouncer all md5"]), &format!("{path}[0]: "), "the cluster's own roles"),
        (
            hba(&["host all all all md5", "hostssl app app all scram-sha-256"]),
            &format!("{path}[1]: "),
            "pg_hba[0]` matches all connections",
        ),
    ]);
    let mut more = hba(&["host all app 10.0.0.0/8 md5"]);
    more["authentication"] = json!({"rules": [{"hba": " "}, {"connection": "host", "method": "scram-sha-256"}]});
    let told = told(&more);
    assert!(
        told.iter()
            .any(|line| line.contains("pg_hba[0]: is never used: the earlier rule `spec.authentication.rules[1]`")),
        "{told:?}"
    );
    assert_eq!(self::told(&hba(&["host all app all md5", "host all all all reject"])), [] as [String; 0]);
}

#[test]
fn options_that_pgrender_writes_itself_are_told() {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let s3 = json!({"bucket": "b", "endpoint": "e", "region": "r"});
    let repositories = json!([{"name": "repo1", "volume": {"volumeClaimSpec": claim}}, {"name": "repo2", "s3": s3}]);
    let with = |global: Value| {
        let configuration = json!([{"secret": {"name": "credentials"}}]);
        let pgbackrest = json!({"image": "i", "repos": repositories, "global": global, "configuration": configuration});
        json!({"backups": {"pgbackrest": pgbackrest}})
    };
    let path = "spec.backups.pgbackrest.global.";
    for (severity, name, value, words) in [
        ("error", "tls-server-address", "::", "pgbackrest-ip-version: IPv6"),
        ("error", "tls-server-key-file", "/x", "remove it"),
        ("error", "repo1-host", "x", "remove it"),
        ("error", "repo2-host-type", "tls", "remove it"),
        ("error", "repo1-type", "s3", "`posix`"),
        ("error", "repo2-type", "gcs", "`s3`"),
        ("error", "repo1-path", "/backups", "below that"),
        ("error", "repo1-path", "/pgbackrest/repo1/../repo2", "below that"),
        ("warning", "repo2-s3-bucket", "c", "`s3.bucket`"),
        ("warning", "repo3-retention-full", "2", "no repository `repo3`"),
        ("warning", "pg1-path", "/x", "only from the section of the stanza"),
        ("warning", "pg2-host", "x", "only from the section of the stanza"),
        ("warning", "stanza", "x", "only from the command line"),
        ("warning", "repo1-retention-ful", "3", "did you mean `repo1-retention-full`?"),
        ("warning", "repo-retention-full", "3", "did you mean `repo1-retention-full`?"),
        ("warning", "proces-max", "3", "did you mean `process-max`?"),
        ("warning", "zzzzzzzzzzzz", "3", "ignores it"),
    ] {
        each(&[(with(json!({name: value})), &format!("{severity}: {path}{name}: "), words)]);
    }
    let fine = json!({
        "repo1-path": "/pgbackrest/repo1/x", "repo1-retention-full": "3", "repo1-type": "posix", "repo2-path": "/any",
        "repo2-s3-bucket": "b", "start-fast": "n", "tls-server-port": "8432", "repo1-host-port": "8432",
    });
    assert_eq!(told(&with(fine)), [] as [String; 0]);

    let with = |global: Value| json!({"proxy": {"pgBouncer": {"image": "i", "config": {"global": global}}}});
    let path = "spec.proxy.pgBouncer.config.global.";
    for (severity, name, value, words) in [
        ("error", "listen_port", "1", "`spec.proxy.pgBouncer.port`"),
        ("error", "server_tls_sslmode", "disable", "`verify-full`"),
        ("error", "max_client_con", "500", "did you mean `max_client_conn`?"),
        ("error", "pool_size", "5", "`config.databases`"),
        ("warning", "zzzzzzzzzz", "5", "do not start"),
        ("warning", "listen_addr", "127.0.0.1", "`*`"),
        ("warning", "conffile", "/x", "has no effect"),
        ("warning", "auth_query", "select 1", "get_auth"),
        ("warning", "auth_user", "me", "`spec.authentication.rules`"),
        ("warning", "auth_file", "/etc/pgbouncer/users.txt", "must contain that role"),
        ("warning", "client_tls_key_file", "/x", "customTLSSecret"),
        ("warning", "server_tls_ca_file", "/x", "customTLSSecret"),
        ("warning", "client_tls_sslmode", "disable", "`require`"),
        ("warning", "ignore_startup_parameters", "options", "extra_float_digits"),
        ("warning", "unix_socket_dir", "/var/run", "read-only"),
    ] {
        each(&[(with(json!({name: value})), &format!("{severity}: {path}{name}: "), words)]);
    }
    let fine = json!({
        "pool_mode": "transaction", "listen_addr": "*", "ignore_startup_parameters": "options, extra_float_digits",
        "server_tls_sslmode": "verify-full", "unix_socket_dir": "/tmp", "auth_user": "_crunchypgbouncer",
    });
    assert_eq!(told(&with(fine)), [] as [String; 0]);
    // A user who provides all users in a file can choose how pgBouncer connects.
    let own = told(&with(json!({"auth_file": "/etc/pgbouncer/users.txt", "server_tls_sslmode": "disable"})));
    assert!(own.iter().all(|line| line.contains("warning: ")) && own.len() == 2, "{own:?}");
}

#[test]
fn a_volume_is_for_one_claim() {
    let claim = |volume: &str| json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": volume});
    let set = |replicas: u16, data: &str, wal: &str| json!({"replicas": replicas, "dataVolumeClaimSpec": claim(data), "walVolumeClaimSpec": claim(wal)});
    let instances = |sets: &[Value]| {
        let sets = sets.iter().enumerate().map(|(index, set)| {
            let mut set = set.clone();
            set["name"] = json!(format!("set{index}"));
            set
        });
        json!({"instances": sets.collect::<Vec<_>>()})
    };
    assert_eq!(told(&instances(&[set(1, "a", "b"), set(1, "c", "d")])), [] as [String; 0]);
    let twice = told(&instances(&[set(2, "a", "b")]));
    assert_eq!(
        twice.iter().filter(|line| line.contains("error: ") && line.contains("bound to only one")).count(),
        2,
        "{twice:?}"
    );
    each(&[(
        instances(&[set(1, "a", "b"), set(1, "c", "a")]),
        "error: spec.instances[1].walVolumeClaimSpec.volumeName: ",
        "`spec.instances[0].dataVolumeClaimSpec.volumeName` already uses this volume",
    )]);
}

#[test]
fn a_variable_that_nobody_replaced_is_told_wherever_it_stands() {
    let mut object = cluster(17, &json!({"image": "postgres:${TAG}", "imagePullSecrets": [{"name": "$(SECRET)"}]}));
    object["metadata"]["annotations"] = json!({"example.com/a": "{{ .Values.a }}"});
    object["spec"]["instances"][0]["resources"] = json!({"limits": {"memory": "${MEMORY:=1Gi}"}});
    let (told, rendered) = told_of(&yaml::to_string(&object));
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(!rendered && !told.concat().contains("; replace it first, "), "{told:?}");
    let quantity = told.iter().find(|line| line.contains("error: ")).unwrap();
    assert!(
        quantity.contains("is not a valid quantity") && quantity.contains("`${MEMORY}` looks like a variable"),
        "{quantity}"
    );
    object["metadata"]["name"] = json!("${APP}");
    let (told, _) = told_of(&yaml::to_string(&object));
    let name = told.iter().find(|line| line.contains("metadata.name: ")).unwrap();
    assert!(
        name.contains("is not a valid name: ") && name.contains("; `${APP}` looks like a variable of Flux"),
        "{name}"
    );
    let template = read::documents("c.yaml", "{{- if .Values.a }}\na: 1\n{{- end }}\n").unwrap_err();
    assert!(template[0].message.contains("is a template"), "{template:?}");
}
