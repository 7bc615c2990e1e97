//! The sections of a description in words.

use std::collections::BTreeMap;

use crate::postgres_cluster::describe::model::{
    Access, Amount, Certificate, ClusterDescription, ContainerDescription, Provided, Repository, Resources, Role,
    Schedule, ServiceDescription, UserDescription, VolumeDescription, Workload,
};

/// The time zone of schedules (Kubernetes, "CronJob", "Time zones").
const TIME_ZONE: &str = "A CronJob runs in the time zone of the kube-controller-manager. UTC is assumed here.";

/// Lines, each with the number of levels that it is below the title.
type Lines = Vec<(usize, String)>;

/// A section: its title and its lines.
pub(super) type Section = (&'static str, Lines);

/// All sections.
pub(super) fn of(cluster: &ClusterDescription) -> Vec<Section> {
    let workloads =
        |role: Role| cluster.workloads.iter().filter(move |workload| workload.role == role).flat_map(workload);
    let provided = cluster.you_provide.iter().map(provided).collect();
    let images = cluster.images.iter().flat_map(|image| [(0, image.image.clone()), (1, image.used_by.join(", "))]);
    let objects = cluster.objects.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ");
    vec![
        ("SERVICES", cluster.services.iter().flat_map(service).collect()),
        ("USERS", cluster.users.iter().flat_map(user).collect()),
        ("INSTANCES", workloads(Role::Instances).collect()),
        ("POOLER", pooler(cluster).chain(workloads(Role::Pooler)).collect()),
        ("BACKUPS", backups(cluster).chain(workloads(Role::RepoHost)).collect()),
        ("MONITORING", cluster.monitoring.iter().map(|sentence| (0, sentence.clone())).collect()),
        ("CERTIFICATES", cluster.certificates.iter().flat_map(certificate).collect()),
        ("YOU PROVIDE", provided),
        ("RIGHTS IN THE KUBERNETES API", cluster.access.iter().flat_map(access).collect()),
        ("IMAGES", images.collect()),
        ("TOTALS, WITHOUT PODS OF JOBS", totals(cluster)),
        ("OBJECTS", vec![(0, objects)]),
    ]
}

fn service(service: &ServiceDescription) -> Lines {
    let ports = service.ports.iter().map(|port| match port.node_port {
        Some(node) => format!("{} (on every node {node})", port.port),
        None => port.port.to_string(),
    });
    let ports: Vec<String> = ports.collect();
    let ports = if ports.is_empty() { String::new() } else { format!(", port {}", ports.join(", ")) };
    let (host, kind) = (&service.host, &service.service_type);
    vec![(0, format!("{host}{ports}, {kind}")), (1, format!("leads to {}; for {}", service.leads_to, service.used_by))]
}

fn user(user: &UserDescription) -> Lines {
    let databases = if user.databases.is_empty() { "no database".to_owned() } else { user.databases.join(", ") };
    let options = if user.options.is_empty() { String::new() } else { format!("; options {}", user.options) };
    let secret = if user.you_provide {
        format!("Secret {}, which you provide", user.secret)
    } else {
        format!("Secret {}: {}", user.secret, user.keys.join(", "))
    };
    vec![(0, format!("{}: {databases}{options}", user.name)), (1, secret)]
}

fn workload(workload: &Workload) -> Lines {
    let pods = if workload.pods.is_empty() { String::new() } else { format!(": {}", workload.pods.join(", ")) };
    let noun = if workload.replicas == 1 { "pod" } else { "pods" };
    let mut lines = vec![(0, format!("{} {}, {} {noun}{pods}", workload.kind, workload.name, workload.replicas))];
    lines.extend(
        workload.min_available.iter().map(|least| (1, format!("at least {least} available while nodes are drained"))),
    );
    lines.extend(workload.containers.iter().map(|it| (1, container(it))));
    lines.extend(workload.volumes.iter().map(|it| (1, volume(it))));
    lines.extend(workload.placement.iter().map(|rule| (1, format!("placement: {rule}"))));
    lines
}

fn container(container: &ContainerDescription) -> String {
    let words = |texts: &BTreeMap<String, String>| {
        if texts.is_empty() {
            return "not set".to_owned();
        }
        texts.iter().map(|(name, amount)| format!("{name} {amount}")).collect::<Vec<_>>().join(", ")
    };
    let ContainerDescription { name, requests, limits, .. } = container;
    format!("container {name}: requests {}; limits {}", words(requests), words(limits))
}

fn volume(volume: &VolumeDescription) -> String {
    let claim = volume.claim.as_ref().map_or_else(|| "scratch volume".to_owned(), |claim| format!("claim {claim}"));
    let size = volume.size.as_deref().unwrap_or("no size");
    let class = volume
        .storage_class
        .as_ref()
        .map_or_else(|| "the default storage class".to_owned(), |class| format!("the storage class {class}"));
    format!("{claim}: {}, {size} of {class}, {}", volume.purpose, volume.access_modes.join(", "))
}

fn pooler(cluster: &ClusterDescription) -> impl Iterator<Item = (usize, String)> {
    cluster.pooler.iter().flat_map(|pooler| {
        let databases = pooler.databases.iter().map(|(name, target)| (1, format!("database {name}: {target}")));
        [(0, format!("pgBouncer behind {}, pool mode {}", pooler.service, pooler.pool_mode))]
            .into_iter()
            .chain(databases)
    })
}

fn backups(cluster: &ClusterDescription) -> impl Iterator<Item = (usize, String)> {
    let all = &cluster.repositories;
    let is_scheduled = all.iter().any(|repository| !repository.schedules.is_empty());
    let mut lines: Lines = all.iter().flat_map(repository).collect();
    if all.is_empty() {
        lines.push((0, "none: nothing protects the data".to_owned()));
    } else if !is_scheduled {
        lines.push((0, "no schedule: only the first backup of each repository, and those on demand".to_owned()));
    }
    lines.extend(cluster.restore_drill.iter().map(|drill| (0, scheduled(drill))));
    if is_scheduled || cluster.restore_drill.is_some() {
        lines.push((0, TIME_ZONE.to_owned()));
    }
    lines.into_iter()
}

fn repository(repository: &Repository) -> Lines {
    let mut lines = vec![(0, format!("{}: {}", repository.name, repository.place))];
    lines.push((1, format!("keeps {}", repository.retention.join(", "))));
    lines.extend(repository.schedules.iter().map(|schedule| (1, scheduled(schedule))));
    lines
}

fn scheduled(schedule: &Schedule) -> String {
    let Schedule { cron_job, what, words, next, suspended, .. } = schedule;
    let next = match (suspended, next) {
        (true, _) => "; suspended".to_owned(),
        (false, Some(next)) => format!("; next {next}"),
        (false, None) => String::new(),
    };
    format!("CronJob {cron_job}: {what} {words}{next}")
}

fn certificate(certificate: &Certificate) -> Lines {
    let day = |time: &Option<String>| time.as_ref().and_then(|time| time.get(..10)).unwrap_or_default().to_owned();
    let validity = match &certificate.duration {
        Some(duration) => format!("made by cert-manager for {duration}"),
        None => format!("valid from {} to {}", day(&certificate.not_before), day(&certificate.not_after)),
    };
    let Certificate { secret, key, common_name, names, .. } = certificate;
    let mut lines = vec![(0, format!("Secret {secret}, key {key}: {common_name}, {validity}"))];
    if !names.is_empty() {
        lines.push((1, format!("for {}", names.join(", "))));
    }
    lines
}

fn provided(provided: &Provided) -> (usize, String) {
    let optional = if provided.optional { ", without which pods start" } else { "" };
    (0, format!("{} {}{optional}", provided.kind, provided.name))
}

fn access(access: &Access) -> Lines {
    let users = if access.used_by.is_empty() { "no pod".to_owned() } else { access.used_by.join(", ") };
    let mut lines = vec![(0, format!("ServiceAccount {}, of {users}", access.service_account))];
    if access.rights.is_empty() {
        lines.push((1, "has no rights, and no container gets a token".to_owned()));
        if !access.token_in.is_empty() {
            lines.pop();
            lines.push((1, format!("has no rights; its token is in {}", access.token_in.join(", "))));
        }
        return lines;
    }
    lines.push((1, format!("its token is only in the containers {}", access.token_in.join(", "))));
    lines.extend(access.rights.iter().map(|right| {
        let why = if right.why.is_empty() { String::new() } else { format!(": {}", right.why) };
        (1, format!("may {}{why}", right.may))
    }));
    lines
}

fn totals(cluster: &ClusterDescription) -> Lines {
    let totals = &cluster.totals;
    vec![
        (0, format!("{} pods with {} containers", totals.pods, totals.containers)),
        (0, format!("requests: {}", resources(&totals.requests))),
        (0, format!("limits: {}", resources(&totals.limits))),
        (0, format!("storage: {}", totals.storage.as_deref().unwrap_or("not set"))),
    ]
}

fn resources(resources: &Resources) -> String {
    format!("cpu {}, memory {}", amount(&resources.cpu), amount(&resources.memory))
}

fn amount(amount: &Amount) -> String {
    match (&amount.sum, amount.containers_without) {
        (None, _) => "not set".to_owned(),
        (Some(sum), 0) => sum.clone(),
        (Some(sum), 1) => format!("{sum} (1 container sets none)"),
        (Some(sum), count) => format!("{sum} ({count} containers set none)"),
    }
}
