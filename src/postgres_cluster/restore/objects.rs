//! The volume with pgBackRest's configuration for the data source.

use super::model::{DataSource, Source};
use crate::kubernetes::{ConfigMapProjection, SecretProjection, Volume, VolumeProjection};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::volumes::{config_map, item, pgbackrest_client, projected};
use crate::postgres_cluster::secrets::certificates::CertificateRole;

/// The key of the ConfigMap of the cluster with the text of [`super::configuration::source_conf`].
pub(crate) const KEY: &str = "pgbackrest_source.conf";

/// `pgbackrest-source`: the configuration and, for a repository of another cluster, the client certificate of that cluster.
/// PGO copies these objects. Here they are mounted as they are, and optional: the other cluster may be deleted later.
pub(crate) fn volume(cluster: &Cluster, source: &DataSource) -> Volume {
    let sources = match &source.from {
        Source::Cluster { name } => {
            // The names are those that a cluster of this name has.
            let other = Cluster { name: name.clone(), ..cluster.clone() };
            let file = "pgbackrest_instance.conf";
            let configuration = ConfigMapProjection {
                name: other.pgbackrest_config_map(),
                items: Some(vec![item(file, file)]),
                optional: Some(true),
            };
            let client = other.certificate(CertificateRole::PgBackRestClient, "");
            let items = Some(pgbackrest_client(&client));
            let client = SecretProjection { name: client.secret, items, optional: Some(true) };
            vec![
                VolumeProjection { config_map: Some(configuration), ..VolumeProjection::default() },
                VolumeProjection { secret: Some(client), ..VolumeProjection::default() },
            ]
        }
        Source::ObjectStorage { configuration, .. } => {
            let mut sources = configuration.clone();
            sources.push(config_map(cluster.config_map(), vec![item(KEY, KEY)]));
            sources
        }
    };
    projected("pgbackrest-source", sources)
}
