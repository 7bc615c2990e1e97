//! The pods that run all the time: their containers, volumes and placement.

use std::collections::BTreeMap;

use super::model::{ContainerDescription, Role, VolumeDescription, Workload};
use super::placement;
use super::view::{Pods, View};
use crate::kubernetes::{Container, IntOrString, Object, PersistentVolumeClaimSpec, Quantity};
use crate::naming::{COLLECTOR_PORT, CONTAINER_COLLECTOR, CONTAINER_EXPORTER, EXPORTER_PORT, PORT_COLLECTOR, label};

/// The workloads: instance sets, then the repo host, then the pooler.
pub(super) fn describe(view: &View) -> Vec<Workload> {
    view.pods().map(|pods| one(view, &pods)).collect()
}

fn one(view: &View, pods: &Pods) -> Workload {
    let role = if pods.label(label::INSTANCE_SET).is_some() {
        Role::Instances
    } else if pods.kind == "StatefulSet" {
        Role::RepoHost
    } else {
        Role::Pooler
    };
    // The pods of a Deployment have random names.
    let names =
        (0..pods.replicas).filter(|_| pods.kind == "StatefulSet").map(|ordinal| format!("{}-{ordinal}", pods.name));
    Workload {
        role,
        kind: pods.kind.to_owned(),
        name: pods.name.to_owned(),
        replicas: pods.replicas,
        pods: names.collect(),
        containers: pods.spec.containers.iter().map(container).collect(),
        volumes: claims(view, pods, role).chain(scratch(pods)).collect(),
        placement: placement::words(pods.spec),
        min_available: min_available(view, pods),
    }
}

fn container(container: &Container) -> ContainerDescription {
    let resources = container.resources.as_ref();
    let texts = |quantities: Option<&BTreeMap<String, Quantity>>| {
        quantities.into_iter().flatten().map(|(name, quantity)| (name.clone(), quantity.0.clone())).collect()
    };
    ContainerDescription {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        requests: texts(resources.and_then(|resources| resources.requests.as_ref())),
        limits: texts(resources.and_then(|resources| resources.limits.as_ref())),
    }
}

/// The claims of a workload.
fn claims<'a>(view: &'a View<'a>, pods: &'a Pods, role: Role) -> impl Iterator<Item = VolumeDescription> + 'a {
    view.claims().filter_map(move |claim| {
        let labels = claim.metadata.labels.as_ref();
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
        let repository = label(label::PGBACKREST_REPO);
        let is_here = match role {
            Role::Instances => {
                label(label::INSTANCE_SET).is_some_and(|set| pods.label(label::INSTANCE_SET) == Some(set))
            }
            Role::RepoHost => repository.is_some(),
            Role::Pooler => false,
        };
        let purpose = match (label(label::ROLE), repository) {
            (Some("pgwal"), _) => "WAL".to_owned(),
            (_, Some(repository)) => format!("the repository {repository}"),
            _ => "data".to_owned(),
        };
        is_here.then(|| volume(claim.metadata.name.clone(), purpose, claim.spec.as_ref()))
    })
}

/// The volumes whose claims Kubernetes creates and deletes together with each pod.
fn scratch<'a>(pods: &'a Pods) -> impl Iterator<Item = VolumeDescription> + 'a {
    pods.spec.volumes.iter().flatten().filter_map(|it| {
        let template = it.ephemeral.as_ref()?.volume_claim_template.as_ref()?;
        Some(volume(None, "temporary files, for each pod as long as it exists".to_owned(), Some(&template.spec)))
    })
}

fn volume(claim: Option<String>, purpose: String, spec: Option<&PersistentVolumeClaimSpec>) -> VolumeDescription {
    let requests = spec.and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    VolumeDescription {
        claim,
        purpose,
        size: requests.and_then(|requests| requests.get("storage")).map(|size| size.0.clone()),
        storage_class: spec.and_then(|spec| spec.storage_class_name.clone()),
        access_modes: spec.and_then(|spec| spec.access_modes.clone()).unwrap_or_default(),
    }
}

/// The limit of the PodDisruptionBudget that selects the pods.
fn min_available(view: &View, pods: &Pods) -> Option<String> {
    let key = if pods.label(label::INSTANCE_SET).is_some() { label::INSTANCE_SET } else { label::ROLE };
    view.objects.iter().find_map(|object| match object {
        Object::PodDisruptionBudget(budget) if object.label(key).is_some() && object.label(key) == pods.label(key) => {
            budget.spec.as_ref()?.min_available.as_ref().map(|least| match least {
                IntOrString::Int(number) => number.to_string(),
                IntOrString::String(text) => text.clone(),
            })
        }
        _ => None,
    })
}

/// How the cluster is monitored.
pub(super) fn monitoring(view: &View) -> Vec<String> {
    let mut found = Vec::new();
    let has = |name: &str| view.pods().any(|pods| pods.spec.containers.iter().any(|container| container.name == name));
    if has(CONTAINER_EXPORTER) {
        found.push(format!(
            "The container `{CONTAINER_EXPORTER}` of each instance serves metrics at port {EXPORTER_PORT}."
        ));
    }
    if has(CONTAINER_COLLECTOR) {
        found.push(format!(
            "The container `{CONTAINER_COLLECTOR}` of each pod sends logs and metrics with OpenTelemetry."
        ));
    }
    let ports = view.pods().flat_map(|pods| pods.spec.containers.iter()).flat_map(|it| it.ports.iter().flatten());
    if ports.into_iter().any(|port| port.name.as_deref() == Some(PORT_COLLECTOR)) {
        found.push(format!("It serves what its own queries measure at port {COLLECTOR_PORT}."));
    }
    let name = format!("{}-exporter", view.cluster);
    if view.has("PodMonitor", &name) {
        found.push(format!("The PodMonitor `{name}` lets Prometheus Operator find the metrics."));
    }
    if view.has("PrometheusRule", &name) {
        found.push(format!("The PrometheusRule `{name}` has alerts."));
    }
    let dashboard = format!("{}-grafana-dashboard", view.cluster);
    if view.has("ConfigMap", &dashboard) {
        found.push(format!("The ConfigMap `{dashboard}` has a dashboard for Grafana."));
    }
    found
}
