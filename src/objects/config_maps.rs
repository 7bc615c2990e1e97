//! ConfigMaps: the generated configuration files, and the caretaker's program.

use std::collections::BTreeMap;

use super::metadata::object_meta;
use crate::caretaker;
use crate::cluster::{Backups, Cluster, InstanceSet, Metadata, PgBouncer};
use crate::config::{patroni, pgbackrest as pgbackrest_config, pgbouncer as pgbouncer_config};
use crate::kubernetes::ConfigMap;
use crate::naming::{Labels, instance_set_labels, label, labels, pgbackrest_labels, pgbouncer_labels};

/// A ConfigMap that contains these files. A file without a text is omitted.
fn config_map<const N: usize>(
    cluster: &Cluster,
    name: String,
    metadata: &Metadata,
    labels: Labels,
    files: [(&str, Option<String>); N],
) -> ConfigMap {
    let files = files.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?)));
    ConfigMap {
        metadata: object_meta(cluster, name, metadata, labels),
        data: Some(files.collect::<BTreeMap<_, _>>()),
        ..ConfigMap::default()
    }
}

/// `<cluster>-config`: Patroni's settings for the whole cluster.
pub(super) fn cluster(cluster: &Cluster) -> ConfigMap {
    let files = [("patroni.yaml", Some(patroni::cluster_yaml(cluster)))];
    config_map(cluster, cluster.config_map(), &cluster.metadata, labels([]), files)
}

/// `<cluster>-<set>-config`: Patroni's settings for an instance set.
pub(super) fn instance_set(cluster: &Cluster, set: &InstanceSet) -> ConfigMap {
    let files = [("patroni.yaml", Some(patroni::instance_set_yaml(cluster, set)))];
    config_map(cluster, cluster.instance_set_config_map(set), &set.metadata, instance_set_labels(&set.name), files)
}

/// `<cluster>-pgbackrest-config`: pgBackRest's configuration files.
pub(super) fn pgbackrest(cluster: &Cluster, backups: &Backups) -> ConfigMap {
    let mut labels = pgbackrest_labels();
    labels.insert(label::PGBACKREST_CONFIG.to_owned(), String::new());
    let repo_host = backups.has_repo_host();
    let cloud = backups.has_cloud_repository();
    let files = [
        ("config-hash", Some(pgbackrest_config::config_hash(backups))),
        ("pgbackrest-server.conf", Some(pgbackrest_config::server_conf(cluster, backups))),
        ("pgbackrest_cloud.conf", cloud.then(|| pgbackrest_config::cloud_conf(cluster, backups))),
        ("pgbackrest_instance.conf", Some(pgbackrest_config::instance_conf(cluster, backups))),
        ("pgbackrest_repo.conf", repo_host.then(|| pgbackrest_config::repo_conf(cluster, backups))),
    ];
    config_map(cluster, cluster.pgbackrest_config_map(), &backups.metadata, labels, files)
}

/// `<cluster>-pgbouncer`: pgBouncer's configuration. The empty file becomes `pgbouncer.ini`, unless `config.files` contains a
/// file of that name.
pub(super) fn pgbouncer(cluster: &Cluster, pgbouncer: &PgBouncer) -> ConfigMap {
    let files =
        [("pgbouncer-empty", Some(String::new())), ("pgbouncer.ini", Some(pgbouncer_config::ini(cluster, pgbouncer)))];
    config_map(cluster, cluster.pgbouncer_name(), &pgbouncer.metadata, pgbouncer_labels(), files)
}

/// `<cluster>-caretaker`: the caretaker's program and its settings.
pub(super) fn caretaker(cluster: &Cluster) -> ConfigMap {
    let mut files = caretaker::PROGRAM.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    files.push(("caretaker.json".to_owned(), caretaker::settings(cluster)));
    ConfigMap {
        metadata: object_meta(cluster, cluster.caretaker_name(), &cluster.metadata, labels([])),
        data: Some(files.into_iter().collect()),
        ..ConfigMap::default()
    }
}
