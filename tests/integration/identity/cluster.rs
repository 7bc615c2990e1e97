//! A resolved cluster to derive an identity for: `hippo` in `postgres-operator`, with everything that has a secret.

use std::collections::{BTreeMap, BTreeSet};

use pgrender::kubernetes::PersistentVolumeClaimSpec;
use pgrender::postgres_cluster::cluster::{
    Cluster, InstanceSet, Metadata, PasswordType, Patroni, Postgres, Scheduling, ServiceSettings, Standby, User,
};
use pgrender::postgres_cluster::exporter::model::Exporter;
use pgrender::postgres_cluster::pgbackrest::model::{BackupJobs, Backups, RepoHost, Repository, Storage};
use pgrender::postgres_cluster::pgbouncer::model::PgBouncer;
use pgrender::postgres_cluster::secrets::generations::Generations;

pub(crate) fn hippo() -> Cluster {
    Cluster {
        name: "hippo".to_owned(),
        namespace: "postgres-operator".to_owned(),
        domain: "cluster.local".to_owned(),
        delivery: Metadata::default(),
        metadata: Metadata::default(),
        postgres_version: 17,
        port: 5432,
        image: String::new(),
        image_pull_policy: None,
        image_pull_secrets: Vec::new(),
        openshift: false,
        paused: false,
        shutdown: false,
        supplemental_groups: Vec::new(),
        default_pod_scheduling: true,
        postgres: Postgres::default(),
        patroni: Patroni {
            dynamic_configuration: serde_json::Map::new(),
            leader_lease_duration_seconds: 30,
            sync_period_seconds: 10,
            port: 8008,
            switchover: None,
            log: None,
        },
        standby: None,
        instance_sets: vec![instance_set("instance1")],
        service: ServiceSettings::default(),
        replica_service: ServiceSettings::default(),
        users: vec![user("hippo", PasswordType::Ascii), user("app", PasswordType::AlphaNumeric)],
        schema_per_user: false,
        database_init_sql: None,
        postgis: false,
        backups: Some(backups()),
        data_source: None,
        restore_in_place: None,
        restore_drill: None,
        pgbouncer: Some(pgbouncer()),
        exporter: Some(Exporter::default()),
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

/// The same as a standby cluster that streams from another.
pub(crate) fn standby() -> Cluster {
    let standby = Standby { host: Some("rhino-primary".to_owned()), port: None, repository: None };
    Cluster { standby: Some(standby), ..hippo() }
}

pub(crate) fn user(name: &str, password: PasswordType) -> User {
    User { name: name.to_owned(), databases: vec![name.to_owned()], options: String::new(), password }
}

pub(crate) fn instance_set(name: &str) -> InstanceSet {
    InstanceSet {
        name: name.to_owned(),
        replicas: 1,
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

fn backups() -> Backups {
    Backups {
        image: String::new(),
        metadata: Metadata::default(),
        repositories: vec![Repository { index: 1, storage: Storage::Volume(Box::default()), schedules: Vec::new() }],
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

fn pgbouncer() -> PgBouncer {
    PgBouncer {
        image: String::new(),
        metadata: Metadata::default(),
        replicas: 1,
        port: 5432,
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
