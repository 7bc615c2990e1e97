//! Resolves Postgres itself: parameters, rules, Patroni, standby, certificates and ports.

use std::collections::BTreeMap;

use super::backups::{repository_index, unknown_repository};
use super::{Context, dynamic_configuration, files, patroni_settings, quantity};
use crate::cluster::{Cluster, Patroni, Postgres, Standby, Switchover};
use crate::config::postgres::{self, parameter};
use crate::diagnostic::FieldPath;
use crate::kubernetes::IntOrString;
use crate::naming::{PGBACKREST_PORT, annotation};
use crate::parse::parameter_fault;
use crate::spec::{HbaRule, PatroniSpec, PostgresClusterSpec, RepositorySpec, SwitchoverType};

/// Resolves `spec.config` and `spec.authentication`.
pub(super) fn postgres(spec: &PostgresClusterSpec, version: u16, context: &mut Context) -> Postgres {
    let config = spec.config.clone().unwrap_or_default();
    let mut parameters = BTreeMap::new();
    for (name, value) in config.parameters {
        let value = match value {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(text) => text,
        };
        let path = FieldPath::of("spec.config.parameters").key(&name);
        if !context.check(&path, parameter::check_name(&name)) {
            continue;
        }
        context.check(&path, parameter::check_value(&name, &value));
        let lower = name.to_lowercase();
        // The CRD compares names as they are written, but Postgres ignores their case.
        if lower != name
            && let Some(why) = parameter_fault(&lower, &value)
        {
            context.error(path.clone(), why);
        }
        if lower == "log_directory" {
            let directory = postgres::log_directory(version, &value);
            if directory.changed {
                context.warning(path.clone(), format!("logs are written to `{}`", directory.path));
            }
        }
        if parameters.insert(lower, value).is_some() {
            context.error(
                path,
                "the parameter is set twice, because Postgres does not distinguish upper and lower case: keep only one",
            );
        }
    }
    let rules = spec.authentication.iter().flat_map(|authentication| &authentication.rules).enumerate();
    let limits = spec.instances.iter().filter_map(|set| set.resources.as_ref()?.limits.as_ref()).flatten();
    let mut huge_pages = limits.filter(|(name, _)| name.starts_with("hugepages-"));
    Postgres {
        parameters,
        files: files::checked(config.files, &FieldPath::of("spec.config.files"), &[], context),
        hba_rules: rules.filter_map(|(index, rule)| hba_line(rule, index, version, context)).collect(),
        huge_pages: huge_pages.any(|(_, limit)| quantity::value(&limit.0) > Some(0.0)),
    }
}

fn hba_line(rule: &HbaRule, index: usize, version: u16, context: &mut Context) -> Option<String> {
    let path = FieldPath::of("spec.authentication.rules").index(index);
    if let Some(text) = &rule.hba {
        let line = postgres::hba_text(text);
        match &line {
            None => context.warning(path.key("hba"), "this rule is empty, so pgrender omits it"),
            Some(line) => hba_text(line, &path.key("hba"), version, context),
        }
        return line;
    }
    let options = rule.options.iter().map(|(name, value)| {
        let value = match value {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(text) => text.clone(),
        };
        (name.clone(), value)
    });
    let options = options.collect();
    // The schema requires both fields if there is no `hba`.
    let (connection, method) = (rule.connection.as_deref()?, rule.method.as_deref()?);
    let rule = postgres::Rule { connection, databases: &rule.databases, users: &rule.users, method, options: &options };
    let faults = match rule.line(version) {
        Ok(line) => return Some(line),
        Err(faults) => faults,
    };
    for (field, why) in faults {
        context.error(path.join(&field), why);
    }
    None
}

/// Checks a line of `pg_hba.conf` that the user wrote in full.
pub(super) fn hba_text(text: &str, path: &FieldPath, version: u16, context: &mut Context) {
    match postgres::check_hba_text(text, version) {
        Err(why) => context.error(path.clone(), why),
        Ok(notes) => notes.into_iter().for_each(|note| context.warning(path.clone(), note)),
    }
}

/// Resolves `spec.patroni`.
pub(super) fn patroni(
    spec: &PostgresClusterSpec,
    version: u16,
    annotations: &BTreeMap<String, String>,
    context: &mut Context,
) -> Patroni {
    let patroni = spec.patroni.clone().unwrap_or_default();
    dynamic_configuration::check(&patroni.dynamic_configuration, version, context);
    let standby = spec.standby.as_ref().filter(|standby| standby.enabled);
    patroni_settings::check(&patroni, standby, context);
    if patroni.sync_period_seconds * 2 > patroni.leader_lease_duration_seconds {
        // Patroni itself raises `ttl` or lowers `loop_wait` so that loop_wait + 2 * retry_timeout <= ttl.
        let message = "is shorter than two sync periods, so a healthy leader could lose its lease: write at least \
                       twice `syncPeriodSeconds`";
        context.warning(FieldPath::of("spec.patroni.leaderLeaseDurationSeconds"), message);
    }
    Patroni {
        port: context.port(patroni.port, "spec.patroni.port"),
        switchover: switchover(&patroni, annotations, context),
        leader_lease_duration_seconds: patroni.leader_lease_duration_seconds,
        sync_period_seconds: patroni.sync_period_seconds,
        dynamic_configuration: patroni.dynamic_configuration,
    }
}

fn switchover(
    patroni: &PatroniSpec,
    annotations: &BTreeMap<String, String>,
    context: &mut Context,
) -> Option<Switchover> {
    let switchover = patroni.switchover.as_ref().filter(|switchover| switchover.enabled)?;
    if switchover.type_ == SwitchoverType::Failover && switchover.target_instance.is_none() {
        let path = FieldPath::of("spec.patroni.switchover.targetInstance");
        context.error(
            path,
            "required field is missing: write the name of the instance that becomes the leader after the failover",
        );
    }
    Some(Switchover {
        trigger: annotations.get(annotation::TRIGGER_SWITCHOVER)?.clone(),
        target: switchover.target_instance.clone(),
        kind: switchover.type_,
    })
}

/// Whether a repository is on a volume that is created for it.
fn is_on_new_volume(repository: &RepositorySpec) -> bool {
    repository.volume.as_ref().map(|volume| &volume.volume_claim_spec).is_some_and(|claim| {
        claim.volume_name.is_none()
            && claim.selector.is_none()
            && claim.data_source.is_none()
            && claim.data_source_ref.is_none()
    })
}

/// Resolves `spec.standby`; `None` if it is not enabled.
pub(super) fn standby(spec: &PostgresClusterSpec, cluster: &str, context: &mut Context) -> Option<Standby> {
    let standby = spec.standby.as_ref().filter(|standby| standby.enabled)?;
    let path = FieldPath::of("spec.standby");
    if standby.host.is_none() && standby.repo_name.is_none() {
        context.error(path.clone(), "a standby needs a source to replicate from: add `host`, `repoName` or both");
    }
    if let Some(host) = &standby.host {
        context.check(&path.key("host"), check_host(host));
    }
    let pgbackrest = spec.backups.as_ref().and_then(|backups| backups.pgbackrest.as_ref());
    if let Some(name) = &standby.repo_name {
        match pgbackrest {
            None => context.error(path.key("repoName"), "there are no repositories: add `spec.backups.pgbackrest`"),
            Some(pgbackrest) if !pgbackrest.repos.iter().any(|repository| &repository.name == name) => {
                context.error(path.key("repoName"), unknown_repository(name, pgbackrest));
            }
            Some(pgbackrest) => {
                let repository = pgbackrest.repos.iter().find(|repository| &repository.name == name);
                if repository.is_some_and(is_on_new_volume) {
                    let message = format!(
                        "the volume of this repository is new and empty, unless the claim `{cluster}-{name}` already \
                         exists, so the standby has no backup to start from: write the name of the volume with the \
                         backups in `volumeName` of its claim, or use a repository in `s3`, `gcs` or `azure`"
                    );
                    context.warning(path.key("repoName"), message);
                }
            }
        }
    }
    Some(Standby {
        host: standby.host.clone(),
        port: standby.port.map(|port| context.port(port, "spec.standby.port")),
        repository: standby.repo_name.as_deref().and_then(repository_index),
    })
}

/// Checks a host, or several hosts with commas. Patroni makes it part of a connection string, where a space would begin another
/// setting.
pub(super) fn check_host(host: &str) -> Result<(), String> {
    let is_host =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:,%[]".contains(&byte));
    if is_host {
        return Ok(());
    }
    // libpq takes a text that begins with a slash or `@` for the path of a socket, and this pod has only the socket of its own
    // Postgres.
    Err(format!("{host:?} is not a valid name or address of a host"))
}

/// Replicas trust the CA of the server's certificate, and the server trusts the CA of theirs. So the user provides both
/// certificates or none.
pub(super) fn check_custom_certificates(spec: &PostgresClusterSpec, cluster: &Cluster, context: &mut Context) {
    if spec.custom_replication_tls_secret.as_ref().is_some_and(|secret| secret.items.is_some()) {
        let message = "has no effect, as in PGO: the Secret must have the keys `ca.crt`, `tls.crt` and `tls.key`";
        context.warning(FieldPath::of("spec.customReplicationTLSSecret.items"), message);
    }
    let message = |other: &str| format!("replicas and their leader must trust each other: also set `{other}`");
    match (&cluster.custom_tls_secret, &cluster.custom_replication_tls_secret) {
        (Some(_), None) => {
            context.error(FieldPath::of("spec.customTLSSecret"), message("spec.customReplicationTLSSecret"));
        }
        (None, Some(_)) => {
            context.error(FieldPath::of("spec.customReplicationTLSSecret"), message("spec.customTLSSecret"));
        }
        _ => {}
    }
}

/// Checks that all ports of one pod are different.
pub(super) fn check_ports(cluster: &Cluster, context: &mut Context) {
    if cluster.port != 0 && cluster.port == cluster.patroni.port {
        context.error(FieldPath::of("spec.port"), "is the same port as `spec.patroni.port`: change one of them");
    }
    for (path, port) in [("spec.port", cluster.port), ("spec.patroni.port", cluster.patroni.port)] {
        if cluster.backups.is_some() && port == PGBACKREST_PORT {
            context.error(
                FieldPath::of(path),
                format!("pgBackRest's server uses port {PGBACKREST_PORT}: choose another port"),
            );
        }
    }
    let node_ports = [
        ("spec.service.nodePort", cluster.service.node_port),
        ("spec.replicaService.nodePort", cluster.replica_service.node_port),
        ("spec.proxy.pgBouncer.service.nodePort", cluster.pgbouncer.as_ref().and_then(|p| p.service.node_port)),
    ];
    for (index, (path, port)) in node_ports.iter().enumerate() {
        if port.is_some() && node_ports[..index].iter().any(|(_, other)| other == port) {
            context.error(
                FieldPath::of(path),
                "another Service of this cluster has the same node port: choose another node port",
            );
        }
    }
}
