//! Names of the objects of one cluster. They are PGO's (`internal/naming/names.go`), with the differences in
//! `docs/differences-from-pgo.md`.

use super::{Cluster, InstanceSet};
use crate::naming::{PATRONI_USER, PORT_PGBOUNCER, PORT_POSTGRES, REPLICATION_USER, common_name, container_port};
use crate::postgres_cluster::pgbackrest::model::{BackupType, Repository};

impl Cluster {
    /// `<cluster>-ha`: Patroni's scope, and the Service of the leader.
    pub fn scope(&self) -> String {
        format!("{}-ha", self.name)
    }

    /// `<cluster>-ha-config`: the Service without which Kubernetes would delete the Endpoints that contain Patroni's
    /// configuration.
    pub fn dcs_service(&self) -> String {
        format!("{}-ha-config", self.name)
    }

    /// `<cluster>-primary`: the Service that applications connect to.
    pub fn primary_service(&self) -> String {
        format!("{}-primary", self.name)
    }

    /// `<cluster>-replicas`: the Service for read-only connections.
    pub fn replicas_service(&self) -> String {
        format!("{}-replicas", self.name)
    }

    /// `<cluster>-pods`: the headless Service that gives each pod a DNS name.
    pub fn pods_service(&self) -> String {
        format!("{}-pods", self.name)
    }

    /// `<cluster>-pgbouncer`: the Service, ConfigMap, Secret, Deployment, PodDisruptionBudget and NetworkPolicy of pgBouncer.
    pub fn pgbouncer_name(&self) -> String {
        format!("{}-pgbouncer", self.name)
    }

    /// `<cluster>-config`: the ConfigMap with Patroni's configuration for the whole cluster.
    pub fn config_map(&self) -> String {
        format!("{}-config", self.name)
    }

    /// `<cluster>-caretaker`: the ConfigMap with the caretaker's program, and the Secret with the roles that it creates.
    pub fn caretaker_name(&self) -> String {
        format!("{}-caretaker", self.name)
    }

    /// `<cluster>-patroni`: the Secret with the password of Patroni's REST API.
    pub fn patroni_secret(&self) -> String {
        format!("{}-patroni", self.name)
    }

    /// The Secret with the rules of `pg_hba.conf` that contain a password: `<cluster>-patroni`, or `<cluster>-patroni-rules` if
    /// the user provides the Secret of Patroni.
    pub fn patroni_rules_secret(&self) -> String {
        let own = self.brings_credential(PATRONI_USER);
        if own { format!("{}-patroni-rules", self.name) } else { self.patroni_secret() }
    }

    /// `<cluster>-fingerprints`: the ConfigMap that tells the caretaker which Secrets and ConfigMaps have changed.
    pub fn fingerprints_config_map(&self) -> String {
        format!("{}-fingerprints", self.name)
    }

    /// `<cluster>-instance`: the ServiceAccount, the Role and the RoleBinding of instance pods.
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

    /// `<cluster>-pguser-<user>`: the Secret of a user.
    pub fn user_secret(&self, user: &str) -> String {
        format!("{}-pguser-{user}", self.name)
    }

    /// `<cluster>-monitoring`: the Secret with the credentials of the exporter.
    pub fn monitoring_secret(&self) -> String {
        format!("{}-monitoring", self.name)
    }

    /// `<cluster>-exporter-queries-config`: the ConfigMap with the default queries of the exporter.
    pub fn exporter_queries_config_map(&self) -> String {
        format!("{}-exporter-queries-config", self.name)
    }

    /// `<cluster>-exporter-web-config`: the ConfigMap that makes the exporter use TLS.
    pub fn exporter_web_config_map(&self) -> String {
        format!("{}-exporter-web-config", self.name)
    }

    /// `<cluster>-exporter`: the PodMonitor and the PrometheusRule.
    pub fn exporter_name(&self) -> String {
        format!("{}-exporter", self.name)
    }

    /// `<cluster>-grafana-dashboard`: the ConfigMap with the dashboard for Grafana.
    pub fn grafana_dashboard_config_map(&self) -> String {
        format!("{}-grafana-dashboard", self.name)
    }

    /// `<cluster>-<set>`: the StatefulSet of an instance set.
    pub fn instance_set(&self, set: &InstanceSet) -> String {
        format!("{}-{}", self.name, set.name)
    }

    /// `<cluster>-<set>-<ordinal>`: an instance, which is one pod.
    pub fn instance(&self, set: &InstanceSet, ordinal: u16) -> String {
        format!("{}-{}-{ordinal}", self.name, set.name)
    }

    /// `<cluster>-<set>-config`: the ConfigMap with Patroni's configuration for an instance set.
    pub fn instance_set_config_map(&self, set: &InstanceSet) -> String {
        format!("{}-{}-config", self.name, set.name)
    }

    /// `<cluster>-<set>-certs`: the Secret with the certificates of Patroni and of pgBackRest's server in an instance set.
    pub fn instance_set_certificate_secret(&self, set: &str) -> String {
        format!("{}-{set}-certs", self.name)
    }

    /// `<namespace>/<cluster>`: the trust domain of the members of the cluster only. It contains a slash, which a trust domain
    /// that a user chooses cannot contain.
    pub fn members_trust_domain(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// `<cluster>-selfsigned`: the Issuer that signs the cluster's CA, if cert-manager makes that CA.
    pub fn self_signed_issuer(&self) -> String {
        format!("{}-selfsigned", self.name)
    }

    /// `<cluster>-ca`: the Certificate, the Secret and the Issuer of the cluster's CA, if cert-manager makes that CA.
    pub fn authority_name(&self) -> String {
        format!("{}-ca", self.name)
    }

    /// `<cluster>-repo-host-tls`: the Secret with the certificate of the repo host, if it is in a Secret of its own.
    pub fn repo_host_certificate_secret(&self) -> String {
        format!("{}-repo-host-tls", self.name)
    }

    /// `<cluster>-pgbouncer-tls`: the Secret with the certificate of pgBouncer, if it is in a Secret of its own.
    pub fn pgbouncer_certificate_secret(&self) -> String {
        format!("{}-pgbouncer-tls", self.name)
    }

    /// `<cluster>-set-<set>`: the PodDisruptionBudget of an instance set.
    pub fn instance_set_disruption_budget(&self, set: &InstanceSet) -> String {
        format!("{}-set-{}", self.name, set.name)
    }

    /// `<cluster>-set-<set>`: the NetworkPolicy of an instance set.
    pub fn instance_set_policy(&self, set: &InstanceSet) -> String {
        self.instance_set_disruption_budget(set)
    }

    /// `<cluster>-pgbackrest`: the Secret of pgBackRest, and the ServiceAccount and the NetworkPolicy of backup pods.
    pub fn pgbackrest_name(&self) -> String {
        format!("{}-pgbackrest", self.name)
    }

    /// `<cluster>-pgbackrest-config`: the ConfigMap with pgBackRest's configuration.
    pub fn pgbackrest_config_map(&self) -> String {
        format!("{}-pgbackrest-config", self.name)
    }

    /// `<cluster>-repo-host`: the StatefulSet and the NetworkPolicy of the repo host.
    pub fn repo_host(&self) -> String {
        format!("{}-repo-host", self.name)
    }

    /// `<cluster>-repo-host-0`: the one pod of the repo host.
    pub fn repo_host_pod(&self) -> String {
        format!("{}-repo-host-0", self.name)
    }

    /// `<cluster>-repohost`: the ServiceAccount of the repo host.
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

    /// `<cluster>-restore-drill`: the CronJob, ConfigMap, ServiceAccount and NetworkPolicy of the restore drill.
    pub fn restore_drill_name(&self) -> String {
        format!("{}-restore-drill", self.name)
    }

    /// The fully qualified DNS name of `pod`: `<pod>.<cluster>-pods.<namespace>.svc.<domain>`. PGO adds a final dot, with which
    /// no certificate can match.
    pub fn pod_host(&self, pod: &str) -> String {
        format!("{pod}.{}.{}.svc.{}", self.pods_service(), self.namespace, self.domain)
    }

    /// `<service>.<namespace>.svc`: the host in the Secrets of users.
    pub fn service_host(&self, service: &str) -> String {
        format!("{service}.{}.svc", self.namespace)
    }

    /// The DNS names of a Service, the longest first: `<service>.<namespace>.svc.<domain>`, `<service>.<namespace>.svc`,
    /// `<service>.<namespace>`, `<service>`.
    pub fn service_names(&self, service: &str) -> [String; 4] {
        let namespace = &self.namespace;
        [
            format!("{service}.{namespace}.svc.{}", self.domain),
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}"),
            service.to_owned(),
        ]
    }

    /// The name of the container port of Postgres, which is the target of `<cluster>-replicas`.
    pub fn postgres_container_port(&self) -> String {
        container_port(&self.namespace, &self.name, PORT_POSTGRES)
    }

    /// The name of the container port of pgBouncer, which is the target of `<cluster>-pgbouncer`.
    pub fn pgbouncer_container_port(&self) -> String {
        container_port(&self.namespace, &self.name, PORT_PGBOUNCER)
    }

    /// The common name of the certificate of pgBackRest's clients, which `tls-server-auth` names too:
    /// `pgbackrest@<namespace>/<cluster>`. PGO uses the UID of the `PostgresCluster` there, which only an API server can give.
    /// A common name may have 64 characters (X.520 `ub-common-name`), so a longer one is shortened and ends in a hash.
    pub fn pgbackrest_client_name(&self) -> String {
        common_name(format!("pgbackrest@{}/{}", self.namespace, self.name))
    }

    /// The common name of the client certificate of replicas: `_crunchyrepl@<namespace>/<cluster>`, shortened like
    /// [`Cluster::pgbackrest_client_name`]. In PGO it is [`REPLICATION_USER`] in every cluster, so the replicas of one cluster
    /// can read all other clusters that trust the same CA.
    pub fn replica_name(&self) -> String {
        common_name(format!("{REPLICATION_USER}@{}/{}", self.namespace, self.name))
    }
}
