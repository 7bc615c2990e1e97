//! Whose client certificates may replicate a cluster, and whom a standby cluster follows.

use super::Cluster;
use crate::naming::REPLICATION_USER;

impl Cluster {
    /// The host that a standby cluster streams from: of the spec, or of Patroni's own section, which is passed on.
    pub fn streams_from(&self) -> Option<&str> {
        let section = self.patroni.dynamic_configuration.get("standby_cluster");
        let passed_on = || section.and_then(|section| section.get("host")?.as_str());
        self.standby.as_ref().and_then(|standby| standby.host.as_deref()).or_else(passed_on)
    }

    /// Whether a certificate with the name that all clusters share may replicate this one: the name of PGO, which is on
    /// certificates that users bring, and by which a standby cluster is known to its source. The replicas of a standby cluster
    /// show it too, for Patroni has one certificate for both.
    pub fn accepts_shared_replication_name(&self) -> bool {
        self.custom_replication_tls_secret.is_some() || self.streams_from().is_some() || self.accepts_standby
    }

    /// The names of the client certificates that may replicate this cluster, its own first.
    pub fn replication_names(&self) -> Vec<String> {
        let own = self.custom_replication_tls_secret.is_none().then(|| self.replica_name());
        let shared = self.accepts_shared_replication_name().then(|| REPLICATION_USER.to_owned());
        own.into_iter().chain(shared).collect()
    }
}
