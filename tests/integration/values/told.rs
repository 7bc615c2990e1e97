//! Tests values that are rendered as written, and the messages about them.

use pgrender::options::Options;
use pgrender::parse::Settings;
use pgrender::postgres_cluster::parse;
use pgrender::postgres_cluster::resolve::resolve;
use pgrender::read;
use pgrender::write::yaml;
use serde_json::{Value, json};

use crate::values::spec::cluster;

/// Returns the warnings of a cluster without errors.
fn warnings(more: &Value) -> Vec<String> {
    let documents = read::documents("cluster.yaml", &yaml::to_string(&cluster(17, more))).unwrap();
    let (resource, _) = parse::parse(&documents[0], Settings::default());
    let (cluster, diagnostics) = resolve(&resource.unwrap(), &Options::default());
    assert!(cluster.is_some(), "{diagnostics:?}");
    diagnostics.iter().map(ToString::to_string).filter(|line| line.contains("warning: ")).collect()
}

fn rules(lines: &[&str]) -> Value {
    json!({"authentication": {"rules": lines.iter().map(|line| json!({"hba": line})).collect::<Vec<_>>()}})
}

#[test]
fn a_rule_that_matches_nobody_is_told() {
    let told = warnings(&rules(&["host all all ALL md5", "host all all \"all\" md5", "host All all all md5"]));
    assert_eq!(told.iter().filter(|line| line.contains("not as the keyword")).count(), 3, "{told:?}");
    assert_eq!(
        warnings(&rules(&["hostssl all /^app all md5", "hostssl all \"ALL\" all reject"])),
        Vec::<String>::new()
    );
}

#[test]
fn a_secret_that_would_stand_in_a_config_map_is_told() {
    let databases = json!({"x": "host=a password=hush", "y": "host=a user=b"});
    let told = warnings(&json!({"proxy": {"pgBouncer": {"image": "i", "config": {"databases": databases}}}}));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("config.databases.x: ") && !told[0].contains("hush"), "{told:?}");

    let global =
        json!({"repo1-cipher-pass": "hush", "repo1-s3-key-secret": "hush", "repo1-gcs-key": "/x", "start-fast": "y"});
    let repositories = json!([{"name": "repo1", "gcs": {"bucket": "b"}}]);
    let pgbackrest = json!({"image": "i", "repos": repositories, "global": global});
    let told = warnings(&json!({"backups": {"pgbackrest": pgbackrest}}));
    assert_eq!(told.iter().filter(|line| line.contains("is a secret")).count(), 2, "{told:?}");
    assert!(!told.concat().contains("hush"), "{told:?}");
}

#[test]
fn only_a_parameter_takes_the_place_of_rules() {
    let told = |section: &str| {
        let postgresql = json!({section: {"hba_file": "/etc/postgres/hba"}});
        warnings(&json!({"patroni": {"dynamicConfiguration": {"postgresql": postgresql}}}))
    };
    assert!(told("parameters").concat().contains("replaces"), "{:?}", told("parameters"));
    assert!(!told("recovery_conf").concat().contains("replaces"), "{:?}", told("recovery_conf"));
}

/// Returns the errors and warnings of a cluster.
pub(crate) fn told(more: &Value) -> Vec<String> {
    let documents = read::documents("cluster.yaml", &yaml::to_string(&cluster(17, more))).unwrap();
    let (resource, diagnostics) = parse::parse(&documents[0], Settings::default());
    let Some(resource) = resource else { return diagnostics.iter().map(ToString::to_string).collect() };
    let (_, diagnostics) = resolve(&resource, &Options::default());
    diagnostics.iter().map(ToString::to_string).collect()
}

fn pgbouncer(global: &Value) -> Value {
    json!({"proxy": {"pgBouncer": {"image": "i", "config": {"global": global}}}})
}

/// Whether there is exactly one line, with this severity and these words.
pub(crate) fn only(lines: &[String], severity: &str, words: &str) -> bool {
    lines.len() == 1 && lines[0].contains(&format!("{severity}: ")) && lines[0].contains(words)
}

#[test]
fn settings_of_pgbouncer_that_are_wrong_together_are_told() {
    for (global, severity, words) in [
        (json!({"auth_type": "cert"}), "error", "write `client_tls_sslmode: verify-full`"),
        (json!({"auth_type": "cert", "client_tls_sslmode": "verify-ca"}), "error", "auth_type"),
        (json!({"client_tls_sslmode": "verify-full"}), "warning", "`client_tls_ca_file`"),
        (json!({"client_tls_sslmode": "Verify-CA"}), "warning", "`client_tls_ca_file`"),
        (json!({"server_tls_protocols": "tlsv1.0,tlsv1.1"}), "error", "any of these versions"),
        (json!({"server_tls_protocols": "tlsv1.4"}), "error", "write `secure`"),
    ] {
        let mut lines = told(&pgbouncer(&global));
        // The warning that no client has a certificate is additional.
        lines.retain(|line| severity == "warning" || line.contains("error: "));
        assert!(only(&lines, severity, words), "{global}: {lines:?}");
    }
    let good = json!({"auth_type": "cert", "client_tls_sslmode": "verify-full", "client_tls_ca_file": "/etc/pgbouncer/clients.crt"});
    assert_eq!(told(&pgbouncer(&good)), [] as [String; 0]);
    // The user has the key of the CA that signed their own certificate, so it can sign for clients.
    let own = json!({"proxy": {"pgBouncer": {
        "image": "i",
        "customTLSSecret": {"name": "mine"},
        "config": {"global": {"client_tls_sslmode": "verify-full"}},
    }}});
    assert!(!told(&own).concat().contains("client_tls_ca_file"), "{:?}", told(&own));
    let mut old = pgbouncer(&json!({"server_tls_protocols": "tlsv1.2"}));
    assert_eq!(told(&old), [] as [String; 0]);
    let parameters = json!({"ssl_min_protocol_version": "TLSv1.3"});
    old["patroni"] = json!({"dynamicConfiguration": {"postgresql": {"parameters": parameters}}});
    assert!(only(&told(&old), "error", "any of these versions"), "{:?}", told(&old));
    let databases = json!({"a": "dbname=a pool_mode=transactional"});
    let lines = told(&json!({"proxy": {"pgBouncer": {"image": "i", "config": {"databases": databases}}}}));
    assert!(only(&lines, "error", "write one of `session`"), "{lines:?}");
}

#[test]
fn options_of_pgbackrest_that_nobody_reads_are_told() {
    let volume = json!({"name": "repo1", "volume": {"volumeClaimSpec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }}});
    let in_s3 = json!({"name": "repo1", "s3": {"bucket": "b", "endpoint": "e", "region": "r"}});
    let keys = json!([{"secret": {"name": "keys"}}]);
    let with = |repository: &Value, name: &str, value: &str| {
        told(&json!({"backups": {"pgbackrest": {
            "image": "i", "configuration": keys, "repos": [repository], "global": {name: value},
        }}}))
    };
    for (repository, name, value, severity, words) in [
        (&in_s3, "repo1-gcs-bucket", "b", "warning", "`repo1` is in `s3`"),
        (&in_s3, "repo1-azure-container", "b", "warning", "has no effect"),
        (&volume, "repo1-s3-bucket", "b", "warning", "on a volume"),
        (&volume, "repo1-storage-verify-tls", "n", "warning", "on a volume"),
        (&in_s3, "tls-server-port", "9999", "error", "must be 8432"),
        (&in_s3, "tls-server-adress", "::", "warning", "for IPv6, annotate the cluster"),
        (&in_s3, "compress-level", "99", "error", "from -1 to 9"),
        (&in_s3, "repo1-storage-host", "http://minio:9000", "error", "write `minio:9000`"),
    ] {
        let lines = with(repository, name, value);
        assert!(only(&lines, severity, words), "{name}: {lines:?}");
    }
    assert!(!with(&in_s3, "tls-server-adress", "::").concat().contains("did you mean"));
    assert_eq!(with(&in_s3, "tls-server-port", "8432"), [] as [String; 0]);
    for (bucket, endpoint, words) in
        [("s3://b/x", "e", "write `b`, and `repoN-path: /x`"), ("b", "http://e:9000", "write `e:9000`")]
    {
        let repository = json!({"name": "repo1", "s3": {"bucket": bucket, "endpoint": endpoint, "region": "r"}});
        let pgbackrest = json!({"image": "i", "configuration": keys, "repos": [repository]});
        let lines = told(&json!({"backups": {"pgbackrest": pgbackrest}}));
        assert!(only(&lines, "error", words), "{lines:?}");
    }
}

pub(crate) fn dynamic(configuration: &Value) -> Value {
    json!({"patroni": {"dynamicConfiguration": configuration}})
}

#[test]
fn the_nearest_name_of_all_is_named_with_its_place() {
    for (name, meant) in [
        ("synchronous_commits", "postgresql.parameters.synchronous_commit"),
        ("max_replication_slot", "postgresql.parameters.max_replication_slots"),
        ("lck_timeout", "postgresql.parameters.lock_timeout"),
        ("recovery_targt", "postgresql.parameters.recovery_target"),
        ("unix_socket_roup", "postgresql.parameters.unix_socket_group"),
        ("use_slot", "postgresql.use_slots"),
        ("loop_wiat", "loop_wait"),
    ] {
        for configuration in [json!({name: 1}), json!({"postgresql": {name: 1}})] {
            let lines = told(&dynamic(&configuration));
            assert!(only(&lines, "warning", &format!("did you mean `{meant}`?")), "{configuration}: {lines:?}");
        }
    }
    for (name, instead) in
        [("checkpoint_segments", "write `max_wal_size`"), ("force_parallel_mode", "write `debug_parallel_query`")]
    {
        let lines = told(&json!({"config": {"parameters": {name: "16"}}}));
        assert!(only(&lines, "warning", instead), "{lines:?}");
    }
    let mut object = cluster(17, &json!({}));
    for (field, meant) in [
        ("volumeClaimSpec", "`dataVolumeClaimSpec`"),
        ("storageClassName", "`dataVolumeClaimSpec.storageClassName`"),
        ("minReplicas", "`minAvailable`"),
    ] {
        object["spec"]["instances"][0][field] = json!("a");
        let documents = read::documents("cluster.yaml", &yaml::to_string(&object)).unwrap();
        let (_, diagnostics) = parse::parse(&documents[0], Settings::default());
        let lines: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        assert!(only(&lines, "error", &format!("did you mean {meant}?")), "{lines:?}");
        object["spec"]["instances"][0].as_object_mut().unwrap().remove(field);
    }
}

#[test]
fn a_section_that_stands_too_low_is_told_to_go_up() {
    for (configuration, words) in [
        (
            json!({"dynamicConfiguration": {"ttl": 30}}),
            "dynamicConfiguration.dynamicConfiguration: has no effect: write its content",
        ),
        (json!({"dcs": {"ttl": 30}}), "one level higher"),
        (json!({"postgresql": {"config": {"parameters": {}}}}), "one level higher"),
        (json!({"postgresql": {"postgresql": {"parameters": {}}}}), "one level higher"),
        (json!({"bootstrap": {"dcs": {"ttl": 30}}}), "content of `dcs` at the top level"),
        (json!({"syncPeriodSeconds": 5}), "is a field of `spec.patroni`"),
    ] {
        let lines = told(&dynamic(&configuration));
        assert!(only(&lines, "warning", words), "{configuration}: {lines:?}");
    }
}

#[test]
fn one_cause_has_one_message() {
    for (parameters, words) in [
        (json!({"pg_hba": ["local all all peer"]}), "write `postgresql.pg_hba`"),
        (json!({"parameters": {"work_mem": "4MB"}}), "one level higher"),
        (json!({"ttl": [30]}), "at the top level of `dynamicConfiguration`"),
        (json!({"pgaudit": {"log": "all"}}), "as in `pgaudit.log`"),
        (json!({"shared_preload_libraries": ["a", "b"]}), "write `\"a,b\"`"),
        (json!({"work_mem": {"a": 1}}), "write a string, a number or a boolean"),
    ] {
        let lines = told(&dynamic(&json!({"postgresql": {"parameters": parameters}})));
        assert!(only(&lines, "error", words), "{parameters}: {lines:?}");
    }
}

#[test]
fn a_value_that_does_nothing_is_told_in_both_places() {
    for (name, value, instead) in
        [("shared_buffers", "1G", "write `1GB`"), ("autovacuum", "enabled", "write `on` or `off`")]
    {
        for more in [
            json!({"config": {"parameters": {name: value}}}),
            dynamic(&json!({"postgresql": {"parameters": {name: value}}})),
        ] {
            assert!(only(&told(&more), "warning", instead), "{more}: {:?}", told(&more));
        }
    }
}

#[test]
fn a_rule_that_is_nearly_one_is_told_what_it_should_be() {
    for (rule, words) in [
        ("host all all 0.0.0.0 md5", "write `0.0.0.0/0`"),
        ("host all all :: md5", "write `::/0`"),
        ("host all all 10.0.0.1 md5", "`10.0.0.1/32`"),
        ("host all all all scram-sha256", "did you mean `scram-sha-256`?"),
        ("host all all all scram_sha_256", "did you mean `scram-sha-256`?"),
        ("hosts all all all md5", "did you mean `host`?"),
        ("HOST all all all md5", "did you mean `host`?"),
    ] {
        let lines = told(&rules(&[rule]));
        assert!(only(&lines, "error", words), "{rule}: {lines:?}");
    }
}

#[test]
fn an_option_that_no_role_has_is_told() {
    let with = |options: &str| told(&json!({"users": [{"name": "a", "options": options}]}));
    assert!(only(&with("SUPERUSER CREATEDB NOSUCH"), "warning", "does not have the role option `NOSUCH`"));
    assert!(only(&with("createdbs"), "warning", "did you mean `CREATEDB`?"));
    assert!(only(&with("CREATEDB, LOGIN"), "warning", "`CREATEDB,`"));
    for options in ["", "SUPERUSER nologin", "CONNECTION LIMIT -1 VALID UNTIL '2030-01-01 it''s'", "VALID UNTIL E'a'"] {
        assert_eq!(with(options), [] as [String; 0], "{options}");
    }
}

#[test]
fn a_parameter_that_is_refused_is_pointed_at() {
    let lines = told(&json!({"config": {"parameters": {"work_mem": "4MB", "ssl_ca_file": "x", "archive_mode": "on"}}}));
    let at = |key: &str| lines.iter().filter(|line| line.contains(&format!("spec.config.parameters.{key}: "))).count();
    assert_eq!((lines.len(), at("ssl_ca_file"), at("archive_mode")), (2, 1, 1), "{lines:?}");
}
