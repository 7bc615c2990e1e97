//! The client certificates that may replicate a cluster, and the cluster that a standby cluster follows.

use crate::naming::REPLICATION_USER;
use crate::postgres_cluster::cluster::Cluster;

impl Cluster {
    /// The host that a standby cluster streams from: `spec.standby.host`, or `standby_cluster.host` in Patroni's dynamic
    /// configuration, which is passed on to Patroni.
    pub fn streams_from(&self) -> Option<&str> {
        let section = self.patroni.dynamic_configuration.get("standby_cluster");
        let passed_on = || section.and_then(|section| section.get("host")?.as_str());
        self.standby.as_ref().and_then(|standby| standby.host.as_deref()).or_else(passed_on)
    }

    /// Whether a client certificate with PGO's name `_crunchyrepl`, which is the same for all clusters, may replicate this
    /// cluster. Certificates that the user provides have this name, and the members of a standby cluster show it to the cluster
    /// that they follow. The replicas of a standby cluster show it to their own leader too, because Patroni uses one
    /// certificate for both.
    pub fn accepts_shared_replication_name(&self) -> bool {
        self.custom_replication_tls_secret.is_some() || self.streams_from().is_some() || self.accepts_standby
    }

    /// The names of the client certificates that may replicate this cluster. The name of the cluster itself is first.
    pub fn replication_names(&self) -> Vec<String> {
        let own = self.custom_replication_tls_secret.is_none().then(|| self.replica_name());
        let shared = self.accepts_shared_replication_name().then(|| REPLICATION_USER.to_owned());
        own.into_iter().chain(shared).collect()
    }
}
