//! What an object is for in its cluster.

use super::side::label_of;
use crate::diagnostic::ResourceRef;
use crate::naming::label;
use serde_json::Value;

macro_rules! roles {
    ($($(#[doc = $doc:literal])+ $name:ident: $words:literal,)*) => {
        /// What an object is for in its cluster.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Role {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Role {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The kind and the name of the objects, for documents.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

roles! {
    /// The StatefulSet of an instance set.
    InstanceSet: "StatefulSet `{cluster}-{set}`",
    /// The StatefulSet of the repo host.
    RepoHost: "StatefulSet `{cluster}-repo-host`",
    /// The Deployment of pgBouncer.
    PgBouncer: "Deployment `{cluster}-pgbouncer`",
    /// A CronJob of backups, or of the restore drill.
    CronJob: "CronJobs",
    /// The ConfigMap with Patroni's configuration for all instances.
    ClusterConfig: "ConfigMap `{cluster}-config`",
    /// The ConfigMap with Patroni's configuration of an instance set.
    InstanceConfig: "ConfigMap `{cluster}-{set}-config`",
    /// The ConfigMap with the caretaker's programs and settings.
    Caretaker: "ConfigMap `{cluster}-caretaker`",
    /// The ConfigMap of pgBackRest.
    PgBackRestConfig: "ConfigMap `{cluster}-pgbackrest-config`",
    /// The ConfigMap of pgBouncer.
    PgBouncerConfig: "ConfigMap `{cluster}-pgbouncer`",
    /// The ConfigMap of the restore drill.
    RestoreDrill: "ConfigMap `{cluster}-restore-drill`",
    /// The ConfigMaps of the exporter.
    ExporterConfig: "ConfigMaps `{cluster}-exporter-…`",
    /// The dashboard.
    Dashboard: "ConfigMap `{cluster}-grafana-dashboard`",
    /// The checksums of mounted objects.
    Fingerprints: "ConfigMap `{cluster}-fingerprints`",
    /// The Secret with the roles that the caretaker creates.
    Roles: "Secret `{cluster}-caretaker`",
    /// The Secret of a user.
    User: "Secret `{cluster}-pguser-{user}`",
    /// The Secret with the certificate of Postgres, and the CA that clients verify it with.
    ServerCertificate: "Secret `{cluster}-cluster-cert`",
    /// Another Secret with a password or certificates.
    Credentials: "other Secrets",
    /// A claim of a volume.
    Claim: "PersistentVolumeClaims",
    /// A Service that clients use.
    ClientService: "Services `{cluster}-primary`, `-replicas`, `-pgbouncer`, `-ha`",
    /// A Service that only the cluster itself uses.
    OwnService: "other Services",
    /// A ServiceAccount, Role or RoleBinding.
    Rights: "ServiceAccounts, Roles, RoleBindings",
    /// A NetworkPolicy.
    NetworkPolicy: "NetworkPolicies",
    /// A PodDisruptionBudget.
    DisruptionBudget: "PodDisruptionBudgets",
    /// An object of cert-manager.
    CertManager: "Certificates and Issuers of cert-manager",
    /// An object of Prometheus Operator.
    Prometheus: "PodMonitor and PrometheusRule",
    /// An object that pgrender does not render in this version.
    Other: "anything else",
}

impl Role {
    /// Finds the role of an object of the cluster `cluster`.
    pub fn of(reference: &ResourceRef, value: &Value, cluster: &str) -> Self {
        let name = reference.name.as_str();
        let rest = name.strip_prefix(cluster).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name);
        let is_of_instances = label_of(value, label::INSTANCE_SET).is_some();
        match reference.kind.as_str() {
            "StatefulSet" if is_of_instances => Self::InstanceSet,
            "StatefulSet" => Self::RepoHost,
            "Deployment" => Self::PgBouncer,
            "CronJob" => Self::CronJob,
            "ConfigMap" if is_of_instances => Self::InstanceConfig,
            "ConfigMap" => match rest {
                "config" => Self::ClusterConfig,
                "caretaker" => Self::Caretaker,
                "pgbackrest-config" => Self::PgBackRestConfig,
                "pgbouncer" => Self::PgBouncerConfig,
                "restore-drill" => Self::RestoreDrill,
                "exporter-queries-config" | "exporter-web-config" => Self::ExporterConfig,
                "grafana-dashboard" => Self::Dashboard,
                "fingerprints" => Self::Fingerprints,
                _ => Self::Other,
            },
            "Secret" if label_of(value, label::POSTGRES_USER).is_some() => Self::User,
            "Secret" if rest == "caretaker" => Self::Roles,
            "Secret" if label_of(value, label::CLUSTER_CERTIFICATE) == Some("postgres-tls") => Self::ServerCertificate,
            "Secret" => Self::Credentials,
            "PersistentVolumeClaim" => Self::Claim,
            "Service" if ["primary", "replicas", "pgbouncer", "ha"].contains(&rest) => Self::ClientService,
            "Service" => Self::OwnService,
            "ServiceAccount" | "Role" | "RoleBinding" => Self::Rights,
            "NetworkPolicy" => Self::NetworkPolicy,
            "PodDisruptionBudget" => Self::DisruptionBudget,
            "Certificate" | "Issuer" => Self::CertManager,
            "PodMonitor" | "PrometheusRule" => Self::Prometheus,
            _ => Self::Other,
        }
    }
}
