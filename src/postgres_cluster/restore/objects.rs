//! The volume with pgBackRest's configuration for the data source.

use super::model::{DataSource, Source};
use crate::kubernetes::{ConfigMapProjection, SecretProjection, Volume, VolumeProjection};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::volumes::{config_map, item, pgbackrest_client, projected};
use crate::postgres_cluster::secrets::certificates::CertificateRole;

/// The key of the ConfigMap of the cluster with the text of [`super::configuration::source_conf`].
pub(crate) const KEY: &str = "pgbackrest_source.conf";

/// `pgbackrest-source`: the configuration and, for a repository of another cluster, the client certificate of that cluster.
/// PGO copies these objects. Here they are mounted as they are, and optional: the other cluster and its Secrets may be deleted later,
/// and a pod must start without them. If one is missing while pgBackRest needs it, pgBackRest says which option is not set.
pub(crate) fn volume(cluster: &Cluster, source: &DataSource) -> Volume {
    let sources = match &source.from {
        Source::Cluster { name, configuration } => {
            // The names are those that a cluster of this name has.
            let other = Cluster { name: name.clone(), ..cluster.clone() };
            let file = "pgbackrest_instance.conf";
            let instance_conf = ConfigMapProjection {
                name: other.pgbackrest_config_map(),
                items: Some(vec![item(file, file)]),
                optional: Some(true),
            };
            let client = other.certificate(CertificateRole::PgBackRestClient, "");
            let items = Some(pgbackrest_client(&client));
            let client = SecretProjection { name: client.secret, items, optional: Some(true) };
            let rendered = [
                VolumeProjection { config_map: Some(instance_conf), ..VolumeProjection::default() },
                VolumeProjection { secret: Some(client), ..VolumeProjection::default() },
            ];
            optional(configuration).chain(rendered).collect()
        }
        Source::ObjectStorage { configuration, .. } => {
            let rendered = config_map(cluster.config_map(), vec![item(KEY, KEY)]);
            optional(configuration).chain([rendered]).collect()
        }
    };
    projected("pgbackrest-source", sources)
}

/// The files of the user. They are optional unless the user has written otherwise.
fn optional(configuration: &[VolumeProjection]) -> impl Iterator<Item = VolumeProjection> {
    configuration.iter().cloned().map(|mut source| {
        if let Some(secret) = &mut source.secret {
            secret.optional.get_or_insert(true);
        }
        if let Some(config_map) = &mut source.config_map {
            config_map.optional.get_or_insert(true);
        }
        source
    })
}
