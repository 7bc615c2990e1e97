//! The caretaker: the sidecar of each instance that does at run time what PGO's operator did with `exec`. Its program is
//! `caretaker/caretaker.py` and the files that it imports. This module renders its settings.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::kubernetes::ConfigMap;
use crate::naming::labels;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::directories::{program_directories, wal_directory};
use crate::postgres_cluster::objects::metadata::object_meta;
use crate::postgres_cluster::pgbouncer::console;
use crate::postgres_cluster::spec::SwitchoverType;
use crate::postgres_cluster::{patroni, postgres, restore};

/// The files of the program, which runs in Patroni's Python interpreter, and the commands that Postgres runs for its WAL
/// archive. All of them are mounted in one directory, [`postgres::configuration::SCRIPT_DIRECTORY`].
pub const PROGRAM: [(&str, &str); 34] = [
    postgres::configuration::ARCHIVE_GET,
    postgres::configuration::ARCHIVE_PUSH,
    ("aside.py", include_str!("caretaker/aside.py")),
    ("backups.py", include_str!("caretaker/backups.py")),
    ("before_patroni.py", include_str!("caretaker/before_patroni.py")),
    ("caretaker.py", include_str!("caretaker/caretaker.py")),
    ("closed.py", include_str!("caretaker/closed.py")),
    ("credentials.py", include_str!("caretaker/credentials.py")),
    ("databases.py", include_str!("caretaker/databases.py")),
    ("endpoints.py", include_str!("caretaker/endpoints.py")),
    ("extensions.py", include_str!("caretaker/extensions.py")),
    ("facts.py", include_str!("caretaker/facts.py")),
    ("impatience.py", include_str!("caretaker/impatience.py")),
    ("in_place.py", include_str!("caretaker/in_place.py")),
    ("lineage.py", include_str!("caretaker/lineage.py")),
    ("members.py", include_str!("caretaker/members.py")),
    ("monitoring.py", include_str!("caretaker/monitoring.py")),
    ("ours.py", include_str!("caretaker/ours.py")),
    ("owner.py", include_str!("caretaker/owner.py")),
    ("pgbouncer.py", include_str!("caretaker/pgbouncer.py")),
    ("pod.py", include_str!("caretaker/pod.py")),
    ("pools.py", include_str!("caretaker/pools.py")),
    ("postgres.py", include_str!("caretaker/postgres.py")),
    ("pre_start.py", include_str!("caretaker/pre_start.py")),
    ("pre_stop.py", include_str!("caretaker/pre_stop.py")),
    ("probes.py", include_str!("caretaker/probes.py")),
    ("progress.py", include_str!("caretaker/progress.py")),
    ("restore.py", include_str!("caretaker/restore.py")),
    ("roles.py", include_str!("caretaker/roles.py")),
    ("session.py", include_str!("caretaker/session.py")),
    ("slices.py", include_str!("caretaker/slices.py")),
    ("source_files.py", include_str!("caretaker/source_files.py")),
    ("standby.py", include_str!("caretaker/standby.py")),
    ("surroundings.py", include_str!("caretaker/surroundings.py")),
];

/// The files that were added after the first version. A file comes after those that it imports. Add a new file here too.
const LATER: [&str; 23] = [
    "session",
    "impatience",
    "postgres",
    "owner",
    "lineage",
    "standby",
    "ours",
    "closed",
    "roles",
    "extensions",
    "pgbouncer",
    "facts",
    "pools",
    "monitoring",
    "endpoints",
    "slices",
    "source_files",
    "restore",
    "aside",
    "probes",
    "progress",
    "in_place",
    "before_patroni",
];

/// The text of these files, by the name of the Python module. A pod of an earlier version mounts only the files that existed
/// then. Until it is replaced, it reads the other files from here: its leader hands over, and creates what its replicas wait
/// for.
fn later_files() -> Map<String, Value> {
    let text = |module: &str| PROGRAM.iter().find(|(name, _)| name.strip_suffix(".py") == Some(module));
    LATER.iter().filter_map(|module| Some(((*module).to_owned(), Value::from(text(module)?.1)))).collect()
}

/// The extensions that are created in every database. An extension comes after those that it depends on. The lists are PGO's
/// (`internal/pgaudit/postgres.go`, `internal/postgis/postgis.go`).
fn extensions(cluster: &Cluster) -> Vec<&'static str> {
    let postgis = ["postgis", "postgis_topology", "fuzzystrmatch", "postgis_tiger_geocoder"];
    ["pgaudit"].into_iter().chain(postgis.into_iter().filter(|_| cluster.postgis)).collect()
}

/// How many queries of the collector can run in one database. It keeps a connection for each query.
const CONNECTIONS_OF_RECEIVER: usize = 20;

/// `caretaker.json`: the desired state, without secrets. The caretaker reads it again whenever it changes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings<'a> {
    cluster: &'a str,
    port: u16,
    paused: bool,
    postgres_version: u16,
    /// Where the programs of Postgres may be in the image.
    program_directories: [String; 3],
    databases: BTreeSet<&'a str>,
    /// The ConfigMap with the SQL that runs once.
    #[serde(rename = "databaseInitSQL")]
    database_init_sql: Option<&'a str>,
    extensions: Vec<&'static str>,
    schema_per_user: bool,
    /// How many connections the collector may have in addition to those of the exporter.
    collector_connections: usize,
    /// Whether there are backups.
    stanza: bool,
    volume_repositories: Vec<u8>,
    cloud_repositories: Vec<u8>,
    /// The repo host takes a backup to a volume.
    manual_backup: Option<ManualBackup<'a>>,
    dynamic_configuration: Value,
    instance_sets: Vec<Set<'a>>,
    switchover: Option<Switchover<'a>>,
    /// The data source of a new cluster.
    restore: Option<Restore>,
    restore_in_place: Option<InPlace<'a>>,
    /// The timeline whose transactions a former primary may discard.
    discard_timeline: Option<u32>,
    endpoint_slices: bool,
    /// pgBouncer, if the exporter has metrics of it.
    pgbouncer: Option<PgBouncer>,
    /// The ConfigMap of fingerprints.
    fingerprints: String,
    /// In this order, because a file comes after those that it imports.
    later_files: Map<String, Value>,
}

/// An instance set.
#[derive(Serialize)]
struct Set<'a> {
    name: &'a str,
    replicas: u16,
}

/// The data source of a new cluster.
#[derive(Serialize)]
struct Restore {
    /// A description of the data source for messages.
    from: String,
    /// The arguments of pgBackRest.
    arguments: Vec<String>,
}

/// Where pgBouncer listens: the name that its certificate is valid for, and the port of its pods.
#[derive(Serialize)]
struct PgBouncer {
    host: String,
    port: u16,
}

/// A request to restore the cluster in place.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InPlace<'a> {
    trigger: &'a str,
    repository: u8,
    /// The arguments of pgBackRest.
    arguments: Vec<String>,
    /// The WAL directory of each instance set, by its name.
    wal_directories: BTreeMap<&'a str, String>,
}

/// A request to change the leader.
#[derive(Serialize)]
struct Switchover<'a> {
    trigger: &'a str,
    target: Option<&'a str>,
    #[serde(rename = "type")]
    kind: SwitchoverType,
}

/// A request for a backup in object storage.
#[derive(Serialize)]
struct ManualBackup<'a> {
    trigger: &'a str,
    repository: u8,
    options: &'a [String],
}

/// The text of `caretaker.json`.
pub fn settings(cluster: &Cluster) -> String {
    let repositories = |on_volume: bool| -> Vec<u8> {
        let all = cluster.backups.iter().flat_map(|backups| &backups.repositories);
        all.filter(|repository| repository.is_on_volume() == on_volume).map(|repository| repository.index).collect()
    };
    let settings = Settings {
        cluster: &cluster.name,
        port: cluster.port,
        paused: cluster.paused,
        postgres_version: cluster.postgres_version,
        program_directories: program_directories(cluster.postgres_version),
        databases: cluster.users.iter().flat_map(|user| &user.databases).map(String::as_str).collect(),
        database_init_sql: cluster.database_init_sql.as_ref().map(|sql| sql.name.as_str()),
        extensions: extensions(cluster),
        schema_per_user: cluster.schema_per_user,
        collector_connections: cluster
            .collector
            .as_ref()
            .map_or(0, |collector| CONNECTIONS_OF_RECEIVER * collector.queries.databases().count()),
        stanza: cluster.backups.is_some(),
        volume_repositories: repositories(true),
        cloud_repositories: repositories(false),
        manual_backup: cluster.backups.as_ref().and_then(|backups| backups.manual_backup(false)).map(|manual| {
            ManualBackup { trigger: &manual.trigger, repository: manual.repository, options: &manual.options }
        }),
        dynamic_configuration: patroni::configuration::dynamic_configuration(cluster),
        instance_sets: cluster
            .instance_sets
            .iter()
            .map(|set| Set { name: &set.name, replicas: set.replicas })
            .collect(),
        switchover: cluster.patroni.switchover.as_ref().map(|switchover| Switchover {
            trigger: &switchover.trigger,
            target: switchover.target.as_deref(),
            kind: switchover.kind,
        }),
        restore: cluster.data_source.as_ref().map(|source| Restore {
            from: restore::configuration::described(source),
            arguments: restore::configuration::arguments(cluster, source),
        }),
        restore_in_place: cluster.restore_in_place.as_ref().map(|restore| InPlace {
            trigger: &restore.trigger,
            repository: restore.repository,
            arguments: restore::configuration::in_place_arguments(cluster, restore),
            wal_directories: cluster
                .instance_sets
                .iter()
                .map(|set| (set.name.as_str(), wal_directory(cluster, set)))
                .collect(),
        }),
        discard_timeline: cluster.discard_timeline,
        endpoint_slices: cluster.endpoint_slices,
        pgbouncer: console::watched(cluster)
            .map(|pgbouncer| PgBouncer { host: cluster.service_host(&cluster.pgbouncer_name()), port: pgbouncer.port }),
        fingerprints: cluster.fingerprints_config_map(),
        later_files: later_files(),
    };
    let text = serde_json::to_string_pretty(&settings).expect("the settings have string keys and finite numbers");
    text + "\n"
}

/// `<cluster>-caretaker`: the caretaker's program and its settings.
pub(crate) fn config_map(cluster: &Cluster) -> ConfigMap {
    let mut files = PROGRAM.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    files.push(("caretaker.json".to_owned(), settings(cluster)));
    ConfigMap {
        metadata: object_meta(cluster, cluster.caretaker_name(), &cluster.metadata, labels([])),
        data: Some(files.into_iter().collect()),
        ..ConfigMap::default()
    }
}
