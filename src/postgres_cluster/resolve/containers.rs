//! Checks what the user adds to the rendered pods: sidecars, additional volumes, resources.

use std::collections::BTreeSet;

use super::context::Context;
use super::quantity;
use crate::diagnostic::FieldPath;
use crate::kubernetes::{Container, IntOrString, ResourceRequirements};
use crate::naming::is_container_port;
use crate::postgres_cluster::spec::AdditionalVolume;

/// Returns the user's own containers of a pod that already has the containers `ours`. Each name must be unique (Kubernetes'
/// `validateContainers`); the CRD does not check this.
pub(crate) fn sidecars(
    containers: &[Container],
    ours: &[&str],
    path: &FieldPath,
    context: &mut Context,
) -> Vec<Container> {
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let at = path.index(index);
        let is_new = names.insert(&container.name);
        if ours.contains(&container.name.as_str()) {
            let message =
                format!("`{}` is already the name of a container of this pod: choose another name", container.name);
            context.error(at.key("name"), message);
        } else if !is_new {
            context.error(
                at.key("name"),
                format!("two containers have the name `{}`: rename one of them", container.name),
            );
        }
        match container.image.as_deref() {
            None | Some("") => context.error(at.clone(), "has no image: add `image`"),
            Some(image) => context.check_image(image, None, at.key("image")),
        }
        resources(container.resources.as_ref(), &at.key("resources"), context);
        for (position, port) in container.ports.iter().flatten().enumerate() {
            if let Some(name) = port.name.as_deref().filter(|name| is_container_port(name)) {
                let message = format!(
                    "`{name}` has the form of the port names that Services of clusters use, so a Service could send \
                     connections to this container: choose another name"
                );
                context.error(at.key("ports").index(position).key("name"), message);
            }
        }
        if !is_restricted(container) {
            let message = format!(
                "container `{}` does not meet the Pod Security Standard *restricted*, and is rendered as it is \
                 written: the standard requires `runAsNonRoot`, `allowPrivilegeEscalation: false`, \
                 `capabilities.drop: [ALL]` and a `seccompProfile`",
                container.name
            );
            context.warning(at, message);
        }
    }
    containers.to_vec()
}

fn is_restricted(container: &Container) -> bool {
    container.security_context.as_ref().is_some_and(|security| {
        let drops = security.capabilities.as_ref().and_then(|capabilities| capabilities.drop.as_ref());
        security.allow_privilege_escalation == Some(false)
            && security.run_as_non_root == Some(true)
            && security.seccomp_profile.is_some()
            && drops.is_some_and(|drops| drops.iter().any(|drop| drop == "ALL"))
    })
}

/// Returns the user's additional volumes of a pod with these containers. If a volume names a container that does not exist, it
/// is not mounted there, and the user gets a warning, like PGO's event `SpecifiedContainerNotFound`.
pub(crate) fn additional_volumes(
    volumes: Option<&Vec<AdditionalVolume>>,
    containers: &[&str],
    path: &FieldPath,
    context: &mut Context,
) -> Vec<AdditionalVolume> {
    let volumes = volumes.cloned().unwrap_or_default();
    // A spec can have thousands of containers and thousands of volumes. If each message listed all containers, the messages
    // would fill the memory.
    let few = containers.iter().take(10).copied().collect::<Vec<_>>().join("`, `");
    let more = if containers.len() > 10 { " and others" } else { "" };
    let known: BTreeSet<&str> = containers.iter().copied().collect();
    for (index, volume) in volumes.iter().enumerate() {
        for (position, name) in volume.containers.iter().flatten().enumerate() {
            if !known.contains(name.as_str()) {
                let at = path.index(index).key("containers").index(position);
                context.warning(at, format!("there is no container `{name}`: the containers are `{few}`{more}"));
            }
        }
    }
    volumes
}

/// Returns the resources of a container. No amount is negative, and a request does not exceed its limit (Kubernetes'
/// `ValidateContainerResourceRequirements`).
pub(crate) fn resources(
    resources: Option<&ResourceRequirements>,
    path: &FieldPath,
    context: &mut Context,
) -> Option<ResourceRequirements> {
    let resources = resources?;
    for (field, amounts) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        for (name, amount) in amounts.iter().flatten() {
            if quantity::value(&amount.0).is_some_and(|value| value < 0.0) {
                context.error(path.key(field).key(name), format!("`{}` is less than 0", amount.0));
            }
        }
    }
    for (name, request) in resources.requests.iter().flatten() {
        let limit = resources.limits.as_ref().and_then(|limits| limits.get(name));
        if let Some(limit) = limit
            && quantity::value(&request.0) > quantity::value(&limit.0)
        {
            let message = format!("`{}` is more than the limit of `{}`", request.0, limit.0);
            context.error(path.key("requests").key(name), message);
        }
    }
    Some(resources.clone())
}

/// Returns `minAvailable` of a PodDisruptionBudget for `replicas` pods: the value of the user, or 1 if there is more than one
/// pod. `None` means no PodDisruptionBudget, which is the case if the result is 0. PGO has the same rule
/// (`internal/controller/postgrescluster/pod_disruption_budget.go`).
pub(crate) fn min_available(
    wanted: Option<&IntOrString>,
    replicas: u16,
    path: &FieldPath,
    context: &mut Context,
) -> Option<IntOrString> {
    let Some(wanted) = wanted else { return (replicas > 1).then_some(IntOrString::Int(1)) };
    let pods = match wanted {
        IntOrString::Int(pods) => Some(*pods),
        // Rounded up, as by the disruption controller.
        IntOrString::String(text) => text
            .strip_suffix('%')
            .and_then(|percent| percent.parse::<i32>().ok())
            .map(|percent| percent.saturating_mul(replicas.into()).saturating_add(99) / 100),
    };
    match pods {
        Some(pods) if pods < 0 => {
            context.error(path.clone(), "must be 0 or more");
            None
        }
        Some(0) => None,
        Some(_) => Some(wanted.clone()),
        None => {
            context.error(path.clone(), "must be a number or a percentage such as `50%`");
            None
        }
    }
}
