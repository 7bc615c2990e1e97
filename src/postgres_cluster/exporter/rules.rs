//! The PrometheusRule with the alerts of the cluster.

use super::model::Exporter;
use super::pod_monitor::{API_VERSION, series_label};
use crate::kubernetes::custom_resource::CustomResource;
use crate::kubernetes::prometheus_operator::{PrometheusRuleSpec, RuleGroup};
use crate::naming::{label, labels};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::metadata::object_meta;
use crate::postgres_cluster::pgbackrest::model::{Backups, Repository};
use crate::postgres_cluster::pgbackrest::schedule_gap::longest_gap_hours;
use crate::postgres_cluster::{patroni, postgres};
use crate::read;

/// The alerts, with words that are replaced.
pub const RULES: &str = include_str!("rules.yaml");

/// The age in hours of a backup that is too old, if no repository has a schedule: 8 days.
const HOURS_WITHOUT_SCHEDULE: u32 = 8 * 24;

/// `<cluster>-exporter`; `None` if every alert would be wrong: if there are no instances, or no metrics for them.
pub(crate) fn prometheus_rule(cluster: &Cluster, exporter: &Exporter) -> Option<CustomResource<PrometheusRuleSpec>> {
    if cluster.shutdown || !exporter.has_default_queries(&cluster.exporter_queries_config_map()) {
        return None;
    }
    let metadata =
        object_meta(cluster, cluster.exporter_name(), &cluster.metadata, labels([(label::ROLE, "monitoring")]));
    let spec = PrometheusRuleSpec { groups: groups(cluster) };
    Some(CustomResource { api_version: API_VERSION, kind: "PrometheusRule", metadata, spec })
}

/// The groups that the cluster needs.
fn groups(cluster: &Cluster) -> Vec<RuleGroup> {
    let instances = instances(cluster);
    // A standby cluster takes no backups and archives nothing.
    let backups = cluster.backups.as_ref().filter(|_| cluster.standby.is_none());
    let mut groups = Vec::new();
    for group in template(cluster, instances) {
        match group.name.as_str() {
            "leader" if cluster.standby.is_some() => {}
            "standby" if cluster.standby.is_none() => {}
            // Without a host, it follows only the archive.
            "source" if cluster.standby.as_ref().is_none_or(|standby| standby.host.is_none()) => {}
            "replication" if instances < 2 => {}
            "replay" if instances < 2 && cluster.standby.is_none() => {}
            // What is restored from an archive has no time while the source writes nothing.
            "replay" if cluster.standby.as_ref().is_some_and(|standby| standby.host.is_none()) => {}
            "backups" if backups.is_none() => {}
            "pgbouncer" if cluster.pgbouncer.is_none() => {}
            "repository" => {
                for (repository, hours) in backups.map(ages).unwrap_or_default() {
                    groups.push(of_repository(&group, repository, hours));
                }
            }
            _ => groups.push(group),
        }
    }
    for group in &mut groups {
        // Prometheus' pages show groups of all clusters by this name.
        group.name = format!("{}/{}: {}", cluster.namespace, cluster.name, group.name);
        for rule in &mut group.rules {
            // Some expressions have a result without labels, and Alertmanager must still know whose alert it is.
            rule.labels.insert("namespace".to_owned(), cluster.namespace.clone());
            rule.labels.insert("pg_cluster".to_owned(), series_label(cluster));
            if let Some(text) = rule.annotations.get_mut("description") {
                text.push_str(&files_of_logs(cluster, text));
            }
        }
    }
    groups
}

/// Where the logs are that `description` speaks of, if Postgres and Patroni write them into files for the collector.
fn files_of_logs(cluster: &Cluster, description: &str) -> String {
    let is_of_database = ["logs POD`", "logs {{ $labels.pod }}`"].iter().any(|words| description.contains(words));
    if cluster.collector.is_none() || !is_of_database {
        return String::new();
    }
    let postgres = postgres::configuration::parameters(cluster).remove("log_directory").unwrap_or_default();
    format!(
        " Postgres and Patroni write their logs into files: `kubectl --namespace {} exec POD --container database -- sh -c \
         'tail -n 50 {postgres}/* {}/*'`.",
        cluster.namespace,
        patroni::configuration::LOG_DIRECTORY
    )
}

/// The template with everything replaced that is the same in all groups.
fn template(cluster: &Cluster, instances: u32) -> Vec<RuleGroup> {
    let selector = format!("namespace=\"{}\",pg_cluster=\"{}\"", cluster.namespace, series_label(cluster));
    let text = RULES
        .replace("<selector>", &selector)
        .replace("<namespace>", &cluster.namespace)
        .replace("<cluster>", &cluster.name)
        .replace("<instances>", &instances.to_string())
        .replace("<pods>", &pods(cluster));
    let documents = read::documents("rules.yaml", &text).expect("the template is YAML whatever is replaced");
    let json = documents.into_iter().next().map(|document| document.node.to_json());
    serde_json::from_value::<PrometheusRuleSpec>(json.unwrap_or_default())
        .expect("the template has these fields")
        .groups
}

/// The number of instances of all sets.
fn instances(cluster: &Cluster) -> u32 {
    cluster.instance_sets.iter().map(|set| u32::from(set.replicas)).sum()
}

/// A regular expression for the names of the pods of all instances. Names of sets are letters, digits and `-`. Another cluster
/// can have a name that begins like this one's.
fn pods(cluster: &Cluster) -> String {
    let sets: Vec<String> = cluster.instance_sets.iter().map(|set| cluster.instance_set(set)).collect();
    format!("({})-[0-9]+", sets.join("|"))
}

/// How old the newest backup in each repository may be, in hours: those with schedules, or all if none has any.
fn ages(backups: &Backups) -> Vec<(&Repository, u32)> {
    let repositories = backups.repositories.iter();
    let chosen = repositories.filter(|repository| !backups.has_schedules() || !repository.schedules.is_empty());
    chosen.map(|repository| (repository, age_hours(repository))).collect()
}

/// The longest time between two of its schedules, a quarter more for backups that take longer than others, and six hours.
fn age_hours(repository: &Repository) -> u32 {
    let schedules = repository.schedules.iter().map(|schedule| schedule.schedule.as_str());
    longest_gap_hours(schedules).map_or(HOURS_WITHOUT_SCHEDULE, |gap| gap + gap / 4 + 6)
}

/// The group for one repository.
fn of_repository(group: &RuleGroup, repository: &Repository, hours: u32) -> RuleGroup {
    let replaced = |text: &str| {
        text.replace("<repo>", &repository.index.to_string())
            .replace("<age>", &(hours * 3600).to_string())
            .replace("<hours>", &hours.to_string())
    };
    let mut group = group.clone();
    group.name = repository.name();
    for rule in &mut group.rules {
        rule.expr = replaced(&rule.expr);
        rule.duration = replaced(&rule.duration);
        for text in rule.annotations.values_mut() {
            *text = replaced(text);
        }
    }
    group
}
