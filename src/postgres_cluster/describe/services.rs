//! Services, with where they lead to and who should use them, and the pooler.

use std::collections::BTreeMap;

use super::model::{Pooler, Port, ServiceDescription};
use super::view::View;
use crate::kubernetes::Service;
use crate::naming::{PGBOUNCER_USER, label};

/// The Services, those for applications first.
pub(super) fn describe(view: &View) -> Vec<ServiceDescription> {
    let mut found: Vec<_> = view.services().map(|service| one(view, service)).collect();
    found.sort_by_key(|(rank, service)| (*rank, service.name.clone()));
    found.into_iter().map(|(_, service)| service).collect()
}

fn one(view: &View, service: &Service) -> (usize, ServiceDescription) {
    let name = service.metadata.name.clone().unwrap_or_default();
    let labels = service.metadata.labels.as_ref();
    let role = labels.and_then(|labels| labels.get(label::ROLE)).map(String::as_str);
    let spec = service.spec.as_ref();
    let ports = spec.and_then(|spec| spec.ports.as_ref()).into_iter().flatten().map(|port| Port {
        name: port.name.clone().unwrap_or_default(),
        port: port.port,
        node_port: port.node_port,
    });
    let is_headless = spec.is_some_and(|spec| spec.cluster_ip.as_deref() == Some("None"));
    let service_type = spec.and_then(|spec| spec.type_.clone()).unwrap_or_else(|| "ClusterIP".to_owned());
    let (rank, leads_to, used_by) = match role {
        Some("primary") => (0, "the leader", "applications that read and write"),
        Some("replica") if instances(view) == 1 => {
            (1, "no pod: there is only one instance", "applications that only read")
        }
        Some("replica") => (1, "all replicas that are ready", "applications that only read"),
        Some("pgbouncer") => (2, "pgBouncer, which connects to the leader", "applications with many connections"),
        _ if name == format!("{}-ha", view.cluster) => {
            (3, "the leader", "clients outside of the Kubernetes cluster, if the type lets them in")
        }
        _ if name == format!("{}-pods", view.cluster) => (4, "each pod by its name", "the pods of the cluster"),
        _ => (5, "nothing: Patroni stores its configuration in the Endpoints of this name", "Patroni"),
    };
    let description = ServiceDescription {
        host: format!("{name}.{}.svc", view.namespace),
        name,
        service_type: if is_headless { "headless".to_owned() } else { service_type },
        ports: ports.collect(),
        leads_to: leads_to.to_owned(),
        used_by: used_by.to_owned(),
    };
    (rank, description)
}

/// The number of pods with Postgres.
fn instances(view: &View) -> i32 {
    view.pods().filter(|pods| pods.label(label::INSTANCE_SET).is_some()).map(|pods| pods.replicas).sum()
}

/// pgBouncer, from its configuration file.
pub(super) fn pooler(view: &View) -> Option<Pooler> {
    let name = format!("{}-pgbouncer", view.cluster);
    let pods = view.pods().find(|pods| pods.kind == "Deployment" && pods.name == name)?;
    let file = view.file(&name, "pgbouncer.ini")?;
    let mut pool_mode = "session".to_owned();
    let mut databases = BTreeMap::new();
    let mut section = "";
    for line in file.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else { continue };
        match section {
            "[pgbouncer]" if key == "pool_mode" => value.clone_into(&mut pool_mode),
            // The database of pgBouncer itself.
            "[databases]" if key != PGBOUNCER_USER => _ = databases.insert(key.to_owned(), target(value)),
            _ => {}
        }
    }
    Some(Pooler { service: name, replicas: pods.replicas, pool_mode, databases })
}

/// Where a database of pgBouncer leads to. Other words of the connection string may contain a password.
fn target(connection: &str) -> String {
    let is_shown = |word: &&str| ["host=", "port=", "dbname=", "pool_mode="].iter().any(|key| word.starts_with(key));
    connection.split_whitespace().filter(is_shown).collect::<Vec<_>>().join(" ")
}
