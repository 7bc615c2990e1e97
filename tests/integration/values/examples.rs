//! Examples of the ways in which a value was read as something else.

use pgrender::diagnostic::{Diagnostic, Severity};
use pgrender::postgres_cluster::postgres::configuration::parameters;
use pgrender::postgres_cluster::postgres::hba::hba;
use pgrender::write::yaml;
use serde_json::{Value, json};

use crate::common::rendering::objects;
use crate::values::spec::{cluster, resolved};

/// Returns the only error of a spec: the path of the field and the message.
fn refused(version: u16, more: &Value) -> (String, String) {
    let Err(diagnostics) = resolved(version, more) else { panic!("{more} is rendered") };
    let errors: Vec<&Diagnostic> =
        diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
    assert!(errors.iter().all(|error| error.field == errors[0].field), "{errors:#?}");
    let shown = errors[0].to_string();
    assert!(!shown.contains(['\n', '\r', '\0', '\u{b}', '\u{2028}']), "{shown:?}");
    (errors[0].field.as_ref().unwrap().to_string(), errors[0].message.clone())
}

fn rule(rule: &Value) -> Value {
    json!({"authentication": {"rules": [rule]}})
}

fn dynamic(configuration: &Value) -> Value {
    json!({"patroni": {"dynamicConfiguration": configuration}})
}

fn global(options: &Value) -> Value {
    let repositories = json!([{"name": "repo1", "gcs": {"bucket": "b"}}]);
    json!({"backups": {"pgbackrest": {"image": "i", "repos": repositories, "global": options}}})
}

fn pooler(config: &Value) -> Value {
    json!({"proxy": {"pgBouncer": {"image": "i", "config": config}}})
}

#[test]
fn the_name_of_an_option_with_a_number_is_no_second_rule() {
    let options = json!({"map=m\nhost all all all trust #": 1});
    let (field, message) = refused(
        17,
        &rule(&json!({
            "connection": "host", "users": ["nobody"], "method": "ident", "options": options
        })),
    );
    assert_eq!(field, "spec.authentication.rules[0].options[\"map=m\\nhost all all all trust #\"]");
    assert!(
        message.contains("does not have this option for the method `ident`: the valid options are `map`"),
        "{message}"
    );
}

#[test]
fn a_rule_that_rejects_a_name_with_a_slash_is_written_for_the_version() {
    for (version, written) in [(14, "/secret"), (15, "/secret"), (16, "/^[/]secret$"), (18, "/^[/]secret$")] {
        let spec = rule(&json!({"connection": "host", "method": "reject", "databases": ["/secret"]}));
        let line = hba(&resolved(version, &spec).unwrap()).pop().unwrap();
        assert_eq!(line, format!(r#""host" "{written}" all all "reject""#));
    }
}

#[test]
fn the_name_of_a_parameter_is_no_second_parameter() {
    let name = "z.b = 'x'\narchive_command";
    let parameters = json!({ name: "evil" });
    let (field, _) = refused(17, &json!({"config": {"parameters": parameters}}));
    assert_eq!(field, "spec.config.parameters[\"z.b = 'x'\\narchive_command\"]");
    let (field, _) = refused(17, &dynamic(&json!({"postgresql": {"parameters": parameters}})));
    assert!(field.ends_with(".postgresql.parameters[\"z.b = 'x'\\narchive_command\"]"), "{field}");
    refused(17, &dynamic(&json!({"postgresql": {"recovery_conf": {name: "evil"}}})));
    refused(17, &json!({"config": {"parameters": {"archive_command = 'evil' #": 1}}}));
}

#[test]
fn the_value_of_a_parameter_in_the_dynamic_configuration_is_one_value() {
    for value in [json!("a\narchive_command = 'evil"), json!("a\rb"), json!(["a\nb"]), json!({"a": "b\nc"})] {
        let (field, _) = refused(17, &dynamic(&json!({"postgresql": {"parameters": {"z.b": value}}})));
        assert!(field.ends_with(".parameters[\"z.b\"]"), "{field}");
    }
    let values = json!({"z.a": true, "z.b": 1.5, "z.c": null, "z.d": "it's \\"});
    let given = parameters(&resolved(17, &dynamic(&json!({"postgresql": {"parameters": values}}))).unwrap());
    assert_eq!((given["z.a"].as_str(), given["z.b"].as_str(), given["z.d"].as_str()), ("true", "1.5", "it's \\"));
    assert!(!given.contains_key("z.c"));
}

#[test]
fn a_parameter_that_is_fixed_is_fixed_in_capitals_too() {
    for name in ["HBA_FILE", "Config_File", "SSL", "Archive_Command", "Synchronous_Standby_Names"] {
        let (field, _) = refused(17, &json!({"config": {"parameters": {name: "x"}}}));
        assert_eq!(field, format!("spec.config.parameters.{name}"));
    }
    assert!(resolved(17, &json!({"config": {"parameters": {"DateStyle": "ISO", "WAL_LEVEL": "logical"}}})).is_ok());
}

#[test]
fn nothing_in_the_dynamic_configuration_has_a_line_break() {
    for configuration in [
        json!({"standby_cluster": {"restore_command": "a\nb"}}),
        json!({"slots": {"a\u{2028}b": {"type": "physical"}}}),
        json!({"ignore_slots": [{"name": "a\u{85}b"}]}),
        json!({"synchronous_mode\n": true}),
        json!({"postgresql": {"custom_conf": "/a'\ninclude '/b"}}),
        json!({"postgresql": {"bin_dir": "/a\0"}}),
        json!({"postgresql": {"callbacks": {"on_start": "a\nb"}}}),
        json!({"postgresql": {"create_replica_methods": ["a\nb"]}}),
        json!({"postgresql": {"recovery_conf": {"restore_command": "a\nb"}}}),
        json!({"postgresql": {"pg_hba": "host all all all md5"}}),
        json!({"postgresql": {"pg_hba": [1]}}),
        json!({"postgresql": {"pg_hba": ["host all all all md5\nhost all all all trust"]}}),
        json!({"postgresql": {"pg_hba": ["host all all all reject \\"]}}),
        json!({"postgresql": {"pg_hba": ["\"include\" /etc/postgres/hba"]}}),
        json!({"postgresql": {"pg_ident": ["m a b\nm c postgres"]}}),
        json!({"postgresql": {"pg_ident": "m a b"}}),
        json!({"postgresql": {"pg_ident": ["m a"]}}),
    ] {
        refused(17, &dynamic(&configuration));
    }
    let good = json!({
        "slots": {"a": {"type": "physical"}},
        "postgresql": {"callbacks": {"on_start": "/a b"}, "pg_ident": ["m a b", "# c"], "pg_hba": ["local all all md5"]},
    });
    assert!(resolved(17, &dynamic(&good)).is_ok());
}

#[test]
fn a_line_of_the_user_is_one_line() {
    for line in ["host all all all reject \\", "\"include\" /etc/passwd", "host all @users all reject"] {
        assert_eq!(refused(15, &rule(&json!({"hba": line}))).0, "spec.authentication.rules[0].hba");
    }
    for (line, version) in [("host all all all oauth issuer=a scope=b", 18), ("hostgssenc all all all gss", 12)] {
        assert!(resolved(version, &rule(&json!({"hba": line}))).is_ok());
        refused(version - 1, &rule(&json!({"hba": line})));
    }
}

#[test]
fn a_name_that_no_version_could_match_is_refused() {
    for (field, name) in
        [("databases", "é".repeat(32)), ("users", "a\u{2028}b".to_owned()), ("users", "a\tb".to_owned())]
    {
        let (at, _) = refused(16, &rule(&json!({"connection": "host", "method": "reject", field: [name]})));
        assert_eq!(at, format!("spec.authentication.rules[0].{field}[0]"));
    }
}

#[test]
fn a_host_to_follow_is_a_host() {
    for host in ["a\nrestore_command = 'evil'", "a sslmode=disable", "a\tsslmode=disable", "a'", "", "a\\", "/tmp"] {
        assert_eq!(refused(17, &json!({"standby": {"host": host}})).0, "spec.standby.host");
        refused(17, &dynamic(&json!({"standby_cluster": {"host": host}})));
    }
    for port in [json!("5432\tsslmode=disable"), json!(70000), json!(0), json!("5432,5433"), json!([5432])] {
        refused(17, &dynamic(&json!({"standby_cluster": {"host": "a", "port": port}})));
    }
    for host in ["db.example.com", "10.0.0.1,fd00::1", "fe80::1%eth0"] {
        assert!(resolved(17, &json!({"standby": {"host": host}})).is_ok(), "{host}");
    }
}

#[test]
fn a_name_in_a_file_of_sections_is_no_section() {
    for name in ["[section]", "]x", "%include /etc/passwd", "a = b", "#a", ";a", "\"a\"", "a\u{c}b", ""] {
        let (field, _) = refused(17, &global(&json!({ name: "v" })));
        assert!(field.starts_with("spec.backups.pgbackrest.global["), "{field}");
        for (section, value) in [("global", "v"), ("databases", "host=a"), ("users", "pool_mode=session")] {
            let (field, _) = refused(17, &pooler(&json!({section: {name: value}})));
            assert!(field.starts_with(&format!("spec.proxy.pgBouncer.config.{section}[")), "{field}");
        }
    }
}

#[test]
fn a_value_in_a_file_of_sections_is_one_value() {
    for value in ["a\n[db]", "a\u{b}b", " a", "a\t", "a\u{2029}b"] {
        refused(17, &global(&json!({"repo1-path": value})));
        refused(17, &pooler(&json!({"global": {"server_reset_query": value}})));
        refused(17, &pooler(&json!({"databases": {"a": value}})));
    }
    let repository = json!({"name": "repo1", "s3": {"bucket": "b\n[db]", "endpoint": "e", "region": "r"}});
    let (field, _) = refused(17, &json!({"backups": {"pgbackrest": {"image": "i", "repos": [repository]}}}));
    assert_eq!(field, "spec.backups.pgbackrest.repos[0].s3.bucket");
}

#[test]
fn nobody_comes_in_through_pgbouncer_without_proof() {
    for value in ["any", "trust", "Trust"] {
        let (field, message) = refused(17, &pooler(&json!({"global": {"auth_type": value}})));
        assert_eq!(field, "spec.proxy.pgBouncer.config.global.auth_type");
        assert!(message.contains("lets everybody connect without a password: write `scram-sha-256`"), "{message}");
    }
    assert!(resolved(17, &pooler(&json!({"global": {"auth_type": "scram-sha-256"}}))).is_ok());
}

#[test]
fn nobody_else_is_let_in_by_pgbackrest() {
    refused(17, &global(&json!({"tls-server-auth": "other=*"})));
}

#[test]
fn a_database_of_a_user_has_a_name_that_everybody_reads() {
    for name in ["x\u{2028}y", "v\u{b}w", "a\nb", "a\tb", "\u{7f}", "template0", "template1"] {
        let (field, _) = refused(17, &json!({"users": [{"name": "a", "databases": [name]}]}));
        assert_eq!(field, "spec.users[0].databases[0]");
    }
    refused(17, &json!({"users": [{"name": "public"}]}));
    let odd = ["a b", "it's", "\"", "é€😀", "postgres", "#", "\\"];
    assert!(resolved(17, &json!({"users": [{"name": "a", "databases": odd}]})).is_ok());
}

#[test]
fn a_file_of_the_user_takes_no_place_of_ours() {
    let secret = |path: &str| json!([{"secret": {"name": "s", "items": [{"key": "k", "path": path}]}}]);
    for path in ["~postgres-operator.ini", "~postgres-operator/users.txt", "../x", "/x", "a/../b", ""] {
        let (field, _) = refused(17, &pooler(&json!({"files": secret(path)})));
        assert_eq!(field, "spec.proxy.pgBouncer.config.files[0].secret.items[0].path");
    }
    for path in ["~postgres-operator_server.conf", "~postgres-operator/tls-ca.crt", "pgbackrest_instance.conf"] {
        let mut spec = global(&json!({}));
        spec["backups"]["pgbackrest"]["configuration"] = secret(path);
        refused(17, &spec);
    }
    refused(17, &json!({"config": {"files": secret("../x")}}));
    let items = json!([{"key": "k", "path": "replication/tls.key"}]);
    refused(
        17,
        &json!({"customTLSSecret": {"name": "s", "items": items}, "customReplicationTLSSecret": {"name": "r"}}),
    );
    // The user may provide this file. The API server does not accept the same path twice.
    for (path, paths) in [("pgbouncer.ini", 1), ("other.ini", 1)] {
        let text = yaml::to_string(&cluster(17, &pooler(&json!({"files": secret(path)}))));
        let objects = objects(&text).ok().unwrap();
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap().to_string();
        assert_eq!(deployment.matches("\"path\":\"pgbouncer.ini\"").count(), paths, "{deployment}");
    }
}

#[test]
fn the_sql_of_the_user_is_in_a_config_map() {
    for (name, key, field) in [("a\nb", "k", "name"), ("it's", "k", "name"), ("a", "../k", "key"), ("a", "", "key")] {
        let (at, _) = refused(17, &json!({"databaseInitSQL": {"name": name, "key": key}}));
        assert_eq!(at, format!("spec.databaseInitSQL.{field}"));
    }
}

#[test]
fn a_directory_is_no_variable_of_a_container() {
    let directory = "/volumes/logs/$(PGDATA)/$$";
    let instances = json!([{
        "dataVolumeClaimSpec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        "volumes": {"additional": [{"name": "logs", "claimName": "logs"}]},
    }]);
    let repositories = json!([{"name": "repo1", "gcs": {"bucket": "b"}}]);
    let cluster = resolved(
        17,
        &json!({
            "instances": instances,
            "config": {"parameters": {"log_directory": directory}},
            "backups": {"pgbackrest": {"image": "i", "repos": repositories, "log": {"path": directory}}},
        }),
    )
    .unwrap();
    // The files contain it unchanged; the kubelet replaces `$$` with `$`.
    assert_eq!(parameters(&cluster)["log_directory"], directory);
    let words = pgrender::postgres_cluster::scripts::postgres_startup(&cluster, &cluster.instance_sets[0]);
    let words: Vec<&str> = words.iter().rev().skip(1).take(2).map(String::as_str).collect();
    assert_eq!(words, ["/volumes/logs/$$(PGDATA)/$$$$"; 2]);
    for path in ["/volumes/logs/../../pgdata/pg17", "/volumes/logs/.."] {
        let (at, _) = refused(
            17,
            &json!({
                "instances": instances,
                "backups": {"pgbackrest": {"image": "i", "repos": repositories, "log": {"path": path}}},
            }),
        );
        assert_eq!(at, "spec.backups.pgbackrest.log.path");
    }
}
