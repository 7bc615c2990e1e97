//! Resolved clusters that correspond to the specs whose results were read back from a running PGO.

use std::collections::{BTreeMap, BTreeSet};

use pgrender::kubernetes::PersistentVolumeClaimSpec;
use pgrender::postgres_cluster::cluster::{
    Cluster, InstanceSet, Metadata, Patroni, Postgres, Scheduling, ServiceSettings,
};
use pgrender::postgres_cluster::pgbackrest::model::{BackupJobs, Backups, RepoHost, Repository, Storage};
use pgrender::postgres_cluster::pgbouncer::model::PgBouncer;
use pgrender::postgres_cluster::postgres::configuration::Rule;
use pgrender::postgres_cluster::secrets::generations::Generations;
use serde_json::{Map, Value, json};

/// Two instances in one set, one volume repository, pgBouncer: `hippo.input.yaml`.
pub(crate) fn hippo() -> Cluster {
    Cluster {
        schema_per_user: false,
        database_init_sql: None,
        postgis: false,
        backups: Some(backups(vec![repository(1, volume())])),
        pgbouncer: Some(pgbouncer(5432)),
        instance_sets: vec![instance_set("instance1", 2)],
        ..cluster("hippo", "pgo-hippo")
    }
}

/// Two sets, one with a WAL volume, and nearly every setting: `rich.input.yaml`.
pub(crate) fn rich() -> Cluster {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Cluster {
        port: 5433,
        instance_sets: vec![
            InstanceSet {
                wal_volume_claim_spec: Some(PersistentVolumeClaimSpec::default()),
                ..instance_set("fast", 2)
            },
            instance_set("slow", 1),
        ],
        postgres: Postgres {
            parameters: strings(&[
                ("work_mem", "8MB"),
                ("max_connections", "150"),
                ("shared_preload_libraries", "auto_explain"),
            ]),
            hba_rules: vec![hba_line(17, "hostssl", &words(&["app"]), &words(&["app"]), "scram-sha-256")],
            ..Postgres::default()
        },
        patroni: Patroni {
            dynamic_configuration: object(&json!({
                "synchronous_mode": true,
                "postgresql": {
                    "parameters": {"log_min_duration_statement": "1s"},
                    "pg_hba": ["hostssl all all 10.0.0.0/8 scram-sha-256"],
                },
            })),
            leader_lease_duration_seconds: 20,
            sync_period_seconds: 5,
            port: 8008,
            switchover: None,
            log: None,
        },
        schema_per_user: false,
        database_init_sql: None,
        postgis: false,
        backups: Some(Backups {
            global: strings(&[
                ("repo1-retention-full", "3"),
                ("repo1-retention-full-type", "count"),
                ("log-level-console", "info"),
            ]),
            ..backups(vec![repository(1, volume()), repository(2, volume())])
        }),
        pgbouncer: Some(PgBouncer {
            global: strings(&[("pool_mode", "transaction")]),
            databases: strings(&[
                ("*", "host=rich-primary port=5433"),
                ("app", "host=rich-primary port=5433 dbname=app"),
            ]),
            users: strings(&[("app", "max_user_connections=10")]),
            ..pgbouncer(6432)
        }),
        ..cluster("rich", "pgo-rich")
    }
}

/// Returns the line of a structured rule.
pub(crate) fn hba_line(version: u16, connection: &str, databases: &[String], users: &[String], method: &str) -> String {
    Rule { connection, databases, users, method, options: &BTreeMap::new() }.line(version).expect("a line")
}

/// A repository of each kind, as in PGO's example `multi-backup-repo`.
pub(crate) fn multi_backup_repo() -> Cluster {
    let path =
        |index| (format!("repo{index}-path"), format!("/pgbackrest/postgres-operator/hippo-multi-repo/repo{index}"));
    Cluster {
        instance_sets: vec![instance_set("00", 1)],
        schema_per_user: false,
        database_init_sql: None,
        postgis: false,
        backups: Some(Backups {
            global: BTreeMap::from([path(2), path(3), path(4)]),
            ..backups(vec![
                repository(1, volume()),
                repository(
                    2,
                    Storage::S3 {
                        bucket: "<YOUR_AWS_S3_BUCKET_NAME>".to_owned(),
                        endpoint: "<YOUR_AWS_S3_ENDPOINT>".to_owned(),
                        region: "<YOUR_AWS_S3_REGION>".to_owned(),
                    },
                ),
                repository(3, Storage::Gcs { bucket: "<YOUR_GCS_BUCKET_NAME>".to_owned() }),
                repository(4, Storage::Azure { container: "<YOUR_AZURE_CONTAINER>".to_owned() }),
            ])
        }),
        ..cluster("hippo-multi-repo", "pgo-obs")
    }
}

fn cluster(name: &str, namespace: &str) -> Cluster {
    Cluster {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        domain: "cluster.local".to_owned(),
        delivery: Metadata::default(),
        metadata: Metadata::default(),
        postgres_version: 17,
        schema_per_user: false,
        database_init_sql: None,
        postgis: false,
        port: 5432,
        image: "postgres".to_owned(),
        image_pull_policy: None,
        image_pull_secrets: Vec::new(),
        openshift: false,
        paused: false,
        shutdown: false,
        supplemental_groups: Vec::new(),
        default_pod_scheduling: true,
        postgres: Postgres::default(),
        patroni: Patroni {
            dynamic_configuration: Map::new(),
            leader_lease_duration_seconds: 30,
            sync_period_seconds: 10,
            port: 8008,
            switchover: None,
            log: None,
        },
        standby: None,
        instance_sets: Vec::new(),
        service: ServiceSettings::default(),
        replica_service: ServiceSettings::default(),
        users: Vec::new(),
        data_source: None,
        restore_in_place: None,
        restore_drill: None,
        backups: None,
        pgbouncer: None,
        exporter: None,
        collector: None,
        custom_tls_secret: None,
        custom_replication_tls_secret: None,
        accepts_standby: false,
        discard_timeline: None,
        generations: Generations::default(),
        referenced_credentials: BTreeSet::new(),
        cert_manager: None,
        network_policies: false,
        endpoint_slices: false,
    }
}

fn instance_set(name: &str, replicas: u16) -> InstanceSet {
    InstanceSet {
        name: name.to_owned(),
        replicas,
        metadata: Metadata::default(),
        data_volume_claim_spec: PersistentVolumeClaimSpec::default(),
        wal_volume_claim_spec: None,
        temp_volume_claim_spec: None,
        additional_volumes: Vec::new(),
        resources: None,
        caretaker_resources: None,
        containers: Vec::new(),
        scheduling: Scheduling::default(),
        min_available: None,
    }
}

fn backups(repositories: Vec<Repository>) -> Backups {
    Backups {
        image: "pgbackrest".to_owned(),
        metadata: Metadata::default(),
        repositories,
        manual: None,
        global: BTreeMap::new(),
        configuration: Vec::new(),
        log_path: None,
        listen_ipv6: false,
        server_resources: None,
        config_resources: None,
        repo_host: RepoHost::default(),
        jobs: BackupJobs::default(),
    }
}

fn repository(index: u8, storage: Storage) -> Repository {
    Repository { index, storage, schedules: Vec::new() }
}

fn volume() -> Storage {
    Storage::Volume(Box::default())
}

fn pgbouncer(port: u16) -> PgBouncer {
    PgBouncer {
        image: "pgbouncer".to_owned(),
        metadata: Metadata::default(),
        replicas: 1,
        port,
        service: ServiceSettings::default(),
        global: BTreeMap::new(),
        databases: BTreeMap::new(),
        users: BTreeMap::new(),
        files: Vec::new(),
        resources: None,
        config_resources: None,
        containers: Vec::new(),
        additional_volumes: Vec::new(),
        scheduling: Scheduling::default(),
        min_available: None,
        custom_tls_secret: None,
    }
}

fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}
