//! Patroni's configuration (PGO's `internal/patroni/config.go`). Patroni merges files: one for the cluster, one for the
//! instance set, and two from a Secret. What may change at run time is the dynamic configuration: it seeds a new cluster
//! from the first file, and the caretaker keeps it up to date after that.

pub mod setting;

use serde_json::{Map, Value, json};

use super::{HEADER, postgres, wal_directory};
use crate::cluster::{Cluster, InstanceSet};
use crate::naming::{PATRONI_USER, REPLICATION_USER, STANZA, label};

/// The certificate authority by which members know each other, as servers and as clients. It signs for nobody else.
pub const CA_FILE: &str = "/etc/patroni/~postgres-operator/patroni.ca-roots";
/// The certificate of Patroni's REST API and of its client, followed by the key.
pub const CERTIFICATE_FILE: &str = "/etc/patroni/~postgres-operator/patroni.crt+key";

/// The key of a Secret with what [`authentication_yaml`] gives.
pub const AUTHENTICATION_KEY: &str = "authentication.yaml";
/// The key of a Secret with what [`rules_yaml`] gives.
pub const RULES_KEY: &str = "pg_hba.yaml";

/// Where replicas' client certificate is, readable by its owner only, as libpq demands of a key.
pub const REPLICATION_CERTIFICATE_DIRECTORY: &str = "/tmp/replication";

/// `patroni.yaml` of the whole cluster.
///
/// `bootstrap.dcs` is always there; Patroni reads it when it makes a cluster and never again.
pub fn cluster_yaml(cluster: &Cluster) -> String {
    let replication = json!({
        "sslcert": format!("{REPLICATION_CERTIFICATE_DIRECTORY}/tls.crt"),
        "sslkey": format!("{REPLICATION_CERTIFICATE_DIRECTORY}/tls.key"),
        "sslmode": "verify-ca",
        "sslrootcert": format!("{REPLICATION_CERTIFICATE_DIRECTORY}/ca.crt"),
        "username": REPLICATION_USER,
    });
    file(json!({
        "bootstrap": {"dcs": dynamic_configuration(cluster)},
        "ctl": {"cacert": CA_FILE, "certfile": CERTIFICATE_FILE, "insecure": false},
        "kubernetes": {
            "labels": {(label::CLUSTER): cluster.name},
            // One word in every version of Patroni; selectors of users depend on it.
            "leader_label_value": "master",
            "namespace": cluster.namespace,
            "role_label": label::ROLE,
            "scope_label": label::PATRONI,
            "standby_leader_label_value": "master",
            "use_endpoints": true,
        },
        "postgresql": {"authentication": {"replication": replication, "rewind": replication}},
        // Probes need no certificate; endpoints that change something do, and the password of `authentication_yaml`.
        "restapi": {"cafile": CA_FILE, "certfile": CERTIFICATE_FILE, "verify_client": "optional"},
        "scope": cluster.scope(),
        "watchdog": {"mode": "off"},
    }))
}

/// What endpoints that change something want besides a certificate, from a Secret. It is JSON, which is YAML, so that the caretaker can read it with what Python has.
pub fn authentication_yaml(password: &str) -> String {
    let authentication = json!({"password": password, "username": PATRONI_USER});
    format!("{:#}\n", json!({"restapi": {"authentication": authentication}}))
}

/// The rules of `pg_hba.conf` where one holds a password, from a Secret; else nothing. Patroni shows its dynamic configuration
/// to everybody (`GET /config`), and prefers rules of its own files to those that are there.
pub fn rules_yaml(cluster: &Cluster) -> String {
    let rules = postgres::hba(cluster);
    file(if postgres::holds_password(&rules) { json!({"postgresql": {"pg_hba": rules}}) } else { json!({}) })
}

/// `patroni.yaml` of an instance set: how its instances come to their data, and what they say to each other. `patronictl` does
/// not read it.
pub fn instance_set_yaml(cluster: &Cluster, set: &InstanceSet) -> String {
    let wal_directory = wal_directory(cluster, set);
    let mut postgresql = json!({
        // A replica would otherwise wait for the leader's next timed checkpoint, minutes away.
        "basebackup": ["checkpoint=fast", format!("waldir={wal_directory}")],
        "create_replica_methods": ["basebackup"],
        "pgpass": "/tmp/.pgpass",
        "use_unix_socket": true,
    });
    if let Some(repository) = replica_repository(cluster) {
        // Before the first backup this fails at once, and Patroni goes on to the next method.
        postgresql["create_replica_methods"] = json!(["pgbackrest", "basebackup"]);
        postgresql["pgbackrest"] = json!({
            "command": restore_command(repository, &wal_directory),
            "keep_data": true,
            "no_leader": true,
            "no_params": true,
        });
    }
    let mut settings = json!({
        "bootstrap": {
            "initdb": ["allow-group-access", "data-checksums", "encoding=UTF8", format!("waldir={wal_directory}")],
            "method": "initdb",
        },
        "kubernetes": {},
        "postgresql": postgresql,
        "restapi": {},
        "tags": {},
    });
    // A client sends the password of the API with each question, which only the failsafe mode needs (Patroni's `request.py` and
    // `ha.py`). Patroni asks at the address that a member announces, also one without TLS; so the password opens nothing without
    // the certificate of a member.
    if !setting::is_on(Some(&failsafe_mode(cluster))) {
        settings["ctl"] = json!({"auth": "member:none"});
    }
    file(settings)
}

/// Whether the leader goes on while the API server is away, as long as all members that it knew agree (Patroni, "DCS Failsafe
/// Mode"). It is on unless the spec says otherwise, or an issuer signs that signs for others too: whoever has one of its
/// certificates would only need the password, which that mode sends around.
fn failsafe_mode(cluster: &Cluster) -> Value {
    match cluster.patroni.dynamic_configuration.get("failsafe_mode") {
        None | Some(Value::Null) => json!(!cluster.shares_issuer()),
        Some(mode) => mode.clone(),
    }
}

/// The dynamic configuration, keys sorted: the user's, with parameters and rules of `pg_hba.conf` complete, and with
/// what other fields of the spec say. Everybody who reaches Patroni's port may read it.
pub fn dynamic_configuration(cluster: &Cluster) -> Value {
    let mut configuration = cluster.patroni.dynamic_configuration.clone();
    configuration.insert("ttl".to_owned(), json!(cluster.patroni.leader_lease_duration_seconds));
    configuration.insert("loop_wait".to_owned(), json!(cluster.patroni.sync_period_seconds));
    configuration.insert("failsafe_mode".to_owned(), failsafe_mode(cluster));

    let mut postgresql = Map::from_iter([("use_slots".to_owned(), json!(false))]);
    postgresql.extend(section(&configuration, "postgresql"));
    postgresql.insert("parameters".to_owned(), json!(postgres::parameters(cluster)));
    let rules = postgres::hba(cluster);
    if postgres::holds_password(&rules) {
        // They are in `rules_yaml`.
        postgresql.remove("pg_hba");
    } else {
        postgresql.insert("pg_hba".to_owned(), json!(rules));
    }
    // Older versions want a superuser for it.
    postgresql.insert("use_pg_rewind".to_owned(), json!(cluster.postgres_version > 10));
    postgresql.insert("pg_ident".to_owned(), json!(postgres::ident(cluster)));
    configuration.insert("postgresql".to_owned(), Value::Object(postgresql));

    if let Some(standby) = standby_section(cluster) {
        configuration.insert("standby_cluster".to_owned(), Value::Object(standby));
    }
    let mut configuration = Value::Object(configuration);
    configuration.sort_all_objects();
    configuration
}

/// `standby_cluster`: the user's, with the sources that `spec.standby` names.
fn standby_section(cluster: &Cluster) -> Option<Map<String, Value>> {
    let standby = cluster.standby.as_ref()?;
    let mut section = section(&cluster.patroni.dynamic_configuration, "standby_cluster");
    section.remove("restore_command");
    let mut methods = Vec::new();
    if standby.repository.is_some() {
        let command = postgres::parameters(cluster).remove("restore_command");
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

/// The number of the repository that replicas are made from: the one a standby cluster follows, or the first.
fn replica_repository(cluster: &Cluster) -> Option<u8> {
    let followed = cluster.standby.as_ref().and_then(|standby| standby.repository);
    let first = || cluster.backups.as_ref()?.repositories.first().map(|repository| repository.index);
    followed.or_else(first)
}

/// The command that makes a replica from a backup, which `src/caretaker/backups.py` chooses. Patroni splits it as a shell
/// does.
fn restore_command(repository: u8, wal_directory: &str) -> String {
    let words = [
        "python3".to_owned(),
        format!("{}/caretaker.py", postgres::SCRIPT_DIRECTORY),
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
