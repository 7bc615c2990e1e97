//! Checks lengths and forms of the names of objects. Here the message can still say which part of a name the user has to
//! shorten.

use super::context::Context;
use crate::diagnostic::FieldPath;
use crate::naming::{CRON_JOB_MAX, STATEFUL_SET_MAX};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::spec::DatabaseInitSqlSpec;

/// The longest name of a Service, which is a DNS label (RFC 1035).
const SERVICE_MAX: usize = 63;

/// Checks the names in `spec.databaseInitSQL`, which the schema does not check: the name of a ConfigMap and a key in it.
pub(crate) fn check_init_sql(sql: &DatabaseInitSqlSpec, context: &mut Context) {
    let path = FieldPath::of("spec.databaseInitSQL");
    context.check(&path.key("name"), check_config_map(&sql.name));
    context.check(&path.key("key"), check_key(&sql.key));
}

/// Checks the name of a ConfigMap.
pub(crate) fn check_config_map(name: &str) -> Result<(), String> {
    let is_name = is_made_of(name, "-.") && !name.contains(|c: char| c.is_ascii_uppercase());
    if is_name { Ok(()) } else { Err(format!("{name:?} is not a valid name of a ConfigMap")) }
}

/// Checks a key of a ConfigMap.
pub(crate) fn check_key(key: &str) -> Result<(), String> {
    let message = || format!("{key:?} is not a valid key: write letters, digits, `-`, `_` and `.`");
    if is_made_of(key, "-_.") { Ok(()) } else { Err(message()) }
}

fn is_made_of(text: &str, signs: &str) -> bool {
    (1..=253).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

/// Checks every name that is derived from the names of the cluster and the instance sets.
pub(crate) fn check(cluster: &Cluster, context: &mut Context) {
    let path = FieldPath::of("metadata.name");
    let name = &cluster.name;
    if name.contains('.') {
        context.error(path, "must not contain a dot, because the names of Services cannot contain a dot");
        return;
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        context
            .error(path, "must begin with a letter, because the names of Services must begin with a letter (RFC 1035)");
        return;
    }
    let mut longest =
        [cluster.dcs_service(), cluster.replicas_service()].map(|name| (name, SERVICE_MAX, "a Service")).to_vec();
    if cluster.pgbouncer.is_some() {
        longest.push((cluster.pgbouncer_name(), SERVICE_MAX, "a Service"));
    }
    if let Some(backups) = &cluster.backups {
        if backups.has_repo_host() {
            longest.push((cluster.repo_host(), STATEFUL_SET_MAX, "a StatefulSet"));
        }
        for repository in &backups.repositories {
            for schedule in &repository.schedules {
                longest.push((cluster.backup_cron_job(repository, schedule.backup_type), CRON_JOB_MAX, "a CronJob"));
            }
        }
    }
    if cluster.restore_drill.is_some() {
        longest.push((cluster.restore_drill_name(), CRON_JOB_MAX, "a CronJob"));
    }
    // Only the name that exceeds its limit the most is reported.
    let excess = |(name, max, _): &(String, usize, &str)| name.len().saturating_sub(*max);
    if let Some((long, max, kind)) = longest.iter().max_by_key(|name| excess(name)).filter(|name| excess(name) > 0) {
        let shorten = long.len() - max;
        let message =
            format!("must be shorter by {shorten}: `{long}`, the name of {kind}, can have at most {max} characters");
        context.error(path, message);
    }
    for (index, set) in cluster.instance_sets.iter().enumerate() {
        let long = cluster.instance_set(set);
        if long.len() > STATEFUL_SET_MAX {
            let shorten = long.len() - STATEFUL_SET_MAX;
            let message = format!(
                "must be shorter by {shorten}: `{long}`, the name of a StatefulSet, can have at most \
                 {STATEFUL_SET_MAX} characters"
            );
            context.error(FieldPath::of("spec.instances").index(index).key("name"), message);
        }
    }
}
