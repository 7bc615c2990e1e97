//! The resolved model: a [`Cluster`] is a valid `PostgresCluster` with its defaults applied and its images chosen. Builders and
//! configuration writers read nothing else, and cannot fail.

pub mod names;
pub mod shared;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::identity::window;
use crate::kubernetes::{
    Container, IntOrString, LocalObjectReference, PersistentVolumeClaimSpec, ResourceRequirements, SecretProjection,
    VolumeProjection,
};
use crate::options::IssuerReference;
use crate::postgres_cluster::collector::model::Collector;
use crate::postgres_cluster::exporter::model::Exporter;
use crate::postgres_cluster::pgbackrest::model::Backups;
use crate::postgres_cluster::pgbouncer::model::PgBouncer;
use crate::postgres_cluster::restore::model::{DataSource, RestoreInPlace};
use crate::postgres_cluster::restore_drill::model::RestoreDrill;
use crate::postgres_cluster::secrets::generations::Generations;
use crate::postgres_cluster::spec::{AdditionalVolume, SwitchoverType};

pub use self::shared::{ConfigMapKey, Metadata, Scheduling, ServiceKind, ServiceSettings};

/// One Postgres cluster, ready to be built.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `metadata.name` of the `PostgresCluster`.
    pub name: String,
    /// The namespace of every object.
    pub namespace: String,
    /// The DNS domain of the Kubernetes cluster, without a final dot, for example `cluster.local`.
    pub domain: String,
    /// Labels and annotations of the `PostgresCluster` itself that are for tools that apply manifests. Every object gets them,
    /// but no pod.
    pub delivery: Metadata,
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
    /// `spec.openshift`, or the option of the caller if the field is absent. On OpenShift, pods have no `fsGroup`, and the Role
    /// of instance pods allows writing restricted Endpoints.
    pub openshift: bool,
    /// `spec.paused`: whether the caretaker stops making changes.
    pub paused: bool,
    /// `spec.shutdown`: whether all workloads have 0 replicas.
    pub shutdown: bool,
    /// `spec.supplementalGroups`, without 0.
    pub supplemental_groups: Vec<i64>,
    /// Whether PGO's two topology spread constraints are added to every pod: the opposite of
    /// `spec.disableDefaultPodScheduling`.
    pub default_pod_scheduling: bool,
    /// Postgres parameters and rules.
    pub postgres: Postgres,
    /// The settings of Patroni.
    pub patroni: Patroni,
    /// `spec.standby`, if it is enabled.
    pub standby: Option<Standby>,
    /// Instance sets, in the order of the spec; names are unique.
    pub instance_sets: Vec<InstanceSet>,
    /// `spec.service`: the settings of the Service `<cluster>-ha`.
    pub service: ServiceSettings,
    /// `spec.replicaService`: the settings of the Service `<cluster>-replicas`.
    pub replica_service: ServiceSettings,
    /// `spec.users`. If the field is absent, there is one user with the name of the cluster, as in PGO.
    pub users: Vec<User>,
    /// The key of a ConfigMap with the SQL that runs once (`spec.databaseInitSQL`).
    pub database_init_sql: Option<ConfigMapKey>,
    /// Whether every database gets the PostGIS extensions (`spec.postGISVersion` is set).
    pub postgis: bool,
    /// Whether each user gets a schema in each of its databases (annotation `autoCreateUserSchema`).
    pub schema_per_user: bool,
    /// The settings of pgBackRest; `None` if `spec.backups` is absent or empty.
    pub backups: Option<Backups>,
    /// The backup that the cluster starts with, if it does not exist yet (`spec.dataSource`).
    pub data_source: Option<DataSource>,
    /// The restore that replaces the data of the cluster (`spec.backups.pgbackrest.restore`).
    pub restore_in_place: Option<RestoreInPlace>,
    /// When and how backups are restored to check them (annotation `restore-drill`).
    pub restore_drill: Option<RestoreDrill>,
    /// The settings of pgBouncer, if `spec.proxy.pgBouncer` is present.
    pub pgbouncer: Option<PgBouncer>,
    /// The settings of the exporter, if `spec.monitoring.pgmonitor.exporter` or `spec.instrumentation` is present.
    pub exporter: Option<Exporter>,
    /// The settings of the OpenTelemetry collector, if `spec.instrumentation` is present.
    pub collector: Option<Collector>,
    /// `spec.customTLSSecret`.
    pub custom_tls_secret: Option<SecretProjection>,
    /// Name of `spec.customReplicationTLSSecret`.
    pub custom_replication_tls_secret: Option<String>,
    /// Whether standby clusters of the trust domain may stream from this cluster (annotation `accept-standby`).
    pub accepts_standby: bool,
    /// The timeline of this cluster whose transactions its source lacks, and that may be discarded (annotation
    /// `discard-timeline`).
    pub discard_timeline: Option<u32>,
    /// How often the user has rotated the CA, the certificates and the passwords.
    pub generations: Generations,
    /// The roles whose Secret the user provides.
    pub referenced_credentials: BTreeSet<String>,
    /// The settings of cert-manager, if it makes the certificates.
    pub cert_manager: Option<CertManager>,
    /// Whether NetworkPolicies are rendered.
    pub network_policies: bool,
    /// Whether the Role allows the caretaker to write EndpointSlices.
    pub endpoint_slices: bool,
}

impl Cluster {
    /// Whether the issuer of the cluster's certificates may also sign certificates of other clusters. If so, only the names in
    /// the certificates tell clusters apart.
    pub fn shares_issuer(&self) -> bool {
        self.cert_manager.as_ref().is_some_and(|settings| settings.issuer.is_some())
    }

    /// Whether the collector runs queries itself, besides fetching the metrics of the exporter.
    pub fn collector_runs_queries(&self) -> bool {
        self.collector.as_ref().is_some_and(|collector| !collector.queries.is_empty())
    }
}

/// How cert-manager makes the certificates of a cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertManager {
    /// The issuer that signs the certificates. If it is absent, cert-manager makes a CA for the cluster.
    pub issuer: Option<IssuerReference>,
    /// The lifetime of the certificates, and the number of days after which cert-manager renews them: the length of a window.
    pub schedule: window::Schedule,
}

/// The user's settings of Postgres.
#[derive(Clone, Debug, Default)]
pub struct Postgres {
    /// `spec.config.parameters`, with names in lower case and values as strings.
    pub parameters: BTreeMap<String, String>,
    /// `spec.config.files`, which are mounted at `/etc/postgres`.
    pub files: Vec<VolumeProjection>,
    /// `spec.authentication.rules`, each as a line of `pg_hba.conf`, in the format of PGO's `internal/postgres/hba.go`.
    pub hba_rules: Vec<String>,
    /// Whether the limit of huge pages of any instance set is above 0.
    pub huge_pages: bool,
}

/// `spec.patroni`, with its defaults.
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
    /// What is logged to files; `None` if Patroni logs to the output of its container.
    pub log: Option<PatroniLog>,
    /// `switchover`, if it is enabled and the annotation `trigger-switchover` is present.
    pub switchover: Option<Switchover>,
}

/// The log files of Patroni.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PatroniLog {
    /// The lowest level of messages that are logged.
    pub level: String,
    /// The size in bytes at which a file is set aside. There are at most two files.
    pub file_size: u64,
}

/// A request to change the leader. The caretaker carries it out once for each value of `trigger`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Switchover {
    /// The value of the annotation `trigger-switchover`.
    pub trigger: String,
    /// The instance that is to become the leader, if the spec names one.
    pub target: Option<String>,
    /// Whether the old leader takes part.
    pub kind: SwitchoverType,
}

/// `spec.standby`, if it is enabled: this cluster follows another one. At least one of `host` and `repository` is present.
#[derive(Clone, Debug)]
pub struct Standby {
    /// The host to stream from.
    pub host: Option<String>,
    /// The port of that host.
    pub port: Option<u16>,
    /// The number of the repository to read from, 1 to 4.
    pub repository: Option<u8>,
}

/// A set of instances that differ only in their ordinal.
#[derive(Clone, Debug)]
pub struct InstanceSet {
    /// The name. If the spec has none, it is the position in the list with two digits (`00`, `01`, …), as in PGO.
    pub name: String,
    /// The number of instances.
    pub replicas: u16,
    /// `spec.metadata`, overlaid with the metadata of the set.
    pub metadata: Metadata,
    /// The claim of the data volume, without `resources.limits` and `autoGrow`, which PGO removes too.
    pub data_volume_claim_spec: PersistentVolumeClaimSpec,
    /// The claim of the WAL volume.
    pub wal_volume_claim_spec: Option<PersistentVolumeClaimSpec>,
    /// The claim of `volumes.temp`, which is mounted at `/pgtmp`.
    pub temp_volume_claim_spec: Option<PersistentVolumeClaimSpec>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
    /// The resources of `database` and of the init containers.
    pub resources: Option<ResourceRequirements>,
    /// The resources of the caretaker: `sidecars.replicaCertCopy.resources`.
    pub caretaker_resources: Option<ResourceRequirements>,
    /// `containers`: the user's own sidecars, as they are in the spec.
    pub containers: Vec<Container>,
    /// The scheduling of its pods.
    pub scheduling: Scheduling,
    /// `minAvailable` of its PodDisruptionBudget; `None` if it has no budget.
    pub min_available: Option<IntOrString>,
}

/// A role of Postgres in `spec.users`. It has a Secret of its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// The name of the role.
    pub name: String,
    /// Its databases. The first one is `dbname` in the Secret.
    pub databases: Vec<String>,
    /// Options of `ALTER ROLE`, as they are in the spec.
    pub options: String,
    /// The characters of a generated password.
    pub password: PasswordType,
}

impl User {
    /// The databases on which the role gets privileges. The superuser `postgres` gets `postgres` only, as in PGO
    /// (`internal/postgres/users.go`), although its Secret names the databases of the spec.
    pub fn granted_databases(&self) -> Vec<&str> {
        if self.is_superuser() { vec!["postgres"] } else { self.databases.iter().map(String::as_str).collect() }
    }

    /// The options of `ALTER ROLE`. For the superuser `postgres`, they are fixed.
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
    /// Printable ASCII without space, quotes, backslash, backtick, `~` and `!#$%&`, so that the password needs no quoting
    /// (PGO's `internal/util/secrets.go`).
    #[default]
    Ascii,
    /// Letters and digits.
    AlphaNumeric,
}
