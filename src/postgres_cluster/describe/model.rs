//! What a description contains. It has no value of a Secret.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// What exists after the manifests of one cluster are applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterDescription {
    /// The name of the cluster.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The file that it was read from.
    pub file: String,
    /// The major version of Postgres.
    pub postgres_version: u64,
    /// What is unusual: the cluster is paused, shut down, or a standby.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<String>,
    /// The number of objects of each kind.
    pub objects: BTreeMap<String, usize>,
    /// The Services.
    pub services: Vec<ServiceDescription>,
    /// The roles that can log in, except those of the cluster itself.
    pub users: Vec<UserDescription>,
    /// The pods that run all the time: instance sets, the repo host, the pooler.
    pub workloads: Vec<Workload>,
    /// The repositories of pgBackRest.
    pub repositories: Vec<Repository>,
    /// When the newest backup is restored to check it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_drill: Option<Schedule>,
    /// The settings of pgBouncer, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooler: Option<Pooler>,
    /// How the cluster is monitored, one sentence each.
    pub monitoring: Vec<String>,
    /// The certificates.
    pub certificates: Vec<Certificate>,
    /// Secrets, ConfigMaps and claims that pods refer to and that are not rendered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub you_provide: Vec<Provided>,
    /// The images, and the containers that run them.
    pub images: Vec<Image>,
    /// What processes may do in the Kubernetes API.
    pub access: Vec<Access>,
    /// What all pods that run all the time request together.
    pub totals: Totals,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDescription {
    /// Its name.
    pub name: String,
    /// The name by which it is reached in the Kubernetes cluster.
    pub host: String,
    /// `ClusterIP`, `NodePort` or `LoadBalancer`; `headless` for one without an address of its own.
    #[serde(rename = "type")]
    pub service_type: String,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Where it leads to.
    pub leads_to: String,
    /// Who should use it.
    pub used_by: String,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its number.
    pub port: i32,
    /// The port on every node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_port: Option<i32>,
}

/// A role of Postgres.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserDescription {
    /// Its name.
    pub name: String,
    /// The databases that it can use.
    pub databases: Vec<String>,
    /// Options of `ALTER ROLE`.
    pub options: String,
    /// The Secret with its password.
    pub secret: String,
    /// The keys of the Secret; empty if it is not rendered.
    pub keys: Vec<String>,
    /// Whether the Secret is not rendered, because the user provides it.
    pub you_provide: bool,
}

/// Pods that run all the time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// What it is: an instance set, the repo host, or the pooler.
    pub role: Role,
    /// `StatefulSet` or `Deployment`.
    pub kind: String,
    /// The name of the object.
    pub name: String,
    /// The number of pods.
    pub replicas: i32,
    /// The names of the pods, if they are known before they run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
    /// Its containers.
    pub containers: Vec<ContainerDescription>,
    /// Its volumes that store data.
    pub volumes: Vec<VolumeDescription>,
    /// Where its pods run, one sentence each.
    pub placement: Vec<String>,
    /// How many pods must stay available when a node is drained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_available: Option<String>,
}

/// What a workload is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Instances of Postgres.
    Instances,
    /// The host of repositories on volumes.
    RepoHost,
    /// pgBouncer.
    Pooler,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDescription {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// What it requests, by resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// Its limits, by resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

/// A volume that stores data.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeDescription {
    /// The PersistentVolumeClaim. A scratch volume has none: Kubernetes creates a claim for each pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// What it stores.
    pub purpose: String,
    /// The size that is requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The storage class; absent for the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The access modes.
    pub access_modes: Vec<String>,
}

/// A repository of pgBackRest.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// `repo1` to `repo4`.
    pub name: String,
    /// Where it is.
    pub place: String,
    /// Which backups are kept.
    pub retention: Vec<String>,
    /// When backups are taken.
    pub schedules: Vec<Schedule>,
}

/// A CronJob.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// The CronJob.
    pub cron_job: String,
    /// What it does: `full backup`, `restore drill` …
    pub what: String,
    /// The cron expression.
    pub schedule: String,
    /// The same in words.
    pub words: String,
    /// The next run, in RFC 3339, if the Kubernetes cluster has the time zone UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether it does not run, because the cluster is shut down or a standby.
    pub suspended: bool,
}

/// The settings of pgBouncer.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pooler {
    /// The Service.
    pub service: String,
    /// The number of pods.
    pub replicas: i32,
    /// `pool_mode`; pgBouncer's default is `session`.
    pub pool_mode: String,
    /// Its databases, and where each of them leads to.
    pub databases: BTreeMap<String, String>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// The Secret.
    pub secret: String,
    /// The key in the Secret.
    pub key: String,
    /// The common name.
    pub common_name: String,
    /// The names of the servers that it is for.
    pub names: Vec<String>,
    /// The begin of its validity, in RFC 3339; absent if cert-manager makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// The end of its validity, in RFC 3339; absent if cert-manager makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// The lifetime of what cert-manager makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// The reference.
    pub image: String,
    /// Its containers, as `<container> of <Kind> <name>`.
    pub used_by: Vec<String>,
}

/// An object that pods refer to and that is not rendered.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provided {
    /// `Secret`, `ConfigMap` or `PersistentVolumeClaim`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether pods start without it.
    pub optional: bool,
}

/// The rights of a ServiceAccount.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// The ServiceAccount.
    pub service_account: String,
    /// The objects whose pods have it.
    pub used_by: Vec<String>,
    /// The containers that get its token.
    pub token_in: Vec<String>,
    /// What it may do.
    pub rights: Vec<Right>,
}

/// One right.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Right {
    /// What is allowed.
    pub may: String,
    /// What it is needed for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What all pods that run all the time request together. Pods of Jobs are not counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// The number of pods.
    pub pods: i64,
    /// The number of their containers.
    pub containers: i64,
    /// What they request.
    pub requests: Resources,
    /// Their limits.
    pub limits: Resources,
    /// The storage that claims request; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
}

/// CPU and memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Cores.
    pub cpu: Amount,
    /// Bytes.
    pub memory: Amount,
}

/// The sum of a resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// The sum; absent if no container sets the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
    /// How many containers do not set it.
    pub containers_without: i64,
}
