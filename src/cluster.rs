//! The resolved model: one [`Cluster`] is one valid `PostgresCluster` with defaults applied, images chosen and every
//! question answered. Builders and configuration writers read this and nothing else, and cannot fail.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::kubernetes::{
    Affinity, Container, IntOrString, LocalObjectReference, PersistentVolumeClaimSpec, ResourceRequirements,
    SecretProjection, Toleration, TopologySpreadConstraint, VolumeProjection,
};
use crate::spec::AdditionalVolume;

/// Labels and annotations that the user wants on objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Labels, without PGO's own.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// This metadata overlaid with more; the later wins (PGO's order, `pgo-inventory` 0.2).
    #[must_use]
    pub fn merged(&self, more: Option<&Self>) -> Self {
        let mut merged = self.clone();
        if let Some(more) = more {
            merged.labels.extend(more.labels.clone());
            merged.annotations.extend(more.annotations.clone());
        }
        merged
    }
}

/// One Postgres cluster, ready to be built.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `metadata.name`.
    pub name: String,
    /// The namespace of every object.
    pub namespace: String,
    /// The Kubernetes cluster's domain, without a final dot.
    pub domain: String,
    /// Annotations of the `PostgresCluster` itself: PGO's and pgrender's switches.
    pub annotations: BTreeMap<String, String>,
    /// `spec.metadata`.
    pub metadata: Metadata,
    /// Major version of Postgres.
    pub postgres_version: u16,
    /// `spec.port`.
    pub port: u16,
    /// The Postgres image; it runs `database`, the caretaker and the init containers.
    pub image: String,
    /// `spec.imagePullPolicy`.
    pub image_pull_policy: Option<String>,
    /// `spec.imagePullSecrets`.
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// `spec.openshift`: no `fsGroup`, and the right to write restricted Endpoints.
    pub openshift: bool,
    /// `spec.paused`: the caretaker changes nothing.
    pub paused: bool,
    /// `spec.shutdown`: no pod runs.
    pub shutdown: bool,
    /// `spec.supplementalGroups`, without 0.
    pub supplemental_groups: Vec<i64>,
    /// Unless `spec.disableDefaultPodScheduling`: PGO's two topology spread constraints are added to every pod.
    pub default_pod_scheduling: bool,
    /// Postgres parameters and rules.
    pub postgres: Postgres,
    /// Patroni.
    pub patroni: Patroni,
    /// `spec.standby`, when enabled.
    pub standby: Option<Standby>,
    /// Instance sets, in the order of the spec; names are unique.
    pub instance_sets: Vec<InstanceSet>,
    /// `spec.service`: of `<cluster>-ha`.
    pub service: ServiceSettings,
    /// `spec.replicaService`: of `<cluster>-replicas`.
    pub replica_service: ServiceSettings,
    /// `spec.users`, or PGO's default of one user named as the cluster.
    pub users: Vec<User>,
    /// Whether each user gets a schema in each of its databases (annotation `autoCreateUserSchema`).
    pub schema_per_user: bool,
    /// pgBackRest; `None` where `spec.backups` is absent or empty.
    pub backups: Option<Backups>,
    /// pgBouncer.
    pub pgbouncer: Option<PgBouncer>,
    /// Whether `spec.monitoring.pgmonitor.exporter` is there.
    pub exporter: bool,
    /// `spec.customTLSSecret`.
    pub custom_tls_secret: Option<SecretProjection>,
    /// Name of `spec.customReplicationTLSSecret`.
    pub custom_replication_tls_secret: Option<String>,
}

/// What the user says of Postgres itself.
#[derive(Clone, Debug, Default)]
pub struct Postgres {
    /// `spec.config.parameters`, names in lower case, values as strings.
    pub parameters: BTreeMap<String, String>,
    /// `spec.config.files`, mounted at `/etc/postgres`.
    pub files: Vec<VolumeProjection>,
    /// `spec.authentication.rules`, each already a line of `pg_hba.conf` (inventory 3.3).
    pub hba_rules: Vec<String>,
    /// Whether any instance set has a limit of huge pages above 0.
    pub huge_pages: bool,
}

/// `spec.patroni` with its defaults.
#[derive(Clone, Debug)]
pub struct Patroni {
    /// `dynamicConfiguration`, as the user wrote it.
    pub dynamic_configuration: Map<String, Value>,
    /// `leaderLeaseDurationSeconds`: Patroni's `ttl`.
    pub leader_lease_duration_seconds: i32,
    /// `syncPeriodSeconds`: Patroni's `loop_wait`.
    pub sync_period_seconds: i32,
    /// `port` of the REST API.
    pub port: u16,
    /// `switchover`, when enabled and asked for by the annotation `trigger-switchover`.
    pub switchover: Option<Switchover>,
}

/// A request to move the leader, carried out once for each value of `trigger`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Switchover {
    /// The value of the annotation `trigger-switchover`.
    pub trigger: String,
    /// The instance that shall lead, if any is named.
    pub target: Option<String>,
    /// `Switchover` or `Failover`.
    pub type_: String,
}

/// `spec.standby`, enabled: follow another cluster. At least one of the two sources is there.
#[derive(Clone, Debug)]
pub struct Standby {
    /// Host to stream from.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Index of the repository to read from, 1 to 4.
    pub repository: Option<u8>,
}

/// A set of instances that differ in nothing but their ordinal.
#[derive(Clone, Debug)]
pub struct InstanceSet {
    /// The name; PGO's `00`, `01`, … where the spec has none.
    pub name: String,
    /// How many instances.
    pub replicas: u16,
    /// `spec.metadata` overlaid with the set's.
    pub metadata: Metadata,
    /// The data claim, `resources.limits` and `autoGrow` taken out as PGO does.
    pub data_volume_claim_spec: PersistentVolumeClaimSpec,
    /// The WAL claim.
    pub wal_volume_claim_spec: Option<PersistentVolumeClaimSpec>,
    /// `volumes.temp`, mounted at `/pgtmp`.
    pub temp_volume_claim_spec: Option<PersistentVolumeClaimSpec>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
    /// Of `database` and the init containers.
    pub resources: Option<ResourceRequirements>,
    /// Of the caretaker: `sidecars.replicaCertCopy.resources`.
    pub caretaker_resources: Option<ResourceRequirements>,
    /// `containers`: the user's own sidecars, as written.
    pub containers: Vec<Container>,
    /// Where its pods go.
    pub scheduling: Scheduling,
    /// `minAvailable` of its disruption budget; `None` for no budget.
    pub min_available: Option<IntOrString>,
}

/// Where pods go.
#[derive(Clone, Debug, Default)]
pub struct Scheduling {
    /// `affinity`.
    pub affinity: Option<Affinity>,
    /// `tolerations`.
    pub tolerations: Vec<Toleration>,
    /// The user's constraints, before PGO's two defaults.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// `priorityClassName`.
    pub priority_class_name: Option<String>,
}

/// What the user says of a Service (PGO's `ServiceSpec`).
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Its own metadata, without `spec.metadata`.
    pub metadata: Metadata,
    /// `ClusterIP`, `NodePort` or `LoadBalancer`.
    pub type_: String,
    /// The fixed node port.
    pub node_port: Option<i32>,
    /// `externalTrafficPolicy`.
    pub external_traffic_policy: Option<String>,
    /// `internalTrafficPolicy`.
    pub internal_traffic_policy: Option<String>,
    /// `ipFamilyPolicy`.
    pub ip_family_policy: Option<String>,
    /// `ipFamilies`.
    pub ip_families: Vec<String>,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            metadata: Metadata::default(),
            type_: "ClusterIP".to_owned(),
            node_port: None,
            external_traffic_policy: None,
            internal_traffic_policy: None,
            ip_family_policy: None,
            ip_families: Vec::new(),
        }
    }
}

/// A role of Postgres that the spec asks for, with a Secret of its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// The role.
    pub name: String,
    /// Its databases; the first is `dbname` of the Secret.
    pub databases: Vec<String>,
    /// `ALTER ROLE` options, as written.
    pub options: String,
    /// Which characters a generated password has.
    pub password: PasswordType,
}

impl User {
    /// The databases that the role may use. The superuser's Secret names what the spec says, but its grants are fixed
    /// (inventory 5.2).
    pub fn granted_databases(&self) -> Vec<&str> {
        if self.is_superuser() { vec!["postgres"] } else { self.databases.iter().map(String::as_str).collect() }
    }

    /// What `ALTER ROLE` is told.
    pub fn role_options(&self) -> &str {
        if self.is_superuser() { "LOGIN SUPERUSER" } else { &self.options }
    }

    fn is_superuser(&self) -> bool {
        self.name == "postgres"
    }
}

/// `spec.users[].password.type`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PasswordType {
    /// Printable ASCII without what quoting breaks on (inventory 2.6).
    #[default]
    Ascii,
    /// Letters and digits.
    AlphaNumeric,
}

/// `spec.backups.pgbackrest`.
#[derive(Clone, Debug)]
pub struct Backups {
    /// The pgBackRest image.
    pub image: String,
    /// `spec.metadata` overlaid with pgBackRest's.
    pub metadata: Metadata,
    /// Repositories in the order of the spec; at least one, names unique.
    pub repositories: Vec<Repository>,
    /// `global`: overrides of `[global]`.
    pub global: BTreeMap<String, String>,
    /// `configuration`: first sources of every `conf.d`.
    pub configuration: Vec<VolumeProjection>,
    /// `log.path` of instances.
    pub log_path: Option<String>,
    /// `[::]` instead of `0.0.0.0` (annotation `pgbackrest-ip-version: IPv6`).
    pub listen_ipv6: bool,
    /// Resources of `pgbackrest` in instance pods.
    pub server_resources: Option<ResourceRequirements>,
    /// Resources of `pgbackrest-config` in the repo host.
    pub config_resources: Option<ResourceRequirements>,
    /// The repo host; it exists where there is a volume repository.
    pub repo_host: RepoHost,
    /// Pods of scheduled backups.
    pub jobs: BackupJobs,
}

impl Backups {
    /// The repositories on volumes.
    pub fn volume_repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.iter().filter(|repository| repository.is_on_volume())
    }

    /// Whether there is a repo host: a repository on a volume.
    pub fn has_repo_host(&self) -> bool {
        self.volume_repositories().next().is_some()
    }

    /// Whether any repository is in object storage.
    pub fn has_cloud_repository(&self) -> bool {
        self.repositories.iter().any(|repository| !repository.is_on_volume())
    }
}

/// One repository of pgBackRest.
#[derive(Clone, Debug)]
pub struct Repository {
    /// 1 to 4: the number in pgBackRest's options.
    pub index: u8,
    /// Where it is.
    pub storage: Storage,
    /// Its CronJobs.
    pub schedules: Vec<Schedule>,
}

impl Repository {
    /// `repo1` to `repo4`.
    pub fn name(&self) -> String {
        format!("repo{}", self.index)
    }

    /// Whether the repo host holds it.
    pub fn is_on_volume(&self) -> bool {
        matches!(self.storage, Storage::Volume(_))
    }
}

/// Where a repository is kept.
#[derive(Clone, Debug)]
pub enum Storage {
    /// On a volume of the repo host; `resources.limits` and `autoGrow` taken out.
    Volume(Box<PersistentVolumeClaimSpec>),
    /// S3.
    S3 {
        /// `bucket`.
        bucket: String,
        /// `endpoint`.
        endpoint: String,
        /// `region`.
        region: String,
    },
    /// Google Cloud Storage.
    Gcs {
        /// `bucket`.
        bucket: String,
    },
    /// Azure Blob Storage.
    Azure {
        /// `container`.
        container: String,
    },
}

/// When to take a kind of backup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// The kind.
    pub backup_type: BackupType,
    /// A cron expression, as written.
    pub schedule: String,
}

/// pgBackRest's `--type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BackupType {
    /// `full`.
    Full,
    /// `diff`.
    Differential,
    /// `incr`.
    Incremental,
}

impl BackupType {
    /// pgBackRest's word, which is also the last part of the CronJob's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Differential => "diff",
            Self::Incremental => "incr",
        }
    }
}

/// `spec.backups.pgbackrest.repoHost`.
#[derive(Clone, Debug, Default)]
pub struct RepoHost {
    /// Of the `pgbackrest` container and the init containers.
    pub resources: Option<ResourceRequirements>,
    /// Where the pod goes.
    pub scheduling: Scheduling,
    /// `log.path`.
    pub log_path: Option<String>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
}

/// `spec.backups.pgbackrest.jobs`.
#[derive(Clone, Debug, Default)]
pub struct BackupJobs {
    /// Of the `pgbackrest` container.
    pub resources: Option<ResourceRequirements>,
    /// Where the pods go.
    pub scheduling: Scheduling,
    /// `ttlSecondsAfterFinished` of each Job.
    pub ttl_seconds_after_finished: Option<i32>,
    /// `log.path`, of backups to object storage.
    pub log_path: Option<String>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
}

/// `spec.proxy.pgBouncer`.
#[derive(Clone, Debug)]
pub struct PgBouncer {
    /// The pgBouncer image.
    pub image: String,
    /// `spec.metadata` overlaid with pgBouncer's.
    pub metadata: Metadata,
    /// How many pods.
    pub replicas: u16,
    /// The port it listens on.
    pub port: u16,
    /// Its Service; the Service's own metadata only.
    pub service: ServiceSettings,
    /// `config.global`.
    pub global: BTreeMap<String, String>,
    /// `config.databases`.
    pub databases: BTreeMap<String, String>,
    /// `config.users`.
    pub users: BTreeMap<String, String>,
    /// `config.files`, mounted at `/etc/pgbouncer`.
    pub files: Vec<VolumeProjection>,
    /// Of the `pgbouncer` container.
    pub resources: Option<ResourceRequirements>,
    /// Of `pgbouncer-config`.
    pub config_resources: Option<ResourceRequirements>,
    /// `containers`: the user's own sidecars, as written.
    pub containers: Vec<Container>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
    /// Where the pods go.
    pub scheduling: Scheduling,
    /// `minAvailable` of the disruption budget; `None` for no budget.
    pub min_available: Option<IntOrString>,
    /// `customTLSSecret`.
    pub custom_tls_secret: Option<SecretProjection>,
}
