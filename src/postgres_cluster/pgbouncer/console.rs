//! The admin console of pgBouncer, in which the caretaker of the leader reads statistics for the exporter
//! (pgbouncer.org/usage.html, "Admin console"). There, pgBouncer's own role may only run `SHOW` (`stats_users`).

use super::model::PgBouncer;
use crate::kubernetes::{Volume, VolumeMount, VolumeProjection};
use crate::naming::PGBOUNCER_USER;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::exporter::resolve::optional;
use crate::postgres_cluster::objects::pod::mount_read_only;
use crate::postgres_cluster::objects::volumes::{KEY_MODE, item, key_item, projected_with_mode, secret};
use crate::postgres_cluster::secrets::certificates::CertificateRole;
use crate::postgres_cluster::secrets::credentials::{CredentialHolder, ServiceRole};

/// The name of the volume.
const VOLUME: &str = "pgbouncer-console";
/// The directory with the files of the volume, in the container of the caretaker only.
const DIRECTORY: &str = "/etc/pgbouncer-console";

/// Returns pgBouncer if the exporter has metrics of it.
pub(crate) fn watched(cluster: &Cluster) -> Option<&PgBouncer> {
    cluster.exporter.as_ref().and(cluster.pgbouncer.as_ref())
}

/// Returns the list of users who may run `SHOW`: those of the user, and pgBouncer's own role.
pub(crate) fn stats_users(theirs: Option<&str>) -> String {
    let mut users: Vec<&str> =
        theirs.into_iter().flat_map(|list| list.split([',', ' ', '\t'])).filter(|user| !user.is_empty()).collect();
    if !users.contains(&PGBOUNCER_USER) {
        users.push(PGBOUNCER_USER);
    }
    users.join(", ")
}

/// The volume with the password of pgBouncer's own role, and the CA with which clients verify pgBouncer.
///
/// What pgrender does not render is optional, so that Postgres starts without it. If the user provides the certificate, its CA may be
/// unknown.
pub(crate) fn volume(cluster: &Cluster, pgbouncer: &PgBouncer) -> Volume {
    let credential = cluster.credential(CredentialHolder::Service(ServiceRole::PgBouncer));
    let password = vec![key_item(credential.keys.password, "password")];
    let source = secret(credential.secret, password);
    let mut sources = vec![if credential.is_brought { optional(source) } else { source }];
    sources.extend(authority(cluster, pgbouncer));
    projected_with_mode(VOLUME, KEY_MODE, sources)
}

/// The mount of the volume.
pub(crate) fn mount() -> VolumeMount {
    mount_read_only(VOLUME, DIRECTORY)
}

/// The CA in the Secret of the certificate. In a Secret of the user, it is the item with the path `ca.crt`, or else the key
/// `ca.crt`, as for pgBouncer itself.
fn authority(cluster: &Cluster, pgbouncer: &PgBouncer) -> Option<VolumeProjection> {
    let planned = cluster.certificate(CertificateRole::PgBouncer, "");
    let mut theirs = pgbouncer.custom_tls_secret.iter().flat_map(|custom| custom.items.iter().flatten());
    let key = theirs.find(|item| item.path == "ca.crt").map(|item| item.key.as_str()).or(planned.keys.authority)?;
    let source = secret(planned.secret, vec![item(key, "ca.crt")]);
    let is_rendered = pgbouncer.custom_tls_secret.is_none() && cluster.cert_manager.is_none();
    Some(if is_rendered { source } else { optional(source) })
}
