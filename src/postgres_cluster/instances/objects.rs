//! The objects of instances: those that the cluster has once, and those of each instance set.

use super::{access, claims, network_policies, services, stateful_set};
use crate::kubernetes::object::Objects;
use crate::kubernetes::{ConfigMap, PodDisruptionBudget};
use crate::naming::{instance_set_labels, labels};
use crate::postgres_cluster::caretaker;
use crate::postgres_cluster::cluster::{Cluster, InstanceSet};
use crate::postgres_cluster::collector;
use crate::postgres_cluster::objects::config_maps;
use crate::postgres_cluster::objects::disruption_budgets::budget;
use crate::postgres_cluster::patroni;
use crate::postgres_cluster::restore;

/// Adds all of them.
pub(crate) fn add(objects: &mut Objects, cluster: &Cluster) {
    objects.add(access::service_account(cluster));
    objects.add(access::role(cluster));
    objects.add(access::role_binding(cluster));
    objects.add(services::pods(cluster));
    objects.add(services::leader(cluster));
    objects.add(services::patroni_configuration(cluster));
    objects.add(services::primary(cluster));
    objects.add(services::replicas(cluster));
    objects.add(config_map(cluster));
    objects.add(caretaker::config_map(cluster));
    for set in &cluster.instance_sets {
        objects.add(instance_set_config_map(cluster, set));
        objects.add_all(claims::instance_claims(cluster, set));
        objects.add_all(disruption_budget(cluster, set));
        objects.add(stateful_set::stateful_set(cluster, set));
        objects.add_all(cluster.network_policies.then(|| network_policies::instance_set(cluster, set)));
    }
}

/// `<cluster>-config`: Patroni's settings for the whole cluster.
fn config_map(cluster: &Cluster) -> ConfigMap {
    let source = cluster.data_source.as_ref().and_then(restore::configuration::source_conf);
    let files =
        [("patroni.yaml", Some(patroni::configuration::cluster_yaml(cluster))), (restore::objects::KEY, source)];
    config_maps::files(cluster, cluster.config_map(), &cluster.metadata, labels([]), files)
}

/// `<cluster>-<set>-config`: Patroni's settings for an instance set, and the collector's.
fn instance_set_config_map(cluster: &Cluster, set: &InstanceSet) -> ConfigMap {
    let collector = cluster.collector.as_ref().map(|settings| collector::configuration::instance(cluster, settings));
    let queries: Vec<_> =
        cluster.collector.iter().flat_map(|settings| collector::queries::files(cluster, settings)).collect();
    let files = [
        ("patroni.yaml", Some(patroni::configuration::instance_set_yaml(cluster, set))),
        (collector::configuration::KEY, collector),
    ];
    let files = files.into_iter().chain(queries.iter().map(|file| (file.key.as_str(), Some(file.text.clone()))));
    config_maps::files(
        cluster,
        cluster.instance_set_config_map(set),
        &set.metadata,
        instance_set_labels(&set.name),
        files,
    )
}

/// `<cluster>-set-<set>`: the budget of an instance set; `None` if it has no `minAvailable`.
fn disruption_budget(cluster: &Cluster, set: &InstanceSet) -> Option<PodDisruptionBudget> {
    let minimum = set.min_available.clone()?;
    let name = cluster.instance_set_disruption_budget(set);
    Some(budget(cluster, name, &set.metadata, instance_set_labels(&set.name), minimum))
}
