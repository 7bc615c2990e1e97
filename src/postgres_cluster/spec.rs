//! The `PostgresCluster` as users write it: the API of CrunchyData's PGO, with every field of its spec.
//!
//! v1 and v1beta1 have the same fields, but v1 has more rules. The types define the fields; the rules are part of the
//! validation that runs before. A value that reaches the types has passed the schema of the CRD, has no nulls and has its
//! defaults. The types also accept a spec without defaults, and they refuse unknown fields, so that nothing that a user wrote
//! is dropped silently.
//!
//! A list or map is an `Option` only if absent and empty have different meanings. Types of Kubernetes are those of
//! `k8s-openapi`. Each file is a section of the spec, and its fields are in the order of the CRD, which is alphabetical.

mod authentication;
mod backups;
mod data_source;
mod instances;
mod instrumentation;
mod monitoring;
mod patroni;
mod pattern;
mod postgres;
mod proxy;
mod repositories;
mod schema;
mod service;
mod shared;
mod user_interface;
mod users;
mod volumes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kubernetes::{LocalObjectReference, ObjectMeta, SecretProjection};

pub use authentication::{AuthenticationSpec, HbaRule};
pub use backups::{
    BackupJobsSpec, BackupsSpec, LogSpec, ManualBackupSpec, PgBackRestSidecarsSpec, PgBackRestSpec, RepoHostSpec,
    RestoreSpec, SnapshotsSpec,
};
pub use data_source::{
    DataSourceSpec, DataSourceVolumeSpec, DataSourceVolumesSpec, PgBackRestDataSourceSpec,
    PostgresClusterDataSourceSpec,
};
pub use instances::{InstanceSetSpec, InstanceSidecarsSpec, InstanceVolumesSpec, TablespaceVolumeSpec};
pub use instrumentation::{
    CustomQueriesSpec, DetectorSpec, InstrumentationConfigSpec, InstrumentationLogsSpec, InstrumentationMetricsSpec,
    InstrumentationSpec, LogBatchesSpec, QueriesSpec,
};
pub use monitoring::{ExporterSpec, MonitoringSpec, PgMonitorSpec};
pub use patroni::{PatroniLoggingSpec, PatroniSpec, SwitchoverSpec, SwitchoverType};
pub use postgres::{DatabaseInitSqlSpec, PostgresConfigSpec, StandbySpec};
pub use proxy::{PgBouncerConfigSpec, PgBouncerSidecarsSpec, PgBouncerSpec, ProxySpec};
pub use repositories::{AzureSpec, GcsSpec, RepositorySpec, RepositoryVolumeSpec, S3Spec, SchedulesSpec};
pub use schema::json_schema;
pub use service::ServiceSpec;
pub use shared::{ConfigMapKeySpec, MetadataSpec, SecretKeySpec, SidecarSpec};
pub use user_interface::{PgAdminConfigSpec, PgAdminSpec, UserInterfaceSpec};
pub use users::{PasswordSpec, PasswordType, UserSpec};
pub use volumes::{AdditionalVolume, AutoGrowSpec, ImageVolumeSpec, VolumeClaimSpec, VolumesSpec};

/// One Postgres cluster. Its `status` is written by the operator and is not read.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-group-version-kind" = [
    { "group": "postgres-operator.crunchydata.com", "version": "v1", "kind": "PostgresCluster" },
    { "group": "postgres-operator.crunchydata.com", "version": "v1beta1", "kind": "PostgresCluster" },
]))]
pub struct PostgresCluster {
    /// The version of the API.
    #[schemars(extend("enum" = ["postgres-operator.crunchydata.com/v1", "postgres-operator.crunchydata.com/v1beta1"]))]
    pub api_version: String,
    /// `PostgresCluster`.
    #[schemars(extend("enum" = ["PostgresCluster"]))]
    pub kind: String,
    /// Name, namespace, labels and annotations.
    pub metadata: ObjectMeta,
    /// The desired state of the cluster.
    pub spec: PostgresClusterSpec,
}

/// The desired state of a cluster.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresClusterSpec {
    /// Authentication of clients.
    pub authentication: Option<AuthenticationSpec>,
    /// Backups.
    pub backups: Option<BackupsSpec>,
    /// Configuration of Postgres.
    pub config: Option<PostgresConfigSpec>,
    /// A certificate of your own for replication.
    #[serde(rename = "customReplicationTLSSecret")]
    pub custom_replication_tls_secret: Option<SecretProjection>,
    /// A certificate of your own for Postgres.
    #[serde(rename = "customTLSSecret")]
    pub custom_tls_secret: Option<SecretProjection>,
    /// The data that a new cluster starts with.
    pub data_source: Option<DataSourceSpec>,
    /// SQL that runs once, in a new cluster.
    #[serde(rename = "databaseInitSQL")]
    pub database_init_sql: Option<DatabaseInitSqlSpec>,
    /// Whether to leave out the default topology spread constraints of every pod.
    pub disable_default_pod_scheduling: Option<bool>,
    /// The Postgres image.
    pub image: Option<String>,
    /// When to pull images.
    #[schemars(extend("enum" = ["Always", "Never", "IfNotPresent"]))]
    pub image_pull_policy: Option<String>,
    /// Secrets to pull images with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// The sets of instances. The CRD of v1 allows 16.
    #[schemars(
        length(min = 1),
        extend("x-kubernetes-patch-merge-key" = "name", "x-kubernetes-patch-strategy" = "merge")
    )]
    pub instances: Vec<InstanceSetSpec>,
    /// Logs and metrics with OpenTelemetry.
    pub instrumentation: Option<InstrumentationSpec>,
    /// Labels and annotations for every object.
    pub metadata: Option<MetadataSpec>,
    /// Metrics for Prometheus.
    pub monitoring: Option<MonitoringSpec>,
    /// Whether the Kubernetes cluster is OpenShift, which chooses the groups of pods itself.
    pub openshift: Option<bool>,
    /// High availability.
    pub patroni: Option<PatroniSpec>,
    /// Whether to leave all objects unchanged.
    pub paused: Option<bool>,
    /// The port that Postgres listens on.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1024))]
    pub port: i32,
    /// The version of PostGIS in the image, if it has PostGIS.
    #[serde(rename = "postGISVersion")]
    pub post_gis_version: Option<String>,
    /// The major version of Postgres.
    #[schemars(range(min = 11, max = 18))]
    pub postgres_version: i32,
    /// The connection pooler.
    pub proxy: Option<ProxySpec>,
    /// Settings of the Service of the replicas.
    pub replica_service: Option<ServiceSpec>,
    /// Settings of the Service of the leader.
    pub service: Option<ServiceSpec>,
    /// Whether to stop all pods.
    pub shutdown: Option<bool>,
    /// Settings of a standby cluster, which replicates from another cluster.
    pub standby: Option<StandbySpec>,
    /// Supplemental groups of every process that uses a volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(range(min = 1, max = 2_147_483_647_i64)))]
    pub supplemental_groups: Vec<i64>,
    /// pgAdmin.
    pub user_interface: Option<UserInterfaceSpec>,
    /// The roles that get a Secret. Absent: one role with the name of the cluster. Empty: no role.
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-patch-merge-key" = "name", "x-kubernetes-patch-strategy" = "merge")
    )]
    pub users: Option<Vec<UserSpec>>,
}

impl PostgresClusterSpec {
    /// `monitoring.pgmonitor.exporter`. The collector fetches the metrics of the exporter, so `instrumentation` brings one.
    pub fn exporter(&self) -> Option<ExporterSpec> {
        let exporter = self.monitoring.as_ref().and_then(|monitoring| monitoring.pgmonitor.as_ref()?.exporter.clone());
        exporter.or_else(|| self.instrumentation.as_ref().map(|_| ExporterSpec::default()))
    }
}

fn default_port() -> i32 {
    5432
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The smallest valid cluster, with one additional field in its spec.
    fn cluster(field: &str, value: Value) -> serde_json::Result<PostgresCluster> {
        let mut cluster = json!({
            "apiVersion": "postgres-operator.crunchydata.com/v1",
            "kind": "PostgresCluster",
            "metadata": { "name": "hippo" },
            "spec": { "instances": [{ "dataVolumeClaimSpec": {} }], "postgresVersion": 17 },
            "status": { "observedGeneration": 1 },
        });
        cluster["spec"][field] = value;
        serde_json::from_value(cluster)
    }

    #[test]
    fn defaults_are_those_of_the_crd() {
        let spec = cluster("standby", json!({})).unwrap().spec;
        assert_eq!(spec.port, 5432);
        assert_eq!((spec.instances[0].name.as_str(), spec.instances[0].replicas), ("", 1));
        assert_eq!(spec.standby, Some(StandbySpec::default()));
        assert!(StandbySpec::default().enabled);
    }

    #[test]
    fn no_users_is_not_the_default_user() {
        assert_eq!(cluster("users", json!([])).unwrap().spec.users, Some(Vec::new()));
        assert_eq!(cluster("users", Value::Null).unwrap().spec.users, None);
    }

    #[test]
    fn an_unknown_field_is_refused_rather_than_dropped() {
        let error = cluster("instance", json!([])).unwrap_err().to_string();
        assert!(error.contains("unknown field `instance`"), "{error}");
        let error = cluster("patroni", json!({ "ports": 8009 })).unwrap_err().to_string();
        assert!(error.contains("unknown field `ports`"), "{error}");
    }
}
