//! The resolved model: one [`Cluster`] is one valid `PostgresCluster` with defaults applied, images chosen and every
//! question answered. Builders and configuration writers read this and nothing else, and cannot fail.

mod backups;
mod certificate_subject;
mod certificates;
mod credentials;
mod generations;
mod pgbouncer;
mod replication;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::kubernetes::{
    Affinity, Container, IntOrString, LocalObjectReference, PersistentVolumeClaimSpec, ResourceRequirements,
    SecretProjection, Toleration, TopologySpreadConstraint, VolumeProjection,
};
use crate::options::IssuerReference;
use crate::spec::{AdditionalVolume, SwitchoverType};
use crate::window;

pub use self::backups::{BackupJobs, BackupType, Backups, RepoHost, Repository, Schedule, Storage};
pub use self::certificate_subject::{CertificateSubject, CertificateUsage, common_name};
pub use self::certificates::{
    CertificateAuthority, CertificateKeys, CertificateMaker, CertificateRole, PlannedCertificate,
};
pub use self::credentials::{CredentialHolder, CredentialKeys, PlannedCredential};
pub use self::generations::{Generations, PasswordGeneration, generation};
pub use self::pgbouncer::PgBouncer;
pub use self::secrets::PlannedSecret;

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
    /// What the metadata of the `PostgresCluster` itself says to the tools that apply manifests: on every object, on no pod.
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
    /// `spec.openshift`, else what the caller says: no `fsGroup`, and the right to write restricted Endpoints.
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
    /// Key of a ConfigMap with SQL that runs once (`spec.databaseInitSQL`).
    pub database_init_sql: Option<ConfigMapKey>,
    /// Whether PostGIS is wanted in every database (`spec.postGISVersion`).
    pub postgis: bool,
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
    /// Whether standby clusters of the trust domain may stream (annotation `accept-standby`).
    pub accepts_standby: bool,
    /// How often the CA, certificates and passwords were replaced on purpose.
    pub generations: Generations,
    /// The roles whose Secret the user brings.
    pub referenced_credentials: BTreeSet<String>,
    /// Where cert-manager makes the certificates.
    pub cert_manager: Option<CertManager>,
    /// Whether NetworkPolicies are wanted.
    pub network_policies: bool,
    /// Whether the caretaker may write EndpointSlices.
    pub endpoint_slices: bool,
}

impl Cluster {
    /// Whether the issuer of its certificates may sign for others too, whom only names tell apart then.
    pub fn shares_issuer(&self) -> bool {
        self.cert_manager.as_ref().is_some_and(|settings| settings.issuer.is_some())
    }
}

/// How cert-manager makes certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertManager {
    /// Who signs them; a CA of the cluster's own, kept by cert-manager, unless there is one.
    pub issuer: Option<IssuerReference>,
    /// How long they live, and after how many days they are renewed: the length of a window.
    pub schedule: window::Schedule,
}

/// A key of a ConfigMap that the user brings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigMapKey {
    /// The ConfigMap.
    pub name: String,
    /// The key.
    pub key: String,
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
    /// Whether the old leader takes part.
    pub kind: SwitchoverType,
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
    /// How the Service is reached.
    pub kind: ServiceKind,
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

/// The type of a Service (Kubernetes, "Service type").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServiceKind {
    /// From inside the Kubernetes cluster.
    ClusterIp,
    /// Also from outside, at a port of each node.
    NodePort,
    /// Also from outside, at a load balancer.
    LoadBalancer,
}

impl ServiceKind {
    /// All types.
    pub const ALL: [Self; 3] = [Self::ClusterIp, Self::NodePort, Self::LoadBalancer];

    /// The word for it in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            metadata: Metadata::default(),
            kind: ServiceKind::ClusterIp,
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
