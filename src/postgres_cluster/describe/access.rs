//! What processes may do in the Kubernetes API, in words.

use super::model::{Access, Right};
use super::schedule::list;
use super::view::{self, Pods, View};
use crate::kubernetes::{Object, PolicyRule};

/// The rights of each ServiceAccount.
pub(super) fn describe(view: &View) -> Vec<Access> {
    let accounts = view.objects.iter().filter(|object| matches!(object, Object::ServiceAccount(_)));
    accounts.map(|account| one(view, &account.reference().name)).collect()
}

fn one(view: &View, account: &str) -> Access {
    let pods: Vec<Pods> = view.pods().chain(view.job_pods()).collect();
    let users: Vec<&Pods> =
        pods.iter().filter(|pods| pods.spec.service_account_name.as_deref() == Some(account)).collect();
    Access {
        service_account: account.to_owned(),
        used_by: users.iter().map(|pods| format!("{} {}", pods.kind, pods.name)).collect(),
        token_in: users.iter().flat_map(|pods| with_token(pods)).collect(),
        rights: rules(view, account).map(right).collect(),
    }
}

/// The containers of a pod that get the token of the ServiceAccount.
fn with_token(pods: &Pods) -> Vec<String> {
    let volumes = pods.spec.volumes.iter().flatten().filter(|volume| {
        let sources = volume.projected.iter().filter_map(|it| it.sources.as_ref()).flatten();
        sources.into_iter().any(|source| source.service_account_token.is_some())
    });
    let names: Vec<&str> = volumes.map(|volume| volume.name.as_str()).collect();
    let everywhere = pods.spec.automount_service_account_token != Some(false);
    let containers = view::all_containers(pods.spec).filter(|container| {
        everywhere || container.volume_mounts.iter().flatten().any(|mount| names.contains(&mount.name.as_str()))
    });
    containers.map(|container| container.name.clone()).collect()
}

/// The rules of the Roles that are bound to a ServiceAccount.
fn rules<'a>(view: &'a View, account: &'a str) -> impl Iterator<Item = &'a PolicyRule> {
    let bound = view.objects.iter().filter_map(move |object| match object {
        Object::RoleBinding(binding) => {
            let is_bound = binding.subjects.iter().flatten().any(|subject| subject.name == account);
            is_bound.then_some(binding.role_ref.name.as_str())
        }
        _ => None,
    });
    bound
        .flat_map(|name| {
            view.objects.iter().filter_map(move |object| match object {
                Object::Role(role) if role.metadata.name.as_deref() == Some(name) => role.rules.as_ref(),
                _ => None,
            })
        })
        .flatten()
}

fn right(rule: &PolicyRule) -> Right {
    let resources = rule.resources.clone().unwrap_or_default();
    let names = rule.resource_names.iter().flatten().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let which = if names.is_empty() { " of the namespace".to_owned() } else { format!(" {}", list(&names)) };
    let why = match (resources.first().map(String::as_str), names.is_empty()) {
        (Some("endpoints"), true) => "Patroni watches the leader lock",
        (Some("endpoints"), false) => {
            "Patroni keeps the leader lock and its configuration there, and the caretaker the address of the leader"
        }
        (Some("pods"), true) => "Patroni finds the members of the cluster",
        (Some("pods"), false) => "Patroni labels the pods with their roles, and the caretaker announces changed files",
        (Some("services"), _) => "the caretaker reads the address of the Service",
        (Some("configmaps"), _) => "the caretaker learns at once that a Secret or ConfigMap has changed",
        (Some("endpointslices"), true) => "the caretaker finds out whether Kubernetes creates EndpointSlices",
        (Some("endpointslices"), false) => "the caretaker writes the EndpointSlices of the leader",
        (Some(restricted), _) if restricted.ends_with("/restricted") => {
            "OpenShift demands it for the addresses of pods"
        }
        _ => "",
    };
    Right { may: format!("{} {}{which}", list(&rule.verbs), list(&resources)), why: why.to_owned() }
}
