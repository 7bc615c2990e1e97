//! ServiceAccounts.

use super::metadata::object_meta;
use crate::kubernetes::ServiceAccount;
use crate::naming::Labels;
use crate::postgres_cluster::cluster::{Cluster, Metadata};

/// A ServiceAccount whose token is not mounted by default.
pub(crate) fn service_account(cluster: &Cluster, name: String, metadata: &Metadata, labels: Labels) -> ServiceAccount {
    ServiceAccount {
        automount_service_account_token: Some(false),
        metadata: object_meta(cluster, name, metadata, labels),
        ..ServiceAccount::default()
    }
}
