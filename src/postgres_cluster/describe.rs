//! Describes what exists after the manifests of a cluster are applied: `pgrender describe`.
//!
//! Everything is read from the rendered objects, so that a description cannot differ from what is applied. No value of a Secret
//! is in it, except names and dates of certificates and the settings of roles.

mod access;
mod backups;
mod certificates;
mod mermaid;
pub mod model;
mod placement;
mod quantity;
pub mod report;
mod schedule;
mod services;
mod totals;
mod users;
mod view;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use self::model::{ClusterDescription, Image, Provided};
use self::view::View;
use crate::diagnostic::ResourceRef;
use crate::kubernetes::Object;

pub use self::mermaid::flowchart;

/// Describes a cluster by its objects. `file` is the file that it was read from. `time` is the time after which the next runs of
/// schedules are looked for, in seconds since 1970.
pub fn describe(reference: &ResourceRef, file: &str, objects: &[Object], time: i64) -> ClusterDescription {
    let view = View::new(reference, objects);
    let workloads = workloads::describe(&view);
    let mut counts = BTreeMap::new();
    for object in objects {
        *counts.entry(object.reference().kind).or_insert(0) += 1;
    }
    ClusterDescription {
        name: view.cluster.to_owned(),
        namespace: view.namespace.to_owned(),
        file: file.to_owned(),
        postgres_version: view.settings["postgresVersion"].as_u64().unwrap_or_default(),
        state: state(&view),
        objects: counts,
        services: services::describe(&view),
        users: users::describe(&view),
        repositories: backups::repositories(&view, time),
        restore_drill: backups::restore_drill(&view, time),
        pooler: services::pooler(&view),
        monitoring: workloads::monitoring(&view),
        certificates: certificates::describe(&view),
        you_provide: you_provide(&view),
        images: images(&view),
        access: access::describe(&view),
        totals: totals::of(&view, &workloads),
        workloads,
    }
}

/// What is unusual about a cluster.
fn state(view: &View) -> Vec<String> {
    let mut found = Vec::new();
    if view.pods().next().is_some() && view.pods().all(|pods| pods.replicas == 0) {
        found.push("The cluster is shut down: all workloads have 0 replicas. Its volumes stay.".to_owned());
    }
    if view.settings["paused"] == true {
        found.push("The cluster is paused: the caretaker changes nothing.".to_owned());
    }
    if view.settings["dynamicConfiguration"]["standby_cluster"].is_object() {
        let source = &view.settings["dynamicConfiguration"]["standby_cluster"];
        let from = match source["host"].as_str() {
            Some(host) => format!("streams from `{host}`"),
            None => "reads the archive of another cluster".to_owned(),
        };
        found.push(format!("The cluster is a standby: it {from}, and accepts no writes."));
    }
    found
}

fn images(view: &View) -> Vec<Image> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pods in view.pods().chain(view.job_pods()) {
        for container in view::all_containers(pods.spec) {
            let user = format!("{} of {} {}", container.name, pods.kind, pods.name);
            found.entry(container.image.clone().unwrap_or_default()).or_default().insert(user);
        }
    }
    found.into_iter().map(|(image, used_by)| Image { image, used_by: used_by.into_iter().collect() }).collect()
}

/// The ConfigMap that Kubernetes creates in every namespace.
const OF_KUBERNETES: &str = "kube-root-ca.crt";

/// Secrets, ConfigMaps and claims that pods refer to and that are not rendered.
fn you_provide(view: &View) -> Vec<Provided> {
    // cert-manager makes the Secrets of its Certificates.
    let is_made = |name: &str| view.cert_manager().any(|(_, spec)| spec.secret_name == name);
    let mut found: BTreeMap<(&str, String), bool> = BTreeMap::new();
    for pods in view.pods().chain(view.job_pods()) {
        for (kind, name, optional) in view::references(pods.spec) {
            *found.entry((kind, name)).or_insert(true) &= optional;
        }
    }
    let missing = found.into_iter().filter(|((kind, name), _)| {
        name != OF_KUBERNETES && !view.has(kind, name) && !(*kind == "Secret" && is_made(name))
    });
    missing.map(|((kind, name), optional)| Provided { kind: kind.to_owned(), name, optional }).collect()
}
