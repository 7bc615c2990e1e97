//! Names, labels and annotations. Only this module spells them; they are PGO's (`internal/naming`), so that
//! applications and runbooks written for PGO work unchanged, plus a few under `pgrender.dev/`.

pub mod delivery;

use sha2::{Digest, Sha256};

use crate::cluster::{BackupType, Cluster, InstanceSet, Repository};

/// The prefix of PGO's labels and annotations.
pub const PREFIX: &str = "postgres-operator.crunchydata.com/";

/// Keys of labels.
pub mod label {
    macro_rules! label {
        ($($(#[$doc:meta])* $name:ident = $key:literal;)*) => { $($(#[$doc])* pub const $name: &str = concat!("postgres-operator.crunchydata.com/", $key);)* };
    }
    label! {
        /// The cluster an object belongs to: on everything.
        CLUSTER = "cluster";
        /// `postgres-tls` or `replication-client-tls`, on the two cluster-wide certificate Secrets.
        CLUSTER_CERTIFICATE = "cluster-certificate";
        /// `postgres` or `pgbackrest`: what a pod or a claim stores.
        DATA = "data";
        /// The instance: on pods, put there by the caretaker, and on the claims of the instance.
        INSTANCE = "instance";
        /// The instance set.
        INSTANCE_SET = "instance-set";
        /// Patroni's scope, `<cluster>-ha`.
        PATRONI = "patroni";
        /// On all pgBackRest objects, empty.
        PGBACKREST = "pgbackrest";
        /// `scheduled`, on CronJobs.
        PGBACKREST_BACKUP = "pgbackrest-backup";
        /// On pgBackRest's ConfigMap and Secret, empty.
        PGBACKREST_CONFIG = "pgbackrest-config";
        /// `full`, `diff` or `incr`, on CronJobs.
        PGBACKREST_CRONJOB = "pgbackrest-cronjob";
        /// On the repo host, empty.
        PGBACKREST_DEDICATED = "pgbackrest-dedicated";
        /// `repo1` to `repo4`.
        PGBACKREST_REPO = "pgbackrest-repo";
        /// On repository claims, empty.
        PGBACKREST_VOLUME = "pgbackrest-volume";
        /// The user of a user Secret.
        POSTGRES_USER = "pguser";
        /// What a pod, Service, Secret or claim is for; on instance pods Patroni writes `master` or `replica`.
        ROLE = "role";
    }
    /// The cluster whose rendering made an object. It is how a later run knows its own children, to replace and to
    /// prune them; it is on objects only, never in selectors and pod templates.
    pub const RENDERED: &str = "pgrender.dev/cluster";
}

/// Keys of annotations.
pub mod annotation {
    /// What pgrender's own begin with.
    pub const OWN: &str = "pgrender.dev/";
    /// Whether each user gets a schema of their own in each of their databases (PGO's `autoCreateUserSchema`).
    pub const AUTO_CREATE_USER_SCHEMA: &str = "postgres-operator.crunchydata.com/autoCreateUserSchema";
    /// `IPv6` makes pgBackRest's server listen on `::`.
    pub const PGBACKREST_IP_VERSION: &str = "postgres-operator.crunchydata.com/pgbackrest-ip-version";
    /// Asks for a backup (PGO's manual one).
    pub const PGBACKREST_BACKUP: &str = "postgres-operator.crunchydata.com/pgbackrest-backup";
    /// Asks for a restore in place.
    pub const PGBACKREST_RESTORE: &str = "postgres-operator.crunchydata.com/pgbackrest-restore";
    /// The claim for the logs of backups to object storage.
    pub const PGBACKREST_CLOUD_LOG_VOLUME: &str = "postgres-operator.crunchydata.com/pgbackrest-cloud-log-volume";
    /// `None` turns the exporter's built-in collectors off.
    pub const EXPORTER_COLLECTORS: &str = "postgres-operator.crunchydata.com/postgres-exporter-collectors";
    /// `true` lets PGO remove backups that the spec does not have any more.
    pub const AUTHORIZE_BACKUP_REMOVAL: &str = "postgres-operator.crunchydata.com/authorizeBackupRemoval";
    /// The `PGUpgrade` that may upgrade the cluster.
    pub const ALLOW_UPGRADE: &str = "postgres-operator.crunchydata.com/allow-upgrade";
    /// Any new value asks for one switchover.
    pub const TRIGGER_SWITCHOVER: &str = "postgres-operator.crunchydata.com/trigger-switchover";
    /// Which container `kubectl logs` and `kubectl exec` take.
    pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
    /// On a Secret of the input: it holds the seed.
    pub const SEED: &str = "pgrender.dev/seed";
    /// Prefix of the generation of one user's password: `pgrender.dev/rotate-password.<user>`.
    pub const ROTATE_PASSWORD: &str = "pgrender.dev/rotate-password.";
    /// Prefix of where one user's password comes from, `seed` or `reference`: `pgrender.dev/credentials.<user>`.
    pub const CREDENTIALS: &str = "pgrender.dev/credentials.";
    /// Generation of all passwords.
    pub const ROTATE_PASSWORDS: &str = "pgrender.dev/rotate-passwords";
    /// Generation of all certificates and their keys.
    pub const ROTATE_CERTIFICATES: &str = "pgrender.dev/rotate-certificates";
    /// Generation of the CA.
    pub const ROTATE_CA: &str = "pgrender.dev/rotate-ca";
    /// `true` lets standby clusters of the same trust domain stream from this one.
    pub const ACCEPT_STANDBY: &str = "pgrender.dev/accept-standby";
    /// What all annotations of generations begin with.
    pub const ROTATE: &str = "pgrender.dev/rotate-";
    /// What the annotations of rendered Secrets begin with that say which generation they hold, where it is not the first.
    pub const GENERATION: &str = "pgrender.dev/generation.";
    /// Of the password, as [`ROTATE_PASSWORD`] asked for it.
    pub const GENERATION_PASSWORD: &str = "pgrender.dev/generation.password";
    /// Of the password, as [`ROTATE_PASSWORDS`] asked for it.
    pub const GENERATION_PASSWORDS: &str = "pgrender.dev/generation.passwords";
    /// Of the certificates.
    pub const GENERATION_CERTIFICATES: &str = "pgrender.dev/generation.certificates";
    /// Of the CA.
    pub const GENERATION_CA: &str = "pgrender.dev/generation.ca";
}

/// Name of the container that runs Patroni and Postgres.
pub const CONTAINER_DATABASE: &str = "database";
/// Name of the container that runs pgBackRest's TLS server.
pub const CONTAINER_PGBACKREST: &str = "pgbackrest";
/// Name of the sidecar of instance pods that does what the operator did at run time.
pub const CONTAINER_CARETAKER: &str = "caretaker";
/// Name of the repo host's sidecar.
pub const CONTAINER_PGBACKREST_CONFIG: &str = "pgbackrest-config";
/// Name of the pooler's container.
pub const CONTAINER_PGBOUNCER: &str = "pgbouncer";
/// Name of the pooler's sidecar.
pub const CONTAINER_PGBOUNCER_CONFIG: &str = "pgbouncer-config";

/// Name of the port of Postgres, on Services and in the Endpoints that Patroni and the caretaker write.
pub const PORT_POSTGRES: &str = "postgres";
/// Name of the port of pgBouncer, on the Service.
pub const PORT_PGBOUNCER: &str = "pgbouncer";

/// The port of pgBackRest's TLS server (its default, `tls-server-port`).
pub const PGBACKREST_PORT: u16 = 8432;

/// What the name of a container port begins with that a Service leads to.
const CONTAINER_PORT_PREFIX: &str = "pg-";
/// How many characters of a hash follow; Kubernetes allows fifteen in all (RFC 6335 5.1).
const CONTAINER_PORT_HASH: usize = 12;
/// The digits of that hash, five bits each (RFC 4648 6, in lower case).
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Whether a container port of this name could be one that a Service of some cluster leads to.
pub fn is_container_port(name: &str) -> bool {
    name.strip_prefix(CONTAINER_PORT_PREFIX)
        .is_some_and(|hash| hash.len() == CONTAINER_PORT_HASH && hash.bytes().all(|digit| BASE32.contains(&digit)))
}

/// The role that replicas and pg_rewind connect as, and the name in PGO's client certificate for it.
pub const REPLICATION_USER: &str = "_crunchyrepl";
/// The map of `pg_ident.conf` from the names of client certificates to [`REPLICATION_USER`].
pub const REPLICATION_MAP: &str = "_crunchyrepl";
/// The role that pgBouncer looks up passwords as.
pub const PGBOUNCER_USER: &str = "_crunchypgbouncer";
/// Who may change something through Patroni's REST API. It is no role of Postgres, and no user can have this name.
pub const PATRONI_USER: &str = "_crunchypatroni";
/// The role of the exporter.
pub const MONITORING_USER: &str = "ccp_monitoring";
/// pgBackRest's name of the cluster's one stanza.
pub const STANZA: &str = "db";

/// The longest name a StatefulSet may have: its pods bear it and a hash in one label
/// (PGO's `validateInstanceSets`; kubernetes/kubernetes#64023).
pub const STATEFUL_SET_MAX: usize = 52;
/// The longest name a CronJob may have: a Job adds eleven characters to it
/// (Kubernetes' `ValidateCronJobCreate`).
pub const CRON_JOB_MAX: usize = 52;

/// Names of one cluster's objects (PGO's, `pgo-inventory` 0.3, with the differences in `docs/differences-from-pgo.md`).
impl Cluster {
    /// `<cluster>-ha`: Patroni's scope, and the Service of the leader.
    pub fn scope(&self) -> String {
        format!("{}-ha", self.name)
    }

    /// `<cluster>-ha-config`: the Service that keeps Patroni's configuration Endpoints alive.
    pub fn dcs_service(&self) -> String {
        format!("{}-ha-config", self.name)
    }

    /// `<cluster>-primary`: the Service that applications use.
    pub fn primary_service(&self) -> String {
        format!("{}-primary", self.name)
    }

    /// `<cluster>-replicas`: the Service of read-only connections.
    pub fn replicas_service(&self) -> String {
        format!("{}-replicas", self.name)
    }

    /// `<cluster>-pods`: the headless Service that gives each pod a name.
    pub fn pods_service(&self) -> String {
        format!("{}-pods", self.name)
    }

    /// `<cluster>-pgbouncer`: Service, ConfigMap, Secret, Deployment, disruption budget and network policy of pgBouncer.
    pub fn pgbouncer_name(&self) -> String {
        format!("{}-pgbouncer", self.name)
    }

    /// `<cluster>-config`: Patroni's configuration for the whole cluster.
    pub fn config_map(&self) -> String {
        format!("{}-config", self.name)
    }

    /// `<cluster>-caretaker`: the caretaker's program, and the Secret with what it applies.
    pub fn caretaker_name(&self) -> String {
        format!("{}-caretaker", self.name)
    }

    /// `<cluster>-patroni`: the Secret with the password of Patroni's REST API.
    pub fn patroni_secret(&self) -> String {
        format!("{}-patroni", self.name)
    }

    /// The Secret with the rules of `pg_hba.conf` that hold a password: `<cluster>-patroni`, or `<cluster>-patroni-rules` where
    /// the user brings the other.
    pub fn patroni_rules_secret(&self) -> String {
        let own = self.brings_credential(PATRONI_USER);
        if own { format!("{}-patroni-rules", self.name) } else { self.patroni_secret() }
    }

    /// `<cluster>-fingerprints`: the ConfigMap that tells the caretaker what has changed.
    pub fn fingerprints_config_map(&self) -> String {
        format!("{}-fingerprints", self.name)
    }

    /// `<cluster>-instance`: ServiceAccount, Role and RoleBinding of instance pods.
    pub fn instance_service_account(&self) -> String {
        format!("{}-instance", self.name)
    }

    /// `<cluster>-cluster-cert`: the Secret with the server certificate of Postgres.
    pub fn cluster_certificate_secret(&self) -> String {
        format!("{}-cluster-cert", self.name)
    }

    /// `<cluster>-replication-cert`: the Secret with the client certificate of replicas.
    pub fn replication_certificate_secret(&self) -> String {
        format!("{}-replication-cert", self.name)
    }

    /// `<cluster>-pguser-<user>`.
    pub fn user_secret(&self, user: &str) -> String {
        format!("{}-pguser-{user}", self.name)
    }

    /// `<cluster>-monitoring`: the credentials of the exporter.
    pub fn monitoring_secret(&self) -> String {
        format!("{}-monitoring", self.name)
    }

    /// `<cluster>-<set>`: the StatefulSet of an instance set.
    pub fn instance_set(&self, set: &InstanceSet) -> String {
        format!("{}-{}", self.name, set.name)
    }

    /// `<cluster>-<set>-<ordinal>`: an instance, which is a pod.
    pub fn instance(&self, set: &InstanceSet, ordinal: u16) -> String {
        format!("{}-{}-{ordinal}", self.name, set.name)
    }

    /// `<cluster>-<set>-config`: Patroni's configuration of an instance set.
    pub fn instance_set_config_map(&self, set: &InstanceSet) -> String {
        format!("{}-{}-config", self.name, set.name)
    }

    /// `<cluster>-<set>-certs`: the certificates of an instance set's Patroni and pgBackRest servers.
    pub fn instance_set_certificate_secret(&self, set: &str) -> String {
        format!("{}-{set}-certs", self.name)
    }

    /// `<namespace>/<cluster>`: the trust domain of those who are members of the cluster, and of nobody else. No trust domain that
    /// somebody chooses has a slash.
    pub fn members_trust_domain(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// `<cluster>-selfsigned`: the Issuer that signs the cluster's CA, where cert-manager makes it.
    pub fn self_signed_issuer(&self) -> String {
        format!("{}-selfsigned", self.name)
    }

    /// `<cluster>-ca`: the cluster's CA where cert-manager makes it: Certificate, Secret and Issuer.
    pub fn authority_name(&self) -> String {
        format!("{}-ca", self.name)
    }

    /// `<cluster>-repo-host-tls`: the Secret with the repo host's certificate, where it has one of its own.
    pub fn repo_host_certificate_secret(&self) -> String {
        format!("{}-repo-host-tls", self.name)
    }

    /// `<cluster>-pgbouncer-tls`: the Secret with pgBouncer's certificate, where it has one of its own.
    pub fn pgbouncer_certificate_secret(&self) -> String {
        format!("{}-pgbouncer-tls", self.name)
    }

    /// `<cluster>-set-<set>`: the disruption budget of an instance set.
    pub fn instance_set_disruption_budget(&self, set: &InstanceSet) -> String {
        format!("{}-set-{}", self.name, set.name)
    }

    /// `<cluster>-set-<set>`: the network policy of an instance set.
    pub fn instance_set_policy(&self, set: &InstanceSet) -> String {
        self.instance_set_disruption_budget(set)
    }

    /// `<cluster>-pgbackrest`: the Secret of pgBackRest, the ServiceAccount and the network policy of backup pods.
    pub fn pgbackrest_name(&self) -> String {
        format!("{}-pgbackrest", self.name)
    }

    /// `<cluster>-pgbackrest-config`.
    pub fn pgbackrest_config_map(&self) -> String {
        format!("{}-pgbackrest-config", self.name)
    }

    /// `<cluster>-repo-host`: the StatefulSet and the network policy of the repo host.
    pub fn repo_host(&self) -> String {
        format!("{}-repo-host", self.name)
    }

    /// `<cluster>-repo-host-0`: the repo host's one pod.
    pub fn repo_host_pod(&self) -> String {
        format!("{}-repo-host-0", self.name)
    }

    /// `<cluster>-repohost`: the repo host's ServiceAccount.
    pub fn repo_host_service_account(&self) -> String {
        format!("{}-repohost", self.name)
    }

    /// `<cluster>-<repo>`: the claim of a volume repository.
    pub fn repository_claim(&self, repository: &Repository) -> String {
        format!("{}-{}", self.name, repository.name())
    }

    /// `<cluster>-<repo>-<type>`: the CronJob of a schedule.
    pub fn backup_cron_job(&self, repository: &Repository, backup_type: BackupType) -> String {
        format!("{}-{}-{}", self.name, repository.name(), backup_type.as_str())
    }

    /// The name of `pod` inside the Kubernetes cluster, complete, so that no resolver walks a search list:
    /// `<pod>.<cluster>-pods.<namespace>.svc.<domain>`. PGO ends it in a dot, which no certificate can match.
    pub fn pod_host(&self, pod: &str) -> String {
        format!("{pod}.{}.{}.svc.{}", self.pods_service(), self.namespace, self.domain)
    }

    /// `<service>.<namespace>.svc`: the host that applications are given.
    pub fn service_host(&self, service: &str) -> String {
        format!("{service}.{}.svc", self.namespace)
    }

    /// The names by which a Service can be called, longest first:
    /// `<service>.<namespace>.svc.<domain>`, `<service>.<namespace>.svc`, `<service>.<namespace>`, `<service>`.
    pub fn service_names(&self, service: &str) -> [String; 4] {
        let namespace = &self.namespace;
        [
            format!("{service}.{namespace}.svc.{}", self.domain),
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}"),
            service.to_owned(),
        ]
    }

    /// The container port of Postgres, to which `<cluster>-replicas` leads.
    pub fn postgres_container_port(&self) -> String {
        self.container_port(PORT_POSTGRES)
    }

    /// The container port of pgBouncer, to which `<cluster>-pgbouncer` leads.
    pub fn pgbouncer_container_port(&self) -> String {
        self.container_port(PORT_PGBOUNCER)
    }

    /// A name that no pod of another cluster, or of another kind, has among its ports. Who has taken an instance may label its
    /// pods, because Patroni must, and so have them selected by any Service of the namespace; but ports of a pod cannot be
    /// changed, and a Service that leads to a port by name sends nothing to a pod without it (Kubernetes, "Service", "Port
    /// definitions").
    fn container_port(&self, server: &str) -> String {
        let digest = Sha256::digest(format!("{}/{}/{server}", self.namespace, self.name));
        let bits = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let digits = (0..CONTAINER_PORT_HASH).map(|digit| char::from(BASE32[(bits >> (5 * digit) & 31) as usize]));
        CONTAINER_PORT_PREFIX.chars().chain(digits).collect()
    }

    /// Who pgBackRest's clients of this cluster say they are, in their certificate's common name and in
    /// `tls-server-auth`: `pgbackrest@<namespace>/<cluster>`. PGO has the UID of the `PostgresCluster` there, which needs
    /// an API server. A common name may have 64 characters (X.520 `ub-common-name`), so a longer one ends in a hash.
    pub fn pgbackrest_client_name(&self) -> String {
        common_name(format!("pgbackrest@{}/{}", self.namespace, self.name))
    }

    /// Who replicas of this cluster say they are, in their certificate's common name: `_crunchyrepl@<namespace>/<cluster>`,
    /// shortened like [`Cluster::pgbackrest_client_name`]. PGO's is [`REPLICATION_USER`] in every cluster, so that one can read
    /// all others that trust the same CA.
    pub fn replica_name(&self) -> String {
        common_name(format!("{REPLICATION_USER}@{}/{}", self.namespace, self.name))
    }
}

/// The longest common name of a certificate (X.520 `ub-common-name`).
pub const COMMON_NAME_MAX: usize = 64;

/// `name` when it fits into a common name, else its beginning and a hash of it. For names in ASCII.
pub fn common_name(name: String) -> String {
    if name.len() <= COMMON_NAME_MAX {
        return name;
    }
    let digest = Sha256::digest(name.as_bytes());
    let hash = digest.iter().take(8).fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte));
    let beginning: String = name.chars().take(COMMON_NAME_MAX - 17).collect();
    format!("{beginning}-{hash:016x}")
}
