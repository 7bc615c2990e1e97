//! The objects of pgBouncer. Its Deployment is in `deployment.rs`.

use super::model::PgBouncer;
use super::{configuration, deployment};
use crate::kubernetes::object::Objects;
use crate::kubernetes::{ConfigMap, NetworkPolicy, PodDisruptionBudget, Service, ServiceSpec};
use crate::naming::{PORT_PGBOUNCER, pgbouncer_labels};
use crate::postgres_cluster::cluster::{Cluster, Metadata};
use crate::postgres_cluster::collector;
use crate::postgres_cluster::objects::config_maps::files;
use crate::postgres_cluster::objects::disruption_budgets::budget;
use crate::postgres_cluster::objects::metadata::{object_meta, selector_labels};
use crate::postgres_cluster::objects::network_policies::{open, policy};
use crate::postgres_cluster::objects::services::{exposed, led_to, port};

/// Adds all of them.
pub(crate) fn add(objects: &mut Objects, cluster: &Cluster, pgbouncer: &PgBouncer) {
    objects.add(service(cluster, pgbouncer));
    objects.add(config_map(cluster, pgbouncer));
    objects.add_all(disruption_budget(cluster, pgbouncer));
    objects.add(deployment::deployment(cluster, pgbouncer));
    objects.add_all(cluster.network_policies.then(|| network_policy(cluster, pgbouncer)));
}

/// `<cluster>-pgbouncer`: the pods of pgBouncer.
fn service(cluster: &Cluster, pgbouncer: &PgBouncer) -> Service {
    let metadata: Metadata = pgbouncer.metadata.merged(Some(&pgbouncer.service.metadata));
    let port = led_to(port(PORT_PGBOUNCER, pgbouncer.port), cluster.pgbouncer_container_port());
    Service {
        metadata: object_meta(cluster, cluster.pgbouncer_name(), &metadata, pgbouncer_labels()),
        spec: Some(ServiceSpec {
            selector: Some(selector_labels(cluster, pgbouncer_labels())),
            ..exposed(&pgbouncer.service, port)
        }),
        ..Service::default()
    }
}

/// `<cluster>-pgbouncer`: pgBouncer's configuration. The empty file becomes `pgbouncer.ini`, unless `config.files` contains a
/// file of that name.
fn config_map(cluster: &Cluster, pgbouncer: &PgBouncer) -> ConfigMap {
    let collector = cluster.collector.as_ref().map(|settings| collector::configuration::pgbouncer(pgbouncer, settings));
    let texts = [
        (collector::configuration::KEY, collector),
        ("pgbouncer-empty", Some(String::new())),
        ("pgbouncer.ini", Some(configuration::ini(cluster, pgbouncer))),
    ];
    files(cluster, cluster.pgbouncer_name(), &pgbouncer.metadata, pgbouncer_labels(), texts)
}

/// `<cluster>-pgbouncer`: the budget of pgBouncer; `None` if it has no `minAvailable`.
fn disruption_budget(cluster: &Cluster, pgbouncer: &PgBouncer) -> Option<PodDisruptionBudget> {
    let minimum = pgbouncer.min_available.clone()?;
    Some(budget(cluster, cluster.pgbouncer_name(), &pgbouncer.metadata, pgbouncer_labels(), minimum))
}

/// `<cluster>-pgbouncer`: applications may come from anywhere.
fn network_policy(cluster: &Cluster, pgbouncer: &PgBouncer) -> NetworkPolicy {
    let rules = vec![open(pgbouncer.port, &pgbouncer.containers, &[])];
    policy(cluster, cluster.pgbouncer_name(), &pgbouncer.metadata, pgbouncer_labels(), rules)
}
