//! Patroni's configuration (PGO's `internal/patroni/config.go`). Patroni merges several files: one for the cluster, one for the
//! instance set, and two from a Secret. Settings that can change at run time are in the dynamic configuration: a new cluster
//! takes it from the first file, and the caretaker updates it after that.

use serde_json::{Map, Value, json};

use crate::naming::{PATRONI_USER, REPLICATION_USER, STANZA, label};
use crate::postgres_cluster::cluster::{Cluster, InstanceSet};
use crate::postgres_cluster::configuration_file::HEADER;
use crate::postgres_cluster::directories::wal_directory;
use crate::postgres_cluster::postgres;

/// The file with the CA that members use to authenticate each other, as servers and as clients. This CA signs only for members.
pub const CA_FILE: &str = "/etc/patroni/~postgres-operator/patroni.ca-roots";
/// The file with the certificate for Patroni's REST API and its client, followed by the key.
pub const CERTIFICATE_FILE: &str = "/etc/patroni/~postgres-operator/patroni.crt+key";

/// The key of the Secret's entry with the text of [`authentication_yaml`].
pub const AUTHENTICATION_KEY: &str = "authentication.yaml";
/// The key of the Secret's entry with the text of [`rules_yaml`].
pub const RULES_KEY: &str = "pg_hba.yaml";

/// The directory of the client certificate for replication. Only its owner can read the key, because libpq refuses other modes.
pub const REPLICATION_CERTIFICATE_DIRECTORY: &str = "/tmp/replication";

/// The directory of Patroni's log files.
pub const LOG_DIRECTORY: &str = "/pgdata/patroni/log";

/// Returns `patroni.yaml` of the whole cluster.
///
/// It always contains `bootstrap.dcs`. Patroni reads this section only when it creates a cluster.
pub fn cluster_yaml(cluster: &Cluster) -> String {
    let replication = json!({
        "sslcert": format!("{REPLICATION_CERTIFICATE_DIRECTORY}/tls.crt"),
        "sslkey": format!("{REPLICATION_CERTIFICATE_DIRECTORY}/tls.key"),
        "sslmode": "verify-ca",
        "sslrootcert": format!("{REPLICATION_CERTIFICATE_DIRECTORY}/ca.crt"),
        "username": REPLICATION_USER,
    });
    let mut settings = json!({
        "bootstrap": {"dcs": dynamic_configuration(cluster)},
        "ctl": {"cacert": CA_FILE, "certfile": CERTIFICATE_FILE, "insecure": false},
        "kubernetes": {
            "labels": {(label::CLUSTER): cluster.name},
            // Every version of Patroni accepts this value, and selectors of users depend on it.
            "leader_label_value": "master",
            "namespace": cluster.namespace,
            "role_label": label::ROLE,
            "scope_label": label::PATRONI,
            "standby_leader_label_value": "master",
            "use_endpoints": true,
        },
        "postgresql": {"authentication": {"replication": replication, "rewind": replication}},
        // Probes need no certificate. Endpoints that change something need one, and the password of `authentication_yaml`.
        "restapi": {"cafile": CA_FILE, "certfile": CERTIFICATE_FILE, "verify_client": "optional"},
        "scope": cluster.scope(),
        "watchdog": {"mode": "off"},
    });
    if let Some(log) = &cluster.patroni.log {
        settings["log"] = json!({
            "dir": LOG_DIRECTORY,
            "file_num": 1,
            "file_size": log.file_size,
            "level": log.level,
            // Patroni 3 uses the umask. The collector may have another user, but has the same group.
            "mode": "0660",
            // Patroni 3, and Patroni 4 without python-json-logger, write text.
            "type": "json",
        });
    }
    file(settings)
}

/// Returns the credentials that a client needs, in addition to a certificate, for endpoints that change something. The text
/// goes into a Secret. It is JSON, which is also YAML, so that the caretaker can parse it with Python's standard library.
pub fn authentication_yaml(password: &str) -> String {
    let authentication = json!({"password": password, "username": PATRONI_USER});
    format!("{:#}\n", json!({"restapi": {"authentication": authentication}}))
}

/// Returns the rules of `pg_hba.conf` if one of them contains a password, and an empty text otherwise. The text goes into a
/// Secret, because Patroni shows its dynamic configuration to every client (`GET /config`). Patroni uses rules in its own files
/// instead of those in the dynamic configuration.
pub fn rules_yaml(cluster: &Cluster) -> String {
    let rules = postgres::configuration::hba(cluster);
    file(if postgres::configuration::holds_password(&rules) {
        json!({"postgresql": {"pg_hba": rules}})
    } else {
        json!({})
    })
}

/// Returns `patroni.yaml` of an instance set: how its instances are created, and how they communicate. `patronictl` does not
/// read this file.
pub fn instance_set_yaml(cluster: &Cluster, set: &InstanceSet) -> String {
    let wal_directory = wal_directory(cluster, set);
    let mut postgresql = json!({
        // Without this, a new replica would wait for the next scheduled checkpoint of the leader, which can take minutes.
        "basebackup": ["checkpoint=fast", format!("waldir={wal_directory}")],
        "create_replica_methods": ["basebackup"],
        "pgpass": "/tmp/.pgpass",
        "use_unix_socket": true,
    });
    if let Some(repository) = replica_repository(cluster) {
        // Before the first backup this fails immediately, and Patroni tries the next method.
        postgresql["create_replica_methods"] = json!(["pgbackrest", "basebackup"]);
        postgresql["pgbackrest"] = json!({
            "command": restore_command(repository, &wal_directory),
            "keep_data": true,
            "no_leader": true,
            "no_params": true,
        });
    }
    let mut bootstrap = json!({
        "initdb": ["allow-group-access", "data-checksums", "encoding=UTF8", format!("waldir={wal_directory}")],
        "method": "initdb",
    });
    if cluster.data_source.is_some() {
        bootstrap["method"] = json!("restore");
        bootstrap["restore"] = json!({"command": bootstrap_command(&wal_directory), "no_params": true});
    }
    let mut settings = json!({
        "bootstrap": bootstrap,
        "kubernetes": {},
        "postgresql": postgresql,
        "restapi": {},
        "tags": {},
    });
    // With credentials, Patroni's client sends the password with every request, but only the failsafe mode needs it (Patroni's
    // `request.py` and `ha.py`). Patroni connects to the address that a member announces, even without TLS. So the password
    // must not be enough: it is useless without the certificate of a member.
    if !super::setting::is_on(Some(&failsafe_mode(cluster))) {
        settings["ctl"] = json!({"auth": "member:none"});
    }
    file(settings)
}

/// Whether the leader continues while the API server is unavailable, as long as all members that it knew agree (Patroni, "DCS
/// Failsafe Mode"). By default it is on, except if the certificates come from an issuer that also signs for others: members
/// send each other the password in this mode, and an attacker with a certificate of that issuer would only need the password.
fn failsafe_mode(cluster: &Cluster) -> Value {
    match cluster.patroni.dynamic_configuration.get("failsafe_mode") {
        None | Some(Value::Null) => json!(!cluster.shares_issuer()),
        Some(mode) => mode.clone(),
    }
}

/// Returns the dynamic configuration with sorted keys: that of the user, with the complete parameters and rules of
/// `pg_hba.conf`, and with the settings of other fields of the spec. Every client of Patroni's port can read it.
pub fn dynamic_configuration(cluster: &Cluster) -> Value {
    let mut configuration = cluster.patroni.dynamic_configuration.clone();
    configuration.insert("ttl".to_owned(), json!(cluster.patroni.leader_lease_duration_seconds));
    configuration.insert("loop_wait".to_owned(), json!(cluster.patroni.sync_period_seconds));
    configuration.insert("failsafe_mode".to_owned(), failsafe_mode(cluster));

    let mut postgresql = Map::from_iter([("use_slots".to_owned(), json!(false))]);
    postgresql.extend(section(&configuration, "postgresql"));
    postgresql.insert("parameters".to_owned(), json!(postgres::configuration::parameters(cluster)));
    let rules = postgres::configuration::hba(cluster);
    if postgres::configuration::holds_password(&rules) {
        // The rules are in `rules_yaml`.
        postgresql.remove("pg_hba");
    } else {
        postgresql.insert("pg_hba".to_owned(), json!(rules));
    }
    // Before Postgres 11, pg_rewind needs a superuser.
    postgresql.insert("use_pg_rewind".to_owned(), json!(cluster.postgres_version > 10));
    postgresql.insert("pg_ident".to_owned(), json!(postgres::configuration::ident(cluster)));
    configuration.insert("postgresql".to_owned(), Value::Object(postgresql));

    if let Some(standby) = standby_section(cluster) {
        configuration.insert("standby_cluster".to_owned(), Value::Object(standby));
    }
    let mut configuration = Value::Object(configuration);
    configuration.sort_all_objects();
    configuration
}

/// Returns `standby_cluster`: that of the user, with the sources of `spec.standby`.
fn standby_section(cluster: &Cluster) -> Option<Map<String, Value>> {
    let standby = cluster.standby.as_ref()?;
    let mut section = section(&cluster.patroni.dynamic_configuration, "standby_cluster");
    section.remove("restore_command");
    let mut methods = Vec::new();
    if standby.repository.is_some() {
        let command = postgres::configuration::parameters(cluster).remove("restore_command");
        section.insert("restore_command".to_owned(), json!(command));
        methods.push("pgbackrest");
    }
    if let Some(host) = &standby.host {
        section.insert("host".to_owned(), json!(host));
        methods.push("basebackup");
    }
    if let Some(port) = standby.port {
        section.insert("port".to_owned(), json!(port));
    }
    section.insert("create_replica_methods".to_owned(), json!(methods));
    Some(section)
}

fn section(configuration: &Map<String, Value>, name: &str) -> Map<String, Value> {
    configuration.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Returns the number of the repository that replicas are restored from: the one that a standby cluster follows, or the first.
fn replica_repository(cluster: &Cluster) -> Option<u8> {
    let followed = cluster.standby.as_ref().and_then(|standby| standby.repository);
    let first = || cluster.backups.as_ref()?.repositories.first().map(|repository| repository.index);
    followed.or_else(first)
}

/// Returns the command that creates the cluster from its data source (`caretaker/restore.py`).
fn bootstrap_command(wal_directory: &str) -> String {
    let directory = postgres::configuration::SCRIPT_DIRECTORY;
    let words = [
        "python3".to_owned(),
        format!("{directory}/caretaker.py"),
        "restore".to_owned(),
        format!("--link-map=pg_wal={wal_directory}"),
    ];
    words.map(|word| format!("'{word}'")).join(" ")
}

/// Returns the command that creates a replica from a backup, which `src/postgres_cluster/caretaker/backups.py` chooses. Patroni
/// splits the command as a shell does.
fn restore_command(repository: u8, wal_directory: &str) -> String {
    let words = [
        "python3".to_owned(),
        format!("{}/caretaker.py", postgres::configuration::SCRIPT_DIRECTORY),
        "create-replica".to_owned(),
        "pgbackrest".to_owned(),
        "restore".to_owned(),
        "--delta".to_owned(),
        format!("--stanza={STANZA}"),
        format!("--repo={repository}"),
        format!("--link-map=pg_wal={wal_directory}"),
        "--type=standby".to_owned(),
    ];
    words.map(|word| format!("'{word}'")).join(" ")
}

fn file(mut content: Value) -> String {
    content.sort_all_objects();
    format!("{HEADER}{}", crate::write::yaml::to_string(&content))
}
