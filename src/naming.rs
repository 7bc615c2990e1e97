//! Names, labels and annotations. No other module contains them. They are PGO's (`internal/naming`), so that applications and
//! runbooks for PGO work unchanged, and a few under `pgrender.dev/`.

pub mod delivery;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The prefix of PGO's labels and annotations.
pub const PREFIX: &str = "postgres-operator.crunchydata.com/";

/// Labels that PGO sets itself, by key.
pub type Labels = BTreeMap<String, String>;

/// Labels from pairs of key and value.
pub fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The labels of pgBackRest's objects.
pub fn pgbackrest_labels() -> Labels {
    labels([(label::PGBACKREST, "")])
}

/// The labels of pgBouncer's objects, which select its pods too.
pub fn pgbouncer_labels() -> Labels {
    labels([(label::ROLE, "pgbouncer")])
}

/// The labels of the objects of an instance set, which select its pods too.
pub fn instance_set_labels(set: &str) -> Labels {
    labels([(label::INSTANCE_SET, set)])
}

/// Keys of labels.
pub mod label {
    macro_rules! label {
        ($($(#[$doc:meta])* $name:ident = $key:literal;)*) => { $($(#[$doc])* pub const $name: &str = concat!("postgres-operator.crunchydata.com/", $key);)* };
    }
    label! {
        /// The cluster that an object belongs to. Every object and every pod has this label.
        CLUSTER = "cluster";
        /// `postgres-tls` or `replication-client-tls`, on the two certificate Secrets that the whole cluster shares.
        CLUSTER_CERTIFICATE = "cluster-certificate";
        /// What a pod or a claim stores: `postgres` or `pgbackrest`.
        DATA = "data";
        /// `true`, on pods with an OpenTelemetry collector.
        COLLECTOR = "crunchy-otel-collector";
        /// `true`, on the pods of instances with an exporter.
        EXPORTER = "crunchy-postgres-exporter";
        /// The instance. It is on the claims of an instance, and on its pod, where the caretaker adds it.
        INSTANCE = "instance";
        /// The instance set.
        INSTANCE_SET = "instance-set";
        /// Patroni's scope, `<cluster>-ha`.
        PATRONI = "patroni";
        /// Empty, on all objects of pgBackRest.
        PGBACKREST = "pgbackrest";
        /// `scheduled`, on the CronJobs of backups.
        PGBACKREST_BACKUP = "pgbackrest-backup";
        /// Empty, on the ConfigMap and the Secret of pgBackRest.
        PGBACKREST_CONFIG = "pgbackrest-config";
        /// `full`, `diff` or `incr`, on the CronJobs of backups.
        PGBACKREST_CRONJOB = "pgbackrest-cronjob";
        /// Empty, on the repo host.
        PGBACKREST_DEDICATED = "pgbackrest-dedicated";
        /// The repository: `repo1` to `repo4`.
        PGBACKREST_REPO = "pgbackrest-repo";
        /// Empty, on the claims of repositories.
        PGBACKREST_VOLUME = "pgbackrest-volume";
        /// The user, on the Secret of a user.
        POSTGRES_USER = "pguser";
        /// What a pod, Service, Secret or claim is for. On instance pods, Patroni writes `master` or `replica`.
        ROLE = "role";
    }
    /// The cluster that pgrender has rendered an object for. A later run recognizes its own objects by this label, to replace
    /// and to prune them. It is on objects only, never in selectors or pod templates.
    pub const RENDERED: &str = "pgrender.dev/cluster";
    /// Empty, on the objects and pods of the restore drill.
    pub const RESTORE_DRILL: &str = "pgrender.dev/restore-drill";
}

/// Keys of annotations.
pub mod annotation {
    /// The prefix of pgrender's own annotations.
    pub const OWN: &str = "pgrender.dev/";
    /// Whether each user gets a schema in each of its databases (PGO's `autoCreateUserSchema`).
    pub const AUTO_CREATE_USER_SCHEMA: &str = "postgres-operator.crunchydata.com/autoCreateUserSchema";
    /// `IPv6` makes pgBackRest's server listen on `::`.
    pub const PGBACKREST_IP_VERSION: &str = "postgres-operator.crunchydata.com/pgbackrest-ip-version";
    /// Requests a backup (PGO's manual backup).
    pub const PGBACKREST_BACKUP: &str = "postgres-operator.crunchydata.com/pgbackrest-backup";
    /// Requests a restore in place.
    pub const PGBACKREST_RESTORE: &str = "postgres-operator.crunchydata.com/pgbackrest-restore";
    /// The claim that stores the logs of backups to object storage.
    pub const PGBACKREST_CLOUD_LOG_VOLUME: &str = "postgres-operator.crunchydata.com/pgbackrest-cloud-log-volume";
    /// `None` turns off the built-in collectors of the exporter.
    pub const EXPORTER_COLLECTORS: &str = "postgres-operator.crunchydata.com/postgres-exporter-collectors";
    /// `true` allows PGO to remove backups that are no longer in the spec.
    pub const AUTHORIZE_BACKUP_REMOVAL: &str = "postgres-operator.crunchydata.com/authorizeBackupRemoval";
    /// The `PGUpgrade` that may upgrade the cluster.
    pub const ALLOW_UPGRADE: &str = "postgres-operator.crunchydata.com/allow-upgrade";
    /// Requests a switchover. Each new value requests one.
    pub const TRIGGER_SWITCHOVER: &str = "postgres-operator.crunchydata.com/trigger-switchover";
    /// The container that `kubectl logs` and `kubectl exec` use by default.
    pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
    /// `true` on a Secret of the input means that it contains the seed.
    pub const SEED: &str = "pgrender.dev/seed";
    /// The prefix of the annotation with the generation of one user's password: `pgrender.dev/rotate-password.<user>`.
    pub const ROTATE_PASSWORD: &str = "pgrender.dev/rotate-password.";
    /// The prefix of the annotation that says where one user's password comes from, `seed` or `reference`:
    /// `pgrender.dev/credentials.<user>`.
    pub const CREDENTIALS: &str = "pgrender.dev/credentials.";
    /// The generation of all passwords.
    pub const ROTATE_PASSWORDS: &str = "pgrender.dev/rotate-passwords";
    /// The generation of all certificates and their keys.
    pub const ROTATE_CERTIFICATES: &str = "pgrender.dev/rotate-certificates";
    /// The generation of the CA.
    pub const ROTATE_CA: &str = "pgrender.dev/rotate-ca";
    /// `true` allows standby clusters of the same trust domain to stream from this cluster.
    pub const ACCEPT_STANDBY: &str = "pgrender.dev/accept-standby";
    /// The timeline of a former primary whose transactions its source lacks, and that may be discarded.
    pub const DISCARD_TIMELINE: &str = "pgrender.dev/discard-timeline";
    /// When to restore the newest backup into a scratch volume and check it: a cron schedule.
    pub const RESTORE_DRILL: &str = "pgrender.dev/restore-drill";
    /// The repository whose newest backup the restore drill uses.
    pub const RESTORE_DRILL_REPOSITORY: &str = "pgrender.dev/restore-drill-repository";
    /// The SQL that the restore drill runs, as `<configmap>/<key>`.
    pub const RESTORE_DRILL_SQL: &str = "pgrender.dev/restore-drill-sql";
    /// The prefix of the annotations of all generations.
    pub const ROTATE: &str = "pgrender.dev/rotate-";
    /// The prefix of the annotations on rendered Secrets that say which generation they contain, if it is not the first.
    pub const GENERATION: &str = "pgrender.dev/generation.";
    /// The generation of the password in the Secret, from [`ROTATE_PASSWORD`].
    pub const GENERATION_PASSWORD: &str = "pgrender.dev/generation.password";
    /// The generation of the password in the Secret, from [`ROTATE_PASSWORDS`].
    pub const GENERATION_PASSWORDS: &str = "pgrender.dev/generation.passwords";
    /// The generation of the certificates in the Secret.
    pub const GENERATION_CERTIFICATES: &str = "pgrender.dev/generation.certificates";
    /// The generation of the CA in the Secret.
    pub const GENERATION_CA: &str = "pgrender.dev/generation.ca";
}

/// Name of the container that runs Patroni and Postgres.
pub const CONTAINER_DATABASE: &str = "database";
/// Name of the container that runs pgBackRest's TLS server.
pub const CONTAINER_PGBACKREST: &str = "pgbackrest";
/// Name of the sidecar of instance pods that does what PGO's operator did at run time.
pub const CONTAINER_CARETAKER: &str = "caretaker";
/// Name of the sidecar of instance pods that serves metrics.
pub const CONTAINER_EXPORTER: &str = "exporter";
/// Name of the sidecar that sends logs and metrics.
pub const CONTAINER_COLLECTOR: &str = "collector";
/// Name of the sidecar of the repo host.
pub const CONTAINER_PGBACKREST_CONFIG: &str = "pgbackrest-config";
/// Name of the container that checks a restored backup.
pub const CONTAINER_DRILL: &str = "drill";
/// Name of the container that runs pgBouncer.
pub const CONTAINER_PGBOUNCER: &str = "pgbouncer";
/// Name of the sidecar of pgBouncer.
pub const CONTAINER_PGBOUNCER_CONFIG: &str = "pgbouncer-config";

/// Name of the port of Postgres, on Services and in the Endpoints that Patroni and the caretaker write.
pub const PORT_POSTGRES: &str = "postgres";
/// Name of the port of pgBouncer, on the Service.
pub const PORT_PGBOUNCER: &str = "pgbouncer";

/// Name of the container port of the exporter, by which PodMonitors for PGO find it.
pub const PORT_EXPORTER: &str = "exporter";
/// The port of the exporter.
pub const EXPORTER_PORT: u16 = 9187;
/// Name of the container port at which the collector serves what its own queries measure, as in PGO.
pub const PORT_COLLECTOR: &str = "otel-metrics";
/// The port of the collector. With PGO it is that of the exporter, which is not there then.
pub const COLLECTOR_PORT: u16 = 9188;
/// The port of pgBackRest's TLS server (the default of pgBackRest's `tls-server-port`).
pub const PGBACKREST_PORT: u16 = 8432;

/// The prefix of the name of a container port that is the target of a Service.
const CONTAINER_PORT_PREFIX: &str = "pg-";
/// The number of characters of the hash that follows. Kubernetes allows fifteen characters for the whole name (RFC 6335 5.1).
const CONTAINER_PORT_HASH: usize = 12;
/// The digits of that hash, with five bits each (RFC 4648 6, in lower case).
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Whether a container port with this name could be the target of a Service of some cluster.
pub fn is_container_port(name: &str) -> bool {
    name.strip_prefix(CONTAINER_PORT_PREFIX)
        .is_some_and(|hash| hash.len() == CONTAINER_PORT_HASH && hash.bytes().all(|digit| BASE32.contains(&digit)))
}

/// The role that replicas and pg_rewind connect as, and the name in PGO's client certificate for it
/// (`internal/postgres/config.go`).
pub const REPLICATION_USER: &str = "_crunchyrepl";
/// The map of `pg_ident.conf` from the names of client certificates to [`REPLICATION_USER`].
pub const REPLICATION_MAP: &str = "_crunchyrepl";
/// The role that pgBouncer uses to look up passwords.
pub const PGBOUNCER_USER: &str = "_crunchypgbouncer";
/// The user that may make changes through Patroni's REST API. It is not a role of Postgres, and no user can have this name.
pub const PATRONI_USER: &str = "_crunchypatroni";
/// The role that the exporter connects as.
pub const MONITORING_USER: &str = "ccp_monitoring";
/// The name of the cluster's one stanza of pgBackRest.
pub const STANZA: &str = "db";

/// The maximum length of the name of a StatefulSet. A label of its pods contains this name and a hash (PGO's
/// `validateInstanceSets`; kubernetes/kubernetes#64023).
pub const STATEFUL_SET_MAX: usize = 52;
/// The maximum length of the name of a CronJob. The name of a Job adds eleven characters to it (Kubernetes'
/// `ValidateCronJobCreate`).
pub const CRON_JOB_MAX: usize = 52;

/// The name of a container port that no pod of another cluster, or of another kind, has. An attacker who controls an
/// instance can set the labels of its pod, because Patroni needs this right, and any Service of the namespace can then
/// select the pod. But the ports of a pod cannot be changed, and a Service with a named target port sends nothing to a pod
/// without that port (Kubernetes, "Service", "Port definitions").
pub fn container_port(namespace: &str, cluster: &str, server: &str) -> String {
    let digest = Sha256::digest(format!("{namespace}/{cluster}/{server}"));
    let bits = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let digits = (0..CONTAINER_PORT_HASH).map(|digit| char::from(BASE32[(bits >> (5 * digit) & 31) as usize]));
    CONTAINER_PORT_PREFIX.chars().chain(digits).collect()
}

/// The maximum length of a common name (X.520 `ub-common-name`).
pub const COMMON_NAME_MAX: usize = 64;

/// `name`, if it fits into a common name; otherwise its beginning and a hash of it. The name must be ASCII.
pub fn common_name(name: String) -> String {
    if name.len() <= COMMON_NAME_MAX {
        return name;
    }
    let beginning: String = name.chars().take(COMMON_NAME_MAX - 17).collect();
    format!("{beginning}-{}", short_hash(&name))
}

/// A hash of 64 bits in 16 digits, for names with a maximum length.
pub fn short_hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    format!("{:016x}", digest.iter().take(8).fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte)))
}
