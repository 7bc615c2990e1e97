//! Resolves Postgres itself: parameters, rules and ports.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::parameter;
use crate::diagnostic::FieldPath;
use crate::kubernetes::{Container, IntOrString};
use crate::naming::{COLLECTOR_PORT, EXPORTER_PORT, PGBACKREST_PORT, PORT_COLLECTOR, PORT_EXPORTER};
use crate::postgres_cluster::cluster::{Cluster, Postgres};
use crate::postgres_cluster::postgres;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::{files, quantity};
use crate::postgres_cluster::rules::parameter_fault;
use crate::postgres_cluster::spec::{HbaRule, PostgresClusterSpec};

/// Resolves `spec.config` and `spec.authentication`.
pub(crate) fn postgres(spec: &PostgresClusterSpec, version: u16, context: &mut Context) -> Postgres {
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
            let directory = postgres::configuration::log_directory(version, &value);
            if directory.changed {
                context.warning(path.clone(), format!("logs are written to `{}`", directory.path));
            }
        }
        if parameters.insert(lower, value).is_some() {
            context.error(
                path,
                "the parameter is set twice, because Postgres does not distinguish upper and lower \
                                 case: keep only one",
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
        let line = postgres::configuration::hba_text(text);
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
    let rule = postgres::configuration::Rule {
        connection,
        databases: &rule.databases,
        users: &rule.users,
        method,
        options: &options,
    };
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
pub(crate) fn hba_text(text: &str, path: &FieldPath, version: u16, context: &mut Context) {
    match postgres::configuration::check_hba_text(text, version) {
        Err(why) => context.error(path.clone(), why),
        Ok(notes) => notes.into_iter().for_each(|note| context.warning(path.clone(), note)),
    }
}

/// Checks that all ports of one pod are different.
pub(crate) fn check_ports(spec: &PostgresClusterSpec, cluster: &Cluster, context: &mut Context) {
    let default = i32::from(cluster.patroni.port);
    if spec.patroni.as_ref().map_or(default, |patroni| patroni.port) == spec.port {
        context.error(FieldPath::of("spec.port"), "is the same port as `spec.patroni.port`: change one of them");
    }
    let taken = [
        (cluster.backups.is_some(), "pgBackRest's server", PGBACKREST_PORT),
        (cluster.exporter.is_some(), "the exporter", EXPORTER_PORT),
        (cluster.collector_runs_queries(), "the collector", COLLECTOR_PORT),
    ];
    let taken: Vec<_> =
        taken.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, user, port)| (user, port)).collect();
    for (path, port) in [("spec.port", cluster.port), ("spec.patroni.port", cluster.patroni.port)] {
        for (user, taken) in taken.iter().filter(|(_, taken)| *taken == port) {
            context.error(FieldPath::of(path), format!("{user} uses port {taken}: choose another port"));
        }
    }
    let of_instances = [[("Postgres", cluster.port), ("Patroni", cluster.patroni.port)].as_slice(), &taken].concat();
    let mut scraped = Vec::new();
    scraped.extend(cluster.exporter.as_ref().map(|_| (PORT_EXPORTER, "exporter")));
    scraped.extend(cluster.collector_runs_queries().then_some((PORT_COLLECTOR, "collector")));
    for (index, set) in cluster.instance_sets.iter().enumerate() {
        let path = FieldPath::of("spec.instances").index(index).key("containers");
        check_sidecars(&set.containers, &of_instances, &scraped, &path, context);
    }
    if let Some(collector) = &cluster.collector {
        check_endpoints(&collector.exporters, &of_instances, context);
    }
    if let Some(pgbouncer) = &cluster.pgbouncer {
        let path = FieldPath::of("spec.proxy.pgBouncer.containers");
        check_sidecars(&pgbouncer.containers, &[("pgBouncer", pgbouncer.port)], &[], &path, context);
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
                "another Service of this cluster has the same node port: choose \
                                                another node port",
            );
        }
    }
}

/// Checks the ports at which the collector's exporters of the type `prometheus` listen. If one of them is taken, the collector ends,
/// or a program of pgrender cannot start.
fn check_endpoints(exporters: &Map<String, Value>, taken: &[(&str, u16)], context: &mut Context) {
    let is_prometheus = |name: &str| name == "prometheus" || name.starts_with("prometheus/");
    for (name, settings) in exporters.iter().filter(|(name, _)| is_prometheus(name)) {
        let endpoint =
            settings["endpoint"].as_str().and_then(|endpoint| endpoint.rsplit(':').next()?.parse::<u16>().ok());
        if let Some((user, port)) = taken.iter().find(|(_, taken)| endpoint == Some(*taken)) {
            let path = FieldPath::of("spec.instrumentation.config.exporters").key(name).key("endpoint");
            context.error(path, format!("{user} uses port {port} in the same pod: choose another port"));
        }
    }
}

/// Checks the ports of the user's containers. All containers of a pod share its network, so only one of them can listen at a port.
/// `taken` has the ports of pgrender's containers. `scraped` has the names of ports, and whose they are: Prometheus scrapes every
/// port of a pod that has this name.
fn check_sidecars(
    containers: &[Container],
    taken: &[(&str, u16)],
    scraped: &[(&str, &str)],
    path: &FieldPath,
    context: &mut Context,
) {
    for (index, container) in containers.iter().enumerate() {
        for (position, port) in container.ports.iter().flatten().enumerate() {
            let at = path.index(index).key("ports").index(position);
            let is_tcp = port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
            let user = taken.iter().find(|(_, taken)| is_tcp && i32::from(*taken) == port.container_port);
            if let Some((user, port)) = user {
                let message = format!("{user} uses port {port} in this pod: choose another port");
                context.error(at.key("containerPort"), message);
            }
            if let Some((name, program)) = scraped.iter().find(|(name, _)| port.name.as_deref() == Some(*name)) {
                let message = format!(
                    "`{name}` is the name of the {program}'s port, so Prometheus would also scrape this container: \
                     choose another name"
                );
                context.error(at.key("name"), message);
            }
        }
    }
}
