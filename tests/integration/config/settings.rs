//! Tests settings that `tests/integration/observed` cannot compare, because PGO did not get such a spec or does not keep them
//! in a file.

use pgrender::postgres_cluster::cluster::{Cluster, Standby};
use pgrender::postgres_cluster::exporter::model::Exporter;
use pgrender::postgres_cluster::{patroni, pgbackrest, postgres};
use pgrender::read;
use serde_json::{Value, json};

use crate::common::tools::shared;
use crate::config::clusters::{hippo, multi_backup_repo, rich};

/// Parses a `patroni.yaml`.
fn parsed(text: &str) -> Value {
    read::documents("patroni.yaml", text).expect("readable")[0].node.to_json()
}

/// Patroni keeps the dynamic configuration of a running cluster in an annotation.
#[test]
fn patroni_is_given_the_dynamic_configuration_that_pgo_gives_it() {
    for (file, cluster) in [("hippo.yaml", hippo()), ("rich.yaml", rich())] {
        let Some(text) = shared(&format!("pgo/observed/{file}")) else { return };
        let objects = read::documents(file, &text).expect("readable");
        let theirs = objects.iter().map(|object| object.node.to_json()).find_map(|object| {
            let named = object["kind"] == "Endpoints" && object["metadata"]["name"] == cluster.dcs_service();
            named.then(|| object["metadata"]["annotations"]["config"].as_str().map(str::to_owned))?
        });
        let theirs: Value = serde_json::from_str(&theirs.expect("a configuration")).expect("JSON");
        let mut ours = patroni::configuration::dynamic_configuration(&cluster);
        let section = ours["postgresql"].as_object_mut().expect("a section");
        // The map of pgrender's own roles and the rules that name it are different, and pgBouncer's role can use only one
        // database.
        let map = format!(r#"_crunchyrepl "_crunchyrepl@{}/{}" "_crunchyrepl""#, cluster.namespace, cluster.name);
        assert_eq!(section.remove("pg_ident"), Some(json!([map])));
        for rule in section["pg_hba"].as_array_mut().expect("rules") {
            let line = rule.as_str().expect("a line").trim_end_matches(" map=_crunchyrepl");
            let bouncer =
                line.replace(r#"hostssl "postgres" "_crunchypgbouncer""#, r#"hostssl all "_crunchypgbouncer""#);
            *rule = json!(bouncer);
        }
        // This setting keeps the leader while the API server is unavailable.
        assert_eq!(ours.as_object_mut().and_then(|ours| ours.remove("failsafe_mode")), Some(json!(true)));
        let section = ours["postgresql"].as_object_mut().expect("a section");
        // These scripts limit how long Postgres waits for the archive.
        for (name, script) in [
            ("archive_command", postgres::configuration::ARCHIVE_PUSH.0),
            ("restore_command", postgres::configuration::ARCHIVE_GET.0),
        ] {
            let command = &mut section["parameters"][name];
            let prefix = format!("$(test -e /etc/pgrender/{script} && echo bash /etc/pgrender/{script}) ");
            *command = json!(command.as_str().and_then(|command| command.strip_prefix(&prefix)));
        }
        assert_eq!(ours, theirs);
    }
}

#[test]
fn a_standby_follows_its_sources_and_makes_replicas_from_them() {
    let standby = Standby { host: Some("primary.example".to_owned()), port: Some(5433), repository: Some(2) };
    let mut cluster = Cluster { standby: Some(standby), ..rich() };
    cluster
        .patroni
        .dynamic_configuration
        .insert("standby_cluster".to_owned(), json!({"restore_command": "mine", "primary_slot_name": "mine"}));
    assert_eq!(
        patroni::configuration::dynamic_configuration(&cluster)["standby_cluster"],
        json!({
            "create_replica_methods": ["pgbackrest", "basebackup"],
            "host": "primary.example",
            "port": 5433,
            "primary_slot_name": "mine",
            "restore_command": r#"$(test -e /etc/pgrender/archive-get.sh && echo bash /etc/pgrender/archive-get.sh) pgbackrest --stanza=db archive-get %f "%p" --repo=2"#,
        })
    );
    let text = parsed(&patroni::configuration::instance_set_yaml(&cluster, &cluster.instance_sets[1]));
    let command = text["postgresql"]["pgbackrest"]["command"].as_str().expect("a command");
    assert!(command.contains("'--repo=2'") && command.contains("'--link-map=pg_wal=/pgdata/pg17_wal'"), "{command}");

    cluster.standby = Some(Standby { host: Some("primary.example".to_owned()), port: None, repository: None });
    let section = &patroni::configuration::dynamic_configuration(&cluster)["standby_cluster"];
    assert_eq!(section["create_replica_methods"], json!(["basebackup"]));
    assert!(section.get("restore_command").is_none() && section.get("port").is_none());
}

#[test]
fn without_backups_nothing_is_archived_and_replicas_are_copies_of_the_leader() {
    let cluster = Cluster { backups: None, ..hippo() };
    let parameters = postgres::configuration::parameters(&cluster);
    assert_eq!((parameters["archive_mode"].as_str(), parameters["archive_command"].as_str()), ("on", "true"));
    let text = parsed(&patroni::configuration::instance_set_yaml(&cluster, &cluster.instance_sets[0]));
    assert_eq!(text["postgresql"]["create_replica_methods"], json!(["basebackup"]));
    assert!(text["postgresql"].get("pgbackrest").is_none());
}

#[test]
fn the_users_parameters_give_way_to_what_the_cluster_needs() {
    let mut cluster = Cluster { exporter: Some(Exporter::default()), ..hippo() };
    cluster.patroni.dynamic_configuration.insert(
        "postgresql".to_owned(),
        json!({
            "use_slots": true,
            "use_pg_rewind": false,
            "parameters": {
                "Work_Mem": "1MB", "jit": true, "wal_level": "minimal", "max_connections": 50, "log_timezone": null,
                "synchronous_standby_names": ["a", "b"], "log_directory": "base", "ssl": "off",
            },
        }),
    );
    cluster.postgres.parameters =
        [("shared_preload_libraries", "citus"), ("work_mem", "2MB"), ("archive_command", "false")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    let configuration = patroni::configuration::dynamic_configuration(&cluster);
    let section = &configuration["postgresql"];
    assert_eq!((&section["use_slots"], &section["use_pg_rewind"]), (&json!(true), &json!(true)));
    for (name, value) in [
        ("shared_preload_libraries", "citus,pgaudit,pg_stat_statements,citus"),
        ("work_mem", "2MB"),
        ("jit", "true"),
        ("wal_level", "logical"),
        ("max_connections", "50"),
        ("synchronous_standby_names", r#"["a","b"]"#),
        ("log_directory", "/pgdata/logs/postgres"),
        ("ssl", "on"),
        (
            "archive_command",
            r#"$(test -e /etc/pgrender/archive-push.sh && echo bash /etc/pgrender/archive-push.sh) pgbackrest --stanza=db archive-push "%p""#,
        ),
    ] {
        assert_eq!(section["parameters"][name], value, "{name}");
    }
    assert!(section["parameters"].get("log_timezone").is_none());
}

#[test]
fn pgbackrest_logs_and_listens_where_the_user_says() {
    let mut cluster = multi_backup_repo();
    let backups = cluster.backups.as_mut().expect("backups");
    backups.log_path = Some("/volumes//logs/".to_owned());
    backups.repo_host.log_path = Some("/volumes/host".to_owned());
    backups.jobs.log_path = Some("/volumes/jobs".to_owned());
    backups.global.insert("start-fast".to_owned(), "n".to_owned());
    backups.listen_ipv6 = true;
    let backups = cluster.backups.as_ref().expect("backups");
    for (text, log_path) in [
        (pgbackrest::configuration::instance_conf(&cluster, backups), "/volumes/logs"),
        (pgbackrest::configuration::repo_conf(&cluster, backups), "/volumes/host"),
        (pgbackrest::configuration::cloud_conf(&cluster, backups), "/volumes/jobs"),
    ] {
        assert!(text.contains(&format!("\nlog-path = {log_path}\n")), "{text}");
        assert!(text.contains("\nstart-fast = n\n") && !text.contains("log-level-file"), "{text}");
    }
    assert!(pgbackrest::configuration::server_conf(&cluster, backups).contains("\ntls-server-address = ::\n"));
}
