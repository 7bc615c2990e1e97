//! Builds every Kubernetes object of a cluster. Building cannot fail: everything that can be wrong was refused when the
//! `PostgresCluster` was parsed and resolved.

mod access;
mod backup_cron_jobs;
mod cert_manager;
mod claims;
mod config_maps;
mod disruption_budgets;
mod fingerprints;
mod instance_containers;
mod instance_sets;
mod instance_volumes;
mod metadata;
mod network_policies;
mod object;
mod pgbouncer;
mod pod;
mod repo_host;
mod secrets;
mod services;
mod substitution;
mod volumes;

use crate::cluster::{Backups, Cluster, PgBouncer};
use crate::identity::Identity;

pub use self::object::Object;
use self::object::Objects;

/// Builds the objects of `cluster`. Objects come after those that they refer to: ServiceAccounts and RBAC, Services,
/// configuration, Secrets, claims, then workloads. The order is always the same.
pub fn build(cluster: &Cluster, identity: &Identity) -> Vec<Object> {
    let mut objects = Objects::default();
    postgres(&mut objects, cluster);
    objects.add(secrets::caretaker(cluster, identity));
    objects.add_all(secrets::patroni_rules(cluster));
    objects.add_all(secrets::planned(cluster, identity));
    if let Some(backups) = &cluster.backups {
        pgbackrest(&mut objects, cluster, backups);
    }
    if let Some(settings) = &cluster.pgbouncer {
        pooler(&mut objects, cluster, settings);
    }
    if let Some(settings) = &cluster.cert_manager {
        objects.add_all(cert_manager::issuers(cluster, settings));
        objects.add_all(cert_manager::certificates(cluster, settings));
    }
    if cluster.network_policies {
        network_policies(&mut objects, cluster);
    }
    let fingerprints = fingerprints::fingerprints(cluster, &identity.fingerprint_key, objects.iter());
    objects.add(fingerprints);
    objects.in_order()
}

fn postgres(objects: &mut Objects, cluster: &Cluster) {
    objects.add(access::instance_service_account(cluster));
    objects.add(access::instance_role(cluster));
    objects.add(access::instance_role_binding(cluster));
    objects.add(services::pods(cluster));
    objects.add(services::leader(cluster));
    objects.add(services::patroni_configuration(cluster));
    objects.add(services::primary(cluster));
    objects.add(services::replicas(cluster));
    objects.add(config_maps::cluster(cluster));
    objects.add(config_maps::caretaker(cluster));
    for set in &cluster.instance_sets {
        objects.add(config_maps::instance_set(cluster, set));
        objects.add_all(claims::instance_claims(cluster, set));
        objects.add_all(disruption_budgets::instance_set(cluster, set));
        objects.add(instance_sets::stateful_set(cluster, set));
    }
}

fn pgbackrest(objects: &mut Objects, cluster: &Cluster, backups: &Backups) {
    objects.add(access::pgbackrest_service_account(cluster, backups));
    objects.add(config_maps::pgbackrest(cluster, backups));
    if backups.has_repo_host() {
        objects.add(access::repo_host_service_account(cluster, backups));
        objects.add(repo_host::stateful_set(cluster, backups));
    }
    for repository in &backups.repositories {
        objects.add_all(claims::repository_claim(cluster, backups, repository));
        for schedule in &repository.schedules {
            objects.add(backup_cron_jobs::cron_job(cluster, backups, repository, schedule));
        }
    }
}

fn pooler(objects: &mut Objects, cluster: &Cluster, settings: &PgBouncer) {
    objects.add(services::pgbouncer(cluster, settings));
    objects.add(config_maps::pgbouncer(cluster, settings));
    objects.add_all(disruption_budgets::pgbouncer(cluster, settings));
    objects.add(pgbouncer::deployment(cluster, settings));
}

fn network_policies(objects: &mut Objects, cluster: &Cluster) {
    for set in &cluster.instance_sets {
        objects.add(network_policies::instance_set(cluster, set));
    }
    if let Some(backups) = &cluster.backups {
        objects.add_all(backups.has_repo_host().then(|| network_policies::repo_host(cluster, backups)));
        objects.add_all(backups.has_schedules().then(|| network_policies::backup_jobs(cluster, backups)));
    }
    objects.add_all(cluster.pgbouncer.as_ref().map(|settings| network_policies::pgbouncer(cluster, settings)));
}
